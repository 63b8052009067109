internal import Authorization
private import HTTP
package import Limits

/// What an operator or a benchmark asks of the engine.
package enum AdministrationRoutes {
    /// `POST /api/v1/admin/flush`: answers once every row that was acknowledged before is in a part. `GET /api/v1/admin/limits`: see
    /// `LimitsAnswer`.
    package static func make(flush: @escaping @Sendable () throws -> Void, limiter: Limiter) -> Routes {
        var routes = Routes(.plain, access: .needs(.admin))
        routes.add([.post], "/api/v1/admin/flush", cancellation: .never, isQuery: false) { _ in
            do {
                try flush()
                return .json(Array("{\"status\":\"success\"}".utf8))
            } catch {
                return .text("the flush failed: \(error)\n", status: 503)
            }
        }
        let limits = LimitsAnswer(limiter: limiter)
        routes.add([.get], "/api/v1/admin/limits", isQuery: false) { limits.response(to: $0) }
        return routes
    }
}

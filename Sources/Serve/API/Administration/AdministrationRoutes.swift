internal import Authorization
private import HTTP
private import JSON

/// What an operator or a benchmark asks of the engine.
package enum AdministrationRoutes {
    /// `POST /api/v1/admin/flush`: answers once every row that was acknowledged before is in a part.
    package static func make(flush: @escaping @Sendable () throws -> Void) -> Routes {
        var routes = Routes(.plain, access: .needs(.admin))
        routes.add([.post], "/api/v1/admin/flush", cancellation: .never, isQuery: false) { _ in
            do {
                try flush()
                return .json(Array("{\"status\":\"success\"}".utf8))
            } catch {
                return .text("the flush failed: \(error)\n", status: 503)
            }
        }
        return routes
    }
}

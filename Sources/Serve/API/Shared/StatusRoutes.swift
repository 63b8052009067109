internal import Authorization
private import HTTP
package import Observability

/// Health, readiness and the server's own metrics, under every name that clients know (rule U-3).
package enum StatusRoutes {
    /// - Parameters:
    ///   - metrics: nil: they are not to be had here.
    ///   - notReady: why the server cannot serve yet, or nil once it can.
    package static func make(
        metrics: MetricsRegistry?, version: String, notReady: @escaping @Sendable () -> String?
    ) -> Routes {
        var routes = Routes(.plain, access: .open)
        let healthy: APIHandler = { _ in .text("ok\n") }
        let ready: APIHandler = { _ in
            guard let reason = notReady() else { return .text("ready\n") }
            return .text(reason + "\n", status: 503)
        }
        for path in ["/-/healthy", "/health", "/healthz"] { routes.add([.get], path, isQuery: false, healthy) }
        for path in ["/-/ready", "/ready", "/readyz"] { routes.add([.get], path, isQuery: false, ready) }
        routes.add([.get], "/", isQuery: false) { _ in .text("varve \(version)\n") }
        guard let metrics else { return routes }
        routes.add([.get], "/metrics", isQuery: false, access: .needs(.admin)) { _ in
            HTTPResponse(
                status: 200, headers: [("Content-Type", MetricsText.contentType)],
                body: MetricsText.render(metrics.families))
        }
        return routes
    }
}

/// Bringing a server to rest after a load: every row in a part, and nothing left to merge.
enum Settling {
    static func flush(_ address: HTTPConnection.Address) throws(BenchError) {
        var connection = HTTPConnection(address)
        let response = try connection.post("/varve/api/v1/admin/flush", contentType: "application/json", [])
        guard response.status == 200 else { throw .server("flush: HTTP \(response.status) \(response.text)") }
    }

    /// Waits until nothing has been merged or added to views for that many seconds.
    @discardableResult
    static func wait(for address: HTTPConnection.Address, quiet: Int) throws(BenchError) -> ServerMetrics {
        var connection = HTTPConnection(address)
        var metrics = try ServerMetrics(over: &connection)
        var since = Clock.now()
        while Clock.now() - since < Double(quiet) {
            Clock.sleep(seconds: 0.5)
            let now = try ServerMetrics(over: &connection)
            // A merge or rollup that is under way shows as processor time.
            if now.maintenanceSeconds > metrics.maintenanceSeconds + 0.01 || now.total("varve_merges_running") ?? 0 > 0
            {
                since = Clock.now()
            }
            metrics = now
        }
        return metrics
    }
}

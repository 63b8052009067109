internal import Core
import HTTP
import Observability
internal import Scheduling

/// A line of the log about a query that has ended, for those who ask for debugging.
enum QueryReport {
    static func write(_ request: APIRequest, _ dialect: Dialect, status: Int, time: Duration, to log: Log) {
        guard log.level <= .debug else { return }
        let statistics = request.context.statistics
        let counters =
            statistics.totals.filter { $0.value > 0 }.map { "\($0.name)=\($0.value)" }
            + statistics.skipped.map { index, values in
                index.name + ":"
                    + values.filter { $0.value > 0 }.map { "\($0.name)=\($0.value)" }.joined(separator: ",")
            }
        let (seconds, attoseconds) = time.components
        log.debug(
            "query",
            [
                "api": .string(dialect.name), "path": .string(String(request.http.path.prefix(200))),
                "tenant": .string(request.tenant.name), "status": .int(status),
                "seconds": .double(Double(seconds) + Double(attoseconds) * 1e-18),
                "statistics": .string(counters.joined(separator: " ")),
            ])
    }
}

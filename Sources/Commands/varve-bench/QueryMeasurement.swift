import Glibc

/// How often a query is asked, and what that took.
struct QueryMeasurement {
    struct Result {
        /// Milliseconds.
        var median, p95, first: Double
        /// Milliseconds of the server's processor time for a query; nil if unknown.
        var cpu: Double?
        var bytes: Int
        var runs: Int
    }

    private static let fewestRuns = 3

    let runs: Int
    /// What takes long is not asked for minutes.
    let seconds: Double
    let cached: Bool

    /// - Parameters:
    ///   - pid: the server, if all that it does is to answer.
    ///   - query: is called before each run, since its range of time may move.
    func measure(
        over connection: inout HTTPConnection, pid: pid_t?, _ query: () -> QueryMix.Query
    ) throws(BenchError) -> Result {
        var samples = Samples()
        var bytes = 0
        var count = 0
        let before = pid.flatMap { ProcessUsage(pid: $0) }
        let start = Clock.now()
        while count < runs {
            let spent = Clock.now() - start
            guard spent < seconds || count < Self.fewestRuns && spent < 5 * seconds else { break }
            let query = query()
            let target = query.targets[count % query.targets.count]
            let begun = Clock.now()
            let response = try connection.get(target, cached: cached)
            samples.add((Clock.now() - begun) * 1e3)
            guard response.status == query.status else {
                throw .server("\(query.name): HTTP \(response.status) \(response.text)")
            }
            count += 1
            bytes = response.body.count
        }
        let after = pid.flatMap { ProcessUsage(pid: $0) }
        var cpu: Double?
        if let before, let after { cpu = (after.cpuSeconds - before.cpuSeconds) * 1e3 / Double(count) }
        return Result(
            median: samples.percentile(0.5), p95: samples.percentile(0.95), first: samples.values.first ?? .nan,
            cpu: cpu, bytes: bytes, runs: count)
    }
}

/// The server's own counters, as its `/metrics` prints them.
struct ServerMetrics {
    /// By name and labels as they are printed.
    private var samples: [String: Double] = [:]

    init(over connection: inout HTTPConnection) throws(BenchError) {
        let response = try connection.get("/metrics")
        guard response.status == 200 else { throw .server("/metrics: HTTP \(response.status)") }
        for line in String(decoding: response.body, as: UTF8.self).split(separator: "\n") where !line.hasPrefix("#") {
            guard let space = line.lastIndex(of: " "), let value = Double(line[line.index(after: space)...]) else {
                continue
            }
            samples[String(line[..<space])] = value
        }
    }

    /// The sum over all labels; nil if the server does not have the metric.
    func total(_ name: String) -> Double? {
        let members = samples.filter { $0.key == name || $0.key.hasPrefix(name + "{") }
        return members.isEmpty ? nil : members.reduce(0) { $0 + $1.value }
    }

    /// Processor time of merges and rollups.
    var maintenanceSeconds: Double {
        byLabel("varve_work_cpu_seconds_total").reduce(0) {
            $1.label == "merge" || $1.label == "rollup" ? $0 + $1.value : $0
        }
    }

    /// By the value of a metric's only label.
    func byLabel(_ name: String) -> [(label: String, value: Double)] {
        samples.compactMap { key, value -> (label: String, value: Double)? in
            guard key.hasPrefix(name + "{") else { return nil }
            let quoted = key.split(separator: "\"", omittingEmptySubsequences: false)
            return quoted.count == 3 ? (String(quoted[1]), value) : nil
        }
        .sorted { ($1.value, $0.label) < ($0.value, $1.label) }
    }
}

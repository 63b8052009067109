package import Core
import HTTP
import JSON
import QueryModel

/// What `/api/v1/status/…` says of the server itself (rules P-25, P-29).
package struct ServerFacts: Sendable {
    /// The version of Prometheus's API that is spoken; clients switch features by it.
    package static let apiVersion = "3.5.0"

    package var version: String
    package var revision: String
    package var startTime: Timestamp
    package var hostName: String
    package var workingDirectory: String
    /// The configuration in force, as YAML.
    package var configuration: String
    /// Settings by name.
    package var flags: [String: String]
    /// How long metrics are kept, such as `90d`.
    package var retention: String
    package var processorCount: Int

    package init(
        version: String, revision: String = "", startTime: Timestamp, hostName: String = "",
        workingDirectory: String = "", configuration: String = "", flags: [String: String] = [:],
        retention: String = "", processorCount: Int = 1
    ) {
        self.version = version
        self.revision = revision
        self.startTime = startTime
        self.hostName = hostName
        self.workingDirectory = workingDirectory
        self.configuration = configuration
        self.flags = flags
        self.retention = retention
        self.processorCount = processorCount
    }
}

/// Routes about the server: no rules, no targets, no alert managers, since data is pushed (rules P-25 to P-29).
extension PrometheusAPI {
    func addStatus(to routes: inout Routes) {
        add([.get], "status/buildinfo", to: &routes, buildInformation)
        add([.get], "status/config", to: &routes) { [facts] _ throws(PrometheusFailure) in
            PrometheusResponses.success { $0.object([("yaml", facts.configuration)]) }
        }
        add([.get], "status/flags", to: &routes) { [facts] _ throws(PrometheusFailure) in
            PrometheusResponses.success { $0.object(facts.flags.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }) }
        }
        add([.get], "status/runtimeinfo", to: &routes, runtimeInformation)
        add([.get], "status/tsdb", to: &routes, storageInformation)
        for (path, data) in Self.constants {
            add([.get], path, to: &routes) { _ throws(PrometheusFailure) in
                PrometheusResponses.success { $0.raw(data) }
            }
        }
        for action in ["delete_series", "clean_tombstones", "snapshot"] {
            routes.add([.post, .put], "/api/v1/admin/tsdb/\(action)") { _ in
                PrometheusFailure.response("unavailable", "admin APIs disabled", status: 403)
            }
        }
    }

    private static let constants: [(path: String, data: StaticString)] = [
        ("rules", #"{"groups":[]}"#),
        ("alerts", #"{"alerts":[]}"#),
        ("targets", #"{"activeTargets":[],"droppedTargets":[],"droppedTargetCounts":{}}"#),
        ("targets/metadata", "[]"),
        ("alertmanagers", #"{"activeAlertmanagers":[],"droppedAlertmanagers":[]}"#),
        ("scrape_pools", #"{"scrapePools":[]}"#),
        ("notifications", "[]"),
        ("status/walreplay", #"{"min":0,"max":0,"current":0}"#),
    ]

    private func buildInformation(_ request: APIRequest) throws(PrometheusFailure) -> HTTPResponse {
        PrometheusResponses.success { json in
            json.object([
                ("version", ServerFacts.apiVersion), ("revision", facts.revision), ("branch", "main"),
                ("buildUser", "varve"),
                ("buildDate", ""), ("goVersion", ""), ("varveVersion", facts.version),
            ])
        }
    }

    private func runtimeInformation(_ request: APIRequest) throws(PrometheusFailure) -> HTTPResponse {
        PrometheusResponses.success { json in
            json.beginObject()
            for (key, value) in [
                ("startTime", facts.startTime.rfc3339), ("CWD", facts.workingDirectory), ("hostname", facts.hostName),
                ("serverTime", now().rfc3339), ("lastConfigTime", facts.startTime.rfc3339), ("GOGC", ""),
                ("GODEBUG", ""), ("storageRetention", facts.retention),
            ] {
                json.key(key)
                json.string(value)
            }
            json.key("reloadConfigSuccess")
            json.bool(true)
            for (key, value) in [
                ("corruptionCount", 0), ("goroutineCount", 0), ("GOMAXPROCS", facts.processorCount),
                ("GOMEMLIMIT", Int.max),
            ] {
                json.key(key)
                json.int(value)
            }
            json.endObject()
        }
    }

    /// Counts over the series of the last three hours.
    private func storageInformation(_ request: APIRequest) throws(PrometheusFailure) -> HTTPResponse {
        let limit = try PrometheusParameters(http: request.http).limit() ?? 10
        let end = now()
        let range = TimeRange(start: end.advanced(by: -3 * 3600 * 1_000_000_000), end: end)
        let sets = try asking { () throws(QueryError) in
            try source.labelSets(matching: [], in: range, context: request.context)
        }
        var (byMetric, byPair): ([String: Int], [String: Int]) = ([:], [:])
        var values: [String: Set<String>] = [:]
        for labels in sets {
            byMetric[labels.metricName, default: 0] += 1
            for label in labels.pairs {
                byPair["\(label.name)=\(label.value)", default: 0] += 1
                values[label.name, default: []].insert(label.value)
            }
        }
        let valueCounts = values.mapValues(\.count)
        let valueBytes = values.mapValues { $0.reduce(0) { $0 + $1.utf8.count } }
        return PrometheusResponses.success { json in
            json.beginObject()
            json.key("headStats")
            json.beginObject()
            for (key, value) in [
                ("numSeries", sets.count), ("numLabelPairs", byPair.count), ("chunkCount", 0),
                ("minTime", Int(range.start.milliseconds)), ("maxTime", Int(range.end.milliseconds)),
            ] {
                json.key(key)
                json.int(value)
            }
            json.endObject()
            for (key, counts) in [
                ("seriesCountByMetricName", byMetric), ("labelValueCountByLabelName", valueCounts),
                ("memoryInBytesByLabelName", valueBytes), ("seriesCountByLabelValuePair", byPair),
            ] {
                json.key(key)
                json.topCounts(counts, limit: limit)
            }
            json.endObject()
        }
    }
}

extension JSONWriter {
    fileprivate mutating func object(_ members: [(key: String, value: String)]) {
        beginObject()
        for (name, value) in members {
            key(name)
            string(value)
        }
        endObject()
    }

    /// The greatest counts, in descending order; equal ones by name.
    fileprivate mutating func topCounts(_ counts: [String: Int], limit: Int) {
        beginArray()
        for (name, value) in counts.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }).prefix(limit) {
            beginObject()
            key("name")
            string(name)
            key("value")
            int(value)
            endObject()
        }
        endArray()
    }
}

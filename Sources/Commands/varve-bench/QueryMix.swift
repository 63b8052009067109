import Corpus
import Foundation

/// The questions that are asked of each signal, over the corpus's range of time.
struct QueryMix {
    struct Query {
        var name: String
        /// Asked in turn.
        var targets: [String]
        var status = 200
    }

    var queries: [Query] = []
    let corpus: CorpusDirectory

    init(corpus: CorpusDirectory, connection: inout HTTPConnection) throws(BenchError) {
        self.corpus = corpus
        switch corpus.signal {
        case .traces: queries = try TraceQueries(corpus, hour, &connection).queries
        case .logs: try addLogs(&connection)
        case .metrics: try addMetrics(&connection)
        }
    }

    /// `path` with its parameters.
    static func target(_ path: String, _ parameters: [(String, String)]) -> String {
        path + "?" + parameters.map { "\($0)=\(escaped($1))" }.joined(separator: "&")
    }

    static func escaped(_ text: String) -> String {
        text.utf8.map { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E: String(Unicode.Scalar(byte))
            default: "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }.joined()
    }

    /// The list of strings at `data` of a JSON answer.
    static func strings(_ target: String, _ connection: inout HTTPConnection) throws(BenchError) -> [String] {
        let response = try connection.get(target)
        guard response.status == 200,
            let object = try? JSONSerialization.jsonObject(with: Data(response.body)) as? [String: Any]
        else { throw .server("\(target): HTTP \(response.status) \(response.text)") }
        return object["data"] as? [String] ?? []
    }

    /// The busiest hour: the one before the last, so that it is whole.
    var hour: (start: Int64, end: Int64) {
        let end = max(corpus.start, corpus.end - 3_600_000_000_000)
        return (max(corpus.start, end - 3_600_000_000_000), end)
    }

    private mutating func addLogs(_ connection: inout HTTPConnection) throws(BenchError) {
        let services = try Self.strings(
            Self.target(
                "/loki/api/v1/label/service_name/values",
                [("start", String(corpus.start)), ("end", String(corpus.end + 1))]), &connection)
        guard let service = services.first(where: { $0 == "checkout" }) ?? services.first else {
            throw .server("the server knows no service: is the corpus loaded?")
        }
        let everything = "{service_name=~\".+\"}"
        for needle in corpus.needles {
            queries.append(range("needle_\(needle.count)_full", "\(everything) |= `\(needle.word)`", full: true))
        }
        queries += [
            range("needle_absent_full", "\(everything) |= `needlezz0absent`", full: true),
            range("frequent_word_full", "\(everything) |= `timeout`", full: true),
            range("newest_100_of_service", "{service_name=\"\(service)\"}", full: true),
            range("service_substring_1h", "{service_name=\"\(service)\"} |= `rder`", full: false),
            range("regex_1h", "{service_name=\"\(service)\"} |~ `order .* total [0-9]+`", full: false),
            range("label_filter_1h", "\(everything) | detected_level=\"error\"", full: false),
            range(
                "count_by_service_full", "sum by (service_name) (count_over_time(\(everything)[1h]))", full: true,
                step: "3600"),
            range(
                "count_by_level_1h", "sum by (detected_level) (count_over_time({service_name=\"\(service)\"}[1m]))",
                full: false, step: "60"),
            range(
                "rate_of_word_full", "sum by (service_name) (rate(\(everything) |= `timeout` [5m]))", full: true,
                step: "300"),
            Query(
                name: "label_values",
                targets: [
                    Self.target(
                        "/loki/api/v1/label/service_name/values",
                        [("start", String(corpus.start)), ("end", String(corpus.end + 1))])
                ]),
        ]
    }

    private func range(_ name: String, _ query: String, full: Bool, step: String? = nil) -> Query {
        let start = full ? corpus.start : hour.start
        let end = full ? corpus.end + 1 : hour.end
        var parameters = [
            ("query", query), ("start", String(start)), ("end", String(end)), ("limit", "100"),
            ("direction", "backward"),
        ]
        if let step { parameters.append(("step", step)) }
        return Query(name: name, targets: [Self.target("/loki/api/v1/query_range", parameters)])
    }

    private mutating func addMetrics(_ connection: inout HTTPConnection) throws(BenchError) {
        let bounds = [("start", Self.seconds(corpus.start)), ("end", Self.seconds(corpus.end))]
        let names = try Self.strings(Self.target("/api/v1/label/__name__/values", bounds), &connection)
        let histogram =
            names.first { $0.hasSuffix("request_duration_seconds_bucket") } ?? names.first { $0.hasSuffix("_bucket") }
        guard
            let counter = names.first(where: { $0.hasSuffix("network_io_bytes_total") })
                ?? names.first(where: { $0.hasSuffix("_total") }),
            let gauge = names.first(where: { $0.hasSuffix("cpu_utilization_ratio") })
                ?? names.first(where: { $0.hasSuffix("_ratio") }),
            let histogram
        else { throw .server("no counter, ratio or histogram among \(names.count) metrics: is the corpus loaded?") }
        queries = [
            instant("instant_selector", counter),
            instant("instant_sum_rate", "sum by (job) (rate(\(counter)[5m]))"),
            instant("instant_topk", "topk(10, rate(\(counter)[5m]))"),
            series("range_selector_1h_15s", gauge, full: false, step: "15"),
            series("range_sum_rate_full_60s", "sum by (job) (rate(\(counter)[5m]))", full: true, step: "60"),
            series(
                "range_avg_over_time_full_300s", "avg by (job) (avg_over_time(\(gauge)[10m]))", full: true, step: "300"),
            series(
                "range_quantile_1h_15s", "histogram_quantile(0.95, sum by (job, le) (rate(\(histogram)[5m])))",
                full: false, step: "15"),
            series(
                "range_quantile_full_60s", "histogram_quantile(0.95, sum by (job, le) (rate(\(histogram)[5m])))",
                full: true, step: "60"),
            series("range_topk_full_60s", "topk(5, rate(\(counter)[5m]))", full: true, step: "60"),
            Query(name: "series_of_metric", targets: [Self.target("/api/v1/series", [("match[]", counter)] + bounds)]),
            Query(name: "label_names", targets: [Self.target("/api/v1/labels", bounds)]),
            Query(name: "label_values_name", targets: [Self.target("/api/v1/label/__name__/values", bounds)]),
        ]
    }

    private static func seconds(_ nanoseconds: Int64) -> String { String(nanoseconds / 1_000_000_000) }

    private func instant(_ name: String, _ query: String) -> Query {
        let timestamp = (corpus.start + corpus.end) / 2
        return Query(
            name: name, targets: [Self.target("/api/v1/query", [("query", query), ("time", Self.seconds(timestamp))])])
    }

    private func series(_ name: String, _ query: String, full: Bool, step: String) -> Query {
        let start = full ? corpus.start : hour.start
        let end = full ? corpus.end : hour.end
        return Query(
            name: name,
            targets: [
                Self.target(
                    "/api/v1/query_range",
                    [("query", query), ("start", Self.seconds(start)), ("end", Self.seconds(end)), ("step", step)])
            ])
    }
}

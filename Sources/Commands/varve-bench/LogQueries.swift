import Corpus
import Foundation

/// The questions that are asked of a corpus of logs, in LogQL.
///
/// Text: a word that a few lines have, a piece of it, a word that no line has, a piece of text that no token index can rule out
/// (`qzxvkjw` may lie inside of a longer word), and a word that many lines have. Counts: from views where they may answer, and on a grid
/// that begins a second after the hour, which none of them can. Then a parser over all lines, a trace's records, and labels.
struct LogQueries {
    private typealias Parameters = [(String, String)]

    private static let everything = "{service_name=~\".+\"}"

    private let service: String
    private let needles: [(word: String, count: Int)]
    /// Traces that have records.
    private let traces: [String]

    init(
        _ corpus: CorpusDirectory, _ window: QueryWindow, _ connection: inout HTTPConnection
    ) throws(BenchError) {
        needles = corpus.needles
        let values = QueryMix.target("/loki/api/v1/label/service_name/values", window.inNanoseconds)
        let services = try QueryMix.strings(values, &connection)
        guard let service = services.first(where: { $0 == "checkout" }) ?? services.first else {
            throw .server("the server knows no service: is the corpus loaded?")
        }
        self.service = service
        traces = try Self.traces(in: window, &connection)
    }

    func queries(in window: QueryWindow) -> [QueryMix.Query] {
        text(window) + counts(window) + [
            linesOfEach("logs_of_trace_full", traces.map { "\(Self.everything) | trace_id=\"\($0)\"" }, window),
            QueryMix.Query(
                name: "volume_by_service_hour_full",
                targets: [
                    QueryMix.target(
                        "/loki/api/v1/index/volume_range",
                        [("query", Self.everything), ("targetLabels", "service_name"), ("step", "3600")]
                            + window.wholeHours.inNanoseconds)
                ]),
            QueryMix.Query(
                name: "label_values",
                targets: [QueryMix.target("/loki/api/v1/label/service_name/values", window.inNanoseconds)]),
            QueryMix.Query(
                name: "label_names", targets: [QueryMix.target("/loki/api/v1/labels", window.inNanoseconds)]),
        ]
    }

    private func text(_ window: QueryWindow) -> [QueryMix.Query] {
        let everything = Self.everything
        let ofService = "{service_name=\"\(service)\"}"
        var queries: [QueryMix.Query] = []
        for needle in needles {
            queries.append(lines("needle_\(needle.count)_full", "\(everything) |= `\(needle.word)`", window))
        }
        if let needle = needles.first(where: { $0.count == 7 }) ?? needles.last {
            let piece = needle.word.dropFirst().dropLast()
            queries.append(lines("needle_piece_\(needle.count)_full", "\(everything) |= `\(piece)`", window))
        }
        queries += [
            lines("needle_absent_full", "\(everything) |= `needlezz0absent`", window),
            lines("absent_substring_full", "\(everything) |= `qzxvkjw`", window),
            lines("frequent_word_full", "\(everything) |= `timeout`", window),
            lines("frequent_word_forward_full", "\(everything) |= `timeout`", window, direction: "forward"),
            lines("newest_100_of_service", ofService, window),
            lines("service_substring_1h", "\(ofService) |= `rder`", window.hour),
            lines("service_substring_full", "\(ofService) |= `imeou`", window),
            lines("regex_1h", "\(ofService) |~ `order .* total [0-9]+`", window.hour),
            lines("label_filter_1h", "\(everything) | detected_level=\"error\"", window.hour),
            lines("json_status_full", "\(everything) |= `{` | json | response_code >= 500", window),
        ]
        return queries
    }

    private func counts(_ window: QueryWindow) -> [QueryMix.Query] {
        let everything = Self.everything
        let hours = window.wholeHours
        // No window of an hour that ends a second after one is in a summary by hours.
        let odd = hours.moved(by: 1_000_000_000)
        let all = "sum by (service_name) (count_over_time(\(everything)[1h]))"
        let errors = "sum by (service_name) (count_over_time(\(everything) | severity_text=\"ERROR\" [1h]))"
        let json =
            "sum by (service_name) (count_over_time(\(everything) | json | __error__=\"\" | response_code >= 500 [1h]))"
        return [
            metric("count_by_service_full", all, window, step: "3600"),
            metric("count_by_service_hour_full", all, hours, step: "3600"),
            metric("count_by_service_hour_raw", all, odd, step: "3600"),
            metric("errors_by_service_hour_full", errors, hours, step: "3600"),
            metric("errors_by_service_hour_raw", errors, odd, step: "3600"),
            metric(
                "count_by_level_1h", "sum by (detected_level) (count_over_time({service_name=\"\(service)\"}[1m]))",
                window.hour, step: "60"),
            metric(
                "rate_of_word_full", "sum by (service_name) (rate(\(everything) |= `timeout` [5m]))", window,
                step: "300"),
            metric("json_status_by_service_hour_full", json, hours, step: "3600"),
        ]
    }

    private func lines(
        _ name: String, _ query: String, _ window: QueryWindow, direction: String = "backward"
    ) -> QueryMix.Query {
        QueryMix.Query(name: name, targets: [target(query, window, [("direction", direction)])])
    }

    private func linesOfEach(_ name: String, _ queries: [String], _ window: QueryWindow) -> QueryMix.Query {
        QueryMix.Query(name: name, targets: queries.map { target($0, window, [("direction", "backward")]) })
    }

    private func metric(_ name: String, _ query: String, _ window: QueryWindow, step: String) -> QueryMix.Query {
        QueryMix.Query(name: name, targets: [target(query, window, [("step", step)])])
    }

    private func target(_ query: String, _ window: QueryWindow, _ extra: Parameters) -> String {
        // The last record is of the range's last nanosecond, and ranges end before their end.
        var range = window
        range.end += 1
        return QueryMix.target(
            "/loki/api/v1/query_range", [("query", query)] + range.inNanoseconds + [("limit", "100")] + extra)
    }

    /// A few traces of records in the middle of the range, as their structured metadata has them.
    private static func traces(
        in window: QueryWindow, _ connection: inout HTTPConnection
    ) throws(BenchError) -> [String] {
        let middle = window.start + (window.end - window.start) / 2
        let range = QueryWindow(start: middle, end: window.end).inNanoseconds
        let target = QueryMix.target(
            "/loki/api/v1/query_range",
            [("query", "\(everything) | trace_id=~\".+\""), ("limit", "20"), ("direction", "forward")] + range)
        let response = try connection.get(target)
        let object = try? JSONSerialization.jsonObject(with: Data(response.body)) as? [String: Any]
        let result = (object?["data"] as? [String: Any])?["result"] as? [[String: Any]] ?? []
        let found = Set(result.compactMap { ($0["stream"] as? [String: Any])?["trace_id"] as? String }).sorted()
        guard !found.isEmpty else { throw .server("no record with a trace found to ask for") }
        return found
    }
}

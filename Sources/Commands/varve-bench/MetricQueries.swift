import Corpus

/// The questions that are asked of a corpus of metrics, in PromQL.
struct MetricQueries {
    private let gauge, counter, traffic, tenants, memory, histogram: String
    /// Every classic histogram's buckets, as a regular expression.
    private let histograms: String

    /// Names that the demo shops' corpora have come first; in others any metric of the kind has to do.
    init(_ window: QueryWindow, _ connection: inout HTTPConnection) throws(BenchError) {
        let target = QueryMix.target("/api/v1/label/__name__/values", window.inSeconds)
        let names = try QueryMix.strings(target, &connection)
        func first(_ suffixes: String...) -> String? {
            for suffix in suffixes {
                if let name = names.first(where: { $0.hasSuffix(suffix) }) { return name }
            }
            return nil
        }
        let buckets = names.filter { $0.hasSuffix("_bucket") }
        guard let counter = first("cache_hits_total", "network_io_bytes_total", "_total"),
            let gauge = first("cpu_utilization_ratio", "_ratio"),
            let histogram = first("request_duration_seconds_bucket", "_bucket")
        else { throw .server("no counter, ratio or histogram among \(names.count) metrics: is the corpus loaded?") }
        (self.gauge, self.counter, self.histogram) = (gauge, counter, histogram)
        traffic = first("_io_bytes_total") ?? counter
        tenants = first("tenant_requests_total") ?? counter
        memory = first("memory_bytes", "memory_usage_bytes", "_bytes") ?? gauge
        histograms = buckets.joined(separator: "|")
    }

    func queries(in window: QueryWindow) -> [QueryMix.Query] {
        let full = window.wholeMinutes
        let hour = full.hour
        func quantile(_ selector: String) -> String {
            "histogram_quantile(0.95, sum by (job, le) (rate(\(selector)[5m])))"
        }
        return [
            instant("instant_selector", counter, full),
            instant("instant_sum_rate", "sum by (job) (rate(\(counter)[5m]))", full),
            instant("instant_topk", "topk(10, rate(\(traffic)[5m]))", full),
            range("range_selector_1h_15s", gauge, hour, step: "15"),
            range("range_sum_rate_full_60s", "sum by (job) (rate(\(counter)[5m]))", full, step: "60"),
            range("range_sum_tenants_full_60s", "sum by (job) (\(tenants))", full, step: "60"),
            range("range_avg_over_time_full_300s", "avg by (job) (avg_over_time(\(gauge)[10m]))", full, step: "300"),
            range(
                "range_avg_over_1h_full_300s", "avg by (job) (avg_over_time(\(memory){state=\"used\"}[1h]))", full,
                step: "300"),
            range("range_quantile_1h_15s", quantile(histogram), hour, step: "15"),
            range("range_quantile_full_60s", quantile(histogram), full, step: "60"),
            range("range_quantile_all_full_60s", quantile("{__name__=~\"\(histograms)\"}"), full, step: "60"),
            range("range_topk_full_60s", "topk(5, rate(\(traffic)[5m]))", full, step: "60"),
            QueryMix.Query(
                name: "series_of_metric",
                targets: [QueryMix.target("/api/v1/series", [("match[]", counter)] + full.inSeconds)]),
            QueryMix.Query(name: "label_names", targets: [QueryMix.target("/api/v1/labels", full.inSeconds)]),
            QueryMix.Query(
                name: "label_values_name",
                targets: [QueryMix.target("/api/v1/label/__name__/values", full.inSeconds)]),
        ]
    }

    private func instant(_ name: String, _ query: String, _ window: QueryWindow) -> QueryMix.Query {
        let time = String((window.start / 2 + window.end / 2) / 1_000_000_000)
        return QueryMix.Query(
            name: name, targets: [QueryMix.target("/api/v1/query", [("query", query), ("time", time)])])
    }

    private func range(_ name: String, _ query: String, _ window: QueryWindow, step: String) -> QueryMix.Query {
        QueryMix.Query(
            name: name,
            targets: [QueryMix.target("/api/v1/query_range", [("query", query)] + window.inSeconds + [("step", step)])])
    }
}

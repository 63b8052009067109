internal import Ingest
internal import Observability
internal import QueryModel
internal import Scheduling

/// The cache of results as each language uses it; without one, each query is evaluated anew.
struct KeptResults {
    let metrics: RangeCache?
    let logs: RangeCache?
    private let spans: RangeCache?

    /// - Parameter engine: nil where rows neither come nor go.
    init(_ configuration: Configuration, _ memory: MemoryBudget, _ engine: Engine?, _ registry: MetricsRegistry) {
        guard memory.results > 0 else {
            (metrics, logs, spans) = (nil, nil, nil)
            return
        }
        let results = ResultCache(
            ResultCache.Limits(bytes: memory.results, age: .nanoseconds(configuration.resultCacheAge)))
        memory.ledger.add("results", bytes: { results.usedBytes }, shrink: { results.shrink() })
        let removals: @Sendable () -> Int = { engine?.removals ?? 0 }
        metrics = RangeCache(results, .promQL, changes: engine?.metrics.changes ?? RowChanges(), removals: removals)
        logs = RangeCache(results, .logQL, changes: engine?.logs.changes ?? RowChanges(), removals: removals)
        spans = RangeCache(results, .spans, changes: engine?.spans.changes ?? RowChanges(), removals: removals)
        registry.computed("varve_result_cache_bytes", help: "Memory of results of range queries that are kept.") {
            Double(results.usedBytes)
        }
        registry.computed(
            "varve_result_cache_steps_total", help: "Steps of range queries that may be kept.", monotonic: true
        ) { Double(results.askedSteps) }
        registry.computed(
            "varve_result_cache_hit_steps_total", help: "Of these, steps that were kept and still right.",
            monotonic: true
        ) { Double(results.hitSteps) }
    }

    func statistics(_ source: any SpanStatisticsSource) -> any SpanStatisticsSource {
        spans.map { KeptSpanStatistics(source, $0) } ?? source
    }
}

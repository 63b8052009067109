package import Core
internal import QueryModel

/// What a list of results shows of a trace (rule J-44).
package struct TraceSummary: FoundTrace, Hashable {
    package struct Service: Hashable, Sendable {
        package var name: String
        package var spanCount = 0
        package var errorSpanCount = 0
    }

    package let id: TraceID
    /// The earliest start of any span, and the latest end, which is never before it.
    package let start: Timestamp
    package let end: Timestamp
    /// Of the first span without a parent, or else of the first span.
    package let rootServiceName: String
    package let rootOperationName: String
    package let spanCount: Int
    package let errorSpanCount: Int
    /// Spans with a parent that is not there.
    package let orphanSpanCount: Int
    /// By name.
    package let services: [Service]

    package init(_ trace: Trace) {
        self.init(id: trace.id, sorted: trace.spans.map { SpanOutline($0) })
    }

    /// - Returns: nil if the outlines do not tell everything: some are so alike that the spans may be one that was stored twice.
    ///   Also if there are none.
    init?(id: TraceID, outlines: [SpanOutline]) {
        guard !outlines.isEmpty else { return nil }
        let sorted = outlines.sorted { Self.key($0) < Self.key($1) }
        let areAlike = zip(sorted, sorted.dropFirst()).contains { Self.key($0) == Self.key($1) }
        if areAlike { return nil }
        self.init(id: id, sorted: sorted)
    }

    /// As the spans of a trace are sorted.
    private static func key(_ span: SpanOutline) -> (Timestamp, SpanID, Timestamp) {
        (span.start, span.spanID, span.end)
    }

    /// - Parameter spans: one at least.
    private init(id: TraceID, sorted spans: [SpanOutline]) {
        self.id = id
        start = spans[0].start
        end = spans.reduce(spans[0].start) { max($0, $1.end) }
        let root = spans.first { $0.parentSpanID.isZero } ?? spans[0]
        rootServiceName = Self.shown(root.serviceName)
        rootOperationName = root.name
        spanCount = spans.count
        let ids = Set(spans.map(\.spanID))
        orphanSpanCount = spans.count { !$0.parentSpanID.isZero && !ids.contains($0.parentSpanID) }
        var services: [String: Service] = [:]
        for span in spans {
            let name = Self.shown(span.serviceName)
            services[name, default: Service(name: name)].spanCount += 1
            if span.statusCode == 2 { services[name, default: Service(name: name)].errorSpanCount += 1 }
        }
        self.services = services.values.sorted { $0.name < $1.name }
        errorSpanCount = services.values.reduce(0) { $0 + $1.errorSpanCount }
    }

    private static func shown(_ service: String) -> String { service.isEmpty ? TraceSpan.unnamedService : service }

    var footprint: Int { MemoryLayout<TraceSummary>.stride + services.count * 96 + 256 }
}

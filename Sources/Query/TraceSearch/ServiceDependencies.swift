package import Core
package import QueryModel

/// How often spans of one service were called by spans of another (rule J-30).
package struct ServiceDependency: Hashable, Sendable {
    package var parent: String
    package var child: String
    package var callCount: Int

    package init(parent: String, child: String, callCount: Int) {
        self.parent = parent
        self.child = child
        self.callCount = callCount
    }
}

/// Where a dependency graph comes from.
package protocol DependencySource: Sendable {
    /// One entry for each ordered pair of distinct services, sorted by names.
    func dependencies(in range: TimeRange, context: QueryContext) throws(QueryError) -> [ServiceDependency]
}

/// Counts over the spans that start in a range, exactly: a span whose parent starts there too and belongs to another service
/// is one call. Only ids and services are held, 40 bytes a span, and counted against the query's budget.
extension TraceSearch: DependencySource {
    package func dependencies(
        in range: TimeRange, context: QueryContext
    ) throws(QueryError) -> [ServiceDependency] {
        guard !range.isEmpty else { return [] }
        var services = ServiceNumbers()
        var calls: [SpanCall] = []
        var spent = 0
        defer { context.release(bytes: spent) }
        try scan(TraceQuery(range: range, limit: .max), context: context) { spans throws(QueryError) -> Bool in
            let bytes = spans.count * MemoryLayout<SpanCall>.stride
            try spend(bytes, context)
            spent += bytes
            for span in spans where range.contains(span.start) {
                calls.append(
                    SpanCall(
                        trace: span.traceID, span: span.spanID, parent: span.parentSpanID,
                        service: services.number(of: span.serviceName)))
            }
            return true
        }
        calls.sort { ($0.trace, $0.span, $0.parent, $0.service) < ($1.trace, $1.span, $1.parent, $1.service) }
        return Self.count(calls, services.names)
    }

    /// - Parameter calls: sorted, so that a trace's spans are together, and a span that was stored twice is too.
    private static func count(_ calls: [SpanCall], _ names: [String]) -> [ServiceDependency] {
        var counts: [ServicePair: Int] = [:]
        var first = 0
        while first < calls.count {
            var end = first
            var serviceBySpan: [SpanID: Int32] = [:]
            while end < calls.count, calls[end].trace == calls[first].trace {
                serviceBySpan[calls[end].span] = calls[end].service
                end += 1
            }
            for index in first..<end where index == first || calls[index] != calls[index - 1] {
                let call = calls[index]
                guard !call.parent.isZero, let parent = serviceBySpan[call.parent], parent != call.service else {
                    continue
                }
                counts[ServicePair(parent: parent, child: call.service), default: 0] += 1
            }
            first = end
        }
        return counts.map {
            ServiceDependency(parent: names[Int($0.key.parent)], child: names[Int($0.key.child)], callCount: $0.value)
        }.sorted { ($0.parent, $0.child) < ($1.parent, $1.child) }
    }
}

private struct SpanCall: Equatable {
    let trace: TraceID
    let span: SpanID
    let parent: SpanID
    let service: Int32
}

private struct ServicePair: Hashable {
    let parent: Int32
    let child: Int32
}

private struct ServiceNumbers {
    private(set) var names: [String] = []
    private var numbers: [String: Int32] = [:]

    mutating func number(of name: String) -> Int32 {
        if let number = numbers[name] { return number }
        let number = Int32(clamping: names.count)
        names.append(name)
        numbers[name] = number
        return number
    }
}

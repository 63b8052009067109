package import Core
package import QueryModel
package import Scheduling

/// The dependency graph as its definition says, over the spans themselves: what a faster source is held against.
///
/// Of each span of the range and of the hours around it, 56 bytes are held and counted against the query's budget.
extension TraceSearch: DependencySource {
    package func dependencies(
        in range: TimeRange, table: TableChoice, context: QueryContext
    ) throws(QueryError) -> ServiceGraph {
        if table == .rollup { throw Self.noSummaries }
        guard !range.isEmpty else { return ServiceGraph(dependencies: [], tables: []) }
        var services = ServiceNumbers()
        var calls: [SpanCall] = []
        var spent = 0
        defer { context.release(bytes: spent) }
        let wider = Self.withHours(of: range)
        try scan(TraceQuery(range: wider, limit: .max), context: context) { spans throws(QueryError) -> Bool in
            let bytes = spans.count * MemoryLayout<SpanCall>.stride
            spent += bytes
            try spend(bytes, context)
            for span in spans where wider.contains(span.start) {
                calls.append(SpanCall(span, service: services.number(of: span.storedServiceName)))
            }
            return true
        }
        calls.sort()
        return ServiceGraph(
            dependencies: Self.edges(calls, in: range, services.names),
            tables: [AnsweringTable(name: Self.spanTable, range: range)])
    }

    static let spanTable = "otel_traces"
    static let noSummaries = QueryError.execution(
        "no summaries of spans are kept here; only the spans themselves can answer")

    /// The hours of UTC that the range touches, and the one before.
    private static func withHours(of range: TimeRange) -> TimeRange {
        let hours = range.inWholeHours
        return TimeRange(start: hours.start.advanced(by: -Timestamp.hour), end: hours.end)
    }

    /// - Parameter calls: sorted, so that a trace's spans are together.
    private static func edges(
        _ calls: [SpanCall], in range: TimeRange, _ names: [String]
    ) -> [ServiceDependency] {
        var edges: [ServicePair: ServiceDependency] = [:]
        var first = 0
        while first < calls.count {
            var end = first
            var rowsBySpan: [SpanID: [SpanCall]] = [:]
            while end < calls.count, calls[end].trace == calls[first].trace {
                rowsBySpan[calls[end].span, default: []].append(calls[end])
                end += 1
            }
            for index in first..<end {
                let call = calls[index]
                guard range.contains(Timestamp(nanoseconds: call.start)), !call.parent.isZero,
                    let parent = parentService(of: call, among: rowsBySpan[call.parent] ?? [], names)
                else { continue }
                let pair = ServicePair(parent: parent, child: call.service)
                var edge = edges[pair] ?? ServiceDependency(parent: names[Int(parent)], child: names[Int(call.service)])
                edge.calls += 1
                edge.errors += call.status == 2 ? 1 : 0
                edge.durations.insert(call.duration)
                edges[pair] = edge
            }
            first = end
        }
        return Array(edges.values)
    }

    /// - Returns: nil if the parent is of the same service, or not there.
    private static func parentService(of call: SpanCall, among rows: [SpanCall], _ names: [String]) -> Int32? {
        let own = Timestamp(nanoseconds: call.start).startOfHour.nanoseconds
        let near = rows.filter { row in
            let other = Timestamp(nanoseconds: row.start).startOfHour.nanoseconds
            return other == own || other.addingReportingOverflow(Timestamp.hour) == (own, false)
        }
        if near.contains(where: { $0.service == call.service }) { return nil }
        return near.map(\.service).min { names[Int($0)].utf8.lexicographicallyPrecedes(names[Int($1)].utf8) }
    }
}

extension TraceSpan {
    /// As the table has it.
    var storedServiceName: String { resource.serviceName ?? "" }

    /// End minus start, as the table has it.
    var storedDuration: Int64 { end.nanoseconds &- start.nanoseconds }
}

private struct SpanCall: Hashable, Comparable {
    let trace: TraceID
    let span: SpanID
    let parent: SpanID
    let start: Int64
    let duration: Int64
    let service: Int32
    let status: Int32

    init(_ span: TraceSpan, service: Int32) {
        trace = span.traceID
        self.span = span.spanID
        parent = span.parentSpanID
        start = span.start.nanoseconds
        duration = span.storedDuration
        self.service = service
        status = span.statusCode
    }

    static func < (left: SpanCall, right: SpanCall) -> Bool {
        if (left.trace, left.span) != (right.trace, right.span) {
            return (left.trace, left.span) < (right.trace, right.span)
        }
        return (left.parent, left.start, left.duration, left.service, left.status)
            < (right.parent, right.start, right.duration, right.service, right.status)
    }
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

import Core
package import QueryModel

/// Whether one span satisfies all conditions of a query at once (rules J-8 and J-9).
package struct SpanMatcher: Sendable {
    private let query: TraceQuery
    private let condition: SpanCondition

    /// - Parameter leaf: one of the query's conditions on spans; nil: any of them.
    package init(_ query: TraceQuery, leaf: SpanCondition? = nil) {
        self.query = query
        condition = .all(query.tags.map { SpanCondition.tag($0.key, $0.value) } + [leaf ?? query.anyLeaf])
    }

    package func matches(_ span: TraceSpan) -> Bool {
        guard query.range.contains(span.start) else { return false }
        // Names are known by their bytes: equal texts may differ in them.
        if let operation = query.operation, !operation.utf8.elementsEqual(span.name.utf8) { return false }
        if let service = query.service, !service.utf8.elementsEqual(span.serviceName.utf8) { return false }
        if let kind = query.kind, kind != span.kind { return false }
        if query.minDuration != nil || query.maxDuration != nil {
            let duration = span.duration
            if let least = query.minDuration, duration < least { return false }
            if let most = query.maxDuration, duration > most { return false }
        }
        return condition.holds(span)
    }
}

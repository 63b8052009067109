package import Core

/// How many spans of a service start in a stretch of time.
package struct SpanCount: Hashable, Sendable {
    /// Empty if the resource names none.
    package var service: String
    /// The number of the step, from the start of the range on.
    package var step: Int
    package var calls: Int
    /// Those whose status is an error.
    package var errors: Int

    package init(service: String, step: Int, calls: Int, errors: Int) {
        self.service = service
        self.step = step
        self.calls = calls
        self.errors = errors
    }
}

/// Where spans are counted.
package protocol SpanCountSource: Sendable {
    /// Counts without spans are left out; sorted by service and step.
    ///
    /// - Parameters:
    ///   - service: nil counts all.
    ///   - step: nanoseconds; nil counts the range as a whole.
    func spanCounts(
        service: String?, in range: TimeRange, step: Int64?, context: QueryContext
    ) throws(QueryError) -> [SpanCount]
}

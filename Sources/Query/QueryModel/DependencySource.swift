package import Core
package import Scheduling

/// How spans of one service were called by spans of another (rule J-30).
package struct ServiceDependency: Hashable, Sendable {
    /// As stored; empty if the resource names none.
    package var parent: String
    package var child: String
    package var calls: Int
    /// Calls whose child's status is an error.
    package var errors: Int
    /// Of the children, as stored.
    package var durations: ExponentialHistogram

    package init(
        parent: String, child: String, calls: Int = 0, errors: Int = 0,
        durations: ExponentialHistogram = ExponentialHistogram()
    ) {
        self.parent = parent
        self.child = child
        self.calls = calls
        self.errors = errors
        self.durations = durations
    }
}

/// A dependency graph.
package struct ServiceGraph: Hashable, Sendable {
    /// One for each ordered pair of distinct services, sorted by names.
    package var dependencies: [ServiceDependency]
    package var tables: [AnsweringTable]

    package init(dependencies: [ServiceDependency], tables: [AnsweringTable]) {
        self.dependencies = dependencies.sorted { ($0.parent, $0.child) < ($1.parent, $1.child) }
        self.tables = tables
    }
}

/// Where a dependency graph comes from.
///
/// A span is one call from its parent's service to its own if these differ. Exactly:
///
/// - The span starts in the range; its parent is a span of the same trace that starts in the same hour of UTC or in the one
///   before, whether or not that is in the range.
/// - A span counts once however many rows its parent has; one that was stored twice counts twice, as in every other count.
/// - Ids of spans are unique in a trace, as OTLP demands. Of spans of several services with one id any may be taken for the parent.
///
/// What an answer lacks is told by the query's warnings.
package protocol DependencySource: Sendable {
    func dependencies(
        in range: TimeRange, table: TableChoice, context: QueryContext
    ) throws(QueryError) -> ServiceGraph
}

package import Core

/// That a table answered a range of a query's range. Those of one answer are in order of time and do not overlap.
package struct AnsweringTable: Hashable, Sendable {
    /// As Schema/ calls it.
    package var name: String
    package var range: TimeRange

    package init(name: String, range: TimeRange) {
        self.name = name
        self.range = range
    }
}

/// From where a query is answered that rows and summaries of them can both answer.
package enum TableChoice: Hashable, Sendable {
    /// Whole hours from the summaries and what is in none yet, the rest from the rows.
    case automatic
    /// From the rows alone.
    case raw
    /// From the summaries alone, whatever they lack.
    case rollup
}

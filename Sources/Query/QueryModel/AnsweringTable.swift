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

    /// What it answered of `whole`; nil if that is nothing.
    func within(_ whole: TimeRange) -> AnsweringTable? {
        let part = TimeRange(start: max(range.start, whole.start), end: min(range.end, whole.end))
        return part.isEmpty ? nil : AnsweringTable(name: name, range: part)
    }

    /// In order of time; ranges of one table that follow each other are one.
    static func united(_ tables: [AnsweringTable]) -> [AnsweringTable] {
        var united: [AnsweringTable] = []
        for table in tables.sorted(by: { $0.range.start < $1.range.start }) {
            if let last = united.last, last.name == table.name, last.range.end == table.range.start {
                united[united.count - 1].range.end = table.range.end
            } else {
                united.append(table)
            }
        }
        return united
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

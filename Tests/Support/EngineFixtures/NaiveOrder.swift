package import TableSchema

/// The order of rows and their partitions, by sorting plain cells and counting days one by one.
package enum NaiveOrder {
    /// The rows of each partition in the table's order, partitions ascending. Equal rows keep their order.
    package static func partitions(
        of rows: [[Cell]], table: TableDefinition
    ) -> [(start: Int64, rows: [[Cell]])] {
        let time = place(table.partitionColumn, table)
        var groups: [Int64: [[Cell]]] = [:]
        for row in rows {
            guard case .integer(let timestamp) = row[time] else { preconditionFailure("times are integers") }
            groups[start(of: timestamp, unit: table.partitionUnit), default: []].append(row)
        }
        return groups.keys.sorted().map { start in
            let sorted = (groups[start] ?? []).enumerated().sorted { left, right in
                precedes(left.element, right.element, table) ?? (left.offset < right.offset)
            }
            return (start, sorted.map(\.element))
        }
    }

    private static func place(_ column: ColumnID, _ table: TableDefinition) -> Int {
        table.columns.firstIndex { $0.id == column } ?? 0
    }

    /// - Returns: nil if neither comes first.
    private static func precedes(_ left: [Cell], _ right: [Cell], _ table: TableDefinition) -> Bool? {
        for expression in table.order {
            switch expression {
            case .column(let id):
                let (a, b) = (left[place(id, table)], right[place(id, table)])
                if a == b { continue }
                switch (a, b) {
                case (.integer(let a), .integer(let b)): return a < b
                case (.bytes(let a), .bytes(let b)): return a.lexicographicallyPrecedes(b)
                default: preconditionFailure("tables are ordered by integers, ids and strings")
                }
            case .startOfMinute(let id):
                guard case .integer(let a) = left[place(id, table)], case .integer(let b) = right[place(id, table)]
                else { preconditionFailure("times are integers") }
                let (minuteA, minuteB) = (floored(a, 60_000_000_000), floored(b, 60_000_000_000))
                if minuteA != minuteB { return minuteA < minuteB }
            }
        }
        return nil
    }

    private static func floored(_ time: Int64, _ unit: Int64) -> Int64 {
        let quotient = Int128(time) / Int128(unit)
        return Int64(Int128(time) < quotient * Int128(unit) ? quotient - 1 : quotient)
    }

    /// The start of the partition of `time`.
    package static func start(of time: Int64, unit: PartitionUnit) -> Int64 {
        let day: Int64 = 86_400_000_000_000
        switch unit {
        case .hour: return floored(time, day / 24) * (day / 24)
        case .day: return floored(time, day) * day
        case .week: return monday(onOrBefore: floored(time, day)) * day
        case .month: return firstOfMonth(floored(time, day)) * day
        }
    }

    /// Day 0 was a Thursday.
    private static func monday(onOrBefore day: Int64) -> Int64 {
        var candidate = day
        while (((candidate + 3) % 7) + 7) % 7 != 0 { candidate -= 1 }
        return candidate
    }

    /// Counts months from 1970 on, or back from it.
    private static func firstOfMonth(_ day: Int64) -> Int64 {
        var year = 1970
        var month = 0
        var first: Int64 = 0
        while first > day {
            (year, month) = month == 0 ? (year - 1, 11) : (year, month - 1)
            first -= length(month, year)
        }
        while first + length(month, year) <= day {
            first += length(month, year)
            (year, month) = month == 11 ? (year + 1, 0) : (year, month + 1)
        }
        return first
    }

    private static func length(_ month: Int, _ year: Int) -> Int64 {
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        return [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month]
    }
}

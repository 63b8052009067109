package import Core
package import TableSchema

/// What is wanted of one table: which rows, and what is made of them, rows of some columns or partial states of aggregates.
///
/// A value that goes to where the rows are, in this process or another; what comes back is rows or states, which whoever asked
/// brings together (docs/decisions/0034).
package struct ScanPlan: Hashable, Sendable {
    package var table: TableID
    /// Of the partition column.
    package var range: TimeRange
    package var predicate: Predicate
    package var result: Result

    package enum Result: Hashable, Sendable {
        case rows(Projection)
        case states(Aggregation)
    }

    package init(table: TableID, range: TimeRange, predicate: Predicate = .everyRow, result: Result) {
        self.table = table
        self.range = range
        self.predicate = predicate
        self.result = result
    }
}

/// Rows: which columns, in which order, how many.
package struct Projection: Hashable, Sendable {
    package enum Order: UInt8, Hashable, Sendable { case any = 0, newestFirst = 1, oldestFirst = 2 }

    package var columns: [ColumnID]
    package var order: Order
    /// Nil: all.
    package var limit: Int?

    package init(columns: [ColumnID], order: Order = .any, limit: Int? = nil) {
        self.columns = columns
        self.order = order
        self.limit = limit
    }
}

/// Groups of rows, and what is known of each.
package struct Aggregation: Hashable, Sendable {
    /// What makes groups beside time: values of strings, integers, doubles, ids and attributes.
    package var keys: [Operand]
    /// Nil: the whole range is one bucket, number 0.
    package var buckets: TimeBuckets?
    package var aggregates: [Aggregate]
    /// With more groups the query ends with an error.
    package var groupLimit: Int

    package static let defaultGroupLimit = 1_000_000

    package init(
        keys: [Operand] = [], buckets: TimeBuckets? = nil, aggregates: [Aggregate] = [Aggregate(.count)],
        groupLimit: Int = defaultGroupLimit
    ) {
        self.keys = keys
        self.buckets = buckets
        self.aggregates = aggregates
        self.groupLimit = groupLimit
    }
}

/// Pieces of time, by number; a row whose time is in none of them is left out.
package enum TimeBuckets: Hashable, Sendable {
    /// Bucket `i` is `[origin + i * width, origin + (i + 1) * width)`; earlier ones have negative numbers. Nanoseconds, width
    /// positive.
    case every(width: Int64, origin: Int64)
    /// Bucket `i` is `[edges[i], edges[i + 1])`; ascending, each once.
    case edges([Int64])

    /// The bucket of a time, and all times that have it; nil if it has none.
    package func bucket(of time: Int64) -> (number: Int64, times: ClosedRange<Int64>)? {
        switch self {
        case .every(let width, let origin):
            // Wider than 64 bits, since both ends of time may be asked for.
            let distance = Int128(time) - Int128(origin)
            let number = (distance >= 0 ? distance : distance - Int128(width) + 1) / Int128(width)
            let first = Int128(origin) + number * Int128(width)
            guard let number = Int64(exactly: number) else { return nil }
            return (number, Int64(clamping: first)...Int64(clamping: first + Int128(width) - 1))
        case .edges(let edges):
            var (low, high) = (0, edges.count)
            while low < high {
                let middle = (low + high) / 2
                if edges[middle] <= time { low = middle + 1 } else { high = middle }
            }
            guard low > 0, low < edges.count else { return nil }
            return (Int64(low - 1), edges[low - 1]...(edges[low] - 1))
        }
    }

    /// The times around one that has no bucket which have none either.
    package func gap(around time: Int64) -> ClosedRange<Int64> {
        guard case .edges(let edges) = self else { return time...time }
        guard edges.count > 1, let first = edges.first, let last = edges.last else { return .min ... .max }
        if time < first { return .min...(first - 1) }
        return time >= last ? last...(.max) : time...time
    }
}

/// One thing that is known of each group.
package struct Aggregate: Hashable, Sendable {
    package enum Function: Hashable, Sendable {
        case count
        /// Of integers, in 128 bits.
        case sum(ColumnID)
        /// Of doubles, compensated (Neumaier).
        case sumOfDoubles(ColumnID)
        /// Of integers or doubles; of doubles NaN is passed over.
        case min(ColumnID)
        case max(ColumnID)
        /// `ExponentialHistogram` of integers.
        case histogram(ColumnID)
        /// The distinct values, at most so many: with more the state only says that there are more.
        case distinct(Operand, limit: Int)
    }

    package var function: Function
    /// Which of the group's rows count; nil: all.
    package var filter: Predicate?

    package init(_ function: Function, where filter: Predicate? = nil) {
        self.function = function
        self.filter = filter
    }
}

/// A materialized view of Schema/: a table whose rows are the aggregates of another table's rows.
///
/// Rows of the target with equal keys are one row in two pieces: merging aggregates them, and so must a reader. The order of the
/// target is a permutation of its keys, so equal keys are neighbours, and its partition column is a key, so they share a partition.
///
/// Aggregating a column of the target, by the function of its aggregate:
/// - `count` and `sum` add (integers wrap); `min` and `max` compare. Where the condition of a `min` met no row the column
///   holds the greatest value of its type (`max`: the least), so an empty piece never changes an aggregate. NaN is passed over.
/// - `argMin` takes the value of the piece whose `key` column is less, on a tie the lesser value, so that the order of pieces makes
///   no difference. Where no row was met the column is empty.
/// - `counterIncrease` and `counterResets` put the pieces in order of time; see `CounterSegment`.
/// - `exponentialHistogram` and `groupUniqArray` merge states.
package struct RollupDefinition: Hashable, Sendable {
    package var target: TableDefinition
    package var source: TableID
    /// A second row of the source table for each row, or none and the row does not count.
    package var join: RollupJoin?
    /// WHERE: which rows count.
    package var condition: RollupCondition?
    /// GROUP BY, in the order of the target's columns.
    package var keys: [RollupKey]
    package var aggregates: [RollupAggregate]
}

/// The rows of the same table whose columns `joined` equal the row's columns `source`.
package struct RollupJoin: Hashable, Sendable {
    package struct Pair: Hashable, Sendable {
        package var source: ColumnID
        package var joined: ColumnID
    }

    package var pairs: [Pair]
}

/// A column of the row that is aggregated, or of the row joined to it.
package enum RollupColumn: Hashable, Sendable {
    case source(ColumnID)
    case joined(ColumnID)
}

package enum RollupExpression: Hashable, Sendable {
    case column(RollupColumn)
    /// `toStartOfMinute`, `toStartOfFiveMinutes`, `toStartOfHour`, `toStartOfDay`: the greatest multiple of `width` nanoseconds
    /// since the epoch that is not above the column's time, from which `shift` nanoseconds are taken first.
    case bucket(RollupColumn, width: Int64, shift: Int64 = 0)
    /// The sum of two integer columns.
    case sum(RollupColumn, RollupColumn)
}

package struct RollupKey: Hashable, Sendable {
    /// In the target.
    package var column: ColumnID
    package var expression: RollupExpression
}

package struct RollupAggregate: Hashable, Sendable {
    /// In the target.
    package var column: ColumnID
    package var function: RollupFunction
    /// What `…If` functions ask of a row.
    package var condition: RollupCondition?
}

package enum RollupFunction: Hashable, Sendable {
    case count
    case sum(RollupExpression)
    case min(RollupExpression)
    case max(RollupExpression)
    /// The value where `by` is least; `key` is the column of the target that holds that least value.
    case argMin(RollupExpression, by: RollupExpression, key: ColumnID)
    /// The value where `by` is greatest; `key` is the column of the target that holds that greatest value.
    case argMax(RollupExpression, by: RollupExpression, key: ColumnID)
    /// How far a counter rose, resets counted as starts from zero.
    case counterIncrease(RollupExpression, by: RollupExpression, segment: CounterSegment)
    /// How often a counter fell.
    case counterResets(RollupExpression, by: RollupExpression, segment: CounterSegment)
    /// The distribution, as a base-2 exponential histogram.
    case exponentialHistogram(RollupExpression)
    /// The set of values.
    case groupUniqArray(RollupExpression)
}

/// The target's columns that put two pieces of a counter's time together.
///
/// With piece A before piece B, `increase = A.increase + B.increase + step`, where `step` is `B.first - A.last`, or `B.first`
/// after a reset, which is when `B.first < A.last`; a reset adds one to `resets`. That is associative, but only for pieces whose
/// times do not overlap: where they do, the row has to be aggregated again from the source.
package struct CounterSegment: Hashable, Sendable {
    package var firstTime: ColumnID
    package var first: ColumnID
    package var lastTime: ColumnID
    package var last: ColumnID
}

package enum RollupComparison: String, Hashable, Sendable {
    case equal = "="
    case notEqual = "!="
    case less = "<"
    case lessOrEqual = "<="
    case greater = ">"
    case greaterOrEqual = ">="
}

package indirect enum RollupCondition: Hashable, Sendable {
    /// An integer column against a number; with a mask, of the column's bits only those in `mask` (`bitAnd(column, mask)`).
    case integer(RollupColumn, mask: Int64?, RollupComparison, Int64)
    /// A text or id column against bytes, which are as long as the id; only `=` and `!=`.
    case bytes(RollupColumn, RollupComparison, [UInt8])
    /// Two columns of one type; of texts and ids only `=` and `!=`.
    case columns(RollupColumn, RollupComparison, RollupColumn)
    case not(RollupCondition)
    case and(RollupCondition, RollupCondition)
    case or(RollupCondition, RollupCondition)
}

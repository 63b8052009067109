/// A table's number in every part and catalog record; never reused (Schema/LOCK).
package struct TableID: Hashable, Comparable, Sendable {
    package let number: UInt16

    package init(number: UInt16) { self.number = number }

    package static func < (left: TableID, right: TableID) -> Bool { left.number < right.number }
}

/// A column's number inside its table; never reused (Schema/LOCK). Fields of a nested column have numbers of their own.
package struct ColumnID: Hashable, Comparable, Sendable {
    package let number: UInt16

    package init(number: UInt16) { self.number = number }

    package static func < (left: ColumnID, right: ColumnID) -> Bool { left.number < right.number }
}

/// What a column holds, as Schema/ declares it.
package indirect enum ColumnType: Hashable, Sendable {
    /// `UInt8` … `UInt64`, `Int8` … `Int64`, `Bool`, `DateTime64(9)`: an integer in 64 bits.
    case integer(IntegerType)
    /// `Float64`, kept bit for bit.
    case float
    /// `FixedString(8)` and `FixedString(16)`: ids. All bytes zero is "none".
    case fixed(width: Int)
    /// `String`: any bytes.
    case string
    /// `LowCardinality(String)`: any bytes, few distinct ones.
    case lowCardinality
    /// `Array(Int64)`, `Array(UInt64)`, `Array(Float64)`.
    case array(of: ColumnType)
    /// `Map(LowCardinality(String), Dynamic)`: attributes, each with a type of its own.
    case attributes
    /// `Nested(name Type, …)`: any number of rows inside each row.
    case nested([ColumnDefinition])
    /// `AggregateFunction(name, …)`: the mergeable state of an aggregate, as bytes.
    case aggregateState(function: String)
}

package enum IntegerType: String, Hashable, Sendable, CaseIterable {
    case uint8 = "UInt8"
    case uint16 = "UInt16"
    case uint32 = "UInt32"
    case uint64 = "UInt64"
    case int8 = "Int8"
    case int16 = "Int16"
    case int32 = "Int32"
    case int64 = "Int64"
    case bool = "Bool"
    /// Nanoseconds since the epoch.
    case dateTime64 = "DateTime64(9)"
}

package struct ColumnDefinition: Hashable, Sendable {
    package var id: ColumnID
    package var name: String
    package var type: ColumnType
    /// The names in `CODEC(…)`, a hint to the writer: it may choose better per block.
    package var codecs: [String]

    package init(id: ColumnID, name: String, type: ColumnType, codecs: [String] = []) {
        self.id = id
        self.name = name
        self.type = type
        self.codecs = codecs
    }
}

/// The unit of time that one partition covers.
package enum PartitionUnit: String, Hashable, Sendable {
    case hour = "toStartOfHour"
    case day = "toStartOfDay"
    case week = "toStartOfWeek"
    case month = "toStartOfMonth"
}

/// One expression of ORDER BY.
package enum SortExpression: Hashable, Sendable {
    case column(ColumnID)
    /// `toStartOfMinute(column)`.
    case startOfMinute(ColumnID)
}

/// A skip index: what Schema/ says of `INDEX name column TYPE kind(parameters) GRANULARITY n`.
package struct SkipIndexDefinition: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        /// A split-block bloom filter over whole values, by its rate of false positives.
        case bloomFilter(falsePositives: Double)
        /// A bloom filter over the tokens of text.
        case tokenBloom(falsePositives: Double)
        /// Token fingerprints with lists of blocks.
        case tokenPostings
        /// Which templates the texts of each block are made of; pages of the column are cut into templates where that pays.
        case templates
        /// Least and greatest value per block.
        case minMax
    }

    package var name: String
    package var column: ColumnID
    package var kind: Kind

    package init(name: String, column: ColumnID, kind: Kind) {
        self.name = name
        self.column = column
        self.kind = kind
    }
}

package struct TableDefinition: Hashable, Sendable {
    package var id: TableID
    package var name: String
    package var columns: [ColumnDefinition]
    package var partitionColumn: ColumnID
    package var partitionUnit: PartitionUnit
    package var order: [SortExpression]
    package var indexes: [SkipIndexDefinition]
    /// Nanoseconds that a row lives after the time in `ttlColumn`.
    package var timeToLive: Int64?
    package var ttlColumn: ColumnID?
    /// A hash of everything above, kept in each part.
    package var fingerprint: UInt64

    package init(
        id: TableID, name: String, columns: [ColumnDefinition], partitionColumn: ColumnID,
        partitionUnit: PartitionUnit, order: [SortExpression], indexes: [SkipIndexDefinition],
        timeToLive: Int64?, ttlColumn: ColumnID?, fingerprint: UInt64
    ) {
        self.id = id
        self.name = name
        self.columns = columns
        self.partitionColumn = partitionColumn
        self.partitionUnit = partitionUnit
        self.order = order
        self.indexes = indexes
        self.timeToLive = timeToLive
        self.ttlColumn = ttlColumn
        self.fingerprint = fingerprint
    }

    /// The column called `name`, not looking into nested ones.
    package func column(_ name: String) -> ColumnDefinition? {
        columns.first { $0.name == name }
    }
}

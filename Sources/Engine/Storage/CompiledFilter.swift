internal import Columns
internal import Core
internal import Parts
internal import Plans
internal import TableSchema

/// A predicate on the columns of a table as it is applied to rows: what `PredicateCompiler` makes of one, once for a scan.
enum CompiledFilter: Sendable {
    /// An integer column's value lies in the range.
    case integers(Int, ClosedRange<Int64>)
    /// An integer column's value is one of a set, which lies in the range.
    case integerSet(Int, Set<Int64>, ClosedRange<Int64>)
    case doubles(Int, Comparison, Double)
    /// A string column's value is accepted; asked once per distinct value where there is a dictionary.
    case strings(Int, @Sendable (Span<UInt8>) -> Bool)
    /// A 16-byte id is one of these; skips parts by their bloom filter.
    case ids(Int, Set<TraceID>)
    /// An 8-byte id, as a big-endian word, is one of these.
    case shortIDs(Int, Set<UInt64>)
    /// The attributes have a value of the key that is accepted. For the overflow the whole run of attributes is handed over.
    case attribute(Int, key: [UInt8], @Sendable (AttributeType, SubcolumnValue) -> Bool)
    /// As `attribute`, of the attributes in a field of one of the nested rows.
    case nestedAttribute(Int, field: Int, key: [UInt8], @Sendable (AttributeType, SubcolumnValue) -> Bool)
    /// One of the inner rows of a nested column satisfies a filter whose columns are the fields' numbers.
    indirect case anyElement(Int, CompiledFilter)
    indirect case not(CompiledFilter)
    /// At least one of these holds.
    indirect case anyOf([CompiledFilter])
    /// All of these hold.
    indirect case allOf([CompiledFilter])
    /// Holds for every row: it only leaves out blocks, by the indexes of a column or of a field of a nested one.
    case indexed(Int, field: Int? = nil, IndexProbe)
    /// Holds for every row, but of a part none of whose attributes has such a key and type for none.
    case attributeKeys(Int, @Sendable ([UInt8], AttributeType) -> Bool)
}

extension CompiledFilter {
    /// The columns that it looks at.
    var columns: [Int] {
        switch self {
        case .integers(let column, _), .strings(let column, _), .ids(let column, _), .attribute(let column, _, _),
            .nestedAttribute(let column, _, _, _), .integerSet(let column, _, _), .doubles(let column, _, _),
            .shortIDs(let column, _), .anyElement(let column, _):
            [column]
        case .not(let filter): filter.columns
        case .anyOf(let filters), .allOf(let filters): filters.flatMap(\.columns)
        case .indexed, .attributeKeys: []
        }
    }
}

/// One value of an attribute subcolumn.
enum SubcolumnValue: ~Escapable {
    case bytes(Span<UInt8>)
    case integer(Int64)
    case double(Double)
}

internal import Columns
internal import Core
internal import Parts
internal import TableSchema

/// A column of the output: which leaves it has, and what they are in each input.
indirect enum MergedColumn {
    case leaf(MergedLeaf)
    /// - Parameter lengths: the number of the leaf of lengths.
    case nested(column: UInt16, lengths: Int, fields: [MergedColumn])
    case attributes(MergedAttributes)
}

/// A leaf of the output that holds values.
struct MergedLeaf {
    /// Its number.
    var number: Int
    var kind: LeafKind
    /// The kinds that it may have in inputs.
    var kinds: [LeafKind]
    /// By input: its name there, or nil if the input has no such subcolumn.
    var keys: [LeafKey?]
    /// By input, and then by the input's code: the output's.
    var codes: [Buffer<UInt32>] = []
    /// By input: whether each of its codes is the output's, so that pages can be copied.
    var isSame: [Bool] = []
    /// By input: the strings of an input that has no dictionary, by which their codes are found.
    var indexes: [StringIndex?] = []
}

/// Codes of strings that were gathered from an input without a dictionary.
final class StringIndex {
    private var interner = StringInterner()

    var count: Int { interner.count }

    func code(_ text: Span<UInt8>) -> UInt32 { interner.lookUp(text) }

    var dictionary: StringDictionary { interner.snapshot() }
}

/// An attributes column of the output.
struct MergedAttributes {
    /// One attribute of a shape: its subcolumn in the input, and in the output.
    struct Step {
        var from: UInt32
        var to: UInt32
    }

    /// A shape of an input in terms of the output.
    struct Shape {
        var number: UInt32
        /// Where its steps are.
        var steps: Range<Int>
        /// The subcolumns of the input whose values go to the overflow, in order.
        var spilled: [UInt32]
    }

    struct Input {
        var shapes: [Shape]
        var steps: [Step]
        /// Of the input, for those whose values are spilled.
        var subcolumns: [SubcolumnEntry]

        /// Whether each of its shapes has the same number in the output, so that pages can be copied.
        var isSame = false
        var spills = false
    }

    var column: UInt16
    /// The number of the leaf of shapes.
    var shapes: Int
    var subcolumns: [MergedLeaf]
    /// The number in `subcolumns` of the subcolumn that takes what is spilled, if anything is.
    var overflow: Int?
    var inputs: [Input]
}

extension LeafKind {
    /// The kinds of leaf that hold values of a type.
    static func holding(_ type: ColumnType) -> [LeafKind] {
        switch type {
        case .integer: [.integers, .listedIntegers]
        case .float: [.floats]
        case .fixed(let width): width == 8 ? [.fixed8, .related8] : [.fixed16, .listed16]
        case .array(.float): [.floatRows]
        case .array: [.integerRows]
        case .string, .lowCardinality, .aggregateState: [.codes, .strings]
        case .attributes, .nested: []
        }
    }

    /// The kinds of leaf that hold a subcolumn of a type.
    static func holding(_ type: AttributeType) -> [LeafKind] {
        switch type {
        case .empty, .bool, .int: [.integers]
        case .double: [.floats]
        case .string, .array, .map, .bytes, .overflow: [.codes, .strings]
        }
    }
}

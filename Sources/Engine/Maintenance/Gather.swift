internal import Columns
internal import Core
internal import Parts

/// Moves the values of a block's rows, whose places `pieces` name, from the sources into the output's pages.
///
/// It goes leaf by leaf: of a source whose rows are all taken, only one leaf at a time is in memory.
struct Gather {
    let sources: [MergeSource]
    /// The attributes that are spilled in this block: as a source, they have the number after the last one.
    var spilled: StringColumn?
    /// Of a view: how the rows become fewer.
    var aggregate: BlockAggregator?

    init(_ sources: [MergeSource]) { self.sources = sources }

    /// Moves a column of the table.
    mutating func move(
        _ column: MergedColumn, _ pieces: [Piece], to stream: inout PartStream
    ) throws(MergeFailure) {
        try move(column, pieces, counts: sources.map(\.rowCount), to: &stream)
    }

    /// - Parameter counts: by source, the number of rows that the column has there.
    private mutating func move(
        _ column: MergedColumn, _ pieces: [Piece], counts: [Int], to stream: inout PartStream
    ) throws(MergeFailure) {
        switch column {
        case .leaf(let leaf): try move(leaf, pieces, counts: counts, to: &stream)
        case .attributes(let attributes): try move(attributes, pieces, counts: counts, to: &stream)
        case .nested(let number, let lengths, let fields):
            let inner = try self.inner(number, lengths: lengths, pieces, to: &stream)
            for field in fields { try move(field, inner.pieces, counts: inner.counts, to: &stream) }
        }
    }

    /// Moves the lengths of lists, and answers where their rows are.
    private func inner(
        _ column: UInt16, lengths leaf: Int, _ pieces: [Piece], to stream: inout PartStream
    ) throws(MergeFailure) -> (pieces: [Piece], counts: [Int]) {
        var offsets: [Buffer<UInt32>] = []
        for source in sources { offsets.append(try source.offsets(ofColumn: column)) }
        let (lengths, inner) = Pieces.lists(pieces, offsets)
        stream.append(naturals: lengths, to: leaf)
        return (inner, offsets.map { Int($0[$0.count - 1]) })
    }

    // MARK: Leaves

    func move(
        _ leaf: MergedLeaf, _ pieces: [Piece], counts: [Int], to stream: inout PartStream
    ) throws(MergeFailure) {
        let values = try self.values(of: leaf, pieces, counts: counts)
        stream.append(try aggregate(gathered(leaf, pieces, values), leaf, pieces), to: leaf.number)
    }

    /// By source: the values of those that pieces are of.
    private func values(
        of leaf: MergedLeaf, _ pieces: [Piece], counts: [Int]
    ) throws(MergeFailure) -> [LeafValues?] {
        var values: [LeafValues?] = Array(repeating: nil, count: sources.count + 1)
        var isUsed = [Bool](repeating: false, count: sources.count + 1)
        for piece in pieces { isUsed[piece.source] = true }
        for (number, source) in sources.enumerated() where isUsed[number] {
            guard let key = leaf.keys[source.input] else { continue }
            // An aggregate may want the leaf again.
            values[number] =
                aggregate == nil
                ? try source.values(of: key, kinds: leaf.kinds, count: counts[number])
                : try source.lastingValues(of: key, kinds: leaf.kinds, count: counts[number])
        }
        return values
    }

    /// The values of a leaf of integers.
    func integers(_ leaf: MergedLeaf, _ pieces: [Piece]) throws(MergeFailure) -> [Int64] {
        let values = try self.values(of: leaf, pieces, counts: sources.map(\.rowCount))
        return Pieces.concatenated(
            pieces, pieces.reduce(0) { $0 + $1.count }, zero: 0, values.map(\.?.integers))
    }

    private func aggregate(
        _ values: GatheredValues, _ leaf: MergedLeaf, _ pieces: [Piece]
    ) throws(MergeFailure) -> GatheredValues {
        guard let aggregate else { return values }
        return try aggregate.aggregate(values) { (key) throws(MergeFailure) in try integers(key, pieces) }
    }

    private func gathered(
        _ leaf: MergedLeaf, _ pieces: [Piece], _ values: [LeafValues?]
    ) throws(MergeFailure) -> GatheredValues {
        let total = pieces.reduce(0) { $0 + $1.count }
        switch leaf.kind {
        case .integers, .listedIntegers:
            return .integers(Pieces.concatenated(pieces, total, zero: 0, values.map(\.?.integers)))
        case .floats:
            return .floats(Pieces.concatenated(pieces, total, zero: 0, values.map(\.?.floats)))
        case .fixed8, .fixed16, .related8, .listed16:
            let width = leaf.kind == .fixed16 || leaf.kind == .listed16 ? 16 : 8
            return .fixed(
                Pieces.concatenated(pieces, total, width: width, zero: 0, values.map { $0?.fixed?.bytes }), width: width
            )
        case .codes: return .codes(codes(leaf, pieces, total, values))
        case .strings:
            let (lengths, bytes) = try strings(leaf, pieces, total, values)
            return .strings(lengths, bytes)
        case .integerRows:
            let (lengths, inner, items) = Self.lists(pieces, values)
            let arrays = values.map { $0?.arrays?.elements.integers }
            return .integerRows(lengths, Pieces.concatenated(inner, items, zero: 0, arrays))
        case .floatRows:
            let (lengths, inner, items) = Self.lists(pieces, values)
            let arrays = values.map { $0?.arrays?.elements.floats }
            return .floatRows(lengths, Pieces.concatenated(inner, items, zero: 0, arrays))
        case .naturals: preconditionFailure("lengths and shapes are moved with their columns")
        }
    }

    private static func lists(
        _ pieces: [Piece], _ values: [LeafValues?]
    ) -> (lengths: [UInt32], inner: [Piece], total: Int) {
        let offsets = values.map { $0?.arrays?.offsets }
        let (lengths, inner) = Pieces.lists(pieces, offsets)
        return (lengths, inner, inner.reduce(0) { $0 + $1.count })
    }

    // MARK: Strings

    private func codes(
        _ leaf: MergedLeaf, _ pieces: [Piece], _ total: Int, _ values: [LeafValues?]
    ) -> [UInt32] {
        var result: [UInt32] = []
        result.reserveCapacity(total)
        for piece in pieces {
            let input = sources[piece.source].input
            let map = leaf.codes[input]
            switch values[piece.source] {
            case .naturals(let codes)?: Pieces.append(piece, of: codes, mapped: map, to: &result)
            case .strings(let strings)?:
                guard let index = leaf.indexes[input] else { preconditionFailure("strings were surveyed") }
                for row in piece.start..<(piece.start + piece.count) {
                    result.append(map[Int(index.code(strings.span(row)))])
                }
            default:
                // The one entry of an input that does not have the column.
                result.append(contentsOf: repeatElement(map[0], count: piece.count))
            }
        }
        return result
    }

    private func strings(
        _ leaf: MergedLeaf, _ pieces: [Piece], _ total: Int, _ values: [LeafValues?]
    ) throws(MergeFailure) -> (lengths: [UInt32], bytes: [UInt8]) {
        var dictionaries: [StringDictionary?] = []
        for (number, source) in sources.enumerated() {
            var dictionary: StringDictionary?
            if case .naturals? = values[number], let key = leaf.keys[source.input] {
                dictionary = try source.dictionary(key)
            }
            dictionaries.append(dictionary)
        }
        var lengths: [UInt32] = []
        lengths.reserveCapacity(total)
        var bytes: [UInt8] = []
        func add(_ value: Span<UInt8>) {
            lengths.append(UInt32(value.count))
            bytes.append(copying: value)
        }
        for piece in pieces {
            let rows = piece.start..<(piece.start + piece.count)
            if piece.source == sources.count, let spilled {
                for row in rows { add(spilled.span(row)) }
                continue
            }
            switch values[piece.source] {
            case .naturals(let codes)?:
                guard let dictionary = dictionaries[piece.source] else { preconditionFailure("codes have entries") }
                for row in rows { add(dictionary.span(Int(codes[row]))) }
            case .strings(let strings)?:
                for row in rows { add(strings.span(row)) }
            default:
                lengths.append(contentsOf: repeatElement(0, count: piece.count))
            }
        }
        return (lengths, bytes)
    }
}

/// A leaf's values of the rows of an output block.
enum GatheredValues {
    case integers([Int64])
    case floats([Double])
    case fixed([UInt8], width: Int)
    case codes([UInt32])
    /// The lengths of texts, and their bytes.
    case strings([UInt32], [UInt8])
    case integerRows([UInt32], [Int64])
    case floatRows([UInt32], [Double])
}

extension PartStream {
    fileprivate mutating func append(_ values: GatheredValues, to leaf: Int) {
        switch values {
        case .integers(let values): append(integers: values, to: leaf)
        case .floats(let values): append(floats: values, to: leaf)
        case .fixed(let bytes, let width): append(fixed: bytes, width: width, to: leaf)
        case .codes(let codes): append(naturals: codes, to: leaf)
        case .strings(let lengths, let bytes): append(strings: lengths, bytes, to: leaf)
        case .integerRows(let lengths, let values): append(integerRows: lengths, values, to: leaf)
        case .floatRows(let lengths, let values): append(floatRows: lengths, values, to: leaf)
        }
    }
}

extension LeafValues {
    fileprivate var integers: Buffer<Int64>? { if case .integers(let values) = self { values } else { nil } }
    fileprivate var floats: Buffer<Double>? { if case .floats(let values) = self { values } else { nil } }
    fileprivate var fixed: FixedColumn? { if case .fixed(let values) = self { values } else { nil } }
    fileprivate var arrays: ArrayColumn? { if case .arrays(let values) = self { values } else { nil } }
}

extension Column {
    fileprivate var integers: Buffer<Int64>? { if case .integers(let values) = self { values } else { nil } }
    fileprivate var floats: Buffer<Double>? { if case .floats(let values) = self { values } else { nil } }
}

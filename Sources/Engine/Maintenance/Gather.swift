internal import Columns
internal import Core
internal import Parts

/// Moves the values of a block's rows, whose places `pieces` name, from the sources into the output's pages.
///
/// It goes leaf by leaf: of a source whose rows are all taken, only one leaf at a time is in memory.
struct Gather {
    let sources: [MergeSource]
    /// The attributes that are spilled in this block: as a source, they have the number after the last one.
    private var spilled: StringColumn?

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
        var lengths: [UInt32] = []
        var inner: [Piece] = []
        for piece in pieces {
            let ends = offsets[piece.source]
            for row in piece.start..<(piece.start + piece.count) { lengths.append(ends[row + 1] - ends[row]) }
            let start = Int(ends[piece.start])
            let end = Int(ends[piece.start + piece.count])
            if end > start { inner.append(Piece(source: piece.source, start: start, count: end - start)) }
        }
        stream.append(naturals: lengths, to: leaf)
        return (inner, offsets.map { Int($0[$0.count - 1]) })
    }

    // MARK: Leaves

    private func move(
        _ leaf: MergedLeaf, _ pieces: [Piece], counts: [Int], to stream: inout PartStream
    ) throws(MergeFailure) {
        var values: [LeafValues?] = Array(repeating: nil, count: sources.count + 1)
        var isUsed = [Bool](repeating: false, count: sources.count + 1)
        for piece in pieces { isUsed[piece.source] = true }
        for (number, source) in sources.enumerated() where isUsed[number] {
            guard let key = leaf.keys[source.input] else { continue }
            values[number] = try source.values(of: key, kinds: leaf.kinds, count: counts[number])
        }
        let total = pieces.reduce(0) { $0 + $1.count }
        switch leaf.kind {
        case .integers:
            stream.append(
                integers: Self.concatenated(pieces, total, zero: 0, values.map(\.?.integers)), to: leaf.number)
        case .floats:
            stream.append(floats: Self.concatenated(pieces, total, zero: 0, values.map(\.?.floats)), to: leaf.number)
        case .fixed8, .fixed16:
            let width = leaf.kind == .fixed8 ? 8 : 16
            let wide = pieces.map { Piece(source: $0.source, start: $0.start * width, count: $0.count * width) }
            let bytes = Self.concatenated(wide, total * width, zero: 0, values.map { $0?.fixed?.bytes })
            stream.append(fixed: bytes, width: width, to: leaf.number)
        case .codes:
            stream.append(naturals: try codes(leaf, pieces, total, values), to: leaf.number)
        case .strings:
            let (lengths, bytes) = try strings(leaf, pieces, total, values)
            stream.append(strings: lengths, bytes, to: leaf.number)
        case .integerRows:
            let (lengths, inner, items) = Self.lists(pieces, values)
            let arrays = values.map { $0?.arrays?.elements.integers }
            stream.append(integerRows: lengths, Self.concatenated(inner, items, zero: 0, arrays), to: leaf.number)
        case .floatRows:
            let (lengths, inner, items) = Self.lists(pieces, values)
            let arrays = values.map { $0?.arrays?.elements.floats }
            stream.append(floatRows: lengths, Self.concatenated(inner, items, zero: 0, arrays), to: leaf.number)
        case .naturals: preconditionFailure("lengths and shapes are moved with their columns")
        }
    }

    /// The pieces' elements, one after the other; `zero` where a source has none.
    private static func concatenated<Element: BitwiseCopyable>(
        _ pieces: [Piece], _ total: Int, zero: Element, _ buffers: [Buffer<Element>?]
    ) -> [Element] {
        [Element](unsafeUninitializedCapacity: total) { memory, filled in
            guard var target = memory.baseAddress else { return }
            for piece in pieces {
                if let buffer = buffers[piece.source] {
                    precondition(piece.start >= 0 && piece.start + piece.count <= buffer.count)
                    target.initialize(from: buffer.base + piece.start, count: piece.count)
                } else {
                    target.initialize(repeating: zero, count: piece.count)
                }
                target += piece.count
                filled += piece.count
            }
        }
    }

    private static func lists(
        _ pieces: [Piece], _ values: [LeafValues?]
    ) -> (lengths: [UInt32], inner: [Piece], total: Int) {
        var lengths: [UInt32] = []
        var inner: [Piece] = []
        var total = 0
        for piece in pieces {
            guard let offsets = values[piece.source]?.arrays?.offsets else {
                lengths.append(contentsOf: repeatElement(0, count: piece.count))
                continue
            }
            for row in piece.start..<(piece.start + piece.count) { lengths.append(offsets[row + 1] - offsets[row]) }
            let start = Int(offsets[piece.start])
            let count = Int(offsets[piece.start + piece.count]) - start
            if count > 0 { inner.append(Piece(source: piece.source, start: start, count: count)) }
            total += count
        }
        return (lengths, inner, total)
    }

    // MARK: Strings

    private func codes(
        _ leaf: MergedLeaf, _ pieces: [Piece], _ total: Int, _ values: [LeafValues?]
    ) throws(MergeFailure) -> [UInt32] {
        var result: [UInt32] = []
        result.reserveCapacity(total)
        for piece in pieces {
            let input = sources[piece.source].input
            let rows = piece.start..<(piece.start + piece.count)
            switch values[piece.source] {
            case .naturals(let codes)?:
                precondition(rows.upperBound <= codes.count)
                for row in rows { result.append(leaf.codes[input][Int(codes.base[row])]) }
            case .strings(let strings)?:
                guard let index = leaf.indexes[input] else { preconditionFailure("strings were surveyed") }
                for row in rows { result.append(leaf.codes[input][Int(index.code(strings.bytes(row)))]) }
            default:
                // The one entry of an input that does not have the column.
                result.append(contentsOf: repeatElement(leaf.codes[input][0], count: piece.count))
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
        func add(_ value: UnsafeRawBufferPointer) {
            lengths.append(UInt32(value.count))
            bytes.append(contentsOf: value)
        }
        for piece in pieces {
            let rows = piece.start..<(piece.start + piece.count)
            if piece.source == sources.count, let spilled {
                for row in rows { add(spilled.bytes(row)) }
                continue
            }
            switch values[piece.source] {
            case .naturals(let codes)?:
                guard let dictionary = dictionaries[piece.source] else { preconditionFailure("codes have entries") }
                for row in rows { add(dictionary.bytes(Int(codes[row]))) }
            case .strings(let strings)?:
                for row in rows { add(strings.bytes(row)) }
            default:
                lengths.append(contentsOf: repeatElement(0, count: piece.count))
            }
        }
        return (lengths, bytes)
    }

    // MARK: Attributes

    private mutating func move(
        _ column: MergedAttributes, _ pieces: [Piece], counts: [Int], to stream: inout PartStream
    ) throws(MergeFailure) {
        var states: [AttributeSource] = []
        for (number, source) in sources.enumerated() {
            states.append(try source.attributes(ofColumn: column.column, count: counts[number]))
        }
        var shapes: [UInt32] = []
        var lanes = [[Piece]](repeating: [], count: column.lanes.count)
        var overflow = OverflowWriter()
        for piece in pieces {
            let state = states[piece.source]
            let input = column.inputs[sources[piece.source].input]
            for row in piece.start..<(piece.start + piece.count) {
                let shape = input.shapes[Int(state.shapes[row])]
                shapes.append(shape.number)
                for step in input.steps[shape.steps] {
                    lanes[Int(step.to)].append(row: Int(state.taken[Int(step.from)]), of: piece.source)
                    state.taken[Int(step.from)] &+= 1
                }
                guard !shape.spilled.isEmpty, let lane = column.overflow else { continue }
                for from in shape.spilled {
                    let slot = Int(state.taken[Int(from)])
                    state.taken[Int(from)] &+= 1
                    try spill(
                        slot, of: from, input.lanes[Int(from)], column.column, sources[piece.source], state, &overflow)
                }
                lanes[lane].append(row: overflow.count, of: sources.count)
                overflow.endRow()
            }
        }
        stream.append(naturals: shapes, to: column.shapes)
        spilled = overflow.column()
        defer { spilled = nil }
        for (number, lane) in column.lanes.enumerated() {
            let counts = states.enumerated().map { source, state in
                guard let key = lane.keys[sources[source].input], Int(key.lane) < state.laneCounts.count else {
                    return 0
                }
                return state.laneCounts[Int(key.lane)]
            }
            try move(lane, lanes[number], counts: counts, to: &stream)
        }
    }

    /// Writes one attribute into the overflow of its row.
    private func spill(
        _ slot: Int, of lane: UInt32, _ entry: LaneEntry, _ column: UInt16, _ source: MergeSource,
        _ state: AttributeSource, _ overflow: inout OverflowWriter
    ) throws(MergeFailure) {
        let key = LeafKey(column: column, role: .lane, lane: UInt16(lane))
        // Its values may be wanted by another row of the block, and again when its lane is moved.
        let values = try source.lastingValues(
            of: key, kinds: LeafKind.holding(entry.type), count: state.laneCounts[Int(lane)])
        switch values {
        case .integers(let values)?: overflow.append(entry, integer: values[slot])
        case .floats(let values)?: overflow.append(entry, double: values[slot])
        case .strings(let values)?: overflow.append(entry, bytes: values.bytes(slot))
        case .naturals(let codes)?:
            if let dictionary = try source.dictionary(key) {
                overflow.append(entry, bytes: dictionary.bytes(Int(codes[slot])))
            }
        default: overflow.append(entry, bytes: UnsafeRawBufferPointer(start: nil, count: 0))
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

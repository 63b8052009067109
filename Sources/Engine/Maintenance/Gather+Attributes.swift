internal import Columns
internal import Core
internal import Parts

/// Moves attributes: shapes are numbered anew, and the values of each subcolumn follow their rows.
extension Gather {
    mutating func move(
        _ column: MergedAttributes, _ pieces: [Piece], counts: [Int], to stream: inout PartStream
    ) throws(MergeFailure) {
        var states: [AttributeSource] = []
        for (number, source) in sources.enumerated() {
            states.append(try source.attributes(ofColumn: column.column, count: counts[number]))
        }
        var shapes: [UInt32] = []
        shapes.reserveCapacity(pieces.reduce(0) { $0 + $1.count })
        var subcolumns = SubcolumnPieces(count: column.subcolumns.count)
        var overflow = OverflowWriter()
        for piece in pieces {
            let state = states[piece.source]
            let source = sources[piece.source]
            let input = column.inputs[source.input]
            state.take(from: piece.start, count: piece.count)
            guard input.spills else {
                Self.count(piece, input, state.shapes, &state.taken, &subcolumns, &shapes)
                subcolumns.end(piece.source)
                continue
            }
            for row in piece.start..<(piece.start + piece.count) {
                let one = Piece(source: piece.source, start: row, count: 1)
                Self.count(one, input, state.shapes, &state.taken, &subcolumns, &shapes)
                subcolumns.end(piece.source)
                let spilled = input.shapes[Int(state.shapes[row])].spilled
                guard !spilled.isEmpty, let subcolumn = column.overflow else { continue }
                for from in spilled {
                    let slot = Int(state.taken[Int(from)])
                    state.taken[Int(from)] &+= 1
                    try spill(slot, of: from, input.subcolumns[Int(from)], column.column, source, state, &overflow)
                }
                subcolumns.add(overflow.count, to: subcolumn, of: sources.count)
                overflow.endRow()
            }
        }
        stream.append(naturals: shapes, to: column.shapes)
        spilled = overflow.column()
        defer { spilled = nil }
        for (number, subcolumn) in column.subcolumns.enumerated() {
            let counts = states.enumerated().map { source, state in
                guard let key = subcolumn.keys[sources[source].input], Int(key.subcolumn) < state.subcolumnCounts.count
                else {
                    return 0
                }
                return state.subcolumnCounts[Int(key.subcolumn)]
            }
            try move(subcolumn, subcolumns.pieces[number], counts: counts, to: &stream)
        }
    }

    /// Notes the shapes of a piece's rows, and the values that they have in each subcolumn.
    private static func count(
        _ piece: Piece, _ input: MergedAttributes.Input, _ shapes: Buffer<UInt32>,
        _ taken: inout [UInt32], _ subcolumns: inout SubcolumnPieces, _ result: inout [UInt32]
    ) {
        let (shapes, known, steps) = (shapes.span, input.shapes.span, input.steps.span)
        var taken = taken.mutableSpan
        for row in piece.start..<(piece.start + piece.count) {
            let shape = known[Int(shapes[row])]
            result.append(shape.number)
            for index in shape.steps {
                let step = steps[index]
                subcolumns.add(Int(taken[Int(step.from)]), to: Int(step.to))
                taken[Int(step.from)] &+= 1
            }
        }
    }

    /// Writes one attribute into the overflow of its row.
    private func spill(
        _ slot: Int, of subcolumn: UInt32, _ entry: SubcolumnEntry, _ column: UInt16, _ source: MergeSource,
        _ state: AttributeSource, _ overflow: inout OverflowWriter
    ) throws(MergeFailure) {
        let key = LeafKey(column: column, role: .subcolumn, subcolumn: UInt16(subcolumn))
        // Its values may be wanted by another row of the block, and again when its subcolumn is moved.
        let values = try source.lastingValues(
            of: key, kinds: LeafKind.holding(entry.type), count: state.subcolumnCounts[Int(subcolumn)])
        switch values {
        case .integers(let values)?: overflow.append(entry, integer: values[slot])
        case .floats(let values)?: overflow.append(entry, double: values[slot])
        case .strings(let values)?: overflow.append(entry, bytes: values.span(slot))
        case .naturals(let codes)?:
            if let dictionary = try source.dictionary(key) {
                overflow.append(entry, bytes: dictionary.span(Int(codes[slot])))
            }
        default: overflow.append(entry, bytes: Span())
        }
    }
}

/// Where the values of each subcolumn are: those of one piece of rows follow each other in their subcolumn.
private struct SubcolumnPieces {
    private(set) var pieces: [[Piece]]
    /// By subcolumn: where the values of the current piece of rows begin, and how many there are.
    private var current: [(start: Int, count: Int)]
    /// Subcolumns that the current piece of rows has values in.
    private var touched: [Int] = []

    init(count: Int) {
        pieces = Array(repeating: [], count: count)
        current = Array(repeating: (0, 0), count: count)
    }

    /// Adds a value behind those that the current piece has in the subcolumn.
    @inline(__always)
    mutating func add(_ slot: Int, to subcolumn: Int) {
        if current[subcolumn].count == 0 {
            current[subcolumn] = (slot, 1)
            touched.append(subcolumn)
        } else {
            current[subcolumn].count &+= 1
        }
    }

    /// Ends the current piece.
    mutating func end(_ source: Int) {
        for subcolumn in touched {
            append(
                Piece(source: source, start: current[subcolumn].start, count: current[subcolumn].count), to: subcolumn)
            current[subcolumn].count = 0
        }
        touched.removeAll(keepingCapacity: true)
    }

    /// Adds a single value of another source.
    mutating func add(_ slot: Int, to subcolumn: Int, of source: Int) {
        append(Piece(source: source, start: slot, count: 1), to: subcolumn)
    }

    /// Values that follow the last ones make one piece with them.
    private mutating func append(_ piece: Piece, to subcolumn: Int) {
        let last = pieces[subcolumn].count - 1
        if last >= 0, pieces[subcolumn][last].source == piece.source,
            pieces[subcolumn][last].start &+ pieces[subcolumn][last].count == piece.start
        {
            pieces[subcolumn][last].count &+= piece.count
        } else {
            pieces[subcolumn].append(piece)
        }
    }
}

internal import Columns
internal import Core
internal import Parts

/// Moves attributes: shapes are numbered anew, and the values of each lane follow their rows.
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
        var lanes = LanePieces(count: column.lanes.count)
        var overflow = OverflowWriter()
        for piece in pieces {
            let state = states[piece.source]
            let source = sources[piece.source]
            let input = column.inputs[source.input]
            let taken = state.taken(from: piece.start, count: piece.count)
            guard input.spills else {
                Self.count(piece, input, state.shapes, taken, &lanes, &shapes)
                lanes.end(piece.source)
                continue
            }
            for row in piece.start..<(piece.start + piece.count) {
                let one = Piece(source: piece.source, start: row, count: 1)
                Self.count(one, input, state.shapes, taken, &lanes, &shapes)
                lanes.end(piece.source)
                let spilled = input.shapes[Int(state.shapes[row])].spilled
                guard !spilled.isEmpty, let lane = column.overflow else { continue }
                for from in spilled {
                    let slot = Int(taken[Int(from)])
                    taken[Int(from)] &+= 1
                    try spill(slot, of: from, input.lanes[Int(from)], column.column, source, state, &overflow)
                }
                lanes.add(overflow.count, to: lane, of: sources.count)
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
            try move(lane, lanes.pieces[number], counts: counts, to: &stream)
        }
    }

    /// Notes the shapes of a piece's rows, and the values that they have in each lane.
    private static func count(
        _ piece: Piece, _ input: MergedAttributes.Input, _ shapes: Buffer<UInt32>,
        _ taken: UnsafeMutablePointer<UInt32>, _ lanes: inout LanePieces, _ result: inout [UInt32]
    ) {
        input.shapes.withUnsafeBufferPointer { known in
            input.steps.withUnsafeBufferPointer { steps in
                for row in piece.start..<(piece.start + piece.count) {
                    let number = Int(shapes.base[row])
                    result.append(known[number].number)
                    let range = known[number].steps
                    for index in range {
                        let step = steps[index]
                        lanes.add(Int(taken[Int(step.from)]), to: Int(step.to))
                        taken[Int(step.from)] &+= 1
                    }
                }
            }
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

/// Where the values of each lane are: those of one piece of rows follow each other in their lane.
private struct LanePieces {
    private(set) var pieces: [[Piece]]
    /// By lane: where the values of the current piece of rows begin, and how many there are.
    private var current: [(start: Int, count: Int)]
    /// Lanes that the current piece of rows has values in.
    private var touched: [Int] = []

    init(count: Int) {
        pieces = Array(repeating: [], count: count)
        current = Array(repeating: (0, 0), count: count)
    }

    /// Adds a value behind those that the current piece has in the lane.
    @inline(__always)
    mutating func add(_ slot: Int, to lane: Int) {
        if current[lane].count == 0 {
            current[lane] = (slot, 1)
            touched.append(lane)
        } else {
            current[lane].count &+= 1
        }
    }

    /// Ends the current piece.
    mutating func end(_ source: Int) {
        for lane in touched {
            append(Piece(source: source, start: current[lane].start, count: current[lane].count), to: lane)
            current[lane].count = 0
        }
        touched.removeAll(keepingCapacity: true)
    }

    /// Adds a single value of another source.
    mutating func add(_ slot: Int, to lane: Int, of source: Int) {
        append(Piece(source: source, start: slot, count: 1), to: lane)
    }

    /// Values that follow the last ones make one piece with them.
    private mutating func append(_ piece: Piece, to lane: Int) {
        let last = pieces[lane].count - 1
        if last >= 0, pieces[lane][last].source == piece.source,
            pieces[lane][last].start &+ pieces[lane][last].count == piece.start
        {
            pieces[lane][last].count &+= piece.count
        } else {
            pieces[lane].append(piece)
        }
    }
}

internal import Columns
internal import Core
internal import Parts

/// Takes over a block none of whose rows move: a page is copied if its bytes mean the same in the output, and else its values
/// are moved as one piece. The numbers of values are checked in any case.
extension Gather {
    /// Copies a column of the table from the only source.
    mutating func copy(_ column: MergedColumn, to stream: inout PartStream) throws(MergeFailure) {
        try copy(column, count: sources[0].rowCount, to: &stream)
    }

    /// - Parameter count: the number of rows that the column has in the block.
    private mutating func copy(
        _ column: MergedColumn, count: Int, to stream: inout PartStream
    ) throws(MergeFailure) {
        switch column {
        case .leaf(let leaf): try copy(leaf, count: count, to: &stream)
        case .attributes(let attributes): try copy(attributes, count: count, to: &stream)
        case .nested(let number, let lengths, let fields):
            let offsets = try sources[0].offsets(ofColumn: number)
            let key = LeafKey(column: number, role: .lengths)
            if try !copy(key, count: count, values: nil, to: lengths, &stream) {
                stream.append(
                    naturals: (0..<count).map { offsets[$0 + 1] - offsets[$0] }, to: lengths)
            }
            for field in fields { try copy(field, count: Int(offsets[count]), to: &stream) }
        }
    }

    /// - Returns: false if the page is none, or cannot be copied.
    private func copy(
        _ key: LeafKey, count: Int, values: LeafValues?, to leaf: Int, _ stream: inout PartStream
    ) throws(MergeFailure) -> Bool {
        guard let page = try sources[0].storedPage(of: key, count: count), stream.takes(page, for: leaf) else {
            return false
        }
        stream.append(page, values: values, to: leaf)
        return true
    }

    private func copy(_ leaf: MergedLeaf, count: Int, to stream: inout PartStream) throws(MergeFailure) {
        let source = sources[0]
        if let key = leaf.keys[source.input], source.part.kind(of: key) == leaf.kind,
            leaf.kind != .codes || leaf.isSame[source.input]
        {
            var values: LeafValues?
            if stream.isIndexed(leaf.number) {
                values = try source.values(of: key, kinds: leaf.kinds, count: count)
            }
            if try copy(key, count: count, values: values, to: leaf.number, &stream) { return }
        }
        try move(leaf, [Piece(source: 0, start: 0, count: count)], counts: [count], to: &stream)
    }

    private mutating func copy(
        _ column: MergedAttributes, count: Int, to stream: inout PartStream
    ) throws(MergeFailure) {
        let source = sources[0]
        let input = column.inputs[source.input]
        guard !input.spills else {
            return try move(column, [Piece(source: 0, start: 0, count: count)], counts: [count], to: &stream)
        }
        let state = try source.attributes(ofColumn: column.column, count: count)
        let key = LeafKey(column: column.column, role: .shapes)
        var isCopied = false
        if input.isSame { isCopied = try copy(key, count: count, values: nil, to: column.shapes, &stream) }
        if !isCopied {
            stream.append(
                naturals: state.shapes.map { input.shapes[Int($0)].number }, to: column.shapes)
        }
        for subcolumn in column.subcolumns {
            guard let key = subcolumn.keys[source.input], Int(key.subcolumn) < state.subcolumnCounts.count,
                state.subcolumnCounts[Int(key.subcolumn)] > 0
            else {
                try move(subcolumn, [], counts: [0], to: &stream)
                continue
            }
            try copy(subcolumn, count: state.subcolumnCounts[Int(key.subcolumn)], to: &stream)
        }
    }
}

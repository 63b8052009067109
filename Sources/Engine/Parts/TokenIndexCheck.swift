internal import Columns
internal import Core
internal import Indexing
internal import TableSchema

/// Compares what indexes of tokens say of a block with the rows that are in it.
///
/// Of each column the index over the last block stays in memory, with all of its pages.
struct TokenIndexCheck {
    private struct Open {
        var number: Int
        var index: TokenIndex
        var pages: [UInt8]
    }

    private let part: Part
    /// By column: the index that was asked last.
    private var open: [UInt16: Open] = [:]
    private let hashes = HashSet64()
    private var tokenizer = Tokenizer()
    private var stamps = TokenStamps.Builder()

    init(_ part: Part) { self.part = part }

    /// Whether the index of that number says "no" of a token that the block has. An index of a column that the table has no
    /// more is asked by nobody.
    mutating func denies(_ number: Int, block: Int) throws(PartError) -> Bool {
        let entry = part.footer.tokenIndexes[number]
        guard let (ordinal, field) = place(of: entry.column) else { return false }
        if open[entry.column]?.number != number {
            let (index, pages) = try part.readTokenIndex(number)
            open[entry.column] = Open(number: number, index: index, pages: pages)
        }
        guard let open = open[entry.column] else { return false }
        var column = try part.read(ordinal, block: block)
        if let field {
            guard case .nested(let nested) = column else { return false }
            column = nested.fields[field]
        }
        let isText = add(column)
        var sorted: [UInt64] = []
        hashes.withElements { sorted = $0.sorted() }
        hashes.removeAll()
        let found = stamps.finish()
        do throws(IndexingError) {
            return try open.index.denies(
                sorted, isText ? found : nil, block: block - entry.firstBlock, pages: open.pages)
        } catch {
            throw .corruptIndex(column: entry.column, block: entry.firstBlock)
        }
    }

    /// Where the table has a column, or a field of a nested one.
    private func place(of column: UInt16) -> (ordinal: Int, field: Int?)? {
        for (ordinal, definition) in part.table.columns.enumerated() {
            if definition.id.number == column { return (ordinal, nil) }
            guard case .nested(let fields) = definition.type else { continue }
            if let field = fields.firstIndex(where: { $0.id.number == column }) { return (ordinal, field) }
        }
        return nil
    }

    // MARK: Tokens

    /// Gathers the tokens of a column; answers whether they are of texts.
    private mutating func add(_ column: Column) -> Bool {
        switch column {
        case .strings(let strings):
            for code in Set(strings.codes.array) {
                tokenizer.add(strings.dictionary.bytes(Int(code)), to: hashes, &stamps)
            }
            return true
        case .fixed(let values):
            values.bytes.array.withUnsafeBytes { bytes in
                for start in stride(from: 0, to: bytes.count, by: values.width) {
                    let id = UnsafeRawBufferPointer(rebasing: bytes[start..<(start + values.width)])
                    if id.contains(where: { $0 != 0 }) { hashes.insert(ValueTokens.hash(id)) }
                }
            }
        case .attributes(let attributes):
            // What a part reads for a subcolumn are the values of this block.
            for subcolumn in attributes.subcolumns { add(subcolumn) }
        case .integers, .floats, .arrays, .nested: break
        }
        return false
    }

    private func add(_ subcolumn: AttributeSubcolumn) {
        guard let values = subcolumn.values, values.count > 0 else { return }
        let tokens = SubcolumnTokens(SubcolumnEntry(key: subcolumn.key, type: subcolumn.type))
        tokens.forEachToken { hashes.insert($0) }
        switch (subcolumn.type, values) {
        case (.string, .strings(let strings)):
            for code in Set(strings.codes.array) { hashes.insert(tokens.token(strings.dictionary.bytes(Int(code)))) }
        case (.int, .integers(let integers)), (.bool, .integers(let integers)):
            for value in Set(integers.array) { hashes.insert(tokens.token(value)) }
        default: break
        }
    }
}

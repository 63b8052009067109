internal import Columns
internal import Indexing
internal import TableSchema

/// Gathers one index of tokens, block by block. Whenever a million tokens have gathered, an index of the blocks so far is
/// finished, so that memory stays bounded however large the part gets.
struct TokenIndexWriter {
    /// Sixteen bytes each while they are sorted.
    static let tokenLimit = 1 << 20

    /// An index of some blocks in a row.
    struct Segment {
        var firstBlock: Int
        var blockCount: Int
        var directory: [UInt8]
        var pages: [UInt8]
    }

    private enum Form {
        case blooms(TokenBlooms.Builder)
        case postings(TokenPostings.Builder)
    }

    let column: ColumnID
    let kind: TokenIndex.Kind
    /// Whether texts are cut into tokens, so that searches for pieces of them are answered.
    private let hasStamps: Bool
    private var form: Form
    private let hashes = HashSet64()
    private var tokenizer = Tokenizer()
    private var stampBuilder = TokenStamps.Builder()
    private var stamps: [TokenStamps] = []
    private var firstBlock = 0
    /// Tokens of the blocks since the first.
    private var tokenCount = 0
    /// Finished ones that are to be written.
    private(set) var segments: [Segment] = []
    /// By entry of a dictionary: the last block, counted from one, that it was added for.
    private var marks: [UInt32] = []
    private var blocks: UInt32 = 1

    /// - Returns: nil if the definition is no index of tokens.
    init?(_ index: SkipIndexDefinition, of type: ColumnType) {
        switch index.kind {
        case .tokenBloom(let falsePositives):
            kind = .blooms
            form = .blooms(TokenBlooms.Builder(falsePositives: falsePositives))
        case .tokenPostings:
            kind = .postings
            form = .postings(TokenPostings.Builder())
        case .bloomFilter, .minMax, .templates: return nil
        }
        column = index.column
        hasStamps = type == .string || type == .lowCardinality
    }

    /// The writers of a table's indexes.
    static func make(_ table: TableDefinition) -> [TokenIndexWriter] {
        table.indexes.compactMap { index in
            table.type(of: index.column).flatMap { TokenIndexWriter(index, of: $0) }
        }
    }

    // MARK: Values of the block

    mutating func add(text: UnsafeRawBufferPointer) { tokenizer.add(text, to: hashes, &stampBuilder) }

    @inline(__always)
    mutating func add(token: UInt64) { hashes.insert(token) }

    /// Ids one after the other; those of zeros are "none", and not looked up.
    mutating func add(ids: UnsafeRawBufferPointer, width: Int) {
        var last: UInt64 = 0
        for start in stride(from: 0, to: ids.count - width + 1, by: width) {
            let id = UnsafeRawBufferPointer(rebasing: ids[start..<(start + width)])
            if id.allSatisfy({ $0 == 0 }) { continue }
            let token = ValueTokens.hash(id)
            if token != last { hashes.insert(token) }
            last = token
        }
    }

    /// Texts by their codes, each entry of the dictionary once.
    mutating func add(codes: some Sequence<UInt32>, count: Int, entry: (Int) -> UnsafeRawBufferPointer) {
        if marks.count < count { marks = Array(repeating: 0, count: count) }
        for code in codes where marks[Int(code)] != blocks {
            marks[Int(code)] = blocks
            add(text: entry(Int(code)))
        }
    }

    /// Ends the block.
    mutating func endBlock() {
        tokenCount += hashes.count
        switch form {
        case .blooms(var builder):
            form = .blooms(TokenBlooms.Builder(falsePositives: 0.5))
            hashes.withElements { builder.endBlock($0) }
            form = .blooms(builder)
        case .postings(var builder):
            form = .postings(TokenPostings.Builder())
            hashes.withElements { builder.endBlock($0) }
            form = .postings(builder)
        }
        hashes.removeAll()
        if hasStamps { stamps.append(stampBuilder.finish()) }
        blocks &+= 1
        if tokenCount >= Self.tokenLimit || blockCount == TokenPostings.blockLimit { endSegment() }
    }

    /// Bytes that wait in memory, about.
    var byteCount: Int {
        tokenCount * 8 + segments.reduce(0) { $0 + $1.pages.count + $1.directory.count }
    }

    private var blockCount: Int {
        switch form {
        case .blooms(let builder): builder.blockCount
        case .postings(let builder): builder.blockCount
        }
    }

    /// Finishes the index of the blocks since the last one.
    mutating func endSegment() {
        let count = blockCount
        guard count > 0 else { return }
        let index: TokenIndex
        let pages: [UInt8]
        switch form {
        case .blooms(var builder):
            let (directory, bytes) = builder.finish()
            (index, pages) = (TokenIndex(.blooms(directory), stamps: stamps), bytes)
            form = .blooms(builder)
        case .postings(var builder):
            form = .postings(TokenPostings.Builder())
            let (directory, bytes) = builder.finish()
            (index, pages) = (TokenIndex(.postings(directory), stamps: stamps), bytes)
        }
        segments.append(
            Segment(firstBlock: firstBlock, blockCount: count, directory: index.encoded, pages: pages))
        firstBlock += count
        stamps = []
        tokenCount = 0
    }

    /// Writes the finished ones.
    mutating func writeSegments(_ output: inout PartOutput, _ footer: inout PartFooter) {
        for segment in segments { output.append(segment, column, kind, &footer) }
        segments = []
    }
}

extension TableDefinition {
    /// The type of a column, or of a field of a nested one.
    func type(of column: ColumnID) -> ColumnType? {
        for definition in columns {
            if definition.id == column { return definition.type }
            guard case .nested(let fields) = definition.type else { continue }
            if let field = fields.first(where: { $0.id == column }) { return field.type }
        }
        return nil
    }
}

/// What a subcolumn of attributes gives an index of tokens.
struct SubcolumnTokens {
    let type: AttributeType
    /// The token of its key, or of attributes without a subcolumn.
    let key: UInt64
    private let odd: UInt64

    init(_ subcolumn: SubcolumnEntry) {
        type = subcolumn.type
        key = subcolumn.type == .overflow ? ValueTokens.overflow : ValueTokens.key(subcolumn.key)
        odd = ValueTokens.odd(key)
    }

    /// The token of a string.
    @inline(__always)
    func token(_ value: UnsafeRawBufferPointer) -> UInt64 {
        ValueTokens.isPlain(value) ? ValueTokens.string(value, key: key) : odd
    }

    /// The token of an int or a bool.
    @inline(__always)
    func token(_ value: Int64) -> UInt64 {
        ValueTokens.integer(type == .bool && value != 0 ? 1 : value, key: key)
    }

    /// The tokens that a block has if it has any value of the subcolumn.
    func forEachToken(_ body: (UInt64) -> Void) {
        body(key)
        switch type {
        case .empty, .double, .array, .map, .bytes: body(odd)
        case .string, .bool, .int, .overflow: break
        }
    }
}

internal import Columns
internal import Core
internal import Encoding
package import TableSchema

/// A dictionary of a part that is being written.
package struct EncodedDictionary: Sendable {
    var entry: DictionaryEntry
    var bytes: [UInt8]
    /// The XXH3-64 of each entry, if a bloom filter wants them.
    var hashes: [UInt64]
    /// The token of each entry, if it is a dictionary of an attribute that is indexed.
    var tokens: [UInt64] = []
    /// The entries, if they are texts that are indexed: where each ends, and their bytes.
    var ends: [Int] = []
    var contents: [UInt8] = []

    package var count: Int { entry.count }
}

/// What skip indexes want of the entries of a dictionary.
package struct DictionaryUse: Sendable {
    /// Hashes for bloom filters.
    package var hashes = false
    /// Texts that are cut into tokens.
    package var texts = false
    /// The subcolumn whose values are indexed.
    package var subcolumn: SubcolumnEntry?

    package init() {}

    /// For the values of a leaf.
    package init(_ key: LeafKey, _ subcolumn: SubcolumnEntry? = nil, in table: TableDefinition) {
        for index in table.indexes where index.column.number == key.column {
            switch (index.kind, key.role) {
            case (.bloomFilter, .values): hashes = true
            case (.tokenBloom, .values), (.tokenPostings, .values): texts = true
            case (.tokenBloom, .subcolumn), (.tokenPostings, .subcolumn): self.subcolumn = subcolumn
            default: break
            }
        }
    }
}

/// Encodes the entries of a sorted dictionary, page by page.
package struct DictionaryWriter: ~Copyable {
    static let pageBytes = 1 << 16

    private var encoder: PageEncoder
    private var dictionary = EncodedDictionary(
        entry: DictionaryEntry(count: 0, isSorted: true, pages: []), bytes: [], hashes: [])
    private var lengths: [UInt32] = []
    private var contents: [UInt8] = []
    private let use: DictionaryUse
    private let subcolumn: SubcolumnTokens?

    package init(zstdLevel: Int32, use: DictionaryUse) {
        encoder = PageEncoder(zstdLevel: zstdLevel)
        self.use = use
        subcolumn = use.subcolumn.flatMap { $0.type == .string ? SubcolumnTokens($0) : nil }
    }

    package var count: Int { dictionary.entry.count + lengths.count }

    /// Appends an entry that is above all those before it.
    package mutating func append(_ entry: Span<UInt8>) { entry.withUnsafeBytes { add($0) } }

    private mutating func add(_ entry: UnsafeRawBufferPointer) {
        lengths.append(UInt32(entry.count))
        contents.append(contentsOf: entry)
        if use.hashes { dictionary.hashes.append(XXH3.hash(entry)) }
        if let subcolumn { dictionary.tokens.append(subcolumn.token(entry)) }
        if use.texts {
            dictionary.contents.append(contentsOf: entry)
            dictionary.ends.append(dictionary.contents.count)
        }
        if lengths.count == PartLayout.blockRows || contents.count >= Self.pageBytes { finishPage() }
    }

    private mutating func finishPage() {
        let page = lengths.withUnsafeBufferPointer { lengths in
            contents.withUnsafeBufferPointer { encoder.encode(strings: lengths, bytes: $0) }
        }
        dictionary.entry.pages.append(encoder.store(page, into: &dictionary.bytes))
        dictionary.entry.count += lengths.count
        lengths.removeAll(keepingCapacity: true)
        contents.removeAll(keepingCapacity: true)
    }

    package consuming func finish() -> EncodedDictionary {
        if !lengths.isEmpty { finishPage() }
        return dictionary
    }
}

internal import Core
internal import Encoding

/// A dictionary of a part that is being written.
package struct EncodedDictionary: Sendable {
    var entry: DictionaryEntry
    var bytes: [UInt8]
    /// The XXH3-64 of each entry, if a bloom filter wants them.
    var hashes: [UInt64]

    package var count: Int { entry.count }
}

/// Encodes the entries of a sorted dictionary, page by page.
package struct DictionaryWriter: ~Copyable {
    static let pageBytes = 1 << 16

    private var encoder: PageEncoder
    private var dictionary = EncodedDictionary(
        entry: DictionaryEntry(count: 0, isSorted: true, pages: []), bytes: [], hashes: [])
    private var lengths: [UInt32] = []
    private var contents: [UInt8] = []
    private let wantsHashes: Bool

    package init(zstdLevel: Int32, wantsHashes: Bool) {
        encoder = PageEncoder(zstdLevel: zstdLevel)
        self.wantsHashes = wantsHashes
    }

    package var count: Int { dictionary.entry.count + lengths.count }

    /// Appends an entry that is above all those before it.
    package mutating func append(_ entry: UnsafeRawBufferPointer) {
        lengths.append(UInt32(entry.count))
        contents.append(contentsOf: entry)
        if wantsHashes { dictionary.hashes.append(XXH3.hash(entry)) }
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

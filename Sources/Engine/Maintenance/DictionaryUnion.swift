internal import Columns
internal import Core
internal import Parts

/// The entries of one input in ascending order, each with the input's code for it.
///
/// A sorted dictionary is read page by page, so that the dictionaries of a merge are never in memory whole; of an unsorted one,
/// and of strings that had no dictionary, the order is made first.
final class EntryStream {
    private enum Origin {
        case pages(Part, LeafKey, DictionaryFacts)
        case memory(StringDictionary, order: [UInt32])
    }

    private let origin: Origin
    private let input: Int
    /// How many codes the input has.
    let codeCount: Int
    private var page: StringColumn?
    private var pageNumber = 0
    private var row = 0
    private var next = 0

    /// The dictionary of a leaf.
    init(_ part: Part, _ key: LeafKey, _ facts: DictionaryFacts, input: Int) throws(MergeFailure) {
        self.input = input
        codeCount = facts.count
        if facts.isSorted {
            origin = .pages(part, key, facts)
            try loadPage()
        } else {
            let dictionary: StringDictionary
            do throws(PartError) {
                dictionary = try part.dictionary(facts, of: key)
            } catch {
                throw .input(input, error)
            }
            origin = .memory(dictionary, order: Self.order(dictionary))
        }
    }

    /// Entries that are in memory.
    init(_ dictionary: StringDictionary, input: Int) {
        self.input = input
        codeCount = dictionary.count
        origin = .memory(dictionary, order: Self.order(dictionary))
    }

    /// Of an input that does not have the column, whose rows read as empty: one entry, the empty one.
    static func missing(input: Int) -> EntryStream {
        EntryStream(
            StringDictionary(offsets: Buffer([0, 0]), contents: .empty, isUnique: true, isSorted: true), input: input)
    }

    private static func order(_ dictionary: StringDictionary) -> [UInt32] {
        (0..<UInt32(dictionary.count)).sorted {
            ByteOrder.compare(dictionary.span(Int($0)), dictionary.span(Int($1))) < 0
        }
    }

    /// An entry of a dictionary.
    struct Entry {
        let dictionary: StringDictionary
        let index: Int

        var count: Int { dictionary.length(index) }

        func compare(_ other: Entry) -> Int {
            ByteOrder.compare(dictionary.span(index), other.dictionary.span(other.index))
        }
    }

    /// The next entry; nil at the end.
    var entry: Entry? {
        switch origin {
        case .pages: page.map { Entry(dictionary: $0.dictionary, index: Int($0.codes[row])) }
        case .memory(let dictionary, let order):
            next < order.count ? Entry(dictionary: dictionary, index: Int(order[next])) : nil
        }
    }

    /// The input's code for the next entry.
    var code: Int {
        switch origin {
        case .pages: next
        case .memory(_, let order): Int(order[next])
        }
    }

    func advance() throws(MergeFailure) {
        next += 1
        guard case .pages = origin, let page else { return }
        let last = row
        row += 1
        guard row == page.codes.count else {
            guard ByteOrder.compare(page.span(last), page.span(row)) < 0 else { throw unsorted }
            return
        }
        try loadPage()
        guard let loaded = self.page else { return }
        guard ByteOrder.compare(page.span(last), loaded.span(0)) < 0 else { throw unsorted }
    }

    private var unsorted: MergeFailure { .input(input, .corruptFooter("a sorted dictionary is not in order")) }

    private func loadPage() throws(MergeFailure) {
        guard case .pages(let part, let key, let facts) = origin else { return }
        page = nil
        row = 0
        while pageNumber < facts.pageCount {
            do throws(PartError) {
                let loaded = try part.dictionaryPage(pageNumber, of: facts, key)
                pageNumber += 1
                guard loaded.codes.count == 0 else {
                    page = loaded
                    return
                }
            } catch {
                throw .input(input, error)
            }
        }
    }
}

/// Unites dictionaries: a new one with every entry once, in order, and each input's codes in terms of it.
struct DictionaryUnion {
    struct Limits {
        var entries: Int
        var bytes: Int
    }

    var dictionary: EncodedDictionary
    /// By input, and then by its code: the code in the union.
    var codes: [[UInt32]]

    /// - Returns: nil if the union is larger than `limits`.
    static func make(
        _ streams: [EntryStream?], limits: Limits?, zstdLevel: Int32, use: DictionaryUse
    ) throws(MergeFailure) -> DictionaryUnion? {
        var codes = streams.map { [UInt32](repeating: 0, count: $0?.codeCount ?? 0) }
        var writer = DictionaryWriter(zstdLevel: zstdLevel, use: use)
        var bytes = 0
        while let least = least(streams), let entry = streams[least]?.entry {
            let number = writer.count
            bytes += entry.count
            if let limits, number >= limits.entries || bytes > limits.bytes { return nil }
            writer.append(entry.dictionary.span(entry.index))
            // Those before the least are above it. A stream may have the entry more than once, if its entries are not unique.
            for input in least..<streams.count {
                guard let stream = streams[input] else { continue }
                while let other = stream.entry, other.compare(entry) == 0 {
                    codes[input][stream.code] = UInt32(number)
                    try stream.advance()
                }
            }
        }
        return DictionaryUnion(dictionary: writer.finish(), codes: codes)
    }

    /// The first of the streams with the least entry.
    private static func least(_ streams: [EntryStream?]) -> Int? {
        var least: Int?
        var leastEntry: EntryStream.Entry?
        for (input, stream) in streams.enumerated() {
            guard let entry = stream?.entry else { continue }
            if let known = leastEntry, entry.compare(known) >= 0 { continue }
            least = input
            leastEntry = entry
        }
        return least
    }
}

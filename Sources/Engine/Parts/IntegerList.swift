internal import Columns
internal import Core
internal import Encoding
private import Synchronization

/// The distinct integers of a column that come back, in the order of first use: a part keeps them once, and its pages say
/// which entry an integer is. All metrics of a target are collected at the same times, so that one series' times are
/// neighbours in the list, and the next one's are the same.
struct IntegerList {
    /// Beyond so many nothing is added: readers hold the list in memory.
    static let limit = 1 << 18
    private static let samples = 1 << 14
    private static let leastRows = 1 << 10
    /// An integer that finds no slot among so many ends the list, so that integers chosen to collide cost no more time.
    private static let mostProbes = 64
    /// An entry takes about so many bytes.
    private static let entryBytes = 3

    private(set) var values: [Int64] = []
    /// The number of an entry and one, or 0.
    private var slots = [UInt32](repeating: 0, count: 1 << 10)
    /// Whether nothing is added any more.
    private(set) var isFull = false
    /// The entry after the last one that was found.
    private var next = 0

    /// Whether a list may pay, by a sample of `count` values.
    static func mayPay(count: Int, _ value: (Int) -> Int64) -> Bool {
        guard count >= leastRows else { return false }
        let sampled = min(count, samples)
        var distinct = Set<Int64>(minimumCapacity: sampled)
        for i in 0..<sampled { distinct.insert(value(i * count / sampled)) }
        return distinct.count <= sampled / 8 * 7
    }

    /// Whether pages of entries and the list together are smaller than other pages, by a few of them.
    ///
    /// - Parameter blocks: the values of some blocks, and their entries.
    static func pays(
        _ blocks: [(values: [Int64], entries: [UInt32])], of rows: Int, entries: Int, _ encoder: inout PageEncoder
    ) -> Bool {
        var plain = 0
        var listed = 0
        var sampled = 0
        for block in blocks {
            plain += block.values.withUnsafeBufferPointer { encoder.encode(integers: $0).storedLength }
            listed += block.entries.withUnsafeBufferPointer { encoder.encode(entries: $0).storedLength }
            sampled += block.values.count
        }
        encoder.output.removeAll(keepingCapacity: true)
        return listed + entryBytes * entries * sampled / max(rows, 1) < plain
    }

    /// The entries that `block`'s values are, which are added if need be; nil if the list has no room for them.
    mutating func entries(of block: [Int64]) -> [UInt32]? {
        if isFull { return nil }
        var entries: [UInt32] = []
        entries.reserveCapacity(block.count)
        for value in block {
            if next < values.count, values[next] == value {
                entries.append(UInt32(truncatingIfNeeded: next))
                next += 1
                continue
            }
            guard let entry = entry(of: value) else {
                isFull = true
                return nil
            }
            entries.append(UInt32(truncatingIfNeeded: entry))
            next = entry + 1
        }
        return entries
    }

    private mutating func entry(of value: Int64) -> Int? {
        if values.count * 2 >= slots.count { grow() }
        guard let slot = slot(of: value) else { return nil }
        if slots[slot] > 0 { return Int(slots[slot]) - 1 }
        guard values.count < Self.limit else { return nil }
        values.append(value)
        slots[slot] = UInt32(truncatingIfNeeded: values.count)
        return values.count - 1
    }

    /// The slot that the value has, or may have.
    private func slot(of value: Int64) -> Int? {
        let mask = slots.count - 1
        let mixed = UInt64(bitPattern: value) &* 0x9E37_79B9_7F4A_7C15
        var slot = Int(truncatingIfNeeded: mixed >> 40) & mask
        for _ in 0..<Self.mostProbes {
            let held = Int(slots[slot])
            if held == 0 || values[held - 1] == value { return slot }
            slot = (slot + 1) & mask
        }
        return nil
    }

    private mutating func grow() {
        slots = [UInt32](repeating: 0, count: slots.count * 4)
        for (number, value) in values.enumerated() {
            guard let slot = slot(of: value) else { continue }
            slots[slot] = UInt32(truncatingIfNeeded: number + 1)
        }
    }

    /// The pages of the list.
    func encoded(_ encoder: inout PageEncoder) -> EncodedDictionary {
        var dictionary = EncodedDictionary(
            entry: DictionaryEntry(count: values.count, isSorted: false, pages: []), bytes: [], hashes: [])
        values.withUnsafeBufferPointer { values in
            for start in stride(from: 0, to: values.count, by: PartLayout.blockRows) {
                let end = min(start + PartLayout.blockRows, values.count)
                let page = encoder.encode(integers: UnsafeBufferPointer(rebasing: values[start..<end]))
                dictionary.entry.pages.append(encoder.store(page, into: &dictionary.bytes))
            }
        }
        return dictionary
    }
}

/// The lists of a part that have been read, by the number of the dictionary.
final class ListCache<Element: BitwiseCopyable>: Sendable {
    private let known = Mutex<[Int: Buffer<Element>]>([:])

    subscript(number: Int) -> Buffer<Element>? { known.withLock { $0[number] } }

    /// - Returns: whether there was none.
    func insert(_ list: Buffer<Element>, _ number: Int) -> Bool {
        known.withLock { $0.updateValue(list, forKey: number) == nil }
    }
}

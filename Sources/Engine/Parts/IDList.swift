package import Columns
internal import Core
internal import Encoding

/// The distinct ids of a column of 16 bytes that come back far from each other, such as the trace ids of logs: a part keeps
/// them once, in the order of their arrival, and its pages say which entry an id is.
package struct IDList: Sendable {
    /// Beyond so many the column is kept without a list.
    package static let limit = 1 << 19
    /// Pages hold so many ids each, so that a reader gets few that it does not need.
    static let pageRows = 1 << 12
    /// The blocks' own lists together must be longer than the part's by this much in eighths.
    private static let leastGain = 10

    private(set) var index = IDIndex()

    package init() {}

    package var count: Int { index.count }

    package mutating func insert(_ ids: FixedColumn) { index.insert(ids.bytes.unsafeElements) }

    /// The list of the ids in the selected rows; nil if most of them stand in one block alone.
    static func make(_ values: FixedColumn, _ selection: RowSelection) -> IDList? {
        guard values.width == 16, selection.blockEnds.count > 1 else { return nil }
        // Rows of a batch are in the order of arrival; only the selected ones count.
        var isSelected = [Bool](repeating: false, count: values.count)
        for row in selection.rows { isSelected[Int(row)] = true }
        var list = IDList()
        let bytes = UnsafeRawPointer(values.bytes.base)
        for row in 0..<values.count where isSelected[row] {
            list.index.insert(
                bytes.loadUnaligned(fromByteOffset: row * 16, as: UInt64.self),
                bytes.loadUnaligned(fromByteOffset: row * 16 + 8, as: UInt64.self))
            if list.count > limit { return nil }
        }
        guard list.count > 0 else { return nil }
        return list.pays(values, selection) ? list : nil
    }

    /// Compares the number of entries with how many distinct ids some of the blocks have.
    private func pays(_ values: FixedColumn, _ selection: RowSelection) -> Bool {
        let blocks = selection.blockEnds.count
        let step = max(blocks / 8, 1)
        var distinct = 0
        var sampled = 0
        let bytes = UnsafeRawPointer(values.bytes.base)
        for block in stride(from: 0, to: blocks, by: step) {
            var own = IDIndex()
            let range = selection.rows(ofBlock: block)
            for row in selection.rows[range] {
                own.insert(
                    bytes.loadUnaligned(fromByteOffset: Int(row) * 16, as: UInt64.self),
                    bytes.loadUnaligned(fromByteOffset: Int(row) * 16 + 8, as: UInt64.self))
            }
            distinct += own.count
            sampled += range.count
        }
        return distinct * selection.rows.count / max(sampled, 1) >= count * Self.leastGain / 8
    }

    /// The pages of the list.
    func encoded(_ encoder: inout PageEncoder) -> EncodedDictionary {
        var dictionary = EncodedDictionary(
            entry: DictionaryEntry(count: count, isSorted: false, pages: []), bytes: [], hashes: [])
        let bytes = index.bytes
        bytes.withUnsafeBufferPointer { bytes in
            for start in stride(from: 0, to: bytes.count, by: Self.pageRows * 16) {
                let end = min(start + Self.pageRows * 16, bytes.count)
                let page = encoder.encode(fixed: UnsafeBufferPointer(rebasing: bytes[start..<end]), width: 16)
                dictionary.entry.pages.append(encoder.store(page, into: &dictionary.bytes))
            }
        }
        return dictionary
    }
}

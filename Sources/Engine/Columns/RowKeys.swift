package import Core

/// The keys of rows: `width` words for each, which compare one after the other as the rows do in the order of their table.
package struct RowKeys: Sendable {
    package let rowCount: Int
    private let width: Int
    private let words: Buffer<UInt64>

    /// Of no rows.
    package init() {
        rowCount = 0
        width = 0
        words = .empty
    }

    fileprivate init(rowCount: Int, width: Int, words: Buffer<UInt64>) {
        self.rowCount = rowCount
        self.width = width
        self.words = words
    }

    package var byteCount: Int { words.count * 8 }

    /// The words of a row's key.
    package subscript(row: Int) -> [UInt64] { words[(row * width)..<((row + 1) * width)].array }

    /// Whether a row has the given key.
    package func isEqual(_ row: Int, _ other: [UInt64]) -> Bool {
        let key = key(of: row)
        return (0..<width).allSatisfy { key[$0] == other[$0] }
    }

    /// - Returns: below 0 if the row comes before the other, 0 if their keys are equal.
    package func compare(_ row: Int, _ other: RowKeys, _ otherRow: Int) -> Int {
        precondition(width == other.width)
        return Self.compare(key(of: row), other.key(of: otherRow), width)
    }

    /// Of ascending rows, where those end that come before another one.
    ///
    /// - Parameter orEqual: whether a row with an equal key comes before it too.
    package func end(of rows: Range<Int>, before other: RowKeys, _ otherRow: Int, orEqual: Bool) -> Int {
        guard !rows.isEmpty else { return rows.upperBound }
        precondition(width == other.width && rows.upperBound <= rowCount)
        let rival = other.key(of: otherRow)
        let most = orEqual ? 0 : -1
        var key = self.key(of: rows.lowerBound)
        var row = rows.lowerBound
        while row < rows.upperBound, Self.compare(key, rival, width) <= most {
            key += width
            row += 1
        }
        return row
    }

    /// The rows whose key is not that of the row before.
    package func heads(in rows: Range<Int>) -> [Int] {
        precondition(rows.lowerBound > 0 && rows.upperBound <= rowCount)
        return rows.filter { Self.compare(words.base + ($0 - 1) * width, words.base + $0 * width, width) != 0 }
    }

    /// Whether no row comes before the one that stands before it.
    ///
    /// - Parameter last: what stands before the first.
    package func isAscending(after last: [UInt64]?) -> Bool {
        guard rowCount > 0 else { return true }
        let isFirst =
            last.map { last in
                precondition(last.count == width)
                return last.withUnsafeBufferPointer { last in
                    last.baseAddress.map { Self.compare($0, key(of: 0), width) <= 0 } ?? true
                }
            } ?? true
        return isFirst
            && (1..<rowCount).allSatisfy {
                Self.compare(words.base + ($0 - 1) * width, words.base + $0 * width, width) <= 0
            }
    }

    @inline(__always)
    private func key(of row: Int) -> UnsafePointer<UInt64> {
        precondition(row >= 0 && row < rowCount)
        return words.base + row * width
    }

    @inline(__always)
    private static func compare(_ left: UnsafePointer<UInt64>, _ right: UnsafePointer<UInt64>, _ width: Int) -> Int {
        for word in 0..<width where left[word] != right[word] { return left[word] < right[word] ? -1 : 1 }
        return 0
    }
}

/// Makes keys, one word of all rows after the other; a word that nothing is said of is 0.
package struct RowKeysBuilder: ~Copyable {
    private let rowCount: Int
    private let width: Int
    private let memory: BufferMemory<UInt64>
    private var place = 0

    package init(rowCount: Int, width: Int) {
        self.rowCount = rowCount
        self.width = width
        memory = BufferMemory(capacity: rowCount * width)
        memory.base.initialize(repeating: 0, count: rowCount * width)
    }

    /// An integer as a word that compares as it does.
    @inline(__always)
    private static func word(_ value: Int64) -> UInt64 { UInt64(bitPattern: value) ^ (1 << 63) }

    @inline(__always)
    private mutating func fill(_ word: (Int) -> UInt64) {
        precondition(place < width)
        let start = memory.base + place
        for row in 0..<rowCount { start[row * width] = word(row) }
        place += 1
    }

    /// - Parameter values: nil: zeros.
    package mutating func add(_ values: Buffer<Int64>?, per unit: Int64 = 1) {
        guard let values else { return fill { _ in Self.word(0) } }
        precondition(values.count >= rowCount && unit > 0)
        if unit == 1 { fill { Self.word(values.base[$0]) } } else { fill { Self.word(values.base[$0] / unit) } }
    }

    package mutating func add(_ ids: FixedColumn) {
        for i in 0..<(ids.width / 8) { fill { ids.word($0, at: i * 8) } }
    }

    /// - Parameter codes: each below the number of `ranks`.
    package mutating func add(_ codes: Buffer<UInt32>, ranks: Buffer<UInt32>) {
        precondition(codes.count >= rowCount)
        fill { UInt64(ranks[Int(codes.base[$0])]) }
    }

    package mutating func add(words: (Int) -> UInt64) { fill(words) }

    /// Leaves words as they are.
    package mutating func skip(_ words: Int) { place += words }

    package consuming func finish() -> RowKeys {
        precondition(place == width)
        return RowKeys(
            rowCount: rowCount, width: width,
            words: Buffer(owner: memory, base: memory.base, count: rowCount * width))
    }
}

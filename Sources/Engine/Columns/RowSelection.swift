/// The rows of a block that passed so far: all of them, or a list.
package struct RowSelection: Sendable {
    package let rowCount: Int
    @usableFromInline package internal(set) var isWhole = true
    /// Ascending; without meaning while all rows are in.
    @usableFromInline var list: [UInt32] = []

    package init(rowCount: Int) { self.rowCount = rowCount }

    package var count: Int { isWhole ? rowCount : list.count }
    package var isEmpty: Bool { count == 0 }

    /// Rows ascend.
    package var rows: [UInt32] { isWhole ? Self.first(rowCount) : list }

    /// Those of the rows that lie in a range.
    package func slice(_ bounds: Range<Int>) -> RowSlice {
        if isWhole { return RowSlice(all: bounds) }
        if bounds.lowerBound == 0, bounds.upperBound == rowCount { return RowSlice(list[...], in: bounds) }
        return RowSlice(list[index(from: bounds.lowerBound)..<index(from: bounds.upperBound)], in: bounds)
    }

    /// Where the rows from one on begin in the list.
    private func index(from row: Int) -> Int {
        var (low, high) = (0, list.count)
        while low < high {
            let middle = (low + high) / 2
            if Int(list[middle]) < row { low = middle + 1 } else { high = middle }
        }
        return low
    }

    package func forEach(_ body: (Int) -> Void) { slice(0..<rowCount).forEach(body) }

    package mutating func removeAll() {
        isWhole = rowCount == 0
        list = []
    }

    /// Keeps the rows for which the test holds. A row costs the same whether it is kept or not: no branch depends on it.
    @inlinable
    @inline(__always)
    package mutating func keep(_ test: (Int) -> Bool) {
        if isWhole {
            list = Array(unsafeUninitializedCapacity: rowCount) { output, count in
                for row in 0..<rowCount {
                    output[count] = UInt32(truncatingIfNeeded: row)
                    count &+= test(row) ? 1 : 0
                }
            }
            isWhole = list.count == rowCount
        } else {
            var kept = 0
            list.withUnsafeMutableBufferPointer { list in
                for place in 0..<list.count {
                    let row = list[place]
                    list[kept] = row
                    kept &+= test(Int(row)) ? 1 : 0
                }
            }
            list.removeLast(list.count - kept)
        }
    }

    /// As `keep`, for a test that costs next to nothing: rows are tested several at a time first, since often none or all of them
    /// pass.
    @inline(__always)
    mutating func keepRuns(_ test: (Int) -> Bool) {
        guard isWhole else { return keep(test) }
        let width = 16
        list = Array(unsafeUninitializedCapacity: rowCount) { output, count in
            var row = 0
            while row + width <= rowCount {
                var hits = 0
                for index in row..<(row + width) { hits &+= test(index) ? 1 : 0 }
                if hits > 0 {
                    for index in row..<(row + width) {
                        output[count] = UInt32(truncatingIfNeeded: index)
                        count &+= test(index) ? 1 : 0
                    }
                }
                row += width
            }
            while row < rowCount {
                output[count] = UInt32(truncatingIfNeeded: row)
                count &+= test(row) ? 1 : 0
                row += 1
            }
        }
        isWhole = list.count == rowCount
    }

    /// Keeps the rows that are in the set.
    package mutating func keep(in set: RowBitmap) { set.withWords { words in keep { Self.has(words, $0) } } }

    package mutating func remove(_ set: RowBitmap) { set.withWords { words in keep { !Self.has(words, $0) } } }

    package func insert(into set: inout RowBitmap) {
        if isWhole { set.insertAll() } else { set.insert(list) }
    }

    @inline(__always)
    private static func has(_ words: UnsafeBufferPointer<UInt64>, _ row: Int) -> Bool {
        words[row &>> 6] &>> UInt64(truncatingIfNeeded: row & 63) & 1 != 0
    }

    /// Whole blocks share one list.
    private static func first(_ count: Int) -> [UInt32] {
        count == everyRow.count ? everyRow : Array(0..<UInt32(count))
    }

    private static let everyRow = Array(0..<UInt32(8192))
}

/// Rows of a block that lie in a range: all of these, or some.
package struct RowSlice: Sendable {
    package let bounds: Range<Int>
    /// Ascending; nil: all.
    @usableFromInline package let list: ArraySlice<UInt32>?

    package init(all bounds: Range<Int>) {
        self.bounds = bounds
        list = nil
    }

    package init(_ list: ArraySlice<UInt32>, in bounds: Range<Int>) {
        self.bounds = bounds
        self.list = list
    }

    package var count: Int { list?.count ?? bounds.count }
    package var isEmpty: Bool { count == 0 }
    /// Whether it is all rows of the range.
    package var isWhole: Bool { list == nil }
    /// Above every row.
    package var end: Int { bounds.upperBound }

    /// Calls `body` with each row.
    @inlinable
    @inline(__always)
    package func forEach(_ body: (Int) -> Void) {
        guard let list else {
            for row in bounds { body(row) }
            return
        }
        list.withUnsafeBufferPointer { list in
            for row in list { body(Int(row)) }
        }
    }
}

/// Rows of a block, a bit each.
package struct RowBitmap {
    private var words: [UInt64]

    package init(rowCount: Int) { words = Array(repeating: 0, count: (rowCount + 63) / 64) }

    package mutating func insert(_ row: Int) { words[row >> 6] |= 1 << UInt64(row & 63) }

    package mutating func insert(_ rows: [UInt32]) {
        for row in rows { insert(Int(row)) }
    }

    package mutating func insertAll() {
        for i in words.indices { words[i] = .max }
    }

    func withWords<Result>(_ body: (UnsafeBufferPointer<UInt64>) -> Result) -> Result {
        words.withUnsafeBufferPointer(body)
    }

    package func contains(_ row: Int) -> Bool { words[row >> 6] >> UInt64(row & 63) & 1 != 0 }
}

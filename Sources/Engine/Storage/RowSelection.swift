/// The rows of a block that passed so far: all of them, or a list.
struct RowSelection {
    let rowCount: Int
    private(set) var isWhole = true
    /// Ascending; without meaning while all rows are in.
    private var list: [UInt32] = []

    init(rowCount: Int) { self.rowCount = rowCount }

    var count: Int { isWhole ? rowCount : list.count }
    var isEmpty: Bool { count == 0 }

    /// Rows ascend.
    var rows: [UInt32] { isWhole ? Self.first(rowCount) : list }

    mutating func removeAll() {
        isWhole = rowCount == 0
        list = []
    }

    /// Keeps the rows for which the test holds. A row costs the same whether it is kept or not: no branch depends on it.
    @inline(__always)
    mutating func keep(_ test: (Int) -> Bool) {
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

    /// Keeps the rows that are in the set.
    mutating func keep(in set: RowBitmap) { set.withWords { words in keep { Self.has(words, $0) } } }

    mutating func remove(_ set: RowBitmap) { set.withWords { words in keep { !Self.has(words, $0) } } }

    func insert(into set: inout RowBitmap) {
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

/// Rows of a block, a bit each.
struct RowBitmap {
    private var words: [UInt64]

    init(rowCount: Int) { words = Array(repeating: 0, count: (rowCount + 63) / 64) }

    mutating func insert(_ row: Int) { words[row >> 6] |= 1 << UInt64(row & 63) }

    mutating func insert(_ rows: [UInt32]) {
        for row in rows { insert(Int(row)) }
    }

    mutating func insertAll() {
        for i in words.indices { words[i] = .max }
    }

    func withWords<Result>(_ body: (UnsafeBufferPointer<UInt64>) -> Result) -> Result {
        words.withUnsafeBufferPointer(body)
    }

    func contains(_ row: Int) -> Bool { words[row >> 6] >> UInt64(row & 63) & 1 != 0 }
}

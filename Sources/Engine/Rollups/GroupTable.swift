internal import Columns
internal import Core

/// Numbers distinct combinations of words, from 0 on: open addressing over one array of words.
struct GroupTable: ~Copyable {
    private let width: Int
    private let seed = HashSeed.value
    /// `width` words for each group.
    private var words: [UInt64] = []
    /// The group's number plus one; 0 is free.
    private var slots: [UInt32]
    private(set) var count = 0

    init(width: Int) {
        self.width = width
        slots = Array(repeating: 0, count: 64)
    }

    var byteCount: Int { words.capacity * 8 + slots.count * 4 }

    func word(_ group: Int, _ position: Int) -> UInt64 { words[group * width + position] }

    /// - Parameter columns: `width` of them, each with a word for each row.
    mutating func numbers(_ columns: [[UInt64]], count rows: Int) -> [UInt32] {
        precondition(columns.count == width && columns.allSatisfy { $0.count == rows })
        var last: UInt32 = 0
        return (0..<rows).map { row in
            // Rows of one group often follow each other.
            if row == 0 || !isSame(columns, row, row - 1) { last = number(columns, row) }
            return last
        }
    }

    @inline(__always)
    private func isSame(_ columns: [[UInt64]], _ row: Int, _ other: Int) -> Bool {
        for column in columns where column[row] != column[other] { return false }
        return true
    }

    private mutating func number(_ columns: [[UInt64]], _ row: Int) -> UInt32 {
        if count * 2 >= slots.count { grow() }
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: Self.hash(width, seed) { columns[$0][row] }) & mask
        while slots[slot] != 0 {
            let group = Int(slots[slot]) - 1
            var position = 0
            while position < width, words[group * width + position] == columns[position][row] { position += 1 }
            if position == width { return UInt32(group) }
            slot = (slot + 1) & mask
        }
        for column in columns { words.append(column[row]) }
        count += 1
        slots[slot] = UInt32(count)
        return UInt32(count - 1)
    }

    private mutating func grow() {
        slots = Array(repeating: 0, count: slots.count * 4)
        let mask = slots.count - 1
        for group in 0..<count {
            var slot = Int(truncatingIfNeeded: Self.hash(width, seed) { words[group * width + $0] }) & mask
            while slots[slot] != 0 { slot = (slot + 1) & mask }
            slots[slot] = UInt32(group + 1)
        }
    }

    @inline(__always)
    private static func hash(_ width: Int, _ seed: UInt64, _ word: (Int) -> UInt64) -> UInt64 {
        var hash = seed
        for position in 0..<width {
            let product = (hash ^ word(position)).multipliedFullWidth(by: 0xD6E8_FEB8_6659_FD93)
            hash = product.high ^ product.low
        }
        return hash
    }
}

/// Numbers texts that come in columns with dictionaries of their own.
final class TextNumbers {
    private var interner = StringInterner()
    private var known: StringDictionary?
    /// By code of the dictionary that was met last: the number, or the greatest if it was not looked up.
    private var numbers: [UInt32] = []

    init() {}

    var count: Int { interner.count }
    var byteCount: Int { interner.byteCount + numbers.capacity * 4 }
    var dictionary: StringDictionary { interner.snapshot() }

    /// Whether one text comes before another in the order of bytes.
    func precedes(_ number: Int, _ other: Int) -> Bool { interner.precedes(number, other) }

    func with<Result>(_ number: Int, _ body: (Span<UInt8>) -> Result) -> Result { interner.with(number, body) }

    func numbers(_ column: StringColumn) -> [UInt32] {
        if known !== column.dictionary {
            known = column.dictionary
            numbers = Array(repeating: .max, count: column.dictionary.count)
        }
        return column.codes.map { code in
            let number = numbers[Int(code)]
            if number != .max { return number }
            let found = interner.lookUp(column.dictionary.span(Int(code)))
            numbers[Int(code)] = found
            return found
        }
    }

    func number(_ text: Span<UInt8>) -> UInt32 { interner.lookUp(text) }
}

import Randomness
import Testing

@testable import Encoding

/// Ids that come back, and the list that holds them.
enum ListedShape: CaseIterable {
    case ascending, withZeros, runs, backAndForth, one

    /// Rows of `count` ids, and all ids of the list.
    func ids(_ count: Int, _ random: inout SeededRandom) -> (rows: [UInt8], list: [UInt8]) {
        let list: [[UInt8]] = (0..<(count / 2 + 1)).map { _ in
            (0..<16).map { _ in UInt8(truncatingIfNeeded: random.next() | 1) }
        }
        var entry = 0
        let rows = (0..<count).flatMap { row -> [UInt8] in
            let dice = random.next() % 10
            switch self {
            case .ascending: entry = min(row / 3 + Int(dice % 3), list.count - 1)
            case .withZeros:
                if dice < 4 { return [UInt8](repeating: 0, count: 16) }
                entry = min(row / 2, list.count - 1)
            case .runs: if dice == 0 { entry = Int(random.next() % UInt64(list.count)) }
            case .backAndForth: entry = Int(random.next() % UInt64(list.count))
            case .one: entry = 0
            }
            return list[entry]
        }
        return (rows, list.flatMap { $0 })
    }
}

@Suite struct EntryCodecTests {
    private func index(_ list: [UInt8]) -> IDIndex {
        var index = IDIndex()
        list.withUnsafeBufferPointer { index.insert($0) }
        return index
    }

    /// Encodes rows as entries, decodes them beside the part of the list that they refer to, and compares.
    private func check(_ rows: [UInt8], _ list: [UInt8]) throws {
        let index = index(list)
        var entries = 0...0
        var isListed = false
        let page = Page { encoder in
            let made = rows.withUnsafeBufferPointer { encoder.encode(ids: $0, entriesOf: index) }
            guard let made else { return rows.withUnsafeBufferPointer { encoder.encode(fixed: $0, width: 16) } }
            (isListed, entries) = (true, made.entries)
            return made.page
        }
        let hasID = rows.contains { $0 != 0 }
        #expect(isListed == hasID)
        guard isListed else { return }
        #expect(page.header.encoding == .entries)
        let window = Array(index.bytes[(entries.lowerBound * 16)...(entries.upperBound * 16 + 15)])
        #expect(try page.ids(list: window, first: entries.lowerBound) == rows)
        // One entry less at either end, and the page must not be decoded.
        #expect(throws: EncodingError.corrupt) {
            try page.ids(list: Array(window.dropLast(16)), first: entries.lowerBound)
        }
        #expect(throws: EncodingError.corrupt) {
            try page.ids(list: Array(window.dropFirst(16)), first: entries.lowerBound + 1)
        }
    }

    @Test(arguments: ListedShape.allCases)
    func `decode undoes encode for every length 0...130`(shape: ListedShape) throws {
        var random = SeededRandom(seed: 21)
        for count in 0...130 {
            let (rows, list) = shape.ids(count, &random)
            try check(rows, list)
        }
    }

    @Test(arguments: ListedShape.allCases)
    func `decode undoes encode for blocks of any length`(shape: ListedShape) throws {
        let seed = UInt64.random(in: 0 ... .max)
        print("seed \(seed)")
        var random = SeededRandom(seed: seed)
        for count in [8192, Int.random(in: 1...9000, using: &random)] {
            let (rows, list) = shape.ids(count, &random)
            try check(rows, list)
        }
    }

    @Test func `an id that is not in the list, and entries far apart, are kept as they are`() {
        var random = SeededRandom(seed: 22)
        let list = (0..<(1000 * 16)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        let index = index(list)
        let stranger = [UInt8](repeating: 7, count: 16)
        let apart = Array(list[..<16]) + Array(list[(999 * 16)...])
        for rows in [Array(list[..<160]) + stranger, apart] {
            var encoder = PageEncoder(zstdLevel: 1)
            let page = rows.withUnsafeBufferPointer { encoder.encode(ids: $0, entriesOf: index) }
            #expect(page == nil)
        }
    }

    @Test func `an index numbers distinct ids by their first coming, and leaves out zero`() {
        var random = SeededRandom(seed: 23)
        var naive: [[UInt8]] = []
        var rows: [UInt8] = []
        for _ in 0..<20_000 {
            let dice = random.next() % 4
            let id: [UInt8] =
                dice == 0
                ? [UInt8](repeating: 0, count: 16)
                : (0..<16).map { UInt8(truncatingIfNeeded: (random.next() % 5000) >> (8 * UInt64($0 % 2))) }
            rows += id
        }
        var known = Set<[UInt8]>()
        for start in stride(from: 0, to: rows.count, by: 16) {
            let id = Array(rows[start..<(start + 16)])
            if id.contains(where: { $0 != 0 }), known.insert(id).inserted { naive.append(id) }
        }
        let index = index(rows)
        #expect(index.bytes == naive.flatMap { $0 })
    }

    @Test(arguments: IntegerShape.allCases)
    func `numbers of entries come back`(shape: IntegerShape) throws {
        var random = SeededRandom(seed: 24)
        for count in [0, 1, 130, 1025, 8192] {
            let numbers = shape.values(count, &random).map { UInt32(truncatingIfNeeded: $0) }
            let page = Page { encoder in numbers.withUnsafeBufferPointer { encoder.encode(entries: $0) } }
            #expect(page.header.encoding == .entries)
            #expect(try page.entries() == numbers)
        }
    }

    /// The payload as docs/FORMAT-encodings.md describes it.
    @Test func `a run's code is the distance from the last entry`() throws {
        // Entry 5 twice (zigzag of 5 is 10), zero, entry 4 (zigzag of -1 is 1): codes 11, 0, 2.
        let words: ([UInt8]) -> [UInt8] = { $0.flatMap { [$0] + [UInt8](repeating: 0, count: 7) } }
        let payload: [UInt8] = [3] + [0, 0, 24] + words([11, 0, 2]) + [0, 0, 24] + words([2, 1, 1])
        var page = Page(fixed: [], width: 16)
        page.bytes = payload
        page.header = EncodedPage(
            encoding: .entries, compression: .none, count: 4, rawLength: payload.count, bytes: 0..<payload.count)
        let four = [UInt8](repeating: 4, count: 16)
        let five = [UInt8](repeating: 5, count: 16)
        let rows = try page.ids(list: four + five, first: 4)
        #expect(rows == five + five + [UInt8](repeating: 0, count: 16) + four)
    }
}

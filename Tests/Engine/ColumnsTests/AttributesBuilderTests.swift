import Columns
import EngineFixtures
import Randomness
import Testing

/// Sets of attributes that are begun, given up, taken back and looked at, against plain arrays.
struct AttributesBuilderTests {
    private static let types: [AttributeType] = [.empty, .string, .bool, .int, .double, .array, .map, .bytes]

    private func append(_ entry: AttributeSet.Entry, to builder: inout AttributesBuilder) -> Bool {
        guard let type = AttributeType(rawValue: entry.type) else { return false }
        let word = entry.value.prefix(8).reversed().reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
        return entry.key.withUnsafeBufferPointer { key in
            let start = key.baseAddress ?? UnsafePointer(bitPattern: 8).unsafelyUnwrapped
            switch type {
            case .empty: return builder.append(key: start, key.count, type, integer: 0)
            case .bool, .int: return builder.append(key: start, key.count, type, integer: Int64(bitPattern: word))
            case .double: return builder.append(key: start, key.count, double: Double(bitPattern: word))
            default: return builder.append(key: start, key.count, type, bytes: entry.value, entry.value.count)
            }
        }
    }

    private func entry(_ key: Int, _ random: inout SeededRandom) -> AttributeSet.Entry {
        let type = random.pick(Self.types)
        let value: [UInt8] =
            switch type {
            case .empty: []
            case .bool, .int, .double: random.next().littleEndianBytes
            default: random.bytes(random.below(6))
            }
        // One key is empty: it must not be taken for the overflow's.
        return AttributeSet.Entry(key: key == 0 ? [] : Array("k\(key)".utf8), type: type.rawValue, value: value)
    }

    private func sets(_ column: AttributesColumn) -> [Cell] {
        (0..<column.count).map { Column.attributes(column).cell($0) }
    }

    @Test(arguments: 1...60 as ClosedRange<UInt64>)
    func `sets are what was appended, and snapshots stay`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var builder = AttributesBuilder()
        var expected: [AttributeSet] = []
        var snapshots: [(AttributesColumn, [AttributeSet])] = []
        var seen = 0
        let keyCount = random.pick([3, 10, 40])
        for _ in 0..<250 {
            switch random.below(12) {
            case 0:
                let rows = seen + random.below(expected.count - seen + 1)
                snapshots.append((builder.snapshot(rows: rows), Array(expected[..<rows])))
                seen = rows
            case 1, 2:
                // A row that is half written, and some before it that nobody has seen.
                builder.begin()
                for key in 0..<random.below(5) { _ = append(entry(key, &random), to: &builder) }
                let rows = seen + random.below(expected.count - seen + 1)
                builder.truncate(to: rows)
                expected.removeLast(expected.count - rows)
            default:
                builder.begin()
                if random.oneIn(5) {
                    for key in 0..<random.below(6) { _ = append(entry(key, &random), to: &builder) }
                    builder.restart()
                }
                var set = AttributeSet([])
                for _ in 0..<random.below(8) {
                    let entry = entry(random.below(keyCount), &random)
                    let isThere = set.entries.contains { $0.key == entry.key }
                    let isKnown = builder.containsKey(entry.key)
                    #expect(isKnown == isThere)
                    let fits = append(entry, to: &builder)
                    #expect(fits == !isThere)
                    if fits { set.entries.append(entry) }
                }
                builder.end()
                expected.append(set)
            }
        }
        #expect(sets(builder.snapshot(rows: builder.count)) == expected.map { .attributes($0) })
        for (snapshot, wanted) in snapshots { #expect(sets(snapshot) == wanted.map { .attributes($0) }) }
    }

    @Test func `the 257th attribute of a set does not fit, and goes to the overflow`() {
        var builder = AttributesBuilder()
        builder.begin()
        for key in 0..<AttributesBuilder.setLimit {
            let fits = append(.init(key: Array("k\(key)".utf8), type: 3, value: [1]), to: &builder)
            #expect(fits)
        }
        let fits = append(.init(key: [0x78], type: 3, value: [1]), to: &builder)
        let overflows = builder.appendOverflow([1, 2, 3], 3)
        #expect(!fits && overflows)
        builder.end()
        let column = builder.snapshot(rows: 1)
        #expect(column.entries(0).count == AttributesBuilder.setLimit + 1)
        #expect(column.subcolumns.last?.type == .overflow)
    }

    @Test func `beyond 1024 subcolumns nothing new fits, and what is known goes on`() {
        var builder = AttributesBuilder()
        for key in 0..<1100 {
            builder.begin()
            let fits = append(.init(key: Array("k\(key)".utf8), type: 1, value: [9]), to: &builder)
            #expect(fits == (key < AttributesBuilder.subcolumnLimit))
            let isStored = fits || builder.appendOverflow([0x0A, 0], 2)
            #expect(isStored)
            builder.end()
        }
        builder.begin()
        let fits = append(.init(key: Array("k5".utf8), type: 1, value: [8]), to: &builder)
        #expect(fits)
        builder.end()
        let column = builder.snapshot(rows: 1101)
        #expect(column.subcolumns.count == AttributesBuilder.subcolumnLimit + 1)
        #expect(column.subcolumns(ofKey: Array("k5".utf8)) == [5])
        var rows: [Int] = []
        column.forEachRow(inSubcolumn: 5) { row, _ in rows.append(row) }
        #expect(rows == [5, 1100])
    }

    @Test func `beyond 65536 shapes a set that is new goes to the overflow whole`() {
        var builder = AttributesBuilder()
        // Paths of three keys out of 60 are 60 + 60·59 + 60·59·58 shapes, more than there may be.
        var overflows = 0
        var row = 0
        outer: for a in 0..<60 {
            for b in 0..<60 where b != a {
                for c in 0..<60 where c != a && c != b {
                    builder.begin()
                    let fits = [a, b, c].allSatisfy {
                        append(.init(key: [UInt8($0)], type: 3, value: [1]), to: &builder)
                    }
                    if !fits, !builder.appendOverflow([0x0A, 0], 2) {
                        builder.restart()
                        let isStored = builder.appendOverflow([0x0A, 0, 0x0A, 0], 4)
                        #expect(isStored)
                    }
                    if !fits { overflows += 1 }
                    builder.end()
                    row += 1
                    if overflows == 70_000 { break outer }
                }
            }
        }
        #expect(overflows == 70_000)
        let column = builder.snapshot(rows: row)
        #expect(column.subcolumnsOfShape.count <= 2 * AttributesBuilder.shapeLimit + 1)
        #expect(column.entries(0).count == 3)
        #expect(
            column.subcolumns[column.entries(row - 1)[0].subcolumn].type == .overflow
                || column.entries(row - 1).count == 3)
    }
}

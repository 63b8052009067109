import Columns
import Core
import EngineFixtures
import Randomness
import Testing

/// Builders that grow while others look at what they held.
struct BuilderTests {
    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func `a buffer's snapshots stay as they were while it grows`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var builder = BufferBuilder<Int64>()
        var expected: [Int64] = []
        var snapshots: [(Buffer<Int64>, [Int64])] = []
        var seen = 0
        for _ in 0..<300 {
            switch random.below(6) {
            case 0:
                snapshots.append((builder.snapshot(), expected))
                seen = expected.count
            case 1:
                // Only what nobody has seen is taken back.
                let count = seen + random.below(expected.count - seen + 1)
                builder.truncate(to: count)
                expected.removeLast(expected.count - count)
            case 2:
                let values = (0..<random.below(100)).map { Int64($0) }
                values.withUnsafeBufferPointer { builder.append(contentsOf: $0) }
                expected += values
            case 3:
                builder.append(repeating: 7, count: 5)
                expected += [7, 7, 7, 7, 7]
            default:
                let value = Int64(bitPattern: random.next())
                builder.append(value)
                expected.append(value)
            }
        }
        #expect(builder.snapshot().array == expected)
        for (snapshot, wanted) in snapshots { #expect(snapshot.array == wanted) }
    }

    private func add(_ text: [UInt8], to builder: inout StringColumnBuilder) {
        text.withUnsafeBufferPointer { bytes in
            builder.append(bytes.baseAddress ?? UnsafePointer(bitPattern: 8).unsafelyUnwrapped, count: bytes.count)
        }
    }

    private func values(_ column: StringColumn) -> [[UInt8]] {
        column.codes.indices.map { Array(column.bytes($0)) }
    }

    @Test(arguments: [StringColumnBuilder.Policy.unique, .adaptive], [10, 1000, 1_000_000])
    func `a string column gives back every row`(policy: StringColumnBuilder.Policy, variety: Int) {
        var random = SeededRandom(seed: UInt64(variety))
        var builder = StringColumnBuilder(policy)
        var expected: [[UInt8]] = []
        var snapshots: [(StringColumn, Int)] = []
        for row in 0..<12_000 {
            let text = random.oneIn(50) ? [] : Array("value \(random.below(variety))".utf8)
            add(text, to: &builder)
            expected.append(text)
            if row % 1000 == 0 { snapshots.append((builder.snapshot(rows: builder.count), expected.count)) }
            if random.oneIn(40) {
                let count = max(snapshots.last?.1 ?? 0, expected.count - random.below(5))
                builder.truncate(to: count)
                expected.removeLast(expected.count - count)
            }
        }
        let whole = builder.snapshot(rows: builder.count)
        #expect(values(whole) == expected)
        for (snapshot, count) in snapshots {
            #expect(values(snapshot) == Array(expected[..<count]))
            guard snapshot.dictionary.isUnique else { continue }
            let entries = (0..<snapshot.dictionary.count).map { Array(snapshot.dictionary.bytes($0)) }
            #expect(Set(entries).count == entries.count)
        }
        // Most of a million values are new: then nothing is looked up any more.
        #expect(whole.dictionary.isUnique == (policy == .unique || variety < 1_000_000))
    }

    @Test func `ranks order a dictionary's entries, equal ones alike`() {
        var random = SeededRandom(seed: 6)
        var builder = StringColumnBuilder(.adaptive)
        for _ in 0..<9000 { add(random.bytes(random.below(3)) + random.bytes(random.below(2)), to: &builder) }
        for _ in 0..<100 { add(Array("\(random.next())".utf8), to: &builder) }
        let dictionary = builder.snapshot(rows: builder.count).dictionary
        let ranks = dictionary.ranks()
        let entries = (0..<dictionary.count).map { Array(dictionary.bytes($0)) }
        for _ in 0..<20_000 {
            let (a, b) = (random.below(entries.count), random.below(entries.count))
            #expect((ranks[a] < ranks[b]) == entries[a].lexicographicallyPrecedes(entries[b]))
            #expect((ranks[a] == ranks[b]) == (entries[a] == entries[b]))
        }
    }

    @Test(arguments: BatchOfCells.Dictionaries.allCases)
    func `codes of a text are those of its entries`(dictionaries: BatchOfCells.Dictionaries) {
        let table = EveryTypeTable.make()
        var random = SeededRandom(seed: 2)
        let rows = EveryTypeTable.rows(300, &random)
        let batch = BatchOfCells.make(rows, table, dictionaries)
        guard case .strings(let column)? = batch.columns[EveryTypeTable.text] else {
            Issue.record("no strings"); return
        }
        for row in 0..<300 {
            let codes = column.dictionary.codes(equalTo: rows[row][EveryTypeTable.text].bytes)
            #expect(codes.contains(column.codes[row]))
            #expect(
                codes.allSatisfy { Array(column.dictionary.bytes(Int($0))) == rows[row][EveryTypeTable.text].bytes })
        }
        #expect(column.dictionary.codes(equalTo: Array("nowhere".utf8)).isEmpty)
    }
}

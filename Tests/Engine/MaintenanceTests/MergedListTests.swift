import Columns
import Core
import EngineFixtures
import Maintenance
import Parts
import Randomness
import Storage
import TableSchema
import Testing

/// Columns that a part keeps in lists, and ids that refer to those beside them, through flushes and merges.
struct MergedListTests {
    private static let step: Int64 = 15_000_000_000
    private static let targets = 12

    private static func table(_ order: [SortExpression] = [.column(ColumnID(number: 2)), .column(ColumnID(number: 1))])
        -> TableDefinition
    {
        func column(_ number: UInt16, _ name: String, _ type: ColumnType) -> ColumnDefinition {
            ColumnDefinition(id: ColumnID(number: number), name: name, type: type)
        }
        return TableDefinition(
            id: TableID(number: 1), name: "listed",
            columns: [
                column(1, "time", .integer(.dateTime64)), column(2, "target", .lowCardinality),
                column(3, "trace", .fixed(width: 16)), column(4, "span", .fixed(width: 8)),
                column(5, "parent", .fixed(width: 8)),
            ],
            partitionColumn: ColumnID(number: 1), partitionUnit: .month,
            order: order, indexes: [], timeToLive: nil, ttlColumn: nil, fingerprint: 1)
    }

    /// Rows in the order of arrival: all targets at one time, then the next. Every fifth row begins a trace; a third has none.
    ///
    /// - Parameters:
    ///   - jitter: nanoseconds that no two rows share.
    ///   - traceCount: how many traces there are, which come back again and again.
    private func batch(_ count: Int, from first: Int, jitter: Bool = false, traceCount: Int? = nil) -> ColumnBatch {
        var random = SeededRandom(seed: UInt64(first + 1))
        var times: [Int64] = []
        var codes: [UInt32] = []
        var traces: [UInt8] = []
        var spans: [UInt64] = []
        var parents: [UInt64] = []
        for row in first..<(first + count) {
            // A collection is late by some nanoseconds.
            var late = SeededRandom(seed: UInt64(row / Self.targets))
            let time = Int64(row / Self.targets) * Self.step + Int64(late.next() % 4_000_000)
            times.append(jitter ? time + Int64(row) : time)
            codes.append(UInt32(row % Self.targets))
            let trace = UInt64(traceCount.map { row % $0 + first } ?? row / 5) &* 0x9E37_79B9_7F4A_7C15
            for word in row % 3 == 0 ? [0, 0] : [trace | 1, ~trace] {
                for byte in 0..<8 { traces.append(UInt8(truncatingIfNeeded: word >> (8 * UInt64(byte)))) }
            }
            spans.append(random.next() | 1)
            let before = row - first - Self.targets
            parents.append(before < 0 ? 0 : row % 7 == 0 ? random.next() : spans[before])
        }
        func ids(_ words: [UInt64]) -> Column {
            .fixed(
                FixedColumn(
                    width: 8,
                    bytes: Buffer(words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } })
                ))
        }
        let names = (0..<Self.targets).flatMap { Array("t".utf8) + [UInt8(0x41 + $0)] }
        return ColumnBatch(
            rowCount: count,
            columns: [
                .integers(Buffer(times)),
                .strings(
                    StringColumn(
                        codes: Buffer(codes),
                        dictionary: StringDictionary(
                            offsets: Buffer((0...UInt32(Self.targets)).map { $0 * 2 }), contents: Buffer(names),
                            isUnique: true, isSorted: true))),
                .fixed(FixedColumn(width: 16, bytes: Buffer(traces))), ids(spans), ids(parents),
            ])
    }

    private func kinds(_ part: Part) -> [LeafKind?] {
        (1...5).map { part.kind(of: LeafKey(column: $0, role: .values)) }
    }

    private func bytes(_ part: Part, _ path: String) -> Int {
        part.storedSizes(fileLength: 0).first { $0.path == path }?.bytes ?? 0
    }

    @Test func `times and trace ids that rows share are kept once, through merges of merges`() throws {
        let test = try TestStore(.minutes) { _ in Self.table() }
        var records: [PartRecord] = []
        for part in 0..<4 { records += try test.flush(batch(20_000, from: part * 20_000)) }
        let listed: [LeafKind?] = [.listedIntegers, .codes, .listed16, .fixed8, .related8]
        for record in records { #expect(kinds(try test.store.open(record)) == listed) }
        let executor = MergeExecutor(test.store)
        let expected = try test.merged(records)
        let left = try #require(executor.run(test.plan(Array(records[..<2]))).output)
        let right = try #require(executor.run(test.plan(Array(records[2...]))).output)
        let whole = try #require(executor.run(test.plan([left, right])).output)
        #expect(try test.rows(whole) == expected)
        let part = try test.store.open(whole)
        #expect(kinds(part) == listed)
        // 6667 times and 16,000 traces, of which each stands in several blocks.
        #expect(bytes(part, "time dictionary") < 6667 * 3 && bytes(part, "time") < 4000)
        #expect((16_000 * 16..<16_000 * 17).contains(bytes(part, "trace dictionary")))
        #expect(bytes(part, "trace") < 80_000 * 3)
        #expect(bytes(part, "parent") < 80_000 * 2)
    }

    @Test func `parts with and without lists are merged`() throws {
        let test = try TestStore(.minutes) { _ in Self.table() }
        var records = try test.flush(batch(20_000, from: 0))
        // One block: nothing comes back in another.
        records += try test.flush(batch(500, from: 30_000, jitter: true))
        records += try test.flush(batch(20_000, from: 20_000))
        #expect(kinds(try test.store.open(records[1]))[2] == .fixed16)
        #expect(kinds(try test.store.open(records[1]))[0] == .integers)
        let expected = try test.merged(records)
        let output = try #require(MergeExecutor(test.store).run(test.plan(records)).output)
        #expect(try test.rows(output) == expected)
    }

    @Test func `whole blocks that refer to lists are taken into a part with other lists`() throws {
        let test = try TestStore(.minutes) { _ in Self.table([.column(ColumnID(number: 1))]) }
        var records: [PartRecord] = []
        for part in 0..<3 { records += try test.flush(batch(16_384, from: part * 16_392, traceCount: 700)) }
        #expect(kinds(try test.store.open(records[0]))[2] == .listed16)
        let expected = try test.merged(records)
        let outcome = try MergeExecutor(test.store).run(test.plan(records))
        #expect(outcome.copiedRows >= 8192)
        let output = try #require(outcome.output)
        #expect(kinds(try test.store.open(output))[2] == .listed16)
        #expect(try test.rows(output) == expected)
    }

    @Test func `times that no rows share get no list`() throws {
        let test = try TestStore(.minutes) { _ in Self.table() }
        let records = try test.flush(batch(20_000, from: 0, jitter: true))
        #expect(kinds(try test.store.open(records[0]))[0] == .integers)
    }
}

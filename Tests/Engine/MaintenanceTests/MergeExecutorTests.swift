import Columns
import Core
import EngineFixtures
import Files
import Parts
import Randomness
import Storage
import TableSchema
import Testing

@testable import Maintenance

@Test(arguments: 0..<24)
func `a merge is the sorted rows of its inputs, every column of them`(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let test = try TestStore(AnyTable.Order.allCases[Int(seed % 2)])
    for _ in 0..<Int.random(in: 2...6, using: &random) {
        let style = AnyTable.Style(
            rows: Int.random(in: 1...(seed % 4 == 0 ? 3000 : 300), using: &random),
            keys: Int.random(in: 1...40, using: &random),
            texts: [2, 10, 100_000].randomElement(using: &random) ?? 2)
        try test.flush(AnyTable.batch(style, &random))
    }
    let inputs = test.records
    let expected = try test.merged(inputs)
    let outcome = try MergeExecutor(test.store).run(test.plan(inputs))
    #expect(outcome.inputs == inputs)
    let output = try #require(outcome.output)
    #expect(test.records == [output], "seed \(seed)")
    let rows = try test.rows(output)
    #expect(rows.count == expected.count, "seed \(seed)")
    for (row, wanted) in zip(rows, expected) where row != wanted {
        for (ordinal, (a, b)) in zip(row, wanted).enumerated() where a != b {
            Issue.record("seed \(seed), column \(test.table.columns[ordinal].name): \(a) is not \(b)")
        }
        return
    }
}

/// With the whole part's filter, and with those of row groups alone.
@Test(arguments: [1 << 22, 100])
func `a merge of several blocks and row groups keeps order, zones and blooms`(bloomKeys: Int) throws {
    var random = SeededRandom(seed: 99)
    let test = try TestStore(.minutes)
    for _ in 0..<3 {
        try test.flush(AnyTable.batch(AnyTable.Style(rows: 9000, keys: 5, texts: 20, attributes: 2), &random))
    }
    let inputs = test.records
    let expected = try test.merged(inputs)
    var limits = MergeExecutor.Limits()
    limits.output.bloomKeys = bloomKeys
    limits.output.groupBytes = 300_000
    let output = try #require(try MergeExecutor(test.store, limits: limits).run(test.plan(inputs)).output)
    #expect(try test.rows(output) == expected)
    let part = try test.store.open(output)
    #expect(part.blockCount == 4)
    #expect(part.blocksOfGroups == [2, 2])
    let times = expected.map { row in if case .integer(let time) = row[0] { time } else { Int64(0) } }
    #expect(part.leastTime == times.min() && part.greatestTime == times.max())
    for block in 0..<part.blockCount {
        let first = part.firstRow(ofBlock: block)
        let some = first..<(first + part.rowCount(ofBlock: block))
        #expect(part.zone(0, block: block) == (times[some].min() ?? 0)...(times[some].max() ?? 0))
        for row in expected[some].prefix(100) {
            guard let id = id(row) else { continue }
            #expect(try part.blocks(mayContaining: BloomKeys.hash(id), column: 1).contains(block))
        }
    }
    // One in a hundred is a wrong "maybe".
    let absent = try (1...1000).count { number in
        try !part.blocks(mayContaining: BloomKeys.hash(TraceID(high: 1, low: UInt64(number))), column: 1).isEmpty
    }
    #expect(absent < 60)
}

/// The id of a row, if it has one.
private func id(_ row: [Cell]) -> TraceID? {
    guard case .bytes(let bytes) = row[1], bytes.contains(where: { $0 != 0 }) else { return nil }
    func word(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
    return TraceID(high: word(bytes[..<8]), low: word(bytes[8...]))
}

@Test func `merges of merges keep the multiset of rows`() throws {
    var random = SeededRandom(seed: 5)
    let test = try TestStore(.keys)
    for _ in 0..<8 {
        try test.flush(AnyTable.batch(AnyTable.Style(rows: 200, keys: 30, texts: 50), &random))
    }
    let before = try test.contents()
    let executor = MergeExecutor(test.store)
    while test.records.count > 1 {
        let inputs = Array(test.records.prefix(Int.random(in: 2...4, using: &random)))
        guard inputs.count >= 2 else { break }
        _ = try executor.run(test.plan(inputs))
    }
    #expect(try test.contents() == before)
}

@Test func `attributes for which there are too many subcolumns go to the overflow, and none is lost`() throws {
    var random = SeededRandom(seed: 3)
    let test = try TestStore(.minutes)
    // Each part has about 900 subcolumns of its own, since keys come with up to eight types.
    for _ in 0..<3 {
        var style = AnyTable.Style(rows: 1500, keys: 200, texts: 5)
        style.attributes = 9
        try test.flush(AnyTable.batch(style, &random))
    }
    let inputs = test.records
    let expected = try test.merged(inputs)
    let output = try #require(try MergeExecutor(test.store).run(test.plan(inputs)).output)
    #expect(try test.rows(output) == expected)
    let subcolumns = try #require(try test.store.open(output).shapes(ofColumn: 9)).subcolumns
    #expect(subcolumns.count == AttributesBuilder.subcolumnLimit + 1)
    #expect(subcolumns.filter { $0.type == .overflow }.count == 1)
}

@Test func `shapes beyond the limit are spilled whole`() {
    let subcolumns = (0..<400).map { SubcolumnEntry(key: Array("\($0)".utf8), type: .int) }
    // 40 000 pairs of subcolumns in each of two inputs, no pair in both.
    func input(_ offset: UInt32) -> ShapesEntry {
        ShapesEntry(
            column: 1, subcolumns: subcolumns,
            shapes: (0..<200).flatMap { a in (0..<200).map { b in [UInt32(a), UInt32(b) + 200 * offset] } })
    }
    let united = UnitedShapes([input(0), input(1)]) { _, _ in 1 }
    #expect(united.spills)
    #expect(united.shapes.count == AttributesBuilder.shapeLimit + 1)
    #expect(united.subcolumns.count == 401)
    #expect(united.inputs[0].shapes.allSatisfy { $0.spilled.isEmpty && $0.steps.count == 2 })
    let spilled = united.inputs[1].shapes.filter { !$0.spilled.isEmpty }
    #expect(spilled.count == 80_000 - AttributesBuilder.shapeLimit)
    #expect(spilled.allSatisfy { $0.steps.isEmpty && $0.spilled.count == 2 })
}

@Test func `a scan of an old snapshot gives the same rows while a merge commits, and then the inputs' files go`() throws
{
    var random = SeededRandom(seed: 11)
    let test = try TestStore(.minutes)
    for _ in 0..<3 { try test.flush(AnyTable.batch(AnyTable.Style(rows: 300, keys: 5, texts: 9), &random)) }
    do {
        let handles = test.store.parts(test.key, in: .everything)
        let before = try handles.flatMap { try TestStore.rows($0.part()) }
        _ = try MergeExecutor(test.store).run(test.plan(test.records))
        #expect(try handles.flatMap { try TestStore.rows($0.part()) } == before)
        #expect(test.files(".vp").count == 4)
    }
    #expect(test.files(".vp").count == 1)
}

/// Of the process alone, and of the machine.
@Test(arguments: [false, true])
func `a crash at any point of a merge leaves its inputs or its output, never both`(losesPower: Bool) throws {
    var sawInputs = false
    var sawOutput = false
    for step in 1... {
        var random = SeededRandom(seed: 21)
        let disk = SimulatedFileSystem(seed: UInt64(step))
        var before: [[Cell]: Int] = [:]
        var isDone = false
        do {
            let test = try TestStore(.minutes, disk: disk)
            for _ in 0..<3 { try test.flush(AnyTable.batch(AnyTable.Style(rows: 20, keys: 5, texts: 9), &random)) }
            before = try test.contents()
            disk.setPlan(.crash(at: disk.operationCount + step))
            do {
                _ = try MergeExecutor(test.store).run(test.plan(test.records))
                isDone = true
            } catch is MergeError {}
        }
        if losesPower { disk.crash() } else { disk.kill() }
        let test = try TestStore(.minutes, disk: disk)
        #expect(try test.contents() == before, "step \(step)")
        #expect(test.records.count == 3 || test.records.count == 1, "step \(step)")
        // What a torn record of the catalog may have named is kept in quarantine.
        let parts = test.files(".vp").filter { $0.hasPrefix("/data/parts/") }
        #expect(parts.count == test.records.count, "step \(step): no garbage is left")
        if test.records.count == 3 { sawInputs = true } else { sawOutput = true }
        // The removal of the inputs' files is all that may fail after success.
        if isDone, step > 60 { break }
    }
    #expect(sawInputs && sawOutput)
}

@Test func `a part that cannot be read is named, and nothing changes`() throws {
    var random = SeededRandom(seed: 31)
    let test = try TestStore(.minutes)
    for _ in 0..<3 { try test.flush(AnyTable.batch(AnyTable.Style(rows: 100, keys: 5, texts: 9), &random)) }
    let inputs = test.records
    let path = try #require(test.store.allParts[test.key]?.first { $0.record == inputs[1] }?.path)
    test.damage(path, at: 40)
    var failure: MergeError?
    do { _ = try MergeExecutor(test.store).run(test.plan(inputs)) } catch let error as MergeError { failure = error }
    #expect(failure?.culprits == [inputs[1].id])
    #expect(test.records == inputs)
    #expect(test.files(".vp").count == 3)
}

@Test func `a merge that is stopped, or has no room, leaves nothing behind`() throws {
    var random = SeededRandom(seed: 41)
    let test = try TestStore(.minutes)
    for _ in 0..<2 { try test.flush(AnyTable.batch(AnyTable.Style(rows: 100, keys: 5, texts: 9), &random)) }
    let inputs = test.records
    #expect(throws: MergeError.cancelled) { try MergeExecutor(test.store).run(test.plan(inputs)) { true } }
    test.disk.setRoom(1 << 20)
    #expect(throws: MergeError.self) { try MergeExecutor(test.store).run(test.plan(inputs)) }
    #expect(test.records == inputs)
    #expect(test.files(".vp").count == 2)
}

@Test func `inputs beyond the memory of a merge are left for the next`() throws {
    var random = SeededRandom(seed: 51)
    let test = try TestStore(.minutes)
    for _ in 0..<5 { try test.flush(AnyTable.batch(AnyTable.Style(rows: 100, keys: 5, texts: 9), &random)) }
    let inputs = test.records
    var limits = MergeExecutor.Limits()
    limits.memory = 1
    let outcome = try MergeExecutor(test.store, limits: limits).run(test.plan(inputs))
    #expect(outcome.inputs == Array(inputs.prefix(2)))
    #expect(test.records.count == 4)
}

@Test func `a column that an older part lacks reads as empty after a merge with younger parts`() throws {
    var random = SeededRandom(seed: 61)
    let disk = SimulatedFileSystem(seed: 1)
    let full = AnyTable.definition(.minutes)
    var old = full
    let added: Set<String> = ["int", "body", "label", "attributes", "nested", "floats"]
    old.columns.removeAll { added.contains($0.name) }
    let key = TenantTable(tenant: .default, table: full.id)
    do {
        let store = try Store(directory: "/data", tables: TableCatalog(tables: [old], rollups: []), fileSystem: disk)
        let batch = AnyTable.batch(AnyTable.Style(rows: 50, keys: 5, texts: 9), &random)
        let kept = zip(full.columns, batch.columns).filter { !added.contains($0.0.name) }.map(\.1)
        try store.commit(
            CatalogEdit(
                added: store.writeParts(ColumnBatch(rowCount: 50, columns: kept), of: key, zstdLevel: 1)))
    }
    let test = try TestStore(.minutes, disk: disk)
    try test.flush(AnyTable.batch(AnyTable.Style(rows: 50, keys: 5, texts: 9), &random))
    let inputs = test.records
    let expected = try test.merged(inputs)
    let output = try #require(try MergeExecutor(test.store).run(test.plan(inputs)).output)
    #expect(try test.rows(output) == expected)
}

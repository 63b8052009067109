import Core
import EngineFixtures
import Parts
import Randomness
import Storage
import TableSchema
import Testing

@testable import Maintenance

/// Parts whose times follow each other, or overlap in some blocks.
private func fill(
    _ test: TestStore, rows: [Int], step: Int64, width: Int64, texts: Int = 12, _ random: inout SeededRandom
) throws {
    for (number, rows) in rows.enumerated() {
        var style = AnyTable.Style(rows: rows, keys: 4, texts: texts, start: Int64(number) * step, width: width)
        style.attributes = 3
        try test.flush(AnyTable.batch(style, &random))
    }
}

@Test(arguments: [(Int32(1), 12), (6, 12), (1, 100_000)])
func `blocks that no other input reaches into are copied, and the rows are those of a merge by rows`(
    level: Int32, texts: Int
) throws {
    var random = SeededRandom(seed: 77)
    let test = try TestStore(.minutes)
    let minutes = AnyTable.hour / 4
    try fill(test, rows: [9000, 8500, 9100], step: minutes, width: minutes, texts: texts, &random)
    let inputs = test.records
    let expected = try test.merged(inputs)
    var plan = try test.plan(inputs)
    plan.zstdLevel = level
    let outcome = try MergeExecutor(test.store).run(plan)
    let output = try #require(outcome.output)
    #expect(outcome.copiedRows >= 8192)
    #expect(try test.rows(output) == expected)
    let part = try test.store.open(output)
    // Blocks stay nearly full, but for the last one.
    #expect(part.firstRow(ofBlock: part.blockCount - 1) >= (part.blockCount - 1) * 6144)
    var first = 0
    for block in 0..<part.blockCount {
        let rows = expected[first..<(first + part.rowCount(ofBlock: block))]
        first += part.rowCount(ofBlock: block)
        let times = rows.map { row in if case .integer(let time) = row[0] { time } else { Int64(0) } }
        #expect(part.zone(0, block: block) == (times.min() ?? 0)...(times.max() ?? 0))
        for row in rows.prefix(200) {
            guard case .bytes(let bytes) = row[1], bytes.contains(where: { $0 != 0 }) else { continue }
            func word(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
            let id = TraceID(high: word(bytes[..<8]), low: word(bytes[8...]))
            #expect(try part.blocks(mayContaining: BloomKeys.hash(id), column: 1).contains(block))
        }
    }
}

@Test func `a merge of merges that overlap here and there copies some blocks and keeps all rows`() throws {
    var random = SeededRandom(seed: 78)
    let test = try TestStore(.minutes)
    try fill(test, rows: [20_000, 17_000, 300, 9000], step: AnyTable.hour / 6, width: AnyTable.hour / 4, &random)
    let inputs = test.records
    let expected = try test.merged(inputs)
    let outcome = try MergeExecutor(test.store).run(test.plan(inputs))
    #expect(outcome.copiedRows > 0 && outcome.copiedRows < expected.count)
    #expect(try test.rows(#require(outcome.output)) == expected)
}

@Test func `a block with a page that is damaged is not copied`() throws {
    var random = SeededRandom(seed: 79)
    let test = try TestStore(.minutes)
    try fill(test, rows: [8192, 8192], step: AnyTable.hour / 2, width: AnyTable.hour / 4, &random)
    let inputs = test.records
    let path = try #require(test.store.allParts[test.key]?.first { $0.record == inputs[1] }?.path)
    for place in [40, 20_000, 60_000] {
        test.damage(path, at: place)
        #expect(throws: MergeError.self) { try MergeExecutor(test.store).run(test.plan(inputs)) }
        #expect(test.records == inputs)
        test.damage(path, at: place)
    }
    #expect(try MergeExecutor(test.store).run(test.plan(inputs)).output?.rowCount == 16_384)
}

@Test func `a merge of sixteen parts keeps within its memory`() throws {
    var random = SeededRandom(seed: 80)
    let test = try TestStore(.minutes)
    for _ in 0..<16 {
        var style = AnyTable.Style(rows: 9000, keys: 6, texts: 1_000_000)
        style.attributes = 4
        try test.flush(AnyTable.batch(style, &random))
    }
    let outcome = try MergeExecutor(test.store).run(test.plan(test.records))
    #expect(outcome.memory <= 64 << 20)
    #expect(outcome.memory > 1 << 20, "it is measured")
    #expect(outcome.inputs.count >= 2)
}

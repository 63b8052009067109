import Columns
import Core
import EngineFixtures
import Indexing
import Observability
import Parts
import Randomness
import Storage
import Synchronization
import TableSchema
import Testing

@testable import Maintenance

/// Indexes of tokens against a full scan, in parts as they are flushed and after merges.
struct MergedIndexTests {
    static let kinds: [SkipIndexDefinition.Kind] = [.tokenPostings, .tokenBloom(falsePositives: 0.01)]

    /// Every column that takes an index of tokens: by number, and by place in the table.
    private static let columns: [(number: UInt16, ordinal: Int, field: Int?)] = [
        (7, 6, nil), (8, 7, nil), (9, 8, nil), (14, 9, 3), (6, 5, nil), (2, 1, nil),
    ]

    private func store(_ order: AnyTable.Order, _ kind: SkipIndexDefinition.Kind) throws -> TestStore {
        try TestStore(
            order,
            change: { table in
                var table = table
                table.indexes += Self.columns.map {
                    SkipIndexDefinition(name: "tokens_\($0.number)", column: ColumnID(number: $0.number), kind: kind)
                }
                return table
            })
    }

    @Test(arguments: kinds, 0..<4)
    func `no block that has a text, id or attribute is left out, before and after merges`(
        kind: SkipIndexDefinition.Kind, seed: UInt64
    ) throws {
        var random = SeededRandom(seed: seed)
        let test = try store(AnyTable.Order.allCases[Int(seed % 2)], kind)
        for _ in 0..<Int.random(in: 2...4, using: &random) {
            let style = AnyTable.Style(
                rows: Int.random(in: 1...(seed == 0 ? 9000 : 300), using: &random),
                keys: Int.random(in: 1...40, using: &random),
                texts: [2, 10, 100_000].randomElement(using: &random) ?? 2, attributes: 3)
            try test.flush(AnyTable.batch(style, &random))
        }
        for record in test.records { try check(test.store.open(record), &random) }
        var limits = MergeExecutor.Limits()
        limits.output.groupBytes = 200_000
        let output = try #require(
            MergeExecutor(test.store, limits: limits).run(test.plan(test.records)).output)
        try check(test.store.open(output), &random)
    }

    private func check(_ part: Part, _ random: inout SeededRandom) throws {
        for block in 0..<part.blockCount {
            let rows = (0..<12).map { _ in Int.random(in: 0..<part.rowCount(ofBlock: block), using: &random) }
            for (_, ordinal, field) in Self.columns {
                let column = try part.read(ordinal, block: block)
                for row in rows {
                    var probes = self.probes(column, row, &random)
                    if let field, case .nested(let nested) = column {
                        probes = nested.range(row).flatMap { self.probes(nested.fields[field], $0, &random) }
                    }
                    for probe in probes {
                        let found =
                            if let field {
                                try part.candidates(probe, column: ordinal, field: field)
                            } else {
                                try part.candidates(probe, column: ordinal)
                            }
                        #expect(try #require(found).contains(block), "column \(ordinal), row \(row): \(probe)")
                    }
                }
            }
        }
        let absent: [IndexProbe] = [.ids([12345]), .attribute(AttributeProbe(key: Array("none".utf8), text: "x"))]
        for (probe, ordinal) in zip(absent, [5, 8]) {
            // Attributes without a subcolumn may be anything.
            let found = try #require(try part.candidates(probe, column: ordinal))
            #expect(ordinal == 8 || found.count <= 1)
        }
    }

    /// Searches that the value in a row answers.
    private func probes(_ column: Column, _ row: Int, _ random: inout SeededRandom) -> [IndexProbe] {
        switch column {
        case .strings(let strings):
            let text = Array(strings.bytes(row))
            let low = Int.random(in: 0...text.count, using: &random)
            let needle = Array(text[low..<Int.random(in: low...text.count, using: &random)])
            return [needle, text].compactMap { IndexProbe.containing(anyOf: [$0]) }
        case .fixed(let ids):
            let id = ids.bytes[(row * ids.width)..<((row + 1) * ids.width)]
            return id.array.allSatisfy { $0 == 0 } ? [] : [.ids([XXH3.hash(id.array)])]
        case .attributes(let attributes):
            return attributes.entries(row).compactMap { subcolumn, slot in
                let entry = attributes.subcolumns[subcolumn]
                let text: String? =
                    switch (entry.type, entry.values) {
                    case (.string, .strings(let values)?): values.string(slot)
                    case (.int, .integers(let values)?): String(values[slot])
                    case (.bool, .integers(let values)?): values[slot] == 0 ? "false" : "true"
                    case (.double, .floats(let values)?): "\(values[slot])"
                    case (.overflow, _): nil
                    default: "anything"
                    }
                return .attribute(AttributeProbe(key: entry.type == .overflow ? [1] : entry.key, text: text ?? "x"))
            }
        default: return []
        }
    }

    @Test func `a merge leaves out as many blocks as a flush`() throws {
        var random = SeededRandom(seed: 3)
        let test = try store(.keys, .tokenPostings)
        for _ in 0..<3 {
            try test.flush(
                AnyTable.batch(AnyTable.Style(rows: 12_000, keys: 3, texts: 1_000_000, attributes: 2), &random))
        }
        let output = try #require(MergeExecutor(test.store).run(test.plan(test.records)).output)
        let part = try test.store.open(output)
        #expect(part.blockCount == 5)
        let statistics = QueryStatistics()
        var left = 0
        for number in 0..<100 {
            let probe = try #require(IndexProbe.containing(anyOf: [Array(" \(number * 7919 + 100_000) of ".utf8)]))
            left += try #require(try part.candidates(probe, column: 6, statistics: statistics)).count
        }
        #expect(left <= 20)
        #expect(statistics[.tokens].bytesRead.load(ordering: .relaxed) <= 101 * TokenPostings.pageBytes * 4)
    }
}

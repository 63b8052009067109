import EngineFixtures
import Randomness
import TableSchema
import Testing

@testable import Parts

/// Where rows come from, as sets with their slow twins, and as bytes.
struct PartOriginTests {
    /// Every position and number on its own.
    private struct Naive: Hashable {
        var positions: Set<UInt64> = []
        var parts: Set<UInt64> = []

        init(_ rows: RowSources) {
            for range in rows.positions { positions.formUnion(range) }
            parts = Set(rows.parts)
        }

        func isDisjoint(with other: Naive) -> Bool {
            positions.isDisjoint(with: other.positions) && parts.isDisjoint(with: other.parts)
        }

        func isSubset(of other: Naive) -> Bool {
            positions.isSubset(of: other.positions) && parts.isSubset(of: other.parts)
        }
    }

    private func rows(_ random: inout SeededRandom) -> RowSources {
        var rows = RowSources()
        for _ in 0..<random.below(5) {
            let first = UInt64(1 + random.below(40))
            rows.formUnion(RowSources(positions: first...(first + UInt64(random.below(6)))))
        }
        for _ in 0..<random.below(4) { rows.formUnion(RowSources(part: UInt64(1 + random.below(12)))) }
        return rows
    }

    private func sources(_ random: inout SeededRandom) -> PartSources {
        var aggregated: [AggregatedSources] = []
        for _ in 0..<random.below(4) {
            aggregated.append(
                AggregatedSources(
                    table: UInt16(random.below(3)), partition: Int64(random.below(3)) - 1, rows: rows(&random)))
        }
        return PartSources(own: rows(&random), aggregated: aggregated)
    }

    @Test(arguments: 1...200 as ClosedRange<UInt64>)
    func `sets of rows are what single positions and numbers make of them`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let (left, right) = (rows(&random), rows(&random))
        var united = left
        united.formUnion(right)
        #expect(Naive(united).positions == Naive(left).positions.union(Naive(right).positions))
        #expect(Naive(united).parts == Naive(left).parts.union(Naive(right).parts))
        #expect(left.isDisjoint(with: right) == Naive(left).isDisjoint(with: Naive(right)))
        #expect(left.isSubset(of: right) == Naive(left).isSubset(of: Naive(right)))
        #expect(left.isSubset(of: united) && right.isSubset(of: united))
        // Neighbours are one range: equal sets have equal ranges.
        #expect(zip(united.positions, united.positions.dropFirst()).allSatisfy { $0.upperBound + 1 < $1.lowerBound })
    }

    @Test(arguments: 1...200 as ClosedRange<UInt64>)
    func `an origin is read as it was written, and damaged bytes are refused or read as others`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let previous = UInt64(random.below(1000))
        let first = previous + 1 + UInt64(random.below(300))
        let origins: [PartOrigin?] = [
            nil,
            .flushed(
                FlushOrigin(
                    previous: previous, first: first, last: first + UInt64(random.below(300)),
                    parts: 1 + random.below(9))),
            .merged(level: UInt8(random.below(256)), sources(&random)),
            .repaired(level: UInt8(random.below(256)), sources(&random)), .aggregated(sources(&random)),
        ]
        for origin in origins {
            var writer = FooterWriter()
            writer.origin(origin)
            var reader = FooterReader(writer.bytes)
            #expect(try reader.origin() == origin)
            #expect(reader.isAtEnd)
            for _ in 0..<20 {
                var bytes = writer.bytes
                let at = random.below(bytes.count)
                bytes[at] = UInt8(truncatingIfNeeded: random.next())
                var reader = FooterReader(bytes)
                guard let other = try? reader.origin() else { continue }
                // What is accepted can be written and worked with.
                var again = FooterWriter()
                again.origin(other)
                var second = FooterReader(again.bytes)
                #expect(try second.origin() == other)
                #expect(other.sources.isSubset(of: other.sources))
            }
        }
    }

    @Test func `flushes that follow each other are one range once they are merged`() {
        let flushes = [
            FlushOrigin(previous: 0, first: 2, last: 5, parts: 1),
            FlushOrigin(previous: 5, first: 6, last: 6, parts: 2),
            FlushOrigin(previous: 6, first: 40, last: 44, parts: 1),
            FlushOrigin(previous: 50, first: 60, last: 61, parts: 1),
        ]
        let merged = PartOrigin.merging(flushes.map { PartOrigin.flushed($0).sources }, level: 1)
        #expect(merged.sources.own.positions == [1...44, 51...61])
        #expect(merged.level == 1)
    }
}

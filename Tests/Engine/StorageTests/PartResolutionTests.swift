import Core
import EngineFixtures
import Parts
import Randomness
import TableSchema
import Testing

@testable import Storage

private let key = TenantTable(tenant: .default, table: TableID(number: 3))

private func candidate(
    _ id: UInt64, _ origin: PartOrigin?, partition: Int64 = 0, isNamed: Bool = false, table: UInt16 = 3
) -> PartResolution.Candidate {
    PartResolution.Candidate(
        PartRecord(
            id: PartID(number: id), tenant: .default, table: TableID(number: table), partition: partition,
            level: origin?.level ?? 0, rowCount: 1, byteCount: 1, leastTime: partition, greatestTime: partition),
        origin, isNamed: isNamed)
}

private func flush(_ positions: ClosedRange<UInt64>, parts: Int = 1) -> PartOrigin {
    .flushed(
        FlushOrigin(
            previous: positions.lowerBound - 1, first: positions.lowerBound, last: positions.upperBound, parts: parts))
}

private func rows(_ ranges: [ClosedRange<UInt64>], _ parts: [UInt64] = []) -> RowSources {
    var rows = RowSources()
    for range in ranges { rows.formUnion(RowSources(positions: range)) }
    for part in parts { rows.formUnion(RowSources(part: part)) }
    return rows
}

private func merged(_ ranges: ClosedRange<UInt64>..., parts: [UInt64] = []) -> PartOrigin {
    .merged(level: 1, PartSources(own: rows(ranges, parts)))
}

/// Files, and which of them are parts.
struct ResolutionCase: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var candidates: [PartResolution.Candidate]
    var damaged: Set<UInt64> = []
    var logStart: UInt64? = 1
    var kept: [UInt64]
    var flushed: UInt64?

    init(
        _ name: String, _ candidates: [PartResolution.Candidate], damaged: Set<UInt64> = [], logStart: UInt64? = 1,
        kept: [UInt64], flushed: UInt64?
    ) {
        testDescription = name
        self.candidates = candidates
        self.damaged = damaged
        self.logStart = logStart
        self.kept = kept
        self.flushed = flushed
    }

    static let flushes: [ResolutionCase] = [
        ResolutionCase(
            "a complete flush counts",
            [candidate(1, flush(1...5, parts: 2)), candidate(2, flush(1...5, parts: 2), partition: 9)],
            kept: [1, 2], flushed: 5),
        ResolutionCase("half a flush is left to the log", [candidate(1, flush(1...5, parts: 2))], kept: [], flushed: 0),
        ResolutionCase(
            "half a flush that the log has not was committed", [candidate(1, flush(1...5, parts: 2))], logStart: 2,
            kept: [1], flushed: 5),
        ResolutionCase(
            "half a flush without any log was committed", [candidate(1, flush(1...5, parts: 2))], logStart: nil,
            kept: [1], flushed: 5),
        ResolutionCase(
            "a flush with damage is left to the log", [candidate(1, flush(1...5))], damaged: [1], kept: [], flushed: 0),
        ResolutionCase(
            "a flush that the catalog names was committed",
            [candidate(1, flush(1...5, parts: 2), isNamed: true)], damaged: [1], kept: [1], flushed: 5),
        ResolutionCase(
            "a flush before another was committed",
            [candidate(1, flush(1...5, parts: 2)), candidate(2, flush(6...8, parts: 2), partition: 9)], kept: [1],
            flushed: 5),
        ResolutionCase(
            "a flush of which a merge has rows was committed",
            [candidate(1, flush(4...6, parts: 2), partition: 9), candidate(2, merged(1...6))], kept: [1, 2], flushed: 6),
        ResolutionCase(
            "rows that were written twice count once",
            [
                candidate(1, flush(1...5, parts: 2)), candidate(2, flush(1...5, parts: 2), partition: 9),
                candidate(3, flush(1...5, parts: 2)),
            ], damaged: [3], kept: [1, 2], flushed: 5),
        ResolutionCase(
            "of two flushes from one place the later counts",
            [candidate(1, flush(1...5)), candidate(2, flush(1...9))], kept: [2], flushed: 9),
    ]

    static let merges: [ResolutionCase] = [
        ResolutionCase(
            "a merge whose inputs are gone was committed", [candidate(2, flush(4...6)), candidate(3, merged(1...6))],
            damaged: [3], kept: [3], flushed: 6),
        ResolutionCase(
            "a merge that is whole has its inputs' rows",
            [candidate(1, flush(1...3)), candidate(2, flush(4...6)), candidate(3, merged(1...6))], kept: [3], flushed: 6
        ),
        ResolutionCase(
            "a merge that is not whole gives way to its inputs",
            [candidate(1, flush(1...3)), candidate(2, flush(4...6)), candidate(3, merged(1...6))], damaged: [3],
            kept: [1, 2], flushed: 6),
        ResolutionCase(
            "a merge gives way to inputs that the catalog names",
            [
                candidate(1, flush(1...3), isNamed: true), candidate(2, flush(4...6), isNamed: true),
                candidate(3, merged(1...6)),
            ],
            kept: [1, 2], flushed: 6),
        ResolutionCase(
            "inputs give way to a merge that the catalog names",
            [candidate(1, flush(1...3)), candidate(2, flush(4...6)), candidate(3, merged(1...6), isNamed: true)],
            damaged: [3], kept: [3], flushed: 6),
        ResolutionCase(
            "of merges that overlap the earlier was not committed",
            [candidate(1, flush(1...1)), candidate(10, merged(1...2)), candidate(11, merged(2...3))], kept: [1, 11],
            flushed: 3),
        ResolutionCase(
            "a merge that was not committed inside one that was",
            [candidate(3, flush(3...3)), candidate(10, merged(1...2)), candidate(12, merged(1...3))], damaged: [10],
            kept: [12], flushed: 3),
        ResolutionCase(
            "a merge of a merge",
            [candidate(5, merged(1...4)), candidate(6, flush(5...5)), candidate(7, merged(1...5))],
            kept: [7], flushed: 5),
        ResolutionCase(
            "other partitions have other rows",
            [
                candidate(1, flush(1...3, parts: 2)), candidate(2, flush(1...3, parts: 2), partition: 9),
                candidate(3, merged(1...3), partition: 9),
            ],
            kept: [1, 3], flushed: 3),
        ResolutionCase(
            "what was repaired gives way to what it was repaired from",
            [candidate(1, flush(1...3)), candidate(2, .repaired(level: 0, PartSources(own: rows([1...3]))))], kept: [1],
            flushed: 3),
        ResolutionCase(
            "what was repaired counts alone", [candidate(2, .repaired(level: 0, PartSources(own: rows([1...3]))))],
            kept: [2],
            flushed: 3),
        ResolutionCase(
            "parts without an origin stand for themselves",
            [candidate(1, nil), candidate(2, nil), candidate(3, merged(parts: [1, 7]))],
            kept: [2, 3], flushed: nil),
    ]
}

struct PartResolutionTests {
    @Test(arguments: ResolutionCase.flushes + ResolutionCase.merges)
    func `10: files say which of them are parts`(of: ResolutionCase) {
        let resolution = PartResolution(of.candidates, flushed: [:], logStart: of.logStart) {
            !of.damaged.contains($0.id.number)
        }
        #expect(resolution.kept.map(\.id.number) == of.kept)
        #expect(resolution.flushed[key] == of.flushed)
        #expect(
            (resolution.kept + resolution.left.map(\.record)).map(\.id.number).sorted()
                == of.candidates.map(\.record.id.number))
    }

    @Test func `10: what is aggregated was committed, and overlaps by the rows that are aggregated`() {
        func aggregated(_ partition: Int64, _ ranges: ClosedRange<UInt64>...) -> PartSources {
            PartSources(aggregated: [AggregatedSources(table: 3, partition: partition, rows: rows(ranges))])
        }
        let candidates = [
            candidate(1, flush(1...3, parts: 2)),
            candidate(2, .aggregated(aggregated(0, 1...3)), table: 30),
            candidate(3, .aggregated(aggregated(9, 1...3)), table: 30),
            candidate(
                4,
                .merged(
                    level: 1, PartSources(own: rows([], [2]), aggregated: aggregated(0, 1...3).aggregated)), table: 30),
        ]
        let resolution = PartResolution(candidates, flushed: [:], logStart: 1) { _ in true }
        #expect(resolution.kept.map(\.id.number) == [1, 3, 4])
        #expect(resolution.flushed[key] == 3)
    }

    /// A table that is flushed, merged and dropped, with outputs that are not committed and inputs that are not removed, against the
    /// rows that it has. Then some or all records of its catalog are lost.
    private struct History {
        struct File {
            var id: UInt64
            var origin: PartOrigin
            var partition: Int64
            var rows: Set<UInt64>
            var isTorn = false
        }

        var random: SeededRandom
        /// By position: in which partitions it has a row.
        var log: [UInt64: Set<Int64>] = [:]
        var position: UInt64 = 0
        var flushed: UInt64 = 0
        var nextID: UInt64 = 1
        var files: [UInt64: File] = [:]
        var live: Set<UInt64> = []
        var records: [(added: [UInt64], removed: [UInt64], flushed: UInt64)] = []
        var dropped: Set<[UInt64]> = []

        mutating func receive() {
            for _ in 0...random.below(3) {
                position += UInt64(1 + random.below(3))
                log[position] = Set((0...random.below(2)).map { _ in Int64(random.below(3)) })
            }
        }

        private mutating func add(_ origin: PartOrigin, _ partition: Int64, _ rows: Set<UInt64>, isTorn: Bool) -> UInt64
        {
            defer { nextID += 1 }
            files[nextID] = File(id: nextID, origin: origin, partition: partition, rows: rows, isTorn: isTorn)
            return nextID
        }

        mutating func flush() {
            let waiting = log.keys.filter { $0 > flushed }.sorted()
            guard let first = waiting.first, let last = waiting.dropLast(random.below(waiting.count)).last else {
                return
            }
            let some = waiting.filter { $0 <= last }
            let partitions = Set(some.flatMap { log[$0] ?? [] }).sorted()
            let origin = PartOrigin.flushed(
                FlushOrigin(previous: flushed, first: first, last: last, parts: partitions.count))
            let isCommitted = !random.oneIn(3)
            var added: [UInt64] = []
            for partition in partitions {
                if !isCommitted, random.oneIn(3) { break }
                let rows = Set(some.filter { log[$0]?.contains(partition) ?? false })
                let isTorn = !isCommitted && random.oneIn(3)
                added.append(add(origin, partition, rows, isTorn: isTorn))
            }
            guard isCommitted else { return clean(added) }
            flushed = last
            live.formUnion(added)
            records.append((added, [], last))
        }

        /// Mostly the files of what was not committed go at once.
        private mutating func clean(_ added: [UInt64]) {
            for id in added where random.oneIn(2) { files[id] = nil }
        }

        mutating func merge() {
            let partition = Int64(random.below(3))
            let inputs = live.filter { files[$0]?.partition == partition }.sorted().filter { _ in !random.oneIn(3) }
            guard !inputs.isEmpty else { return }
            let origin = PartOrigin.merging(
                inputs.compactMap { files[$0].map { PartSources($0.origin, ofPart: $0.id) } }, level: 1)
            let rows = inputs.reduce(into: Set<UInt64>()) { $0.formUnion(files[$1]?.rows ?? []) }
            let isCommitted = !random.oneIn(3)
            let output = add(origin, partition, rows, isTorn: !isCommitted && random.oneIn(2))
            guard isCommitted else { return clean([output]) }
            live.subtract(inputs)
            live.insert(output)
            records.append(([output], inputs, 0))
            if !random.oneIn(3) { for id in inputs where !random.oneIn(4) { files[id] = nil } }
        }

        mutating func drop() {
            let partition = Int64(random.below(3))
            let gone = live.filter { files[$0]?.partition == partition }.sorted()
            for id in gone { dropped.formUnion((files[id]?.rows ?? []).map { [$0, UInt64(partition)] }) }
            live.subtract(gone)
            records.append(([], gone, 0))
            if !random.oneIn(3) { for id in gone { files[id] = nil } }
        }
    }

    @Test(arguments: 1...3000 as ClosedRange<UInt64>)
    func `10: whatever records are lost, every row is there once`(seed: UInt64) {
        var history = History(random: SeededRandom(seed: seed))
        for _ in 0..<(5 + history.random.below(25)) {
            switch history.random.below(12) {
            case 0...3: history.receive()
            case 4...7: history.flush()
            case 8...10: history.merge()
            default: if history.random.oneIn(3) { history.drop() }
            }
        }
        // Some records are lost, or all.
        let share = history.random.below(4)
        let known = history.records.filter { _ in share > 0 && !history.random.oneIn(share + 1) }
        var named: Set<UInt64> = []
        for record in known {
            named.formUnion(record.added)
            named.subtract(record.removed)
        }
        let removed = Set(known.flatMap(\.removed))
        let position = known.map(\.flushed).max() ?? 0
        let candidates = history.files.values.sorted { $0.id < $1.id }.filter { !removed.contains($0.id) }.map {
            candidate($0.id, $0.origin, partition: $0.partition, isNamed: named.contains($0.id))
        }
        let logStart = UInt64(1 + history.random.below(Int(history.flushed) + 1))
        let resolution = PartResolution(candidates, flushed: [key: position], logStart: logStart) {
            !(history.files[$0.id.number]?.isTorn ?? true)
        }

        var counts: [[UInt64]: Int] = [:]
        for part in resolution.kept {
            let file = history.files[part.id.number]
            for row in file?.rows ?? [] where file?.isTorn == false {
                counts[[row, UInt64(part.partition)], default: 0] += 1
            }
        }
        let flushed = resolution.flushed[key] ?? 0
        for (row, partitions) in history.log where row > flushed && row >= logStart {
            for partition in partitions { counts[[row, UInt64(partition)], default: 0] += 1 }
        }
        for (row, partitions) in history.log {
            for partition in partitions {
                let count = counts[[row, UInt64(partition)]] ?? 0
                let mayBeGone = history.dropped.contains([row, UInt64(partition)])
                #expect(count == 1 || (count == 0 && mayBeGone), "seed \(seed): row \(row) of \(partition)")
            }
        }
    }
}

import Columns
import Core
import EngineFixtures
import Files
import Observability
import Parts
import Randomness
import Scheduling
import Synchronization
import TableSchema
import Testing

@testable import Storage

/// Scans over memory and parts against a filter over plain rows (invariants 7 and 8).
struct ScanTests {
    private struct Case {
        let filter: CompiledFilter
        let accepts: ([Cell]) -> Bool
    }

    private let table = EveryTypeTable.make()

    /// A snapshot whose rows are partly in memory, partly in parts of several partitions.
    private func snapshot(
        _ rows: [[Cell]], _ random: inout SeededRandom, on disk: SimulatedFileSystem = SimulatedFileSystem(seed: 1),
        cache: OpenParts? = nil
    ) throws -> TableSnapshot {
        var memory: [ColumnBatch] = []
        var parts: [PartHandle] = []
        var rest = rows[...]
        var number: UInt64 = 1
        while !rest.isEmpty {
            let some = Array(rest.prefix(1 + random.below(rows.count / 3 + 1)))
            rest = rest.dropFirst(some.count)
            let batch = BatchOfCells.make(some, table, random.pick(BatchOfCells.Dictionaries.allCases))
            if random.oneIn(3) {
                memory.append(batch)
                continue
            }
            parts += try write(batch, table, first: number, to: disk, cache: cache)
            number = UInt64(parts.count + 1)
        }
        return TableSnapshot(table: table, memory: memory, parts: parts)
    }

    private func write(
        _ batch: ColumnBatch, _ table: TableDefinition, first: UInt64, to disk: SimulatedFileSystem,
        cache: OpenParts? = nil
    ) throws -> [PartHandle] {
        try RowOrder.partitions(of: batch, table: table).enumerated().map { index, partition in
            let number = first + UInt64(index)
            let path = "/\(number).vp"
            let summary = try PartWriter.write(
                batch, partition, table: table, zstdLevel: 1, to: try disk.open(path, .create))
            let record = PartRecord(
                id: PartID(number: number), tenant: .default, table: table.id, partition: partition.partition,
                level: 0, rowCount: summary.rowCount, byteCount: summary.byteCount, leastTime: summary.leastTime,
                greatestTime: summary.greatestTime)
            return PartHandle(record, table: table, path: path, fileSystem: disk, cache: cache)
        }
    }

    // MARK: Filters

    private func filter(_ random: inout SeededRandom, _ rows: [[Cell]], depth: Int = 0) -> Case {
        switch random.below(depth < 2 ? 8 : 6) {
        case 0:
            let (low, high) = (Int64(random.below(500)), Int64(500 + random.below(500)))
            return Case(filter: .integers(EveryTypeTable.number, low...high)) {
                (low...high).contains($0[EveryTypeTable.number].integer)
            }
        case 1:
            let column = random.pick([EveryTypeTable.text, EveryTypeTable.label])
            let wanted = (0..<3).map { _ in random.pick(rows)[column].bytes }
            return Case(filter: .strings(column) { wanted.contains(Array(copying: $0)) }) {
                wanted.contains($0[column].bytes)
            }
        case 2:
            let column = random.pick([EveryTypeTable.text, EveryTypeTable.label])
            return Case(filter: .strings(column) { $0.count % 2 == 0 }) { $0[column].bytes.count % 2 == 0 }
        case 3:
            var ids = (0..<random.below(4)).map { _ in random.pick(rows)[EveryTypeTable.traceID].bytes }
            if random.oneIn(3) { ids.append(random.bytes(16)) }
            if random.oneIn(4) { ids.append(Array(repeating: 0, count: 16)) }
            let wanted = Set(ids.map(Self.traceID))
            return Case(filter: .ids(EveryTypeTable.traceID, wanted)) {
                wanted.contains(Self.traceID($0[EveryTypeTable.traceID].bytes))
            }
        case 4:
            let (key, accepts) = attribute(&random)
            return Case(filter: .attribute(EveryTypeTable.attributes, key: key, accepts)) {
                Self.matches($0[EveryTypeTable.attributes].set, key, accepts)
            }
        case 5:
            let (key, accepts) = attribute(&random)
            let field = EveryTypeTable.nestedAttributes
            return Case(filter: .nestedAttribute(EveryTypeTable.nested, field: field, key: key, accepts)) { row in
                row[EveryTypeTable.nested].rows.contains { Self.matches($0[field].set, key, accepts) }
            }
        default:
            let choices = (0..<random.below(4)).map { _ in filter(&random, rows, depth: depth + 1) }
            return Case(filter: .anyOf(choices.map(\.filter))) { row in choices.contains { $0.accepts(row) } }
        }
    }

    private func attribute(
        _ random: inout SeededRandom
    ) -> (key: [UInt8], accepts: @Sendable (AttributeType, SubcolumnValue) -> Bool) {
        let key = Array("key\(random.below(8))".utf8)
        switch random.below(3) {
        case 0: return (key, { type, _ in type == .string })
        case 1:
            return (
                key,
                { _, value in
                    switch value {
                    case .integer(let integer): integer < 300
                    case .double(let double): double < 500
                    case .bytes(let bytes): bytes.count == 2
                    }
                }
            )
        default: return (key, { _, _ in true })
        }
    }

    private static func matches(
        _ set: AttributeSet, _ key: [UInt8], _ accepts: (AttributeType, SubcolumnValue) -> Bool
    ) -> Bool {
        set.entries.contains { entry in
            guard entry.key == key, let type = AttributeType(rawValue: entry.type) else { return false }
            let word = entry.value.prefix(8).reversed().reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
            switch type {
            case .empty: return accepts(type, .integer(0))
            case .bool, .int: return accepts(type, .integer(Int64(bitPattern: word)))
            case .double: return accepts(type, .double(Double(bitPattern: word)))
            default: return accepts(type, .bytes(entry.value.span))
            }
        }
    }

    private static func traceID(_ bytes: [UInt8]) -> TraceID {
        func word(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
        return TraceID(high: word(bytes[..<8]), low: word(bytes[8...]))
    }

    // MARK: Tests

    @Test(arguments: 1...30 as ClosedRange<UInt64>)
    func `7: a scan has the rows that pass, and no others`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let rows = EveryTypeTable.rows(200 + random.below(200), &random)
        let snapshot = try snapshot(rows, &random)
        for _ in 0..<8 {
            let cases = (0..<random.below(4)).map { _ in filter(&random, rows) }
            let start = 1_700_000_000_000_000_000 + Int64.random(in: -1000...(86_400_000_000_000 * 3), using: &random)
            let range =
                random.oneIn(3)
                ? TimeRange.everything
                : TimeRange(
                    start: Timestamp(nanoseconds: start),
                    end: Timestamp(nanoseconds: start + Int64(random.below(172_800_000_000_000))))
            let order = random.pick([BlockOrder.any, .newestFirst, .oldestFirst])
            let expected = rows.filter { row in
                range.contains(Timestamp(nanoseconds: row[EveryTypeTable.time].integer))
                    && cases.allSatisfy { $0.accepts(row) }
            }
            let request = ScanRequest(
                range: range, columns: Array(table.columns.indices), filters: cases.map(\.filter), order: order)
            try check(request, snapshot, expected, "seed \(seed)")
        }
    }

    private func check(
        _ request: ScanRequest, _ snapshot: TableSnapshot, _ expected: [[Cell]], _ what: String
    ) throws {
        for pool in Self.pools { try check(request, snapshot, expected, what, pool) }
    }

    private static let pools = [QueryPool(threadCount: 1), QueryPool(threadCount: 4)]

    private func check(
        _ request: ScanRequest, _ snapshot: TableSnapshot, _ expected: [[Cell]], _ what: String, _ pool: QueryPool
    ) throws {
        let context = QueryContext(tenant: .default)
        var scan = Scan(snapshot, request, context: context, pool: pool)
        var found: [[Cell]: Int] = [:]
        var blocks: [(bound: Int64?, times: [Int64])] = []
        try scan.run { block in
            #expect(!block.rows.isEmpty && zip(block.rows, block.rows.dropFirst()).allSatisfy { $0 < $1 })
            for row in block.rows {
                found[block.batch.columns.map { $0?.cell(Int(row)) ?? .list([]) }, default: 0] += 1
            }
            guard case .integers(let times)? = block.batch.columns[EveryTypeTable.time] else { return true }
            blocks.append((block.bound, block.rows.map { times[Int($0)] }))
            return true
        }
        var wanted: [[Cell]: Int] = [:]
        for row in expected { wanted[row, default: 0] += 1 }
        #expect(found == wanted, "\(what): \(found.count) rows, not \(wanted.count)")
        #expect(context.statistics.rowsMatched.load(ordering: .relaxed) == expected.count)
        #expect(context.isSoonFree, "\(what): decoded columns are given back")
        try checkAggregate(request, snapshot, wanted, what, pool)
        // What comes after a block is no newer, or no older, than its bound.
        for (index, block) in blocks.enumerated() {
            let later = blocks[(index + 1)...].flatMap(\.times)
            switch request.order {
            case .any: #expect(block.bound == nil)
            case .newestFirst: #expect(later.allSatisfy { time in block.bound.map { time <= $0 } ?? false })
            case .oldestFirst: #expect(later.allSatisfy { time in block.bound.map { time >= $0 } ?? false })
            }
        }
    }

    private func checkAggregate(
        _ request: ScanRequest, _ snapshot: TableSnapshot, _ wanted: [[Cell]: Int], _ what: String, _ pool: QueryPool
    ) throws {
        var scan = Scan(snapshot, request, context: QueryContext(tenant: .default), pool: pool)
        let found = try scan.aggregate({ [[Cell]: Int]() }) { found, block in
            for row in block.rows {
                found[block.batch.columns.map { $0?.cell(Int(row)) ?? .list([]) }, default: 0] += 1
            }
        } merge: {
            $0.merge($1) { $0 + $1 }
        }
        #expect(found == wanted, "\(what): an aggregate of \(found.count) rows, not \(wanted.count)")
    }

    @Test(arguments: [1, 2] as [UInt64])
    func `7: blocks of large parts come in order, and what a filter leaves of them`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let rows = EveryTypeTable.rows(17_000, &random)
        let table = EveryTypeTable.make(unit: .month)
        let handles = try write(BatchOfCells.make(rows, table), table, first: 1, to: SimulatedFileSystem(seed: 1))
        let snapshot = TableSnapshot(table: table, memory: [], parts: handles)
        for order in [BlockOrder.any, .newestFirst, .oldestFirst] {
            do {
                let choice = filter(&random, rows)
                let request = ScanRequest(
                    range: .everything, columns: Array(table.columns.indices), filters: [choice.filter], order: order)
                try check(request, snapshot, rows.filter(choice.accepts), "seed \(seed)")
            }
        }
    }

    @Test func `a scan that needs more than its budget ends with that, and gives everything back`() throws {
        var random = SeededRandom(seed: 5)
        let snapshot = try snapshot(EveryTypeTable.rows(400, &random), &random)
        try #require(!snapshot.parts.isEmpty)
        let memory = QueryMemory(limit: 1 << 30)
        for pool in Self.pools {
            let context = QueryContext(tenant: .default, byteLimit: 64, memory: memory)
            let columns = Array(table.columns.indices)
            var scan = Scan(
                snapshot, ScanRequest(range: .everything, columns: columns), context: context, pool: pool)
            do {
                try scan.run { _ in true }
                Issue.record("64 bytes are not enough")
            } catch ScanError.interrupted(let reason) {
                #expect(reason == .overBudget(bytes: 64))
            }
            #expect(context.isSoonFree && memory.usedBytes == 0)
        }
    }

    @Test func `a scan whose query is cancelled in between ends before its next block`() throws {
        var random = SeededRandom(seed: 6)
        let snapshot = try snapshot(EveryTypeTable.rows(400, &random), &random)
        for pool in Self.pools {
            let context = QueryContext(tenant: .default)
            var scan = Scan(
                snapshot, ScanRequest(range: .everything, columns: [0]), context: context, pool: pool)
            var blocks = 0
            #expect(throws: ScanError.self) {
                try scan.run { _ in
                    blocks += 1
                    context.cancel()
                    return true
                }
            }
            #expect(blocks == 1)
        }
    }

    @Test func `statistics add up: what was considered is what was read and skipped`() throws {
        var random = SeededRandom(seed: 7)
        let rows = EveryTypeTable.rows(600, &random)
        let snapshot = try snapshot(rows, &random)
        for _ in 0..<30 {
            let context = QueryContext(tenant: .default)
            let filters = (0..<random.below(3)).map { _ in filter(&random, rows).filter }
            var scan = Scan(
                snapshot, ScanRequest(range: .everything, columns: [0], filters: filters), context: context)
            try scan.run { _ in true }
            let totals = Dictionary(uniqueKeysWithValues: context.statistics.totals.map { ($0.name, $0.value) })
            let skipped = context.statistics.skipped.map {
                Dictionary(uniqueKeysWithValues: $0.values.map { ($0.name, $0.value) })
            }
            func sum(_ name: String) -> Int { skipped.reduce(0) { $0 + ($1[name] ?? 0) } }
            #expect(totals["partsConsidered"] == snapshot.parts.count)
            #expect(totals["blocksConsidered"] == (totals["blocksRead"] ?? 0) + sum("blocksSkipped"))
            #expect(totals["partsConsidered"] == (totals["partsRead"] ?? 0) + sum("partsSkipped"))
            let partRows = (totals["rowsRead"] ?? 0) - (totals["memoryRowsRead"] ?? 0)
            #expect(totals["rowsConsidered"] == partRows + sum("rowsSkipped"))
        }
    }

    @Test func `7: no value that is there is missed by a filter or a zone`() throws {
        var random = SeededRandom(seed: 99)
        var style = EveryTypeTable.Style()
        style.variety = 3000
        let rows = EveryTypeTable.rows(9000, &random, style)
        let table = EveryTypeTable.make(unit: .month)
        let disk = SimulatedFileSystem(seed: 1)
        let path = try PartFixtures.write(BatchOfCells.make(rows, table), table, to: disk)[0].path
        let part = try PartFixtures.open(path, table, on: disk)
        var missed = 0
        for block in 0..<part.blockCount {
            guard case .fixed(let ids) = try part.read(EveryTypeTable.traceID, block: block),
                case .integers(let numbers) = try part.read(EveryTypeTable.number, block: block)
            else { continue }
            let zone = try #require(part.zone(EveryTypeTable.number, block: block))
            for row in stride(from: 0, to: ids.count, by: 5) {
                let id = ids.traceID(row)
                if !id.isZero, !(try part.mayContain(BloomKeys.hash(id), column: EveryTypeTable.traceID)) {
                    missed += 1
                }
                if !zone.contains(numbers[row]) { missed += 1 }
            }
        }
        #expect(missed == 0)
        // And it says no now and then: 1 % is the rate that was asked for.
        var wrong = 0
        for _ in 0..<500 {
            let id = TraceID(high: random.next(), low: random.next())
            if try part.mayContain(BloomKeys.hash(id), column: EveryTypeTable.traceID) { wrong += 1 }
        }
        #expect(wrong < 25)
    }

    @Test func `a scan that is cancelled ends with an error`() throws {
        var random = SeededRandom(seed: 4)
        let snapshot = try snapshot(EveryTypeTable.rows(50, &random), &random)
        let context = QueryContext(tenant: .default)
        context.cancel()
        var scan = Scan(snapshot, ScanRequest(range: .everything, columns: [0]), context: context)
        #expect(throws: ScanError.self) { try scan.run { _ in true } }
    }

    @Test func `a scan stops where it is told to`() throws {
        var random = SeededRandom(seed: 4)
        let snapshot = try snapshot(EveryTypeTable.rows(200, &random), &random)
        var scan = Scan(
            snapshot, ScanRequest(range: .everything, columns: [0]), context: QueryContext(tenant: .default))
        var blocks = 0
        try scan.run { _ in
            blocks += 1
            return false
        }
        #expect(blocks == 1)
    }

    @Test func `a part that is not the one that the catalog names is refused`() throws {
        var random = SeededRandom(seed: 4)
        let disk = SimulatedFileSystem(seed: 1)
        let handle = try #require(snapshot(EveryTypeTable.rows(400, &random), &random, on: disk).parts.first)
        func open(_ record: PartRecord, _ path: String) throws -> Int {
            try PartHandle(record, table: table, path: path, fileSystem: disk).part().rowCount
        }
        var record = handle.record
        #expect(try open(record, handle.path) == record.rowCount)
        #expect(throws: StorageError.self) { try open(record, "/nowhere.vp") }
        record.rowCount += 1
        #expect(throws: StorageError.self) { try open(record, handle.path) }
        record.rowCount -= 1
        record.partition += 1
        #expect(throws: StorageError.self) { try open(record, handle.path) }
    }

    // MARK: Open parts

    @Test(arguments: [1, 2, 5] as [Int])
    func `a scan of many parts holds few of them open, and finds all rows`(files: Int) throws {
        var random = SeededRandom(seed: 11)
        let rows = EveryTypeTable.rows(600, &random)
        let cache = OpenParts(OpenParts.Limits(files: files, bytes: 1 << 20))
        var parts: [PartHandle] = []
        let disk = SimulatedFileSystem(seed: 1)
        for start in stride(from: 0, to: rows.count, by: 10) {
            let batch = BatchOfCells.make(Array(rows[start..<(start + 10)]), table)
            parts += try write(batch, table, first: UInt64(parts.count + 1), to: disk, cache: cache)
        }
        try #require(parts.count > 60)
        let snapshot = TableSnapshot(table: table, memory: [], parts: parts)
        for order in [BlockOrder.newestFirst, .any] {
            let request = ScanRequest(range: .everything, columns: Array(table.columns.indices), order: order)
            try check(request, snapshot, rows, "\(files) files")
            // Those that were asked for since the cache last looked stay until it looks again.
            #expect(cache.openParts <= 2 * files + 2, "\(cache.openParts) are open")
        }
        #expect(cache.usedBytes <= 1 << 20)
    }

    @Test func `parts whose handles are gone are forgotten`() throws {
        var random = SeededRandom(seed: 12)
        let cache = OpenParts()
        do {
            let snapshot = try snapshot(EveryTypeTable.rows(300, &random), &random, cache: cache)
            for handle in snapshot.parts { _ = try handle.part() }
            #expect(cache.openParts == snapshot.parts.count && cache.usedBytes > 0)
        }
        #expect(cache.openParts == 0 && cache.usedBytes == 0)
    }

    @Test func `many threads use few open parts at the same time`() throws {
        var random = SeededRandom(seed: 13)
        let cache = OpenParts(OpenParts.Limits(files: 3, bytes: 1 << 16))
        let rows = EveryTypeTable.rows(300, &random)
        let snapshot = try snapshot(rows, &random, cache: cache)
        let expected = rows.count
        let wrong = Atomic<Int>(0)
        let pool = QueryPool(threadCount: 4)
        let threads = (0..<6).map { _ in
            WorkerThread {
                for _ in 0..<10 {
                    var scan = Scan(
                        snapshot, ScanRequest(range: .everything, columns: [EveryTypeTable.text]),
                        context: QueryContext(tenant: .default), pool: pool)
                    let count = try? scan.aggregate({ 0 }) {
                        $0 += $1.rows.count
                    } merge: {
                        $0 += $1
                    }
                    if count != expected { wrong.add(1, ordering: .relaxed) }
                }
            }
        }
        for thread in threads { thread.join() }
        #expect(wrong.load(ordering: .relaxed) == 0)
    }
}

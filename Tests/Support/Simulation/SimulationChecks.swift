import Columns
import Core
import EngineFixtures
import Ingest
import Parts
import Plans
import Randomness
import Scheduling
import Storage
import TableSchema
import Telemetry

/// The engine's invariants, by their numbers, as far as one can see them from outside.
struct SimulationChecks {
    private struct Held {
        var snapshot: TableSnapshot
        var tenant: TenantID
        var isSpan: Bool
        var rows: [SentRow: Int]
    }

    /// By number: the hash of each part's bytes, also of those that are gone.
    private var hashes: [PartID: UInt64] = [:]
    private var held: [Held] = []
    /// Retention has run, or was under way, since the last look.
    var mayBeDropped = false
    private(set) var rows = 0
    private(set) var queries = 0

    /// Ends what the process held.
    mutating func letGo() { held = [] }

    /// 2: no file is left that no record names.
    mutating func afterStart(_ engine: SimulatedEngine, _ disk: SimulatedFileSystem) throws {
        let named = engine.store.allParts.values.joined().map(\.path).sorted()
        let files = disk.files.filter { $0.hasPrefix("/data/parts/") && $0.hasSuffix(".vp") }
        guard files == named else {
            throw Simulation.Violation(description: "2: the catalog names \(named), and there are \(files)")
        }
    }

    mutating func afterStep(
        _ engine: SimulatedEngine, _ disk: SimulatedFileSystem, _ model: inout ModelStore
    ) throws {
        for (key, handles) in engine.store.allParts {
            guard let table = engine.tables.catalog.table(id: key.table) else { continue }
            for handle in handles { try check(handle, table, disk) }
        }
        // 6, 8: what was held is as it was.
        for held in held where try Self.rows(held.snapshot, held.tenant, isSpan: held.isSpan, engine) != held.rows {
            throw Simulation.Violation(description: "8: a snapshot has changed")
        }
        // 4, 10: all rows, once.
        var found: [SentRow: Int] = [:]
        for tenant in ModelStore.tenants { found.merge(try engine.rows(of: tenant)) { $0 + $1 } }
        rows += found.count
        if let fault = model.compare(found, droppedRows: mayBeDropped) {
            throw Simulation.Violation(description: "10: \(fault)")
        }
        mayBeDropped = false
        try checkViews(engine, model)
    }

    /// 9: every span is in the index of traces or waits for it, and none is counted twice. The index outlives spans, but for those
    /// of its last day.
    private func checkViews(_ engine: SimulatedEngine, _ model: ModelStore) throws {
        for tenant in ModelStore.tenants {
            let found = try engine.indexedSpans(of: tenant)
            if let trace = found.first(where: { $0.value != 1 }) {
                throw Simulation.Violation(
                    description: "9: the index has \(trace.value) spans of the trace of \(tenant)/\(trace.key)")
            }
            let lost = model.present.first {
                $0.tenant == tenant && $0.isSpan && found[$0.number] == nil && !model.hasIndexExpired($0)
            }
            if let lost { throw Simulation.Violation(description: "9: the index lacks \(lost)") }
        }
    }

    private mutating func check(
        _ handle: PartHandle, _ table: TableDefinition, _ disk: SimulatedFileSystem
    ) throws {
        let record = handle.record
        guard let bytes = disk.bytes(of: handle.path) else {
            throw Simulation.Violation(description: "6: part \(record.id.number) has no file")
        }
        // 1: a part never changes, and its number is not used again.
        let hash = XXH3.hash(bytes)
        if let known = hashes[record.id], known != hash {
            throw Simulation.Violation(description: "1: part \(record.id.number) has changed")
        }
        hashes[record.id] = hash
        // 3: what is visible is durable.
        guard disk.isDurable(handle.path) else {
            throw Simulation.Violation(description: "3: part \(record.id.number) is visible and not durable")
        }
        // 5: rows are of their partition.
        let end = table.partitionUnit.end(ofPartitionAt: record.partition)
        guard record.leastTime >= record.partition, record.greatestTime < end else {
            throw Simulation.Violation(description: "5: part \(record.id.number) has rows of another partition")
        }
    }

    /// Takes a snapshot that is looked at again after each step.
    mutating func hold(_ engine: SimulatedEngine, _ random: inout SeededRandom) {
        if held.count >= 3 { held.removeFirst() }
        let tenant = random.pick(ModelStore.tenants)
        let isSpan = random.oneIn(2)
        let snapshot =
            isSpan ? engine.spans.snapshot(tenant, in: .everything) : engine.logs.snapshot(tenant, in: .everything)
        guard let rows = try? Self.rows(snapshot, tenant, isSpan: isSpan, engine) else { return }
        held.append(Held(snapshot: snapshot, tenant: tenant, isSpan: isSpan, rows: rows))
    }

    // MARK: Queries

    /// 7: a query answers what the model answers, with whatever filter, order and range.
    mutating func query(_ engine: SimulatedEngine, _ model: ModelStore, _ random: inout SeededRandom) throws {
        let tenant = random.pick(ModelStore.tenants)
        let isSpan = random.oneIn(2)
        let all = model.present.filter { $0.tenant == tenant && $0.isSpan == isSpan }
        var wanted = all
        var range = TimeRange.everything
        var predicate = Predicate.everyRow
        if random.oneIn(2), let row = all.randomElement(using: &random) {
            let start = row.time - Int64(random.below(3)) * SentRow.dayLength
            let end = row.time + Int64(random.below(2)) * SentRow.dayLength + Int64(random.below(2))
            range = TimeRange(start: Timestamp(nanoseconds: start), end: Timestamp(nanoseconds: end))
            wanted = wanted.filter { $0.time >= start && $0.time < end }
        }
        let column = isSpan ? engine.tables.spans.spanName : engine.tables.logs.body
        if random.oneIn(2) {
            // One that is there, or one that never was.
            let number = random.oneIn(4) ? 1_000_000 : wanted.randomElement(using: &random)?.number ?? 0
            wanted = wanted.filter { $0.number == number }
            if isSpan, random.oneIn(2) {
                predicate = .test(.column(engine.tables.spans.traceID.id), .ids([Self.traceID(number)]))
            } else {
                predicate = .test(.column(column.id), .text(.equal, Array("\(number)".utf8)))
            }
        }
        let table = isSpan ? engine.tables.spans.definition : engine.tables.logs.definition
        var request = try ScanRequest(table, range: range, predicate: predicate)
        request.order = random.pick([.any, .newestFirst, .oldestFirst])
        let snapshot =
            isSpan ? engine.spans.snapshot(tenant, in: request.range) : engine.logs.snapshot(tenant, in: request.range)
        let found = try Self.rows(snapshot, tenant, isSpan: isSpan, engine, request)
        queries += 1
        rows += found.count
        guard found == Dictionary(uniqueKeysWithValues: wanted.map { ($0, 1) }) else {
            throw Simulation.Violation(
                description:
                    "7: a query over \(request.range) with \(predicate), \(request.order), "
                    + "found \(found.count) rows instead of \(wanted.count)")
        }
    }

    private static func traceID(_ number: Int) -> WideID {
        func word(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
        let bytes = SimulatedEngine.traceID(number)
        return WideID(high: word(bytes[..<8]), low: word(bytes[8...]))
    }

    private static func rows(
        _ snapshot: TableSnapshot, _ tenant: TenantID, isSpan: Bool, _ engine: SimulatedEngine,
        _ request: ScanRequest = ScanRequest(range: .everything, columns: [])
    ) throws -> [SentRow: Int] {
        let column = isSpan ? engine.tables.spans.spanName : engine.tables.logs.body
        let time = isSpan ? engine.tables.spans.startTime : engine.tables.logs.time
        var request = request
        request.columns = [column.ordinal, time.ordinal]
        var counts: [SentRow: Int] = [:]
        var scan = Scan(snapshot, request, context: QueryContext(tenant: tenant))
        try scan.run { block in
            SimulatedEngine.add(block, column, time, tenant, isSpan: isSpan, to: &counts)
            return true
        }
        return counts
    }
}

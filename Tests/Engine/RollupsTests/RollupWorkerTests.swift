import Columns
import Core
import EngineFixtures
import Files
import Glibc
import Maintenance
import Parts
import Randomness
import Rollups
import Storage
import TableSchema
import Telemetry
import Testing

/// Views after any sequence of flushes, rollups, merges, failures and crashes (invariant 9).
struct RollupWorkerTests {
    private let tables: TestTables
    private let disk: SimulatedFileSystem
    private var random: SeededRandom

    init() throws {
        tables = try TestTables()
        disk = SimulatedFileSystem(seed: 1)
        random = SeededRandom(seed: 1)
    }

    private static var policy: MaintenanceWorker.Policy {
        var policy = MaintenanceWorker.Policy()
        policy.merge?.newParts = 2
        policy.merge?.fanIn = 4
        policy.retention = nil
        policy.limits.reserve = 0
        policy.busyTime = 0
        policy.firstDelay = 1
        policy.longestDelay = 1
        policy.rollup?.parts = 3
        policy.rollup?.quietTime = 0
        // So small that aggregates are written in pieces.
        policy.rollup?.memory = 20_000
        return policy
    }

    private var source: TenantTable { TenantTable(tenant: .default, table: tables.spans.definition.id) }

    private func open() throws -> (store: Store, worker: MaintenanceWorker) {
        let store = try Store(directory: "/data", tables: tables.catalog, fileSystem: disk)
        return (store, MaintenanceWorker(store, policy: Self.policy, clock: { .min }, report: { _ in }))
    }

    private func batch(_ handle: PartHandle) throws -> [ColumnBatch] {
        let part = try handle.part()
        return try (0..<part.blockCount).map { block in
            ColumnBatch(
                rowCount: part.rowCount(ofBlock: block),
                columns: try part.table.columns.indices.map { try part.read($0, block: block) })
        }
    }

    /// The view's rows with what is in no view yet.
    private func rows(_ name: String, _ store: Store) throws -> NaiveViews.Rows {
        let view = try #require(tables.catalog.rollups.first { $0.target.name == name })
        let aggregate = RollupAggregator(view, source: tables.spans.definition)
        let parts = store.parts(source, in: .everything, view: view.target, viewRange: .everything)
        for handle in parts.view.parts { for batch in try batch(handle) { try aggregate.add(aggregated: batch) } }
        for handle in parts.pending.parts where view.join == nil {
            for batch in try batch(handle) { aggregate.add(batch) }
        }
        return try ViewRows.read(aggregate.batch(), view)
    }

    private func check(_ spans: [SpanFact], _ store: Store, _ seed: UInt64) throws {
        #expect(try rows("otel_span_stats_1h", store) == NaiveViews.statistics(spans), "seed \(seed)")
        #expect(try rows("otel_trace_index", store) == NaiveViews.index(spans), "seed \(seed)")
    }

    /// Spans whose ids none of the others has.
    private static func more(_ count: Int, after spans: [SpanFact], _ random: inout SeededRandom) -> [SpanFact] {
        SpanFact.random(count, hours: 4, &random).map { span in
            var span = span
            span.trace += UInt64(random.below(5))
            span.span += UInt64(spans.count) << 20
            if span.parent != 0, span.parent != 9_999_999 { span.parent += UInt64(spans.count) << 20 }
            return span
        }
    }

    private func flush(_ spans: [SpanFact], to store: Store) -> Bool {
        do {
            let batch = SpanFact.batch(spans, tables.spans.definition)
            try store.commit(CatalogEdit(added: store.writeParts(batch, of: source, zstdLevel: 1)))
            return true
        } catch {
            return false
        }
    }

    @Test(arguments: 1...12 as ClosedRange<UInt64>)
    func `a catalog that is lost takes no view with it, and shows no row of one twice`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var engine: (store: Store, worker: MaintenanceWorker)? = try open()
        var spans: [SpanFact] = []
        var now = Timestamp(nanoseconds: SpanFact.origin)
        for step in 1...30 {
            switch random.below(8) {
            case 0, 1, 2:
                let more = Self.more(1 + random.below(80), after: spans, &random)
                let batch = SpanFact.batch(more, tables.spans.definition)
                let position = UInt64(step)
                let store = try #require(engine?.store)
                let parts = try store.writeParts(batch, of: source, zstdLevel: 1, positions: position...position)
                try store.commit(CatalogEdit(added: parts, flushed: [source: position]))
                spans += more
            case 3, 4: _ = engine?.worker.rollUpOnce(now: now)
            case 5, 6: _ = engine?.worker.runOnce(now: now)
            default:
                // Inputs of merges may be left, as nothing is removed any more.
                if random.oneIn(2) { disk.setPlan(.crash(at: disk.operationCount + 1)) }
                engine = nil
                disk.kill()
                for path in disk.files where path.hasPrefix("/data/catalog-") || path == "/data/CURRENT" {
                    if !path.hasSuffix("CURRENT") || random.oneIn(2) { try disk.remove(path) }
                }
                engine = try open()
            }
            now = now.advanced(by: SpanFact.hour / 8)
            try check(spans, #require(engine?.store), seed)
        }
    }

    @Test(arguments: [11, 12, 13, 14, 15, 16, 17, 18] as [UInt64])
    func `views and what waits are the aggregate of all rows, whatever happens`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var engine = try open()
        var spans: [SpanFact] = []
        // Hours close while spans still come.
        var now = Timestamp(nanoseconds: SpanFact.origin)
        for _ in 0..<40 {
            let at = disk.operationCount + 1 + random.below(16)
            if random.oneIn(4) {
                disk.setPlan(
                    random.oneIn(2)
                        ? .crash(at: at) : .fail(at: at, code: random.pick([EIO, ENOSPC]), count: 1 + random.below(4)))
            }
            switch random.below(8) {
            case 0, 1, 2:
                let more = Self.more(1 + random.below(80), after: spans, &random)
                if flush(more, to: engine.store) {
                    spans += more
                } else {
                    // Whether a record that failed is there shows at the next start.
                    disk.setPlan(nil)
                    disk.crash()
                    engine = try open()
                    let count = engine.store.allParts[source]?.reduce(0) { $0 + $1.record.rowCount } ?? 0
                    if count != spans.count { spans += more }
                }
            case 3, 4: _ = engine.worker.rollUpOnce(now: now)
            case 5, 6: _ = engine.worker.runOnce(now: now)
            default:
                disk.setPlan(nil)
                disk.crash()
                engine = try open()
            }
            now = now.advanced(by: SpanFact.hour / 8)
            disk.setPlan(nil)
            if disk.isDown {
                disk.crash()
                engine = try open()
            }
            try check(spans, engine.store, seed)
        }
        // Once everything has settled, all is in views.
        disk.crash()
        engine = try open()
        now = Timestamp(nanoseconds: SpanFact.origin + 10 * SpanFact.hour)
        for _ in 0..<200 { if !engine.worker.rollUpOnce(now: now), !engine.worker.runOnce(now: now) { break } }
        let pending = engine.store.parts(
            source, in: .everything, view: try #require(tables.catalog.table(named: "otel_span_stats_1h")),
            viewRange: .everything
        ).pending.parts
        #expect(pending.isEmpty)
        try check(spans, engine.store, seed)
        #expect(
            try rows("otel_service_dependencies_1h", engine.store) == NaiveViews.dependencies(spans, isNear: true),
            "seed \(seed)")
    }

    @Test func `merging aggregates rows with equal keys into one`() throws {
        var random = SeededRandom(seed: 3)
        let (store, worker) = try open()
        var spans: [SpanFact] = []
        for turn in 0..<6 {
            let more = SpanFact.random(500, hours: 2, &random).map { span in
                var span = span
                span.span += UInt64(turn) << 20
                return span
            }
            let records = try store.writeParts(SpanFact.batch(more, tables.spans.definition), of: source, zstdLevel: 1)
            try store.commit(CatalogEdit(added: records))
            spans += more
            while worker.rollUpOnce(now: Timestamp(nanoseconds: SpanFact.origin)) {}
        }
        func merged(_ name: String) throws -> (before: Int, after: Int) {
            let key = TenantTable(tenant: .default, table: try #require(tables.catalog.table(named: name)).id)
            let parts = try #require(store.allParts[key]).map(\.record)
            let plan = MergePlan(
                partition: PartitionKey(parts[0]), inputs: parts, level: 1, zstdLevel: 1, isFinal: true)
            let outcome = try MergeExecutor(store, limits: Self.policy.limits).run(plan)
            #expect(outcome.inputs.count == parts.count)
            return (parts.reduce(0) { $0 + $1.rowCount }, outcome.output?.rowCount ?? 0)
        }
        let index = try merged("otel_trace_index")
        #expect(index.after == NaiveViews.index(spans).count && index.before > index.after)
        let statistics = try merged("otel_span_stats_1h")
        #expect(statistics.after == NaiveViews.statistics(spans).count && statistics.before > statistics.after)
        try check(spans, store, 3)
    }

    @Test func `a late span makes its hour and the next be joined again`() throws {
        let (store, worker) = try open()
        let settled = Timestamp(nanoseconds: SpanFact.origin + 20 * SpanFact.hour)
        func span(_ number: UInt64, parent: UInt64, hour: Int64, _ service: String) -> SpanFact {
            SpanFact(
                start: SpanFact.origin + hour * SpanFact.hour + 5, duration: 10, trace: 1, span: number,
                parent: parent, service: service, name: "", kind: 2, status: 0)
        }
        var spans = [span(2, parent: 1, hour: 1, "b"), span(3, parent: 2, hour: 2, "c")]
        func flush(_ spans: [SpanFact]) throws {
            let records = try store.writeParts(SpanFact.batch(spans, tables.spans.definition), of: source, zstdLevel: 1)
            try store.commit(CatalogEdit(added: records))
            while worker.rollUpOnce(now: settled) {}
        }
        try flush(spans)
        #expect(try rows("otel_service_dependencies_1h", store).count == 1)
        // The parent of an earlier hour's span, which comes last.
        let late = span(1, parent: 0, hour: 0, "a")
        spans.append(late)
        try flush([late])
        let rows = try rows("otel_service_dependencies_1h", store)
        #expect(rows == NaiveViews.dependencies(spans, isNear: true))
        #expect(rows.count == 2)
    }

    @Test func `parts that a plan reads may be merged while it is carried out`() throws {
        let (store, worker) = try open()
        let settled = Timestamp(nanoseconds: SpanFact.origin + 20 * SpanFact.hour)
        func flush(_ span: UInt64, parent: UInt64, hour: Int64, _ service: String) throws -> SpanFact {
            let fact = SpanFact(
                start: SpanFact.origin + hour * SpanFact.hour + 5, duration: 10, trace: 1, span: span,
                parent: parent, service: service, name: "", kind: 2, status: 0)
            let records = try store.writeParts(
                SpanFact.batch([fact], tables.spans.definition), of: source, zstdLevel: 1)
            try store.commit(CatalogEdit(added: records))
            return fact
        }
        var spans = [try flush(1, parent: 0, hour: 0, "a"), try flush(9, parent: 0, hour: 0, "z")]
        while worker.rollUpOnce(now: settled) {}
        spans.append(try flush(2, parent: 1, hour: 1, "b"))
        let (all, rolledUp) = store.partsAndViews
        let plan = try #require(
            RollupPlanner.joinPlans(
                parts: all.map(\.record), rolledUp: rolledUp, tables: tables.catalog, now: settled,
                policy: RollupPolicy()
            ).first)
        guard case .replace(let work) = plan.work else { return #expect(Bool(false), "a join replaces") }
        #expect(work.earlier.count == 2 && Set(plan.read).isSuperset(of: work.earlier))
        var held: HeldParts? = HeldParts(all.filter { plan.read.contains($0.record) })
        let merge = MergePlan(
            partition: PartitionKey(work.earlier[0]), inputs: work.earlier, level: 1, zstdLevel: 1, isFinal: true)
        _ = try MergeExecutor(store, limits: Self.policy.limits).run(merge)
        _ = try RollupExecutor(store).run(plan, reading: try #require(held))
        let rows = try rows("otel_service_dependencies_1h", store)
        #expect(rows.count == 1 && rows == NaiveViews.dependencies(spans, isNear: true))
        let paths = work.earlier.map { Store.path($0, tables.spans.definition, "/data") }
        withExtendedLifetime((all, held)) { #expect(paths.allSatisfy(disk.files.contains)) }
        held = nil
    }
}

import Columns
import Core
import EngineFixtures
import Storage
import TableSchema
import Testing

@testable import Maintenance

/// What keeps thousands of tenants that send little from costing what large ones do.
struct SmallTenantTests {
    private static let second: Int64 = 1_000_000_000
    private let catalog: TableCatalog
    private let spans: TableDefinition

    init() throws {
        catalog = try TestTables().catalog
        spans = try #require(catalog.tables.first { $0.name == "otel_traces" })
    }

    private func time(_ seconds: Int64) -> Timestamp { Timestamp(nanoseconds: seconds * Self.second) }

    @Test func `plans are given in order, while they are young and valid`() {
        var queue = PlanQueue<Int>()
        queue.fill([1, 2, 3, 4], 7, now: time(10))
        #expect(queue.next(now: time(10), within: Self.second) { _ in true } == 1)
        #expect(queue.next(now: time(11), within: Self.second) { $0 != 2 } == 3)
        // The clock went back: nobody knows how old they are.
        #expect(queue.next(now: time(9), within: Self.second) { _ in true } == nil)
        queue.fill([5], 7, now: time(10))
        #expect(queue.next(now: time(12), within: Self.second) { _ in true } == nil)
        #expect(queue.next(now: time(10), within: Self.second) { _ in true } == nil)
    }

    @Test func `there is no second look while nothing has changed`() {
        var queue = PlanQueue<Int>()
        #expect(!queue.isIdle(7, now: time(10), within: Self.second))
        queue.fill([], 7, now: time(10))
        #expect(queue.isIdle(7, now: time(10), within: Self.second))
        #expect(!queue.isIdle(8, now: time(10), within: Self.second))
        #expect(!queue.isIdle(7, now: time(11), within: Self.second))
        #expect(!queue.isIdle(7, now: time(9), within: Self.second))
        #expect(!queue.isIdle(7, now: time(10), within: 0))
        queue.fill([1], 7, now: time(10))
        #expect(!queue.isIdle(7, now: time(10), within: Self.second))
    }

    private func part(_ number: UInt64, rows: Int, partition: Int64, bytes: Int64 = 100) -> PartRecord {
        PartRecord(
            id: PartID(number: number), tenant: .default, table: spans.id, partition: partition,
            level: 0, rowCount: rows, byteCount: bytes, leastTime: partition, greatestTime: partition)
    }

    @Test func `few rows wait for their partition to end and to be quiet`() {
        let unit = spans.partitionUnit
        let start = unit.start(of: 1_700_000_000 * Self.second)
        let end = Timestamp(nanoseconds: unit.end(ofPartitionAt: start))
        let next = unit.end(ofPartitionAt: start)
        let parts = [part(1, rows: 40, partition: start), part(2, rows: 30, partition: next)]
        var policy = RollupPolicy()
        policy.quietTime = 60 * Self.second
        func planned(
            _ parts: [PartRecord], least: Int, now: Timestamp, written: Timestamp? = nil
        ) -> [[UInt64]] {
            policy.leastRows = least
            let key = PartitionKey(parts[0])
            return RollupPlanner.plan(
                parts: parts, rolledUp: [:], tables: catalog, now: now,
                written: written.map { [key: (last: $0, first: $0)] } ?? [:], policy: policy
            ).map { $0.parts.map(\.id.number) }
        }
        let before = end.advanced(by: -1)
        #expect(planned(parts, least: 70, now: before) == [[1, 2]])
        #expect(planned(parts, least: 71, now: before).isEmpty)
        #expect(planned(parts, least: 71, now: end) == [[1]])
        #expect(planned(parts, least: 71, now: end, written: before).isEmpty)
        #expect(planned(parts, least: 71, now: end.advanced(by: 60 * Self.second), written: before) == [[1]])
        // Too many parts are not left either.
        policy.parts = 2
        #expect(planned(parts, least: 71, now: before) == [[1, 2]])
    }

    @Test func `a small part that is alone is not compressed anew`() {
        var policy = MergePolicy()
        policy.leastAlone = 1000
        func plans(_ bytes: [Int64]) -> [MergePlan] {
            let parts = bytes.enumerated().map { part(UInt64($0 + 1), rows: 5, partition: 0, bytes: $1) }
            return MergePlanner.plan(parts: parts, table: spans, now: .max, policy: policy)
        }
        #expect(plans([999]).isEmpty)
        #expect(plans([1000]).count == 1)
        // Two are merged however small they are.
        #expect(plans([10, 10]).count == 1)
    }
}

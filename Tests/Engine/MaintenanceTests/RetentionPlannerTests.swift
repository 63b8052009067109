import Core
import Maintenance
import Storage
import TableSchema
import Testing

private func part(_ id: UInt64, table: UInt16 = 1, hour: Int64, bytes: Int64 = 100) -> PartRecord {
    PartRecord(
        id: PartID(number: id), tenant: .default, table: TableID(number: table), partition: hour * AnyTable.hour,
        level: 0,
        rowCount: 1, byteCount: bytes, leastTime: hour * AnyTable.hour, greatestTime: hour * AnyTable.hour)
}

private let tables = TableCatalog(
    tables: [AnyTable.definition(.minutes), AnyTable.definition(.keys, id: 2)], rollups: [])

private func dropped(_ parts: [PartRecord], now: Int64, _ policy: RetentionPolicy = RetentionPolicy()) -> [UInt64] {
    RetentionPlanner.plan(
        parts: parts, tables: tables, now: Timestamp(nanoseconds: now), policy: policy
    ).flatMap { $0.parts.map(\.id.number) }.sorted()
}

@Test func `a partition goes once its end is older than the time to live, and not before`() {
    let parts = [part(1, hour: 0), part(2, hour: 0), part(3, hour: 1)]
    #expect(dropped(parts, now: 25 * AnyTable.hour).isEmpty)
    #expect(dropped(parts, now: 25 * AnyTable.hour + 1) == [1, 2])
    #expect(dropped(parts, now: 26 * AnyTable.hour + 1) == [1, 2, 3])
}

@Test func `a time to live of the configuration wins over the declared one`() {
    var policy = RetentionPolicy()
    policy.rules = [RetentionRule(table: TableID(number: 2), timeToLive: AnyTable.hour)]
    let parts = [part(1, hour: 0), part(2, table: 2, hour: 0)]
    #expect(dropped(parts, now: 2 * AnyTable.hour + 1, policy) == [2])
}

@Test func `a limit of size drops the oldest partitions that have ended, until the rest fits`() {
    var policy = RetentionPolicy()
    policy.byteLimit = 250
    let parts = [part(1, hour: 3), part(2, table: 2, hour: 1), part(3, hour: 2), part(4, hour: 9, bytes: 900)]
    // 1200 bytes: all that have ended go, and the open one stays though it is too large alone.
    #expect(dropped(parts, now: 9 * AnyTable.hour + 1, policy) == [1, 2, 3])
    #expect(dropped(Array(parts.prefix(3)), now: 9 * AnyTable.hour, policy) == [2])
}

@Test func `parts of tables that are not declared are left alone`() {
    #expect(dropped([part(1, table: 9, hour: 0)], now: 1000 * AnyTable.hour).isEmpty)
}

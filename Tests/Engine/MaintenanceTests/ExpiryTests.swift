import Core
import EngineFixtures
import Foundation
import Observability
import Parts
import Randomness
import Storage
import TableSchema
import Testing

@testable import Maintenance

/// A column called `service_name` in place of `key`.
private func withServices(_ table: TableDefinition) -> TableDefinition {
    var table = table
    for column in table.columns.indices where table.columns[column].name == "key" {
        table.columns[column].name = "service_name"
    }
    return table
}

private func store(_ order: AnyTable.Order) throws -> TestStore {
    try TestStore(order, change: withServices)
}

private func hasExpired(_ row: [Cell], _ limits: ExpiryLimits) -> Bool {
    guard case .integer(let time) = row[0], case .bytes(let service) = row[2] else { return false }
    return time < (limits.services[service] ?? limits.others)
}

@Test(arguments: 0..<16)
func `a merge leaves out the rows that have expired, and no others`(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let test = try store(AnyTable.Order.allCases[Int(seed % 2)])
    for number in 0..<Int.random(in: 1...3, using: &random) {
        let rows = seed % 3 == 0 ? 9000 : Int.random(in: 1...500, using: &random)
        var style = AnyTable.Style(rows: rows, keys: 6, texts: 30, start: Int64(number) * AnyTable.hour / 4)
        style.width = AnyTable.hour / 2
        style.attributes = 4
        try test.flush(AnyTable.batch(style, &random))
    }
    let inputs = test.records
    var limits = ExpiryLimits(others: seed % 4 == 0 ? AnyTable.hour / 8 : .min, services: [:])
    for key in 0..<Int.random(in: 1...5, using: &random) {
        let limit = [.min, AnyTable.hour / 4, .max].randomElement(using: &random) ?? 0
        limits.services[Array("key \(key)".utf8)] = limit
    }
    let expected = try test.merged(inputs).filter { !hasExpired($0, limits) }
    let lived = inputs.reduce(0) { $0 + $1.rowCount } - expected.count
    let found = try inputs.reduce(0) { sum, part in
        sum
            + (try MergeExecutor(test.store).expiredRows(
                PartialRetentionPlan(part: part, limits: limits, endedLives: 1)))
    }
    #expect(found == lived, "seed \(seed)")
    let outcome = try MergeExecutor(test.store).run(test.plan(inputs), leavingOut: limits)
    #expect(outcome.droppedRows == lived, "seed \(seed)")
    if expected.isEmpty {
        #expect(outcome.output == nil && test.records.isEmpty && test.files(".vp").isEmpty)
    } else {
        #expect(try test.rows(#require(outcome.output)) == expected, "seed \(seed)")
    }
}

@Test func `of rules, the one that names most counts, and of equals the last`() throws {
    let table = withServices(AnyTable.definition(.keys))
    let other = withServices(AnyTable.definition(.keys, id: 2))
    let tenant = try #require(TenantID("acme"))
    let shop = Array("shop".utf8)
    var policy = RetentionPolicy()
    #expect(policy.lives(tenant: tenant, table: table) == RowLives(others: 24 * AnyTable.hour, services: [:]))
    policy.rules = [
        RetentionRule(timeToLive: 1), RetentionRule(table: table.id, timeToLive: 2),
        RetentionRule(tenant: tenant, timeToLive: 3),
        RetentionRule(service: shop, timeToLive: 4),
        RetentionRule(tenant: tenant, service: shop, timeToLive: Int64?.none),
    ]
    #expect(policy.lives(tenant: .default, table: other) == RowLives(others: 1, services: [shop: 4]))
    #expect(policy.lives(tenant: .default, table: table) == RowLives(others: 2, services: [shop: 4]))
    let lives = policy.lives(tenant: tenant, table: table)
    #expect(lives == RowLives(others: 3, services: [shop: Int64?.none]))
    #expect(lives.longest == nil && lives.differ)
    policy.rules.append(RetentionRule(tenant: tenant, table: table.id, timeToLive: 9))
    #expect(policy.lives(tenant: tenant, table: table).others == 9)
    // Without the column a rule for a service says nothing.
    #expect(policy.lives(tenant: tenant, table: AnyTable.definition(.keys)).services.isEmpty)
}

@Test func `rows of a service go once its partition has expired, and the partition with the last`() throws {
    var random = SeededRandom(seed: 7)
    let test = try store(.keys)
    try test.flush(AnyTable.batch(AnyTable.Style(rows: 300, keys: 5, texts: 9), &random))
    let service = Array("key 1".utf8)
    let before = try test.rows(test.records[0])
    let others = before.filter { $0[2] != .bytes(service) }
    #expect(others.count < before.count)
    var policy = MaintenanceWorker.Policy()
    policy.retention?.rules = [
        RetentionRule(service: service, timeToLive: 2 * AnyTable.hour),
        RetentionRule(service: Array("key 2".utf8), timeToLive: 48 * AnyTable.hour),
    ]
    let worker = MaintenanceWorker(
        test.store, policy: policy, clock: { Timestamp(nanoseconds: 0) }, report: { Issue.record("\($0)") })
    func settle(_ hours: Int64) {
        let now = Timestamp(nanoseconds: hours * AnyTable.hour + 1)
        for _ in 0..<10 where !worker.runOnce(now: now) { break }
        while worker.runOnce(now: now) {}
    }
    settle(2)
    #expect(try test.rows(test.records[0]) == before)
    settle(3)
    #expect(test.records.count == 1)
    #expect(try test.rows(test.records[0]) == others)
    let id = test.records[0].id
    settle(4)
    #expect(test.records[0].id == id, "there is nothing more to leave out")
    settle(25)
    #expect(try test.rows(test.records[0]) == others.filter { $0[2] == .bytes(Array("key 2".utf8)) })
    settle(49)
    #expect(test.records.isEmpty && test.files(".vp").isEmpty)
    #expect(worker.statistics.total(\.droppedRows) == 300 && worker.statistics.droppedPartitions.value == 1)
}

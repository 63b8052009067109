import Columns
import Core
import Maintenance
import Storage
import TableSchema
import Testing

/// Flushes and merges as records alone: what the planner would do to a store.
private struct Simulation {
    let table: TableDefinition
    var policy = MergePolicy()
    var parts: [PartRecord] = []
    var nextID: UInt64 = 1
    var flushed: Int64 = 0
    var rewritten: Int64 = 0
    var merges = 0

    mutating func flush(_ tenant: String, partition: Int64, bytes: Int64, time: Int64) {
        parts.append(
            PartRecord(
                id: PartID(number: nextID), tenant: TenantID(tenant) ?? .default, table: table.id, partition: partition,
                level: 0, rowCount: Int(bytes / 50) + 1, byteCount: bytes, leastTime: time, greatestTime: time))
        nextID += 1
        flushed += bytes
    }

    /// Merges until there is nothing to merge.
    mutating func settle(now: Int64) {
        var rounds = 0
        while true {
            let plans = MergePlanner.plan(parts: parts, table: table, now: Timestamp(nanoseconds: now), policy: policy)
            guard let plan = plans.first else { return }
            check(plans)
            rounds += 1
            #expect(rounds < 1000, "the planner does not come to an end")
            if rounds >= 1000 { return }
            carryOut(plan)
        }
    }

    private mutating func carryOut(_ plan: MergePlan) {
        let gone = Set(plan.inputs.map(\.id))
        parts.removeAll { gone.contains($0.id) }
        var output = plan.inputs[0]
        output.id = PartID(number: nextID)
        nextID += 1
        output.level = plan.level
        output.byteCount = plan.byteCount
        output.rowCount = plan.rowCount
        output.leastTime = plan.inputs.map(\.leastTime).min() ?? 0
        output.greatestTime = plan.inputs.map(\.greatestTime).max() ?? 0
        parts.append(output)
        rewritten += plan.byteCount
        merges += 1
    }

    private func check(_ plans: [MergePlan]) {
        var seen: Set<PartID> = []
        for plan in plans {
            #expect((2...policy.fanIn).contains(plan.inputs.count))
            #expect(plan.byteCount <= policy.targetBytes && plan.rowCount <= policy.targetRows)
            #expect(plan.inputs.allSatisfy { PartitionKey($0) == plan.partition }, "a merge stays in its partition")
            #expect(plan.inputs.allSatisfy { $0.level < plan.level || plan.level == .max })
            #expect(plan.inputs.allSatisfy { seen.insert($0.id).inserted }, "no part is in two merges")
        }
    }

    /// The parts that are not as large as parts get.
    var small: [PartRecord] {
        parts.filter { $0.byteCount < policy.targetBytes / 2 && $0.rowCount < policy.targetRows / 2 }
    }

    var amplification: Double { Double(rewritten) / Double(max(flushed, 1)) }
}

private let second: Int64 = 1_000_000_000

@Test(arguments: [
    (PartitionUnit.hour, 30, Int64(100_000)), (.hour, 30, 5_000_000), (.hour, 5, 25_000_000), (.day, 30, 100_000),
    (.day, 30, 4_000_000), (.day, 5, 25_000_000),
])
func `a row is rewritten at most three times from its flush to the final merge`(
    unit: PartitionUnit, interval: Int, bytes: Int64
) {
    var random = SplitMix(seed: 7)
    var simulation = Simulation(table: AnyTable.definition(.minutes, unit: unit))
    let end = unit.end(ofPartitionAt: 0)
    var mostParts = 0
    let step = Int64(interval) * second
    for flush in 0..<(end / step) {
        let time = flush * step
        let size = Int64.random(in: bytes / 2...bytes * 2, using: &random)
        simulation.flush("default", partition: 0, bytes: size, time: time)
        guard flush % 4 == 0 else { continue }
        simulation.settle(now: time)
        mostParts = max(mostParts, simulation.small.count)
    }
    simulation.settle(now: end + 2 * AnyTable.hour)
    #expect(simulation.amplification <= 3)
    #expect(simulation.small.count <= 4)
    #expect(mostParts <= 64)
}

@Test(arguments: 0..<40)
func `whatever parts there are, planning ends, within limits and partitions`(seed: UInt64) {
    var random = SplitMix(seed: seed)
    var simulation = Simulation(table: AnyTable.definition(.keys))
    simulation.policy.fanIn = Int.random(in: 2...16, using: &random)
    simulation.policy.newParts = Int.random(in: 2...10, using: &random)
    simulation.policy.targetBytes = Int64.random(in: 1000...1_000_000, using: &random)
    simulation.policy.targetRows = Int.random(in: 100...20_000, using: &random)
    for step in 0..<300 {
        let tenant = ["a", "b"].randomElement(using: &random) ?? "a"
        let partition = Int64.random(in: 0..<4, using: &random) * AnyTable.hour
        let size = Int64.random(in: 1...(random.oneIn(10) ? 100_000 : 500), using: &random)
        simulation.flush(tenant, partition: partition, bytes: size, time: Int64(step))
        let before = simulation.parts.reduce(0) { $0 + $1.rowCount }
        simulation.settle(now: Int64.random(in: 0..<8, using: &random) * AnyTable.hour)
        #expect(simulation.parts.reduce(0) { $0 + $1.rowCount } == before, "seed \(seed)")
    }
}

@Test func `rows that come late into a closed partition are rewritten as often as the logarithm of their number`() {
    var simulation = Simulation(table: AnyTable.definition(.minutes))
    for _ in 0..<60 { simulation.flush("default", partition: 0, bytes: 1_000_000, time: 0) }
    let closed = 3 * AnyTable.hour
    simulation.settle(now: closed)
    #expect(simulation.parts.count <= 4)
    (simulation.flushed, simulation.rewritten) = (0, 0)
    for _ in 0..<1000 {
        simulation.flush("default", partition: 0, bytes: 10_000, time: 1)
        simulation.settle(now: closed)
        #expect(simulation.parts.count <= 12)
    }
    // Each rewriting doubles the part at least: log2(1000) is 10, and the closed part itself is rewritten rarely.
    #expect(simulation.amplification <= 16)
}

@Test func `a busy partition is not closed`() throws {
    var simulation = Simulation(table: AnyTable.definition(.minutes))
    for _ in 0..<3 { simulation.flush("default", partition: 0, bytes: 1000, time: 0) }
    let now = Timestamp(nanoseconds: 5 * AnyTable.hour)
    let key = PartitionKey(try #require(simulation.parts.first))
    let planned = MergePlanner.plan(parts: simulation.parts, table: simulation.table, now: now, policy: MergePolicy())
    #expect(planned.map(\.inputs.count) == [3] && planned.allSatisfy { $0.isFinal && $0.zstdLevel == 6 })
    #expect(
        MergePlanner.plan(
            parts: simulation.parts, table: simulation.table, now: now, busy: [key], policy: MergePolicy()
        ).isEmpty)
}

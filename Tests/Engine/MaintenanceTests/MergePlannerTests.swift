import Columns
import Core
import EngineFixtures
import Maintenance
import Randomness
import Storage
import TableSchema
import Testing

/// Flushes and merges as records alone: what the planner would do to a store.
private struct Simulation {
    let table: TableDefinition
    var policy = MergePolicy()
    var parts: [PartRecord] = []
    /// Bytes of a row.
    var rowBytes = 30.0
    var nextID: UInt64 = 1
    var flushed: Int64 = 0
    var rewritten: Int64 = 0
    var merges = 0

    mutating func flush(_ tenant: String, partition: Int64, bytes: Int64, time: Int64) {
        parts.append(
            PartRecord(
                id: PartID(number: nextID), tenant: TenantID(tenant) ?? .default, table: table.id, partition: partition,
                level: 0, rowCount: Int(Double(bytes) / rowBytes) + 1, byteCount: bytes, leastTime: time,
                greatestTime: time))
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
            #expect((1...max(policy.fanIn, policy.mostNewParts)).contains(plan.inputs.count))
            if plan.inputs.count == 1 {
                #expect(plan.isFinal && !plan.copiesBlocks && plan.inputs[0].level < 3 && plan.level == 3)
                #expect(parts.filter { PartitionKey($0) == plan.partition }.count == 1)
            }
            let held = plan.inputs.reduce(0) { $0 + min($1.rowCount, 8192) }
            let most = max(policy.fanIn, policy.newBlocks) * 8192
            #expect(plan.inputs.count <= policy.fanIn || held <= most, "memory is bounded")
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

/// A table under a load: how its parts come, and what merging them may cost.
struct MergeLoad: CustomStringConvertible, Sendable {
    var name: String
    var unit: PartitionUnit
    /// Bytes of a row, as flushed.
    var rowBytes: Double
    /// Rows a second.
    var rate: Double
    /// Of flushes, in seconds.
    var interval: Double = 30
    /// How often a row may be written, the flush included.
    var writes: Double
    /// The most parts in one partition at any time, but for those that are as large as parts get.
    var parts = 160

    var description: String { "\(name), \(Int(rate)) rows a second" }

    /// Sizes of rows are those of the corpora.
    static let all: [MergeLoad] = [
        MergeLoad(name: "otel_traces", unit: .hour, rowBytes: 29, rate: 20, writes: 3),
        MergeLoad(name: "otel_traces", unit: .hour, rowBytes: 29, rate: 1000, writes: 3),
        MergeLoad(name: "otel_traces", unit: .hour, rowBytes: 29, rate: 50_000, interval: 8, writes: 3),
        MergeLoad(name: "otel_traces", unit: .hour, rowBytes: 29, rate: 200_000, interval: 4, writes: 3),
        MergeLoad(name: "otel_logs", unit: .day, rowBytes: 32, rate: 20, writes: 3),
        MergeLoad(name: "otel_logs", unit: .day, rowBytes: 32, rate: 100, writes: 3),
        MergeLoad(name: "otel_logs", unit: .day, rowBytes: 32, rate: 1000, writes: 4),
        MergeLoad(name: "otel_logs", unit: .day, rowBytes: 32, rate: 20_000, interval: 25, writes: 3),
        MergeLoad(name: "otel_metrics", unit: .day, rowBytes: 2.4, rate: 100, writes: 5),
        MergeLoad(name: "otel_metrics", unit: .day, rowBytes: 2.4, rate: 10_000, writes: 5),
        MergeLoad(name: "otel_metrics", unit: .day, rowBytes: 2.4, rate: 200_000, interval: 7, writes: 5),
    ]
}

@Test(arguments: MergeLoad.all)
func `a day of flushes is written so often, into so many parts`(load: MergeLoad) {
    var random = SeededRandom(seed: 7)
    var simulation = Simulation(table: AnyTable.definition(.minutes, unit: load.unit), rowBytes: load.rowBytes)
    let bytes = load.rate * load.interval * load.rowBytes
    var mostParts = 0
    var time = 0.0
    var settled = 0.0
    // Partitions of an hour are all alike.
    let end: Double = load.unit == .hour ? 7200 : 86_400
    while time < end {
        let now = Int64(time) * second
        let start = load.unit == .hour ? now - now % AnyTable.hour : 0
        let size = Int64(Double.random(in: bytes / 2...bytes * 1.5, using: &random))
        simulation.flush("default", partition: start, bytes: max(size, 1), time: now)
        time += load.interval
        guard time - settled >= 120 else { continue }
        settled = time
        simulation.settle(now: now)
        let some = Dictionary(grouping: simulation.small) { $0.partition }
        mostParts = max(mostParts, some.values.map(\.count).max() ?? 0)
    }
    simulation.settle(now: 26 * AnyTable.hour)
    let left = Dictionary(grouping: simulation.small) { $0.partition }.values.map(\.count).max() ?? 0
    let writes = 1 + simulation.amplification
    print("\(load): written \(writes) times, \(mostParts) parts at most, \(left) are left, \(simulation.merges) merges")
    #expect(writes <= load.writes)
    #expect(mostParts <= load.parts)
    #expect(left <= 4)
}

/// A bulk load of a day, in the order of time: a flush covers a part of the day, and ends in the middle of a partition.
@Test(arguments: [
    (PartitionUnit.hour, 8, 2.0), (.hour, 200, 3.0), (.day, 9, 2.5), (.day, 14, 3.0), (.day, 200, 3.0),
])
func `a bulk load of a day is written so often`(unit: PartitionUnit, flushes: Int, writes: Double) {
    var simulation = Simulation(table: AnyTable.definition(.minutes, unit: unit))
    let width = unit == .hour ? AnyTable.hour : 24 * AnyTable.hour
    let share = 24 * AnyTable.hour / Int64(flushes)
    for flush in 0..<Int64(flushes) {
        let from = flush * share + width / 3
        var start = from - from % width
        while start < from + share {
            let part = min(start + width, from + share) - max(start, from)
            simulation.flush(
                "default", partition: start, bytes: Int64(18_000_000 * Double(part) / Double(share)) + 1,
                time: max(start, from))
            start += width
        }
        simulation.settle(now: 0)
    }
    simulation.settle(now: 60 * AnyTable.hour)
    #expect(1 + simulation.amplification <= writes)
    #expect(Dictionary(grouping: simulation.small) { $0.partition }.values.allSatisfy { $0.count <= 4 })
}

@Test(arguments: 0..<40)
func `whatever parts there are, planning ends, within limits and partitions`(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    var simulation = Simulation(table: AnyTable.definition(.keys))
    simulation.policy.fanIn = Int.random(in: 2...16, using: &random)
    simulation.policy.newParts = Int.random(in: 2...10, using: &random)
    simulation.policy.newBlocks = Int.random(in: 0...4, using: &random)
    simulation.policy.mostNewParts = Int.random(in: 10...20, using: &random)
    simulation.rowBytes = [2, 30].randomElement(using: &random) ?? 2
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
        #expect(simulation.parts.count <= 12, "late rows are merged soon")
    }
    // Each rewriting doubles the part at least: log2(1000) is 10, and the closed part itself is rewritten rarely.
    #expect(simulation.amplification <= 16)
}

@Test func `a part that is alone in a closed partition is compressed once more, and then left`() throws {
    var simulation = Simulation(table: AnyTable.definition(.minutes))
    simulation.flush("default", partition: 0, bytes: 1000, time: 0)
    simulation.settle(now: AnyTable.hour)
    #expect(simulation.merges == 0, "the partition is open")
    simulation.settle(now: 5 * AnyTable.hour)
    #expect(simulation.merges == 1 && simulation.parts.map(\.level) == [3])
    // One that is as large as parts get stays as it is.
    var large = Simulation(table: AnyTable.definition(.minutes))
    large.flush("default", partition: 0, bytes: large.policy.targetBytes, time: 0)
    large.settle(now: 5 * AnyTable.hour)
    #expect(large.merges == 0)
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

import Columns
import Core
import EngineFixtures
import Execution
import Files
import Observability
import Parts
import Plans
import Randomness
import Scheduling
import Synchronization
import TableSchema
import Testing

@testable import Storage

/// Plans over memory and parts against the same over plain rows.
struct ExecutionTests {
    private let table = EveryTypeTable.make()
    private var naive: NaiveExecution { NaiveExecution(table: table) }

    /// A snapshot whose rows are partly in memory, partly in parts of several partitions.
    private func snapshot(_ rows: [[Cell]], _ random: inout SeededRandom) throws -> TableSnapshot {
        let disk = SimulatedFileSystem(seed: 1)
        var memory: [ColumnBatch] = []
        var parts: [PartHandle] = []
        var rest = rows[...]
        while !rest.isEmpty {
            let some = Array(rest.prefix(1 + random.below(rows.count / 2 + 1)))
            rest = rest.dropFirst(some.count)
            let batch = BatchOfCells.make(some, table, random.pick(BatchOfCells.Dictionaries.allCases))
            if random.oneIn(3) { memory.append(batch) } else { parts += try write(batch, parts.count, disk) }
        }
        return TableSnapshot(table: table, memory: memory, parts: parts)
    }

    private func write(_ batch: ColumnBatch, _ first: Int, _ disk: SimulatedFileSystem) throws -> [PartHandle] {
        try RowOrder.partitions(of: batch, table: table).enumerated().map { index, partition in
            let path = "/\(first + index + 1).vp"
            let summary = try PartWriter.write(
                batch, partition, table: table, zstdLevel: 1, to: try disk.open(path, .create))
            let record = PartRecord(
                id: PartID(number: UInt64(first + index + 1)), tenant: .default, table: table.id,
                partition: partition.partition, level: 0, rowCount: summary.rowCount, byteCount: summary.byteCount,
                leastTime: summary.leastTime, greatestTime: summary.greatestTime)
            return PartHandle(record, table: table, path: path, fileSystem: disk)
        }
    }

    private func states(_ predicate: Predicate, _ aggregation: Aggregation = Aggregation()) -> ScanPlan {
        ScanPlan(table: table.id, range: .everything, predicate: predicate, result: .states(aggregation))
    }

    private func run(_ plan: ScanPlan, _ snapshot: TableSnapshot, threads: Int = 2) throws -> AggregateStates {
        try Executor.aggregate(
            plan, over: snapshot, functions: TestFunctions(), context: QueryContext(tenant: .default),
            pool: QueryPool(threadCount: threads))
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func `predicates accept the rows that a plain test accepts`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let rows = EveryTypeTable.rows(200 + random.below(200), &random)
        var plans = RandomPlans(seed: seed, rows: rows)
        let snapshot = try snapshot(rows, &random)
        for turn in 0..<70 {
            let predicate = plans.predicate()
            let found = try run(states(predicate), snapshot)
            let count = found.groupCount == 0 ? 0 : found.count(0, of: 0)
            let wanted = rows.count { naive.holds(predicate, $0) }
            #expect(count == UInt64(wanted), "seed \(seed), turn \(turn): \(predicate.text(table))")
        }
    }

    @Test(arguments: [11, 12, 13] as [UInt64])
    func `a hint leaves out no row that is wanted`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let rows = EveryTypeTable.rows(200 + random.below(200), &random)
        var plans = RandomPlans(seed: seed, rows: rows)
        let snapshot = try snapshot(rows, &random)
        let attributes = table.columns[EveryTypeTable.attributes].id
        for turn in 0..<70 {
            let needles = (0..<random.below(4)).map { _ in Array(random.pick(["1", "text", "l", "-2", ""]).utf8) }
            let columns = [EveryTypeTable.text, EveryTypeTable.label].map { table.columns[$0].id }
            let key = Array("key\(random.below(10))".utf8)
            let hasKey = Predicate.exists(.attribute(attributes, key: key))
            // What is wanted, and what may be asked for in its stead.
            let (wanted, hint) = random.pick(
                [
                    (hasKey, .exists(.attributes(attributes, Derivation("prefix", key)))),
                    (Predicate.any(needles.map { .test(.column(random.pick(columns)), .contains($0)) }), nil),
                    (plans.predicate(), nil),
                ] as [(Predicate, Predicate?)])
            let other = plans.predicate()
            let plan = states(.all([.any([.hint(hint ?? wanted), other]), .any([wanted, other])]))
            let found = try run(plan, snapshot)
            let count = rows.count { naive.holds(wanted, $0) || naive.holds(other, $0) }
            #expect(
                (found.groupCount == 0 ? 0 : found.count(0, of: 0)) == UInt64(count),
                "seed \(seed), turn \(turn): \(plan.text(table))")
        }
    }

    @Test func `a hint at keys of attributes reads no part without them`() throws {
        var random = SeededRandom(seed: 14)
        let rows = EveryTypeTable.rows(100, &random)
        let batch = BatchOfCells.make(rows, table, .unique)
        let parts = try write(batch, 0, SimulatedFileSystem(seed: 1))
        let snapshot = TableSnapshot(table: table, memory: [], parts: parts)
        let attributes = table.columns[EveryTypeTable.attributes].id
        func blocks(_ prefix: String) throws -> Int {
            let context = QueryContext(tenant: .default)
            let hint = Predicate.hint(.exists(.attributes(attributes, Derivation("prefix", Array(prefix.utf8)))))
            _ = try Executor.aggregate(
                states(.any([.noRow, hint]), Aggregation(aggregates: [Aggregate(.min(table.columns[1].id))])),
                over: snapshot, functions: TestFunctions(), context: context)
            return context.statistics.blocksRead.load(ordering: .relaxed)
        }
        #expect(try blocks("key") == parts.count)
        #expect(try blocks("nobody") == 0)
    }

    @Test(arguments: [21, 22, 23] as [UInt64])
    func `aggregates are those of plain rows`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let rows = EveryTypeTable.rows(100 + random.below(500), &random)
        var plans = RandomPlans(seed: seed, rows: rows)
        let snapshot = try snapshot(rows, &random)
        for turn in 0..<40 {
            let plan = states(random.oneIn(2) ? .everyRow : plans.predicate(), plans.aggregation())
            let found = try run(plan, snapshot)
            #expect(
                NaiveExecution.texts(found) == naive.aggregate(plan, rows),
                "seed \(seed), turn \(turn): \(plan.text(table))")
            #expect(
                NaiveExecution.texts(try AggregateStates(bytes: found.bytes)) == NaiveExecution.texts(found),
                "seed \(seed), turn \(turn): bytes of \(plan.text(table))")
        }
    }

    @Test func `blocks of many rows in order are counted by what zones tell`() throws {
        var random = SeededRandom(seed: 31)
        var style = EveryTypeTable.Style()
        style.variety = 3
        style.fullness = 50
        let rows = EveryTypeTable.rows(20_000, &random, style)
        let disk = SimulatedFileSystem(seed: 1)
        let snapshot = TableSnapshot(
            table: table, memory: [], parts: try write(BatchOfCells.make(rows, table), 0, disk))
        let keys: [[Operand]] = [
            [], [.column(ColumnID(number: 7))], [.column(ColumnID(number: 7)), .column(ColumnID(number: 4))],
            [.derived(ColumnID(number: 7), Derivation("length"))],
        ]
        for keys in keys {
            let aggregation = Aggregation(
                keys: keys, buckets: .every(width: 3_600_000_000_000, origin: style.start),
                aggregates: [Aggregate(.count), Aggregate(.count, where: .integer(ColumnID(number: 2), 0...100))])
            let plan = states(.everyRow, aggregation)
            #expect(NaiveExecution.texts(try run(plan, snapshot)) == naive.aggregate(plan, rows), "\(plan.text(table))")
        }
    }

    @Test func `states of rows that were parted somehow merge in any order to those of all`() throws {
        var random = SeededRandom(seed: 41)
        let rows = EveryTypeTable.rows(400, &random)
        var plans = RandomPlans(seed: 41, rows: rows)
        for turn in 0..<30 {
            let plan = states(.everyRow, plans.aggregation())
            guard case .states(let aggregation) = plan.result else { continue }
            var pieces: [AggregateStates] = []
            var rest = rows[...]
            while !rest.isEmpty {
                let some = Array(rest.prefix(1 + random.below(200)))
                rest = rest.dropFirst(some.count)
                let batch = BatchOfCells.make(some, table)
                let piece = try run(plan, TableSnapshot(table: table, memory: [batch], parts: []), threads: 1)
                pieces.append(random.oneIn(2) ? piece : try AggregateStates(bytes: piece.bytes))
            }
            pieces.shuffle(using: &random)
            var total = AggregateStates(aggregation)
            for piece in pieces { try total.merge(piece) }
            #expect(NaiveExecution.texts(total) == naive.aggregate(plan, rows), "turn \(turn): \(plan.text(table))")
        }
    }

    @Test(arguments: [51, 52] as [UInt64])
    func `damaged states are refused or are other states`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let rows = EveryTypeTable.rows(60, &random)
        var plans = RandomPlans(seed: seed, rows: rows)
        for _ in 0..<60 {
            let plan = states(.everyRow, plans.aggregation())
            let batch = BatchOfCells.make(rows, table)
            let valid = try run(plan, TableSnapshot(table: table, memory: [batch], parts: []), threads: 1).bytes
            for _ in 0..<20 {
                var bytes = valid
                switch random.below(3) {
                case 0: bytes.removeLast(1 + random.below(bytes.count))
                case 1: bytes[random.below(bytes.count)] ^= 1 << UInt8(random.below(8))
                default: bytes.insert(UInt8(random.below(256)), at: random.below(bytes.count))
                }
                guard let states = try? AggregateStates(bytes: bytes) else { continue }
                #expect((try? AggregateStates(bytes: states.bytes)) != nil, "seed \(seed)")
            }
        }
    }

    // MARK: Limits

    @Test func `a query that makes too many groups ends with an error and holds nothing afterwards`() throws {
        var random = SeededRandom(seed: 61)
        let rows = EveryTypeTable.rows(3000, &random)
        let snapshot = try snapshot(rows, &random)
        let plan = states(
            .everyRow, Aggregation(keys: [.column(ColumnID(number: 1))], groupLimit: 500))
        let context = QueryContext(tenant: .default)
        #expect(throws: ExecutionError.tooManyGroups(limit: 500)) {
            try Executor.aggregate(plan, over: snapshot, context: context)
        }
        #expect(context.isSoonFree)
        let poor = QueryContext(tenant: .default, byteLimit: 100_000)
        #expect(throws: (any Error).self) {
            try Executor.aggregate(
                states(.everyRow, Aggregation(keys: [.column(ColumnID(number: 1)), .column(ColumnID(number: 6))])),
                over: snapshot, context: poor)
        }
        #expect(poor.isSoonFree)
    }

    @Test func `a plan that does not fit its table is an error`() throws {
        let snapshot = TableSnapshot(table: table, memory: [], parts: [])
        let wrong: [Predicate] = [
            .integer(ColumnID(number: 99), 1), .integer(ColumnID(number: 7), 1),
            .test(.column(ColumnID(number: 2)), .contains([1])),
            .test(.attribute(ColumnID(number: 7), key: []), .exists),
            .test(.derived(ColumnID(number: 7), Derivation("unheard of")), .exists),
            .test(.attributes(ColumnID(number: 8), Derivation("prefix")), .exists),
            .anyElement(ColumnID(number: 7), .everyRow),
            .anyElement(ColumnID(number: 11), .anyElement(ColumnID(number: 11), .everyRow)),
            .anyElement(ColumnID(number: 11), .integer(ColumnID(number: 2), 1)),
            .test(.column(ColumnID(number: 7)), .matches("(", isAnchored: true)),
        ]
        for predicate in wrong {
            #expect(throws: PlanError.self, "\(predicate.text(table))") { try run(states(predicate), snapshot) }
        }
        #expect(throws: PlanError.self) {
            try run(states(.everyRow, Aggregation(aggregates: [Aggregate(.sum(ColumnID(number: 7)))])), snapshot)
        }
        #expect(throws: PlanError.self) {
            try run(states(.everyRow, Aggregation(keys: [.column(ColumnID(number: 11))])), snapshot)
        }
    }

    @Test func `a cancelled query ends`() throws {
        var random = SeededRandom(seed: 71)
        let snapshot = try snapshot(EveryTypeTable.rows(100, &random), &random)
        let context = QueryContext(tenant: .default)
        context.cancel()
        #expect(throws: (any Error).self) {
            try Executor.aggregate(states(.everyRow), over: snapshot, context: context)
        }
    }

    // MARK: Rows

    @Test(arguments: [81, 82] as [UInt64])
    func `rows come in order, up to the limit`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let rows = EveryTypeTable.rows(500, &random)
        var plans = RandomPlans(seed: seed, rows: rows)
        let snapshot = try snapshot(rows, &random)
        for turn in 0..<40 {
            let order = random.pick([Projection.Order.any, .newestFirst, .oldestFirst])
            let limit = random.oneIn(3) ? nil : random.below(60)
            let predicate = plans.predicate()
            let plan = ScanPlan(
                table: table.id, range: .everything, predicate: predicate,
                result: .rows(
                    Projection(columns: [ColumnID(number: 1), ColumnID(number: 2)], order: order, limit: limit)))
            var times: [Int64] = []
            try Executor.rows(
                plan, over: snapshot, functions: TestFunctions(), context: QueryContext(tenant: .default)
            ) { batch, rows in
                guard case .integers(let values)? = batch.columns[EveryTypeTable.time] else { return false }
                times += rows.map { values[Int($0)] }
                return true
            }
            var wanted = rows.filter { naive.holds(predicate, $0) }.map { $0[EveryTypeTable.time].integer }
            wanted.sort(by: order == .newestFirst ? (>) : (<))
            if order == .any {
                #expect(times.count == min(wanted.count, limit ?? .max) && Set(times).isSubset(of: Set(wanted)))
            } else {
                #expect(times == Array(wanted.prefix(limit ?? .max)), "seed \(seed), turn \(turn)")
            }
        }
    }
}

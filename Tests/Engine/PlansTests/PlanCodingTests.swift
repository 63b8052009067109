import Core
import EngineFixtures
import Plans
import Randomness
import TableSchema
import Testing

/// The bytes of plans: what was written is read, and what was not is refused.
struct PlanCodingTests {
    @Test(arguments: [1, 2, 3] as [UInt64])
    func `what is written is read`(seed: UInt64) throws {
        var plans = RandomPlans(seed: seed)
        for turn in 0..<400 {
            let plan = plans.plan()
            #expect(try ScanPlan(bytes: plan.bytes) == plan, "seed \(seed), turn \(turn)")
            #expect(try Predicate(bytes: plan.predicate.bytes) == plan.predicate, "seed \(seed), turn \(turn)")
        }
    }

    @Test func `a condition has the bytes that the format says`() {
        // version 1 | test 3 | column 0, number 7 | integer 1, zigzag of -1, zigzag of 300
        let predicate = Predicate.integer(ColumnID(number: 7), -1...300)
        #expect(predicate.bytes == [1, 3, 0, 7, 1, 1, 0xD8, 0x04])
        // version 1 | not 2 | any of 0
        #expect(Predicate.not(.noRow).bytes == [1, 2, 1, 0])
    }

    @Test(arguments: [11, 12] as [UInt64])
    func `damaged bytes are refused or are another plan`(seed: UInt64) {
        var plans = RandomPlans(seed: seed)
        for _ in 0..<300 {
            var bytes = plans.plan().bytes
            switch plans.random.below(3) {
            case 0: bytes.removeLast(1 + plans.random.below(bytes.count))
            case 1: bytes[plans.random.below(bytes.count)] ^= 1 << UInt8(plans.random.below(8))
            default: bytes.insert(UInt8(plans.random.below(256)), at: plans.random.below(bytes.count))
            }
            guard let plan = try? ScanPlan(bytes: bytes) else { continue }
            #expect((try? ScanPlan(bytes: plan.bytes)) == plan, "seed \(seed)")
        }
    }

    @Test func `what nests too deep or is too much is refused`() {
        let deep = (0..<40).reduce(Predicate.noRow) { inner, _ in .not(inner) }
        #expect(throws: PlanError.tooLarge("levels of conditions")) { try Predicate(bytes: deep.bytes) }
        let wide = Predicate.all(Array(repeating: .noRow, count: 5000))
        #expect(throws: PlanError.tooLarge("conditions")) { try Predicate(bytes: wide.bytes) }
        let column = Operand.column(ColumnID(number: 1))
        let patterns = Predicate.any((0..<40).map { .test(column, .matches("a\($0)", isAnchored: true)) })
        #expect(throws: PlanError.tooLarge("regular expressions")) { try Predicate(bytes: patterns.bytes) }
        let long = Predicate.test(column, .matches(String(repeating: "a", count: 70_000), isAnchored: true))
        #expect(throws: PlanError.tooLarge("regular expressions")) { try Predicate(bytes: long.bytes) }
    }

    @Test func `a newer version, sets out of order and numbers that are none are refused`() {
        #expect(throws: PlanError.unsupportedVersion(2)) { try Predicate(bytes: [2, 1, 0]) }
        #expect(throws: PlanError.corrupt) { try Predicate(bytes: [0, 1, 0]) }
        // Integers 2 and 1, as zigzag.
        #expect(throws: PlanError.corrupt) { try Predicate(bytes: [1, 3, 0, 1, 3, 2, 4, 2]) }
        #expect(throws: PlanError.corrupt) {
            try Predicate(bytes: [1, 3, 0, 1, 4, 0] + UInt64(0x7FF8 << 48).littleEndianBytes)
        }
        // A list of 2^30 parts in three bytes.
        #expect(throws: PlanError.tooLarge("conditions")) { try Predicate(bytes: [1, 0, 0x80, 0x80, 0x80, 0x80, 4]) }
    }
}

/// What people read of plans.
struct PlanTextTests {
    private let table = EveryTypeTable.make()

    @Test func `a plan prints with the names of its table`() {
        let label = Operand.column(ColumnID(number: 7))
        let predicate = Predicate.all([
            .test(label, .text(.equal, Array("shop \"1\"".utf8))), .not(.integer(ColumnID(number: 2), 5)),
            .anyElement(
                ColumnID(number: 11), .test(.attribute(ColumnID(number: 14), key: Array("k".utf8)), .exists)),
        ])
        let plan = ScanPlan(
            table: table.id, range: .everything, predicate: predicate,
            result: .states(
                Aggregation(
                    keys: [label], buckets: .every(width: 3_600_000_000_000, origin: 0),
                    aggregates: [
                        Aggregate(.count),
                        Aggregate(.max(ColumnID(number: 2)), where: .integer(ColumnID(number: 2), 0...9)),
                    ])))
        #expect(
            plan.text(table) == """
                from every_type where label = "shop \\"1\\"" and not number = 5 and any of nested has (nested.a["k"] exists) \
                select count, max(number) where number between 0 and 9 by label, 1 h of time
                """)
    }

    @Test func `long sets are cut`() {
        let predicate = Predicate.test(.column(ColumnID(number: 2)), .oneOf(Int64(1)...9))
        #expect(predicate.text(table) == "number in (1, 2, 3, 4 and 5 more)")
    }
}

/// Buckets of time against counting.
struct TimeBucketsTests {
    @Test func `a bucket has the times that it says, at both ends of time too`() throws {
        var random = SeededRandom(seed: 5)
        for _ in 0..<2000 {
            let time = random.pick([.min, .max, -1, 0, Int64(bitPattern: random.next()), Int64(random.below(100))])
            let buckets = TimeBuckets.every(
                width: random.pick([1, 7, .max, 3_600_000_000_000]), origin: random.pick([.min, .max, 0, 5, -5]))
            guard let bucket = buckets.bucket(of: time) else { continue }
            #expect(bucket.times.contains(time))
            #expect(buckets.bucket(of: bucket.times.lowerBound)?.number == bucket.number)
            #expect(buckets.bucket(of: bucket.times.upperBound)?.number == bucket.number)
            if bucket.times.lowerBound > .min {
                #expect(buckets.bucket(of: bucket.times.lowerBound - 1).map { $0.number == bucket.number - 1 } ?? true)
            }
        }
        #expect(TimeBuckets.every(width: 10, origin: 0).bucket(of: -1)?.number == -1)
        #expect(TimeBuckets.every(width: 10, origin: 0).bucket(of: 9)?.number == 0)
    }

    @Test func `edges leave out what lies outside of them`() {
        let buckets = TimeBuckets.edges([10, 20, 25])
        #expect(buckets.bucket(of: 9) == nil && buckets.gap(around: 9) == .min...9)
        #expect(buckets.bucket(of: 10)?.number == 0 && buckets.bucket(of: 19)?.times == 10...19)
        #expect(buckets.bucket(of: 24)?.number == 1)
        #expect(buckets.bucket(of: 25) == nil && buckets.gap(around: 30) == 25...Int64.max)
        #expect(TimeBuckets.edges([]).bucket(of: 0) == nil)
    }
}

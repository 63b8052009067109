import Core
import QueryModel
import QuerySupport
import Randomness
import Scheduling
import Testing

/// The bytes of plans over series and of what evaluations came to: what was written is read, and what was not is refused.
struct SeriesPlanCodingTests {
    private let context = QueryContext(tenant: .default)

    // MARK: Plans

    @Test(arguments: [1, 2, 3] as [UInt64])
    func `a plan that is written is read`(seed: UInt64) throws {
        var plans = RandomSeriesPlans(seed: seed)
        for turn in 0..<400 {
            let plan = plans.plan()
            #expect(try SeriesPlan(bytes: plan.bytes) == plan, "seed \(seed), turn \(turn)")
        }
    }

    @Test func `every function and operator has a byte of its own`() throws {
        for function in SeriesPlan.Function.allCases {
            let plan = SeriesPlan(matchers: [], function: function, range: 1, grid: TimeGrid(at: 0))
            #expect(try SeriesPlan(bytes: plan.bytes).function == function)
        }
        for choice in SeriesPlan.Reduction.Operator.allCases {
            let plan = SeriesPlan(
                matchers: [], function: .rate, range: 1, grid: TimeGrid(at: 0),
                reduction: SeriesPlan.Reduction(choice, .everything))
            #expect(try SeriesPlan(bytes: plan.bytes).reduction == plan.reduction)
        }
    }

    @Test func `a plan has the bytes that the format says`() throws {
        let plan = SeriesPlan(
            matchers: [try LabelMatcher("a", .regex, "b+")], function: .rate, range: 300,
            grid: try #require(TimeGrid(from: -1, through: 9, step: 5)),
            reduction: SeriesPlan.Reduction(.max, Grouping(labels: ["c"], isWithout: true)))
        #expect(
            plan.bytes == [
                1,  // version
                1, 1, 0x61, 2, 2, 0x62, 0x2B,  // one matcher: a =~ b+
                1, 0xD8, 0x04,  // rate, zigzag of 300
                1, 10, 3,  // zigzag of -1, zigzag of 5, three steps
                1, 3, 1, 1, 1, 0x63,  // reduced: max without one label: c
            ])
    }

    @Test func `too many, too long and impossible is refused`() throws {
        func plan(_ matchers: [LabelMatcher], range: Int64 = 1, _ grid: TimeGrid? = TimeGrid(at: 0)) throws -> [UInt8] {
            SeriesPlan(matchers: matchers, function: .latest, range: range, grid: try #require(grid)).bytes
        }
        let equal = try LabelMatcher("a", .equal, "b")
        let regex = try LabelMatcher("a", .regex, "b+")
        let long = try LabelMatcher("a", .regex, String(repeating: "b", count: 70_000))
        let cases: [([UInt8], SeriesCodingError)] = [
            (try plan(Array(repeating: equal, count: 257)), .tooLarge("matchers")),
            (try plan(Array(repeating: regex, count: 33)), .tooLarge("regular expressions")),
            (try plan([long]), .tooLarge("regular expressions")),
            (try plan([], TimeGrid(from: 0, through: 1 << 20, step: 1)), .tooLarge("steps")),
            (try plan([], TimeGrid(at: .max)), .corrupt), (try plan([], TimeGrid(at: .min)), .corrupt),
            (try plan([], TimeGrid(from: 0, through: .max, step: .max / 2)), .corrupt),
            (try plan([], range: .max), .corrupt), (try plan([], range: -1), .corrupt),
            ([], .corrupt), ([0, 0], .corrupt), ([2, 0], .unsupportedVersion(2)),
            // A list of 2^28 matchers in no bytes, and of 200 in as few.
            ([1, 0x80, 0x80, 0x80, 0x80, 1], .tooLarge("matchers")), ([1, 0xC8, 1, 0], .corrupt),
            // A regular expression that does not compile: a =~ "(".
            ([1, 1, 1, 0x61, 2, 1, 0x28, 0, 0, 0, 2, 1, 0], .pattern("error parsing regexp: missing closing ): `(`")),
            (Array(repeating: 1, count: 2 << 20), .tooLarge("bytes")),
        ]
        for (bytes, error) in cases {
            #expect(throws: error, "\(bytes.prefix(20))") { try SeriesPlan(bytes: bytes) }
        }
    }

    // MARK: States

    /// Series by their labels, and bits instead of doubles: what is absent equals itself.
    private struct Answer: Equatable {
        var series: [[UInt64]]
        var labels: [Labels]
        var counts: [Int]
        var names: [String]

        init(_ answer: SeriesPlanAnswer) {
            series = answer.series.map { $0.values.map(\.bitPattern) }
            labels = answer.series.map(\.labels)
            counts = [answer.samplesRead] + answer.samplesByStep
            names = answer.counterNames
        }
    }

    private func sent(_ evaluation: SeriesEvaluation) throws -> SeriesEvaluation {
        try SeriesEvaluation(bytes: evaluation.bytes, context: context)
    }

    @Test(arguments: [4, 5, 6] as [UInt64])
    func `states go through bytes and merge in any order`(seed: UInt64) throws {
        var plans = RandomSeriesPlans(seed: seed)
        for turn in 0..<150 {
            let plan = plans.plan()
            var here = try plans.evaluations(of: plan, 4, context: context)
            var there = try here.map { try sent($0) }
            #expect(there.map(\.bytes) == here.map(\.bytes), "seed \(seed), turn \(turn)")
            var total = here.removeFirst()
            for evaluation in here { try total.merge(evaluation) }
            there.shuffle(using: &plans.random)
            // Merged in pairs, and what that comes to is sent on.
            var (left, right) = (there[0], there[2])
            try left.merge(there[1])
            try right.merge(there[3])
            var again = try sent(right)
            try again.merge(try sent(left))
            let (expected, found) = (Answer(try total.answer()), Answer(try again.answer()))
            if plan.reduction?.operator == .avg || plan.reduction?.operator == .sum {
                #expect(Self.areClose(expected, found), "seed \(seed), turn \(turn), \(plan.text)")
            } else {
                #expect(expected == found, "seed \(seed), turn \(turn), \(plan.text)")
            }
        }
    }

    /// Sums in another order differ in what rounding lost.
    private static func areClose(_ left: Answer, _ right: Answer) -> Bool {
        guard left.labels == right.labels, left.counts == right.counts, left.names == right.names else { return false }
        return zip(left.series.joined(), right.series.joined()).allSatisfy { a, b in
            let (x, y) = (Double(bitPattern: a), Double(bitPattern: b))
            return a == b || abs(x - y) <= 1e-12 * abs(x)
        }
    }

    @Test(arguments: [7, 8] as [UInt64])
    func `damaged states are refused or are other ones`(seed: UInt64) throws {
        var plans = RandomSeriesPlans(seed: seed)
        for _ in 0..<400 {
            let plan = plans.plan()
            var bytes = try plans.evaluations(of: plan, 1, context: context)[0].bytes
            switch plans.random.below(3) {
            case 0: bytes.removeLast(1 + plans.random.below(bytes.count))
            case 1: bytes[plans.random.below(bytes.count)] ^= 1 << UInt8(plans.random.below(8))
            default: bytes.insert(UInt8(plans.random.below(256)), at: plans.random.below(bytes.count))
            }
            guard let read = try? SeriesEvaluation(bytes: bytes, context: context) else { continue }
            #expect(try sent(read).bytes == read.bytes, "seed \(seed)")
        }
    }

    @Test func `states of too many steps and groups are refused before they are held`() throws {
        let grid = try #require(TimeGrid(from: 0, through: 999_999, step: 1))
        let plan = SeriesPlan(
            matchers: [], function: .rate, range: 1, grid: grid, reduction: SeriesPlan.Reduction(.sum, .everything))
        // A million steps in a few bytes.
        let few = [1, UInt8(plan.bytes.count)] + plan.bytes + [0]
        #expect(throws: SeriesCodingError.corrupt) { try SeriesEvaluation(bytes: few, context: context) }
        let many = few + Array(repeating: 0, count: 1_000_000) + [0, 0xFF, 0xFF, 0xFF, 0x7F]
        #expect(throws: SeriesCodingError.corrupt) { try SeriesEvaluation(bytes: many, context: context) }
        let narrow = QueryContext(tenant: .default, byteLimit: 1 << 20)
        #expect {
            try SeriesEvaluation(bytes: many, context: narrow)
        } throws: { error in
            if case SeriesCodingError.query = error { true } else { false }
        }
    }

    // MARK: Texts

    @Test func `a plan prints as it is asked`() throws {
        let plan = SeriesPlan(
            matchers: [try LabelMatcher("job", .equal, "a"), try LabelMatcher("x", .notRegex, "b\"")], function: .rate,
            range: 300_000,
            grid: try #require(TimeGrid(from: 1_700_000_000_500, through: 1_700_000_060_500, step: 15_000)),
            reduction: SeriesPlan.Reduction(.sum, Grouping(labels: ["job", "zone"])))
        #expect(
            plan.text
                == "sum by (job, zone) of rate over 300 s of {job=\"a\", x!~\"b\\\"\"}, 5 times from 1700000000.5 every 15 s"
        )
        let instant = SeriesPlan(matchers: [], function: .latest, range: 1_000, grid: TimeGrid(at: 7_000))
        #expect(instant.text == "latest over 1 s of {} at 7")
    }
}

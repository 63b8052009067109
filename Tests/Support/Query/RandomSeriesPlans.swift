package import QueryModel
package import Randomness
package import Scheduling

/// Plans over series, and what evaluations of them come to, from a seed.
package struct RandomSeriesPlans {
    package var random: SeededRandom

    package init(seed: UInt64) { random = SeededRandom(seed: seed) }

    package mutating func plan() -> SeriesPlan {
        var matchers: [LabelMatcher] = []
        for _ in 0..<random.below(4) {
            let comparison: LabelMatcher.Operator = random.pick([.equal, .notEqual, .regex, .notRegex])
            let value = random.pick(["", "api", "a.*|b", "[a-z]+", "é \"quoted\""])
            if let matcher = try? LabelMatcher(random.pick(["__name__", "job", "le"]), comparison, value) {
                matchers.append(matcher)
            }
        }
        let step = random.pick([1, 15_000, 60_000] as [Int64])
        let start = random.pick([-5_000, 0, 1_700_000_000_000] as [Int64])
        let grid = TimeGrid(from: start, through: start + step * Int64(random.below(40)), step: step)
        var reduction: SeriesPlan.Reduction?
        if !random.oneIn(4) {
            let grouping = Grouping(labels: random.pick([[], ["job"], ["job", "zone"]]), isWithout: random.oneIn(2))
            reduction = SeriesPlan.Reduction(random.pick(SeriesPlan.Reduction.Operator.allCases), grouping)
        }
        return SeriesPlan(
            matchers: matchers, function: random.pick(SeriesPlan.Function.allCases),
            range: random.pick([0, 20_000, 300_000]), grid: grid ?? TimeGrid(at: start), reduction: reduction)
    }

    /// Evaluations of one plan, each over series of its own.
    ///
    /// - Parameter values: whole numbers that do not lose anything when they are added up, in whatever order.
    package mutating func evaluations(
        of plan: SeriesPlan, _ count: Int, context: QueryContext
    ) throws(QueryError) -> [SeriesEvaluation] {
        var evaluations: [SeriesEvaluation] = []
        for number in 0..<count {
            var evaluation = try SeriesEvaluation(plan, context: context)
            for series in 0..<random.below(5) {
                let labels = Labels([
                    Label("__name__", "m"), Label("job", random.pick(["a", "b"])), Label("zone", "\(number).\(series)"),
                ])
                var time = plan.grid.start - plan.range - 10_000
                var (times, values): ([Int64], [Double]) = ([], [])
                for _ in 0..<random.below(60) {
                    time += Int64(1 + random.below(30_000))
                    guard time <= plan.grid.end else { break }
                    guard time > plan.grid.start - plan.range else { continue }
                    times.append(time)
                    values.append(random.oneIn(12) ? Staleness.marker : Double(random.below(1000)))
                }
                try evaluation.add(labels, timestamps: times.span, values: values.span)
            }
            evaluations.append(evaluation)
        }
        return evaluations
    }
}

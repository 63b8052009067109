import Columns
import Core
import EngineFixtures
import Execution
import Plans
import QueryModel
import QuerySupport
import Randomness
import Scheduling
import Storage
import TableSchema

/// What travels between processes: plans on their way to where rows are, and states on their way back.
extension FuzzTarget {
    /// A plan that is read is written and read alike, prints, and runs over a few rows or is refused.
    static let plan = FuzzTarget("plan", seeds: { planSeeds }) { bytes in
        guard let plan = try? ScanPlan(bytes: Array(bytes)) else { return }
        precondition((try? ScanPlan(bytes: plan.bytes)) == plan, "another plan came out than went in")
        _ = plan.text(planTable)
        let context = QueryContext(tenant: .default, byteLimit: 64 << 20)
        _ = try? Executor.aggregate(plan, over: planRows, context: context)
    }

    /// States that are read are written and read alike, and merge with themselves.
    static let states = FuzzTarget("states", seeds: { stateSeeds }) { bytes in
        guard let states = try? AggregateStates(bytes: Array(bytes)) else { return }
        guard let again = try? AggregateStates(bytes: states.bytes), again.groupCount == states.groupCount else {
            preconditionFailure("what was written cannot be read")
        }
        var total = states
        try? total.merge(again)
        precondition(total.groupCount == states.groupCount, "the same groups are no more groups")
    }

    /// As `plan`, of a plan over series.
    static let seriesPlan = FuzzTarget("seriesPlan", seeds: { seriesPlanSeeds }) { bytes in
        guard let plan = try? SeriesPlan(bytes: Array(bytes)) else { return }
        precondition((try? SeriesPlan(bytes: plan.bytes)) == plan, "another plan came out than went in")
        _ = plan.text
        let context = QueryContext(tenant: .default, byteLimit: 64 << 20)
        guard var evaluation = try? SeriesEvaluation(plan, context: context) else { return }
        try? evaluation.add(
            Labels([Label("job", "a")]), timestamps: [plan.grid.start].span, values: [1].span)
        _ = try? evaluation.answer()
    }

    /// As `states`, of an evaluation of a plan over series.
    static let seriesStates = FuzzTarget("seriesStates", seeds: { seriesStateSeeds }) { bytes in
        let context = QueryContext(tenant: .default, byteLimit: 64 << 20)
        guard var states = try? SeriesEvaluation(bytes: Array(bytes), context: context) else { return }
        let written = states.bytes
        guard let again = try? SeriesEvaluation(bytes: written, context: QueryContext(tenant: .default)) else {
            preconditionFailure("what was written cannot be read")
        }
        precondition(again.bytes == written, "other states came out than went in")
        try? states.merge(again)
        _ = try? states.answer()
    }

    private static var seriesPlanSeeds: [[UInt8]] {
        var plans = RandomSeriesPlans(seed: 5)
        return (0..<24).map { _ in plans.plan().bytes }
    }

    private static var seriesStateSeeds: [[UInt8]] {
        var plans = RandomSeriesPlans(seed: 6)
        return (0..<16).flatMap { _ in
            let plan = plans.plan()
            let evaluations = try? plans.evaluations(of: plan, 1, context: QueryContext(tenant: .default))
            return (evaluations ?? []).map(\.bytes)
        }
    }

    private static let planTable = EveryTypeTable.make()

    private static let planRows: TableSnapshot = {
        var random = SeededRandom(seed: 7)
        let rows = EveryTypeTable.rows(50, &random)
        return TableSnapshot(table: planTable, memory: [BatchOfCells.make(rows, planTable)], parts: [])
    }()

    private static var planSeeds: [[UInt8]] {
        var plans = RandomPlans(seed: 3)
        return (0..<24).map { _ in plans.plan().bytes }
    }

    private static var stateSeeds: [[UInt8]] {
        var plans = RandomPlans(seed: 4)
        return (0..<16).compactMap { _ in
            let plan = ScanPlan(table: planTable.id, range: .everything, result: .states(plans.aggregation()))
            return try? Executor.aggregate(plan, over: planRows, context: QueryContext(tenant: .default)).bytes
        }
    }
}

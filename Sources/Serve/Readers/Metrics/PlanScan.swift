internal import Core
internal import QueryModel
internal import Scheduling
internal import Storage
internal import Telemetry

/// Evaluates a plan, unit by unit, in all threads of the pool.
///
/// Rows are ordered by stream, so units in the order of their rows want the same blocks one after the other: each task has a few
/// blocks' worth of units, decodes what nobody has, and evaluates into states of its own, which are merged in the order of the
/// tasks. So the answer is the same for any number of threads.
struct PlanScan: Sendable {
    /// The rows of a memtable, and their order by streams.
    typealias Memory = (rows: PlanRows, order: [UInt32])

    let plan: SeriesPlan
    let reading: MetricReading
    let selection: SeriesSelection
    let streams: [PlanStream]
    private let units: [PlanUnit]
    let memory: [Memory]
    private let tasks: [Task]
    /// What collectors and windows want of blocks.
    let needs: PointNeeds
    /// The first and the last time of samples in a window's reach, milliseconds.
    let start: Int64
    let end: Int64

    private struct Task: Sendable {
        let units: Range<Int>
        /// Those that it may read, each once.
        let blocks: [PlanBlock]
    }

    /// A task has about a sixteenth of all rows, but not so few that it would not be worth it, nor so many that others wait long.
    private static let tasks = 16
    private static let leastRows = 1 << 14
    private static let mostRows = 1 << 18
    /// A histogram's point costs as much as so many numbers.
    private static let histogramWeight = 8

    init(
        _ plan: SeriesPlan, _ reading: MetricReading, _ selection: SeriesSelection, _ found: PlanUnits,
        _ memory: [Memory]
    ) {
        self.plan = plan
        self.reading = reading
        self.selection = selection
        self.memory = memory
        streams = found.streams
        start = plan.samples.start.milliseconds
        end = plan.samples.end.milliseconds - 1
        needs = Self.needs(found)
        units = Self.sorted(found)
        tasks = Self.divide(units, found.streams)
    }

    private static func needs(_ found: PlanUnits) -> PointNeeds {
        var needs: PointNeeds = []
        for member in found.units.lazy.flatMap(\.members) {
            switch member.role {
            case .count: needs.insert(.count)
            case .sum: needs.insert(.sum)
            case .bucket: needs.insert(.buckets)
            case .quantile: needs.insert(.quantiles)
            default: needs.insert(.numbers)
            }
            let family = found.streams[member.stream].family
            guard family.isDelta else { continue }
            // Accumulating a histogram takes all of it.
            needs.formUnion(family.kind == .histogram ? [.startTimes, .count, .sum, .buckets] : .startTimes)
        }
        return needs
    }

    // MARK: Tasks

    /// In the order of their rows, so that those that follow each other share blocks. Parts have the same order, so it is enough to
    /// look where a unit has the most rows.
    private static func sorted(_ found: PlanUnits) -> [PlanUnit] {
        struct Place {
            var part = UInt64.max
            var row = 0
            var unit: Int
        }
        let places = found.units.indices.map { index in
            var place = Place(unit: index)
            let segments = found.streams[found.units[index].members[0].stream].segments
            if let most = segments.max(by: { $0.rows.count < $1.rows.count }) {
                place.row = most.rows.lowerBound
                if case .blocks(let blocks) = most.source { place.part = blocks[0].handle.record.id.number }
            }
            return place
        }
        return places.sorted { ($0.part, $0.row, $0.unit) < ($1.part, $1.row, $1.unit) }.map { found.units[$0.unit] }
    }

    private static func divide(_ units: [PlanUnit], _ streams: [PlanStream]) -> [Task] {
        let weights = units.map { unit in
            unit.members.reduce(0) { sum, member in
                sum + streams[member.stream].rowCount * (member.role == .bucket ? histogramWeight : 1)
            }
        }
        let share = min(max(weights.reduce(0, +) / Self.tasks, leastRows), mostRows)
        var tasks: [Task] = []
        var begin = 0
        var weight = 0
        for index in units.indices {
            weight += weights[index]
            guard weight >= share || index + 1 == units.count else { continue }
            let range = begin..<(index + 1)
            tasks.append(Task(units: range, blocks: used(units[range], streams)))
            begin = index + 1
            weight = 0
        }
        return tasks
    }

    private static func used(_ units: ArraySlice<PlanUnit>, _ streams: [PlanStream]) -> [PlanBlock] {
        var used: [PlanBlock] = []
        var known: Set<ObjectIdentifier> = []
        for unit in units {
            for member in unit.members {
                for segment in streams[member.stream].segments {
                    guard case .blocks(let blocks) = segment.source else { continue }
                    for block in blocks where known.insert(ObjectIdentifier(block)).inserted {
                        block.expectUser()
                        used.append(block)
                    }
                }
            }
        }
        return used
    }

    // MARK: Running

    func run(on pool: QueryPool) throws(QueryError) -> SeriesPlanAnswer {
        var all = try SeriesEvaluation(plan, context: reading.context)
        let work = OrderedWork(count: tasks.count, on: pool) { try evaluate(tasks[$0]) }
        try SourceErrors.mapping {
            try work.run(window: 3 * pool.threadCount, first: 2 * pool.threadCount) { part in
                try all.merge(part)
                return true
            }
        }
        return try all.answer()
    }

    private func evaluate(_ task: Task) throws -> SeriesEvaluation {
        defer { for block in task.blocks { block.endUse() } }
        var worker = try PlanWorker(self)
        for unit in units[task.units] { try worker.evaluate(unit) }
        return worker.evaluation
    }
}

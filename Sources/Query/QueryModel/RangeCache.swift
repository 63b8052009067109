import Core
package import Scheduling

/// A language's use of the cache of results: which steps of a range are known, and which have to be evaluated.
///
/// A result is kept by step. A step's values depend on the rows of some time around it, which the language says; they are right as long as
/// no row of that time has come or gone. So a range that moves on, as a dashboard's does, is evaluated at its new steps, and at those that
/// late rows fell into. Rows that have just come lie in the last steps alone.
package struct RangeCache: Sendable {
    private let cache: ResultCache
    private let changes: RowChanges
    /// A number that grows whenever rows are dropped or found lost; they are of any time.
    private let removals: @Sendable () -> Int
    private let language: ResultCache.Language

    package init(
        _ cache: ResultCache, _ language: ResultCache.Language, changes: RowChanges,
        removals: @escaping @Sendable () -> Int
    ) {
        self.cache = cache
        self.changes = changes
        self.removals = removals
        self.language = language
    }

    /// Steps that are asked for.
    package struct Request {
        package var text: String
        package var options: [Int64]
        /// In a unit of the language's own.
        package var start: Int64
        package var step: Int64
        package var count: Int
        /// Steps from here on are never kept.
        package var keepable: Int
        /// The times, in nanoseconds, that the values at a time of a step depend on. Both ends ascend with it.
        package var dependence: (Int64) -> ClosedRange<Int64>

        package init(
            text: String, options: [Int64] = [], start: Int64, step: Int64, count: Int, keepable: Int? = nil,
            dependence: @escaping (Int64) -> ClosedRange<Int64>
        ) {
            self.text = text
            self.options = options
            self.start = start
            self.step = step
            self.count = count
            self.keepable = keepable ?? count
            self.dependence = dependence
        }

        func time(_ index: Int) -> Int64 { start + Int64(index) * step }
    }

    /// What is known of a request's steps.
    package struct Plan {
        let key: ResultCache.Key
        let mark: RowChanges.Mark
        let removals: Int
        /// What was kept, and by how much its steps' numbers exceed the request's.
        let kept: ResultCache.Result?
        let offset: Int
        /// Runs of the request's steps, ascending.
        package let known: [Range<Int>]
        package let missing: [Range<Int>]

        package var knownCount: Int { known.reduce(0) { $0 + $1.count } }
        /// What was kept; `nil` if no step is known.
        package var values: ResultCache.Values? { known.isEmpty ? nil : kept?.values }
        /// A step's number in what was kept.
        package func index(_ step: Int) -> Int { step + offset }
    }

    /// More runs of steps than these are evaluated as one, with what lies between them.
    private static let mostRuns = 4

    /// To be called before any row is looked at.
    package func plan(_ request: Request, context: QueryContext) -> Plan {
        let phase = (request.start % request.step + request.step) % request.step
        let key = ResultCache.Key(
            language: language, tenant: context.tenant, text: request.text, step: request.step, phase: phase,
            options: request.options)
        let mark = changes.mark
        let removals = removals()
        let kept = cache.result(key).flatMap { $0.removals == removals ? $0 : nil }
        var offset = 0
        var known: [Range<Int>] = []
        if let kept {
            (known, offset) = self.known(kept, request, context)
        }
        var missing = Self.gaps(between: known, in: 0..<request.count)
        if missing.count > Self.mostRuns, let first = missing.first, let last = missing.last {
            missing = [first.lowerBound..<last.upperBound]
            known = Self.gaps(between: missing, in: 0..<request.count)
        }
        let count = known.reduce(0) { $0 + $1.count }
        cache.count(steps: request.count, kept: count)
        context.noteCachedSteps(count)
        return Plan(
            key: key, mark: mark, removals: removals, kept: kept, offset: offset, known: known, missing: missing)
    }

    /// Keeps the values at all steps of a request, but for those that never are.
    ///
    /// What is kept already is left if it has all of them.
    package func keep(_ request: Request, _ plan: Plan, _ values: @autoclosure () -> ResultCache.Values) {
        guard request.keepable == request.count, !plan.missing.isEmpty else { return }
        cache.keep(
            ResultCache.Result(
                start: request.start, count: request.count, values: values(), mark: plan.mark,
                removals: plan.removals),
            for: plan.key)
    }

    /// The runs of the request's steps that were kept and are right.
    private func known(
        _ kept: ResultCache.Result, _ request: Request, _ context: QueryContext
    ) -> (runs: [Range<Int>], offset: Int) {
        let (distance, overflow) = request.start.subtractingReportingOverflow(kept.start)
        guard !overflow, let offset = Int(exactly: distance / request.step) else { return ([], 0) }
        let first = max(0, -offset)
        let end = min(request.keepable, kept.count - offset)
        guard first < end else { return ([], 0) }
        let last = request.dependence(request.time(end - 1))
        let all = request.dependence(request.time(first)).lowerBound...last.upperBound
        guard let changed = changes.changes(context.tenant, in: all, since: kept.mark) else { return ([], 0) }
        var runs: [Range<Int>] = []
        var next = 0
        for step in first..<end {
            let times = request.dependence(request.time(step))
            // What ends before this step's times ends before those of later steps.
            while next < changed.count, changed[next].upperBound < times.lowerBound { next += 1 }
            if next < changed.count, changed[next].lowerBound <= times.upperBound { continue }
            if let last = runs.last, last.upperBound == step {
                runs[runs.count - 1] = last.lowerBound..<step + 1
            } else {
                runs.append(step..<step + 1)
            }
        }
        return (runs, offset)
    }

    private static func gaps(between runs: [Range<Int>], in whole: Range<Int>) -> [Range<Int>] {
        var gaps: [Range<Int>] = []
        var next = whole.lowerBound
        for run in runs {
            if run.lowerBound > next { gaps.append(next..<run.lowerBound) }
            next = run.upperBound
        }
        if next < whole.upperBound { gaps.append(next..<whole.upperBound) }
        return gaps
    }
}

extension RangeCache {
    /// The series over all steps of a request, of which `evaluate` makes those that are missing.
    ///
    /// - Parameter evaluate: the series over a run of steps, each once, and whether they may be kept.
    package func series(
        _ request: Request, context: QueryContext,
        evaluate: (Range<Int>) throws(QueryError) -> (series: [GridSeries], isKept: Bool)
    ) throws(QueryError) -> [GridSeries] {
        let plan = plan(request, context: context)
        var whole = SeriesOverRuns(count: request.count, context: context)
        if case .series(let kept)? = plan.values {
            for series in kept {
                try context.proceed()
                for run in plan.known { try whole.insert(series, from: plan.index(run.lowerBound), at: run) }
            }
        }
        var isKept = true
        for run in plan.missing {
            let found = try evaluate(run)
            isKept = isKept && found.isKept
            if run.count == request.count {
                whole.series = found.series
            } else {
                for series in found.series { try whole.insert(series, from: 0, at: run) }
            }
        }
        if isKept { keep(request, plan, .series(whole.series)) }
        return whole.series
    }
}

/// Puts series over runs of steps together by their labels.
private struct SeriesOverRuns {
    let count: Int
    let context: QueryContext
    var series: [GridSeries] = []
    private var positions: [Labels: Int] = [:]

    init(count: Int, context: QueryContext) {
        self.count = count
        self.context = context
    }

    /// Inserts the places of `part` from `first` on at the steps of `run`, if there is any value.
    mutating func insert(_ part: GridSeries, from first: Int, at run: Range<Int>) throws(QueryError) {
        let places = first..<first + run.count
        guard places.contains(where: part.isPresent) else { return }
        var position = positions[part.labels]
        if position == nil {
            try context.charge(bytes: GridSeries.cost(steps: count))
            position = series.count
            positions[part.labels] = series.count
            series.append(GridSeries(labels: part.labels, empty: count))
        }
        guard let position else { return }
        for (step, place) in zip(run, places) { series[position].values[step] = part.values[place] }
        guard !part.histograms.isEmpty else { return }
        if series[position].histograms.isEmpty {
            series[position].histograms = Array(repeating: nil, count: count)
        }
        for (step, place) in zip(run, places) { series[position].histograms[step] = part.histograms[place] }
    }
}

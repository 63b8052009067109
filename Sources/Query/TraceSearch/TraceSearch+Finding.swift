internal import Core
import QueryModel
import Scheduling

/// How a search finds the traces of its answer.
extension TraceSearch {
    /// - Parameter size: about how many bytes what was found takes.
    func find<Found: FoundTrace>(
        _ query: TraceQuery, size: @escaping (Found) -> Int, _ context: QueryContext,
        fetch: ([TraceID]) throws(QueryError) -> [Found]
    ) throws(QueryError) -> [Found] {
        guard query.limit > 0, !query.range.isEmpty else { return [] }
        try context.admit(range: query.range)
        return try withoutActuallyEscaping(fetch) { (fetch) throws(QueryError) in
            var gathering = TraceGathering(context, size: size, fetch: fetch)
            switch query.order {
            case .newest: return try newest(query, context, &gathering)
            case .longest: return try longest(query, context, &gathering)
            }
        }
    }

    private func newest<Found: FoundTrace>(
        _ query: TraceQuery, _ context: QueryContext, _ gathering: inout TraceGathering<Found>
    ) throws(QueryError) -> [Found] {
        var selection = TraceSelection(limit: query.limit)
        var open = OpenTraces(query.condition)
        var spent = 0
        defer { context.release(bytes: spent) }
        do throws(QueryError) {
            // What it finds is to be fetched, too.
            try scan(query, QueryContext(stageOf: context, quarters: 3)) { matches throws(QueryError) -> Bool in
                for match in matches {
                    if selection.isSettled(at: match.start) { return false }
                    let (isComplete, bytes) = open.add(match)
                    spent += bytes
                    try spend(bytes, context)
                    guard isComplete, selection.add(candidate: match.traceID, at: match.start) else { continue }
                    spent += TraceSelection.bytesPerCandidate
                    try spend(TraceSelection.bytesPerCandidate, context)
                    if selection.wantsStarts { try place(&selection, isLast: false, context, &gathering) }
                }
                return true
            }
        } catch {
            guard !selection.isEmpty, SearchEnd.warn(error, context) else { throw error }
        }
        do throws(QueryError) {
            try place(&selection, isLast: true, context, &gathering)
        } catch {
            guard !selection.kept.isEmpty, SearchEnd.warn(error, context) else { throw error }
        }
        // Spans may have come since the traces' starts were looked up.
        return try gathering.gather(selection.kept.map(\.id)).sorted(by: Found.isNewer)
    }

    private func longest<Found: FoundTrace>(
        _ query: TraceQuery, _ context: QueryContext, _ gathering: inout TraceGathering<Found>
    ) throws(QueryError) -> [Found] {
        var selection = LongestTraces(query)
        var spent = 0
        defer { context.release(bytes: spent) }
        do throws(QueryError) {
            try scan(query, QueryContext(stageOf: context, quarters: 3)) { matches throws(QueryError) -> Bool in
                for match in matches {
                    let bytes = selection.add(match)
                    guard bytes > 0 else { continue }
                    spent += bytes
                    try spend(bytes, context)
                }
                return true
            }
        } catch {
            guard !selection.isEmpty, SearchEnd.warn(error, context) else { throw error }
        }
        let ids = selection.ids
        let places = Dictionary(uniqueKeysWithValues: ids.enumerated().map { ($1, $0) })
        return try gathering.gather(ids).sorted { (places[$0.id] ?? .max) < (places[$1.id] ?? .max) }
    }

    /// Learns where the candidates stand.
    ///
    /// - Parameter isLast: whether there are no others.
    private func place<Found: FoundTrace>(
        _ selection: inout TraceSelection, isLast: Bool, _ context: QueryContext,
        _ gathering: inout TraceGathering<Found>
    ) throws(QueryError) {
        let areLikelyKept = isLast || selection.areLikelyKept
        let ids = selection.takeCandidates()
        guard !ids.isEmpty else { return }
        try check(context)
        if areLikelyKept, let found = try gathering.tryFirst(ids) {
            for trace in found { selection.place(trace.id, at: trace.start) }
            return
        }
        for (id, start) in zip(ids, try source.starts(of: ids, context: context)) {
            guard let start else { continue }
            // Archived spans may have begun before those that are still stored.
            let isArchived = archive?.contains(id, context: context) ?? false
            let earliest = isArchived ? try trace(id, context: context)?.start : nil
            selection.place(id, at: min(start, earliest ?? start))
        }
    }

    /// Hands over the spans that match, newest first.
    private func scan(
        _ query: TraceQuery, _ context: QueryContext, visit: ([SpanMatch]) throws(QueryError) -> Bool
    ) throws(QueryError) {
        let isScanned = try source.scanMatches(query, context: context) { matches throws(QueryError) -> Bool in
            try check(context)
            return try visit(matches)
        }
        if isScanned { return }
        let matchers = query.condition.leaves.map { SpanMatcher(query, leaf: $0) }
        try scan(query, context: context) { spans throws(QueryError) -> Bool in
            try visit(
                spans.compactMap { span in
                    var met: UInt64 = 0
                    for (leaf, matcher) in matchers.enumerated() where matcher.matches(span) {
                        met |= 1 << UInt64(leaf)
                    }
                    if met == 0 { return nil }
                    return SpanMatch(traceID: span.traceID, start: span.start, duration: span.duration, met: met)
                })
        }
    }
}

/// The traces of which some spans have been met, and not yet all that the query wants.
private struct OpenTraces {
    private let condition: TraceCondition
    private let hasOneLeaf: Bool
    private var met: [TraceID: UInt64] = [:]

    private static let bytesPerTrace = 64

    init(_ condition: TraceCondition) {
        self.condition = condition
        hasOneLeaf = condition.leaves.count == 1
    }

    /// - Returns: whether the trace has what the query wants, and the bytes of memory that this took.
    mutating func add(_ match: SpanMatch) -> (isComplete: Bool, bytes: Int) {
        if hasOneLeaf { return (true, 0) }
        let before = met[match.traceID]
        let now = (before ?? 0) | match.met
        if before == nil || before != now { met[match.traceID] = now }
        return (condition.holds(now), before == nil ? Self.bytesPerTrace : 0)
    }
}

/// The traces with the longest spans that match.
struct LongestTraces {
    private struct Place: Comparable {
        let duration: Int64
        let start: Timestamp
        let id: TraceID

        /// What comes first in the answer is less.
        static func < (left: Place, right: Place) -> Bool {
            if left.duration != right.duration { return left.duration > right.duration }
            return left.start == right.start ? left.id < right.id : left.start > right.start
        }
    }

    private let limit: Int
    private let condition: TraceCondition
    private let hasOneLeaf: Bool
    /// Of every trace that may be among the best: its best span, and what its spans meet.
    private var traces: [TraceID: (place: Place, met: UInt64)] = [:]
    /// No trace whose best span is not before this one is among the best.
    private var worst: Place?

    /// What a trace takes of memory, about.
    static let bytesPerTrace = 112

    init(_ query: TraceQuery) {
        limit = query.limit
        condition = query.condition
        hasOneLeaf = query.condition.leaves.count == 1
    }

    var isEmpty: Bool { traces.isEmpty }

    /// - Returns: the bytes of memory that this took.
    mutating func add(_ match: SpanMatch) -> Int {
        let place = Place(duration: match.duration, start: match.start, id: match.traceID)
        // Of a trace that needs several spans, any one of them may complete it.
        if hasOneLeaf, let worst, !(place < worst) { return 0 }
        if let known = traces[match.traceID] {
            traces[match.traceID] = (min(known.place, place), known.met | match.met)
            return 0
        }
        traces[match.traceID] = (place, match.met)
        // Those that have fallen out are let go together, so that each costs little.
        if hasOneLeaf, traces.count >= 2 * limit + 64 {
            let best = traces.values.map(\.place).sorted().prefix(limit)
            worst = best.last
            traces = Dictionary(uniqueKeysWithValues: best.map { ($0.id, ($0, 1)) })
            // What was counted for them is kept for the next ones.
            return 0
        }
        return Self.bytesPerTrace
    }

    /// The best ones in order, those of which everything was met.
    var ids: [TraceID] {
        let complete = traces.values.filter { hasOneLeaf || condition.holds($0.met) }
        return complete.map(\.place).sorted().prefix(limit).map(\.id)
    }
}

package import Core
package import QueryModel

/// Searches traces over a `TraceSource`.
///
/// A trace matches if one of its spans satisfies the whole query (J-8). Of the matching traces the answer is the `limit`
/// newest by earliest start, equal starts by trace id (J-10), each complete. This selection is exact, though the scan sees
/// spans by their own start and stops early:
///
/// 1. The scan hands over spans newest first, or, if the source can tell which match, only their traces. A matching span of a trace not met before makes the trace a candidate.
/// 2. Candidates are fetched complete in groups, which tells their earliest start. The `limit` best are kept.
/// 3. A trace starts no later than any of its spans. So once the kept ones are `limit` many and the worst of them starts
///    after the scan's position, no trace that is still unseen can be better, nor can a candidate whose match lies there.
///
/// What is fetched beyond the answer is the traces that were running when the answer's oldest trace began.
package struct TraceSearch: Sendable {
    private let source: any TraceSource
    /// What of archived traces is not in the source any more belongs to them all the same.
    private let archive: (any TraceArchive)?

    package init(source: any TraceSource, archive: (any TraceArchive)? = nil) {
        self.source = source
        self.archive = archive
    }

    package func search(_ query: TraceQuery, context: QueryContext) throws(QueryError) -> [Trace] {
        guard query.limit > 0, !query.range.isEmpty else { return [] }
        var selection = TraceSelection(limit: query.limit)
        func add(_ trace: TraceID, _ start: Timestamp) throws(QueryError) {
            if selection.add(candidate: trace, at: start), selection.wantsFetch {
                try fetchCandidates(of: &selection, context: context)
            }
        }
        let scanned = Self.scanned(query)
        var isScanned = false
        if scanned.service == query.service {
            isScanned = try source.scanMatches(scanned, context: context) { matches throws(QueryError) -> Bool in
                try check(context)
                for match in matches {
                    if selection.isSettled(at: match.start) { return false }
                    try add(match.traceID, match.start)
                }
                return true
            }
        }
        if !isScanned {
            let matcher = SpanMatcher(query)
            try scan(scanned, context: context) { spans throws(QueryError) -> Bool in
                for span in spans {
                    if selection.isSettled(at: span.start) { return false }
                    if matcher.matches(span) { try add(span.traceID, span.start) }
                }
                return true
            }
        }
        try fetchCandidates(of: &selection, context: context)
        return selection.kept
    }

    /// The trace with all its spans, or nil if it is not stored.
    package func trace(_ id: TraceID, context: QueryContext) throws(QueryError) -> Trace? {
        try traces([id], context: context).first
    }

    /// Those of the traces that are stored, in the order asked for, each once.
    package func traces(_ ids: [TraceID], context: QueryContext) throws(QueryError) -> [Trace] {
        var seen: Set<TraceID> = []
        let unique = ids.filter { seen.insert($0).inserted }
        guard !unique.isEmpty else { return [] }
        var spans = try source.spans(of: unique, context: context)
        if let archive {
            for (index, id) in unique.enumerated() { try add(id, of: archive, to: &spans[index], context) }
        }
        return zip(unique, spans).compactMap { Trace(id: $0, spans: $1) }
    }

    /// Adds the archived spans of a trace, those that are there twice included; that they cannot be read is a warning.
    private func add(
        _ id: TraceID, of archive: any TraceArchive, to spans: inout [TraceSpan], _ context: QueryContext
    ) throws(QueryError) {
        do throws(QueryError) {
            spans += try archive.spans(of: id, context: context)
        } catch .storage(let reason) {
            context.statistics.warn(reason)
        }
    }

    /// Sorted and unique; spans whose resource names no service are `TraceSpan.unnamedService`.
    package func services(context: QueryContext) throws(QueryError) -> [String] {
        let names = try source.services(context: context).map { $0.isEmpty ? TraceSpan.unnamedService : $0 }
        return Set(names).sorted()
    }

    /// Span names and kinds, sorted and unique; none for an unknown service.
    package func operations(
        of service: String, context: QueryContext
    ) throws(QueryError) -> [(name: String, kind: Int32)] {
        var found = try source.operations(of: service, context: context)
        if service == TraceSpan.unnamedService {
            found += try source.operations(of: "", context: context)
        }
        found.sort { ($0.name, $0.kind) < ($1.name, $1.kind) }
        var unique: [(name: String, kind: Int32)] = []
        for operation in found where unique.last.map({ $0 != operation }) ?? true { unique.append(operation) }
        return unique
    }

    /// The query as a source may apply it: "no service" is not a name that a source stores.
    private static func scanned(_ query: TraceQuery) -> TraceQuery {
        guard query.service == TraceSpan.unnamedService else { return query }
        var wider = query
        wider.service = nil
        return wider
    }

    private func fetchCandidates(
        of selection: inout TraceSelection, context: QueryContext
    ) throws(QueryError) {
        let ids = selection.takeCandidates()
        guard !ids.isEmpty else { return }
        try check(context)
        for trace in try traces(ids, context: context) {
            guard let dropped = selection.keep(trace) else {
                try spend(trace.footprint, context)
                continue
            }
            if dropped.id != trace.id {
                try spend(trace.footprint, context)
                context.release(bytes: dropped.footprint)
            }
        }
    }

    /// Scans the source, and stops when the query was interrupted.
    func scan(
        _ query: TraceQuery, context: QueryContext, visit: ([TraceSpan]) throws(QueryError) -> Bool
    ) throws(QueryError) {
        try source.scan(query, context: context) { spans throws(QueryError) -> Bool in
            try check(context)
            return try visit(spans)
        }
    }

    private func check(_ context: QueryContext) throws(QueryError) {
        do { try context.check() } catch { throw .interrupted(error) }
    }

    func spend(_ bytes: Int, _ context: QueryContext) throws(QueryError) {
        do { try context.spend(bytes: bytes) } catch { throw .interrupted(error) }
    }
}

/// The best traces so far, and those whose start is not known yet.
struct TraceSelection {
    /// At most `limit`, newest first.
    private(set) var kept: [Trace] = []
    private let limit: Int
    private var seen: Set<TraceID> = []
    /// Traces to be fetched, each with the start of its first match: the trace itself starts no later.
    private var candidates: [(id: TraceID, start: Timestamp)] = []

    /// A fetch looks into every part, so that once the answer is full a few candidates share one.
    private static let smallestFetch = 16
    private static let largestFetch = 256

    init(limit: Int) { self.limit = limit }

    private var isFull: Bool { kept.count >= limit }

    /// Whether no trace that starts at `start` or earlier can be among the best.
    func isSettled(at start: Timestamp) -> Bool {
        guard isFull, let worst = kept.last else { return false }
        return start < worst.start
    }

    /// - Returns: whether the trace is new.
    mutating func add(candidate id: TraceID, at start: Timestamp) -> Bool {
        guard seen.insert(id).inserted else { return false }
        candidates.append((id, start))
        return true
    }

    var wantsFetch: Bool {
        let wanted = isFull ? Self.smallestFetch : limit - kept.count
        return candidates.count >= min(wanted, Self.largestFetch)
    }

    mutating func takeCandidates() -> [TraceID] {
        defer { candidates = [] }
        return candidates.filter { !isSettled(at: $0.start) }.map(\.id)
    }

    /// - Returns: the trace that had to go, which may be `trace` itself; nil if there was room.
    mutating func keep(_ trace: Trace) -> Trace? {
        var low = 0
        var high = kept.count
        while low < high {
            let middle = (low + high) / 2
            if Trace.isNewer(kept[middle], trace) { low = middle + 1 } else { high = middle }
        }
        if isFull, low == kept.count { return trace }
        kept.insert(trace, at: low)
        return kept.count > limit ? kept.removeLast() : nil
    }
}

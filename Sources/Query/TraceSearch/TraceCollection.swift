internal import Core
internal import QueryModel

/// Collects the answer of a search within its time and memory, and ends it early, with a warning, where these do.
struct TraceCollection<Found: FoundTrace> {
    private var selection: TraceSelection<Found>
    private let context: QueryContext
    /// When matches are no longer looked for, so that there is time to fetch those that were found.
    private let scanEnd: ContinuousClock.Instant?
    /// Bytes of what is kept.
    private var keptBytes = 0
    private var isFull = false
    /// The limit of memory for which traces were left out.
    private var exceeded: Int?

    /// What of the query's time may pass before the last fetch, in quarters.
    private static var scanQuarters: Int { 3 }

    init(limit: Int, context: QueryContext) {
        selection = TraceSelection(limit: limit)
        self.context = context
        scanEnd = context.deadline.map { deadline in
            let now = ContinuousClock.now
            return now + (deadline - now) * Self.scanQuarters / 4
        }
    }

    var found: [Found] { selection.kept }

    func isSettled(at start: Timestamp) -> Bool { selection.isSettled(at: start) }

    /// Whether there is time to look further; if not, the answer's warnings say so.
    func hasTime() -> Bool {
        guard let scanEnd, ContinuousClock.now >= scanEnd else { return true }
        context.statistics.warn("the search was ended early, since its time was nearly up: there may be more traces")
        return false
    }

    /// - Returns: whether candidates are to be fetched.
    mutating func add(_ match: SpanMatch) throws(QueryError) -> Bool {
        guard selection.add(candidate: match.traceID, at: match.start) else { return false }
        try spend(TraceSelection<Found>.bytesPerCandidate)
        return selection.wantsFetch
    }

    /// Fetches the candidates.
    ///
    /// - Returns: whether there is room for more.
    mutating func fetch(
        _ size: (Found) -> Int, _ fetch: ([TraceID]) throws(QueryError) -> [Found]
    ) throws(QueryError) -> Bool {
        guard !isFull else { return false }
        let ids = selection.takeCandidates()
        guard !ids.isEmpty else { return true }
        do throws(QueryInterruption) { try context.check() } catch { throw .interrupted(error) }
        do throws(QueryError) {
            for trace in try fetch(ids) { try keep(trace, size) }
            return true
        } catch {
            guard case .interrupted(.overBudget) = error else { throw error }
        }
        // Together they are too large: as many as fit, one by one.
        let known = Set(selection.kept.map(\.id))
        for id in ids where !known.contains(id) && !isFull {
            do throws(QueryError) {
                for trace in try fetch([id]) { try keep(trace, size) }
            } catch {
                guard case .interrupted(.overBudget(let limit)) = error else { throw error }
                leaveOut(id, limit)
            }
        }
        return !isFull
    }

    mutating func finish(
        _ size: (Found) -> Int, _ fetch: ([TraceID]) throws(QueryError) -> [Found]
    ) throws(QueryError) {
        _ = try self.fetch(size, fetch)
        if let exceeded, found.isEmpty { throw .interrupted(.overBudget(bytes: exceeded)) }
    }

    private mutating func leaveOut(_ id: TraceID, _ limit: Int) {
        exceeded = limit
        if keptBytes > limit / 2 {
            isFull = true
            context.statistics.warn(
                "the search was ended early, since its traces need more than \(limit) bytes: there may be more")
        } else {
            context.statistics.warn("trace \(id.hex) needs more than \(limit) bytes, and is left out")
        }
    }

    private mutating func keep(_ trace: Found, _ size: (Found) -> Int) throws(QueryError) {
        let bytes = size(trace)
        do throws(QueryError) {
            try spend(bytes)
        } catch {
            release(bytes)
            throw error
        }
        if let dropped = selection.keep(trace) { release(size(dropped)) }
    }

    private mutating func spend(_ bytes: Int) throws(QueryError) {
        keptBytes += bytes
        do throws(QueryInterruption) { try context.spend(bytes: bytes) } catch { throw .interrupted(error) }
    }

    private mutating func release(_ bytes: Int) {
        keptBytes -= bytes
        context.release(bytes: bytes)
    }

    /// What becomes of a search that was interrupted: it ends with what it has, if that is anything.
    func end(by error: QueryError) throws(QueryError) {
        guard !found.isEmpty, case .interrupted(let reason) = error else { throw error }
        switch reason {
        case .cancelled: throw error
        case .timedOut:
            context.statistics.warn("the search was ended early, since its time was up: there may be more traces")
        case .overBudget(let limit):
            context.statistics.warn(
                "the search was ended early, since it would need more than \(limit) bytes: there may be more traces")
        case .memoryExhausted:
            context.statistics.warn(
                "the search was ended early, since all queries together need too much memory: there may be more traces")
        }
    }
}

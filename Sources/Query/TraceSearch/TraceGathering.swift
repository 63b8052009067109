internal import Core
internal import Observability
internal import QueryModel
internal import Scheduling

/// Fetches the traces of an answer within the query's time and memory, and ends early, with a warning, where these do.
struct TraceGathering<Found: FoundTrace> {
    private(set) var found: [Found] = []
    private let context: QueryContext
    private let size: (Found) -> Int
    private let fetch: ([TraceID]) throws(QueryError) -> [Found]
    /// Bytes of what was found.
    private var heldBytes = 0
    private var isFull = false
    /// The limit of memory for which traces were left out.
    private var exceeded: Int?
    /// Of traces that were fetched before it was known whether they are in the answer.
    private var early: [TraceID: Found] = [:]
    private var hasTried = false

    /// Enough that parts are not looked into for each trace, and few enough that one huge trace spoils little.
    private static var groupSize: Int { 128 }

    init(
        _ context: QueryContext, size: @escaping (Found) -> Int,
        fetch: @escaping ([TraceID]) throws(QueryError) -> [Found]
    ) {
        self.context = context
        self.size = size
        self.fetch = fetch
    }

    /// Fetches the first candidates, which mostly are the answer, if they are few.
    ///
    /// - Returns: nil if they are not the first, or too many, or too large to be fetched on a suspicion.
    mutating func tryFirst(_ ids: [TraceID]) throws(QueryError) -> [Found]? {
        guard !hasTried, ids.count <= Self.groupSize else { return nil }
        hasTried = true
        do throws(QueryError) {
            let fetched = try fetch(ids)
            for trace in fetched {
                let bytes = size(trace)
                do throws(QueryInterruption) {
                    try context.spend(bytes: bytes)
                } catch {
                    context.release(bytes: bytes)
                    throw .interrupted(error)
                }
                early[trace.id] = trace
            }
            return fetched
        } catch {
            guard case .interrupted(.overBudget) = error else { throw error }
            forgetEarly()
            return nil
        }
    }

    /// Lets go of what was fetched and is not wanted.
    private mutating func forgetEarly() {
        for trace in early.values { context.release(bytes: size(trace)) }
        early = [:]
    }

    /// - Returns: the traces, in no order.
    mutating func gather(_ ids: [TraceID]) throws(QueryError) -> [Found] {
        var rest: ArraySlice<TraceID> = []
        for id in ids {
            guard let trace = early.removeValue(forKey: id) else {
                rest.append(id)
                continue
            }
            heldBytes += size(trace)
            found.append(trace)
        }
        forgetEarly()
        while !rest.isEmpty, !isFull {
            let group = Array(rest.prefix(Self.groupSize))
            rest = rest.dropFirst(group.count)
            do throws(QueryError) {
                try gather(group: group)
            } catch {
                guard !found.isEmpty, SearchEnd.warn(error, context) else { throw error }
                break
            }
        }
        if let exceeded, found.isEmpty { throw .interrupted(.overBudget(bytes: exceeded)) }
        return found
    }

    private mutating func gather(group ids: [TraceID]) throws(QueryError) {
        let before = found.count
        do throws(QueryError) {
            for trace in try fetch(ids) { try keep(trace) }
            return
        } catch {
            guard case .interrupted(.overBudget) = error else { throw error }
        }
        // Together they are too large: as many as fit, one by one.
        let known = Set(found[before...].map(\.id))
        for id in ids where !known.contains(id) && !isFull {
            do throws(QueryError) {
                for trace in try fetch([id]) { try keep(trace) }
            } catch {
                guard case .interrupted(.overBudget(let limit)) = error else { throw error }
                leaveOut(id, limit)
            }
        }
    }

    private mutating func leaveOut(_ id: TraceID, _ limit: Int) {
        exceeded = limit
        if heldBytes > limit / 2 {
            isFull = true
            context.statistics.warn(
                "the search was ended early, since its traces need more than \(limit) bytes: there may be more")
        } else {
            context.statistics.warn("trace \(id.hex) needs more than \(limit) bytes, and is left out")
        }
    }

    private mutating func keep(_ trace: Found) throws(QueryError) {
        let bytes = size(trace)
        do throws(QueryInterruption) {
            try context.spend(bytes: bytes)
        } catch {
            context.release(bytes: bytes)
            throw .interrupted(error)
        }
        heldBytes += bytes
        found.append(trace)
    }
}

/// A search that is interrupted ends with what it has.
enum SearchEnd {
    /// - Returns: whether the search may answer what it has: a warning says that there may be more.
    static func warn(_ error: QueryError, _ context: QueryContext) -> Bool {
        guard case .interrupted(let reason) = error else { return false }
        let why: String
        switch reason {
        case .cancelled, .rangeTooLong: return false
        case .timedOut: why = "its time was up"
        case .overBudget(let limit): why = "it would need more than \(limit) bytes"
        case .memoryExhausted: why = "all queries together need too much memory"
        }
        context.statistics.warn("the search was ended early, since \(why): there may be more traces")
        return true
    }
}

package import Core

/// What a search needs to know of a trace to put it in its place.
package protocol FoundTrace: Sendable {
    var id: TraceID { get }
    /// The earliest start of any span.
    var start: Timestamp { get }
}

extension FoundTrace {
    /// The order of answers: newest first by earliest start, equal starts by trace id (rule J-10).
    package static func isNewer(_ left: Self, _ right: Self) -> Bool {
        left.start == right.start ? left.id < right.id : left.start > right.start
    }
}

/// The best traces so far, and those whose start is not known yet.
struct TraceSelection {
    struct Place: FoundTrace {
        let id: TraceID
        let start: Timestamp
    }

    /// At most `limit`, newest first.
    private(set) var kept: [Place] = []
    private let limit: Int
    private var seen: Set<TraceID> = []
    /// Traces that are to be placed, each with the start of its first match: the trace itself starts no later.
    private var candidates: [Place] = []
    /// How many are placed together. To learn their starts is to look into every part, so each time there are twice as many.
    private var groupSize: Int

    private static let smallestGroup = 16
    private static let largestGroup = 4096

    init(limit: Int) {
        self.limit = limit
        groupSize = min(max(limit, Self.smallestGroup), Self.largestGroup)
    }

    var isEmpty: Bool { kept.isEmpty && candidates.isEmpty }

    /// Whether no trace that starts at `start` or earlier can be among the best.
    func isSettled(at start: Timestamp) -> Bool {
        guard kept.count >= limit, let worst = kept.last else { return false }
        return start < worst.start
    }

    /// - Returns: whether the trace is new.
    mutating func add(candidate id: TraceID, at start: Timestamp) -> Bool {
        guard seen.insert(id).inserted else { return false }
        candidates.append(Place(id: id, start: start))
        return true
    }

    /// How many bytes one more trace takes of what is remembered of all that were met.
    static let bytesPerCandidate = 64

    /// Matches that lie closer together than this, in nanoseconds, are of traces that run at the same time.
    private static let overlap: Int64 = 30_000_000_000

    /// Whether the candidates mostly are the answer: traces that run at the same time begin in another order than they match, and the
    /// newest of them are known only when all of their starts are.
    var areLikelyKept: Bool {
        guard let newest = candidates.first, let oldest = candidates.last else { return true }
        return newest.start.nanoseconds.subtractingReportingOverflow(oldest.start.nanoseconds).partialValue
            >= Self.overlap
    }

    var wantsStarts: Bool { candidates.count >= groupSize }

    /// Those that may be among the best.
    mutating func takeCandidates() -> [TraceID] {
        defer {
            candidates = []
            groupSize = min(2 * groupSize, Self.largestGroup)
        }
        return candidates.filter { !isSettled(at: $0.start) }.map(\.id)
    }

    mutating func place(_ id: TraceID, at start: Timestamp) {
        let trace = Place(id: id, start: start)
        var low = 0
        var high = kept.count
        while low < high {
            let middle = (low + high) / 2
            if Place.isNewer(kept[middle], trace) { low = middle + 1 } else { high = middle }
        }
        if low >= limit { return }
        kept.insert(trace, at: low)
        if kept.count > limit { kept.removeLast() }
    }
}

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
struct TraceSelection<Found: FoundTrace> {
    /// At most `limit`, newest first.
    private(set) var kept: [Found] = []
    private let limit: Int
    private var seen: Set<TraceID> = []
    /// Traces to be fetched, each with the start of its first match: the trace itself starts no later.
    private var candidates: [(id: TraceID, start: Timestamp)] = []

    /// A fetch looks into every part, so that once the answer is full a few candidates share one.
    private static var smallestFetch: Int { 16 }
    private static var largestFetch: Int { 256 }

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

    /// How many bytes one more trace takes of what is remembered of all that were met.
    static var bytesPerCandidate: Int { 64 }

    var wantsFetch: Bool {
        let wanted = isFull ? Self.smallestFetch : limit - kept.count
        return candidates.count >= min(wanted, Self.largestFetch)
    }

    /// Those that may be among the best.
    mutating func takeCandidates() -> [TraceID] {
        defer { candidates = [] }
        return candidates.filter { !isSettled(at: $0.start) }.map(\.id)
    }

    /// - Returns: the trace that had to go, which may be `trace` itself; nil if there was room.
    mutating func keep(_ trace: Found) -> Found? {
        var low = 0
        var high = kept.count
        while low < high {
            let middle = (low + high) / 2
            if Found.isNewer(kept[middle], trace) { low = middle + 1 } else { high = middle }
        }
        if isFull, low == kept.count { return trace }
        kept.insert(trace, at: low)
        return kept.count > limit ? kept.removeLast() : nil
    }
}

package import Core
package import Scheduling
private import Synchronization

/// Results of range queries, kept until they have not been asked for a while or others need the room.
///
/// It knows nothing of what makes a result wrong: `RangeCache` asks that before it takes one.
package final class ResultCache: Sendable {
    package struct Limits: Sendable {
        /// Of all results, about; zero keeps none.
        package var bytes: Int
        /// How long a result is kept that nobody asks for.
        package var age: Duration

        package init(bytes: Int = 64 << 20, age: Duration = .seconds(900)) {
            self.bytes = bytes
            self.age = age
        }
    }

    /// What must be equal for two queries to share steps.
    package struct Key: Hashable, Sendable {
        package var language: Language
        package var tenant: TenantID
        package var text: String
        package var step: Int64
        /// Where steps lie: their times modulo `step`.
        package var phase: Int64
        /// What else the values depend on.
        package var options: [Int64]
    }

    package enum Language: Hashable, Sendable { case promQL, logQL, spans }

    package enum Values: Sendable {
        case series([GridSeries])
        case spans(SpanStatistics)
    }

    /// The values at `count` steps from `start` on.
    package struct Result: Sendable {
        package var start: Int64
        package var count: Int
        package var values: Values
        /// From before its rows were looked at.
        package var mark: RowChanges.Mark
        package var removals: Int
    }

    private struct Entry {
        var result: Result
        var bytes: Int
        var lastUse: ContinuousClock.Instant
    }

    private struct State {
        var entries: [Key: Entry] = [:]
        var bytes = 0
    }

    private let limits: Limits
    private let state = Mutex(State())
    private let steps = Atomic<Int>(0)
    private let keptSteps = Atomic<Int>(0)

    package init(_ limits: Limits = Limits()) { self.limits = limits }

    package var usedBytes: Int { state.withLock { $0.bytes } }
    /// Steps that queries asked for which could have been kept, and those of them that had been.
    package var askedSteps: Int { steps.load(ordering: .relaxed) }
    package var hitSteps: Int { keptSteps.load(ordering: .relaxed) }

    func count(steps asked: Int, kept: Int) {
        steps.add(asked, ordering: .relaxed)
        keptSteps.add(kept, ordering: .relaxed)
    }

    func result(_ key: Key) -> Result? {
        state.withLock { state in
            let now = ContinuousClock.now
            guard let entry = state.entries[key] else { return nil }
            guard now - entry.lastUse < limits.age else {
                state.bytes -= entry.bytes
                state.entries[key] = nil
                return nil
            }
            state.entries[key]?.lastUse = now
            return entry.result
        }
    }

    func keep(_ result: Result, for key: Key) {
        let bytes = Self.cost(result) + Self.cost(key)
        // One result may not push out all others.
        guard bytes <= limits.bytes / 4 else { return }
        state.withLock { state in
            if let old = state.entries[key] { state.bytes -= old.bytes }
            state.entries[key] = Entry(result: result, bytes: bytes, lastUse: .now)
            state.bytes += bytes
            // A quarter at a time, so that this is rare.
            if state.bytes > limits.bytes { makeRoom(&state, limits.bytes / 4 * 3) }
        }
    }

    /// Keeps a quarter of what it may.
    package func shrink() { state.withLock { makeRoom(&$0, limits.bytes / 4) } }

    /// Drops what was asked for the longest time ago.
    private func makeRoom(_ state: inout State, _ most: Int) {
        let oldestFirst = state.entries.sorted { $0.value.lastUse < $1.value.lastUse }
        for (key, entry) in oldestFirst {
            guard state.bytes > most else { return }
            state.bytes -= entry.bytes
            state.entries[key] = nil
        }
    }

    // MARK: Memory

    /// Of an entry's place and of arrays' headers.
    private static let overhead = 256

    private static func cost(_ key: Key) -> Int {
        overhead + key.text.utf8.count + key.tenant.name.utf8.count + 8 * key.options.count
    }

    private static func cost(_ result: Result) -> Int {
        switch result.values {
        case .series(let series): series.reduce(0) { $0 + cost($1) }
        case .spans(let statistics): statistics.footprint + overhead * (1 + statistics.tables.count)
        }
    }

    private static func cost(_ series: GridSeries) -> Int {
        let labels = series.labels.pairs.reduce(0) {
            $0 + MemoryLayout<Label>.stride + $1.name.utf8.count + $1.value.utf8.count
        }
        let histograms = series.histograms.reduce(0) { total, histogram in
            total + MemoryLayout<NativeHistogram?>.stride
                + (histogram.map { 64 + 8 * ($0.positive.count + $0.negative.count) } ?? 0)
        }
        return overhead + labels + 8 * series.values.count + histograms
    }
}

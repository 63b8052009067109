private import Synchronization

/// The memory that a process may take: who holds how much of it, and how near all of them are to the limit.
///
/// ```
/// bytes   0 ──────────── tight ──────────── full ──────────── exhausted ──── limit
///         everything     caches shrink,     no telemetry      no query is
///                        rows are flushed   is taken          taken either
///                        early
/// ```
///
/// What counts is what the system says is resident, or what the holders have counted if that is more: memory that was freed and stays
/// with the process is not free for others either. It is given back when memory is tight. A state is left a little below where it
/// is entered, so that it does not flutter.
package final class MemoryLedger: Sendable {
    package enum State: Int, Sendable { case plenty, tight, full, exhausted }

    /// Why nothing is taken.
    package struct Full: Error, Hashable, Sendable, CustomStringConvertible {
        package let used: Int
        package let limit: Int

        package var description: String {
            "the server's memory is full: \(used) of \(limit) bytes are in use; try again later"
        }
    }

    /// Somebody who holds memory.
    package struct Holder: Sendable {
        package let name: String
        package let bytes: @Sendable () -> Int
        /// Lets go of what can be had again.
        let shrink: @Sendable () -> Void
    }

    private struct Contents {
        var state = State.plenty
        var used = 0
        var looked: ContinuousClock.Instant?
        var shrunk: ContinuousClock.Instant?
        var holders: [Holder] = []
    }

    /// How old the knowledge of what is used may be.
    private static let patience = Duration.milliseconds(20)
    /// How often what is held is given back while memory is tight, and while it is full.
    private static let shrinkPause = (tight: Duration.seconds(1), full: Duration.milliseconds(250))

    /// Bytes.
    package let limit: Int
    private let resident: @Sendable () -> Int?
    private let release: @Sendable () -> Void
    private let report: @Sendable (State, _ used: Int) -> Void
    private let contents = Mutex(Contents())

    /// - Parameters:
    ///   - resident: bytes of the process's memory; nil if that is not known.
    ///   - release: gives memory that was freed back to the system.
    ///   - report: told of each change.
    package init(
        limit: Int = .max, resident: @escaping @Sendable () -> Int? = { nil },
        release: @escaping @Sendable () -> Void = {},
        report: @escaping @Sendable (State, _ used: Int) -> Void = { _, _ in }
    ) {
        self.limit = limit
        self.resident = resident
        self.release = release
        self.report = report
    }

    package func add(
        _ name: String, bytes: @escaping @Sendable () -> Int, shrink: @escaping @Sendable () -> Void = {}
    ) {
        contents.withLock { $0.holders.append(Holder(name: name, bytes: bytes, shrink: shrink)) }
    }

    package var holders: [Holder] { contents.withLock { $0.holders } }
    package var state: State { contents.withLock { $0.state } }
    /// As of the last look.
    package var used: Int { contents.withLock { $0.used } }

    /// The most that one kind of holders is to take: a share of the limit, in thousandths.
    package func share(_ thousandths: Int) -> Int { limit / 1000 * thousandths }

    /// Whether no more telemetry is to be taken.
    package var isFull: Bool { isAtLeast(.full) }

    /// Whether nothing more is to be taken: queries go on for longer, since who sends can come again.
    package var isExhausted: Bool { isAtLeast(.exhausted) }

    private func isAtLeast(_ wanted: State) -> Bool {
        guard limit < .max else { return false }
        let isFresh = contents.withLock { contents in
            contents.looked.map { ContinuousClock.now - $0 < Self.patience } ?? false
        }
        return (isFresh ? state : update()).rawValue >= wanted.rawValue
    }

    /// Whether holders are to take less than they may.
    package var isTight: Bool { limit < .max && state != .plenty }

    /// - Throws: while no telemetry may be taken.
    package func admit() throws(Full) {
        if isFull { throw Full(used: used, limit: limit) }
    }

    /// Looks at what is used, and has it given back if memory is tight, which may take some milliseconds.
    package func look() {
        guard limit < .max else { return }
        update()
        let isDue = contents.withLock { contents in
            guard contents.state != .plenty else { return false }
            let now = ContinuousClock.now
            let pause = contents.state == .tight ? Self.shrinkPause.tight : Self.shrinkPause.full
            if let last = contents.shrunk, now - last < pause { return false }
            contents.shrunk = now
            return true
        }
        if isDue {
            for holder in holders { holder.shrink() }
            release()
            update()
        }
    }

    @discardableResult
    private func update() -> State {
        let counted = holders.reduce(0) { $0 + $1.bytes() }
        let used = max(counted, resident() ?? 0)
        let (state, isNew) = contents.withLock { contents in
            contents.looked = .now
            contents.used = used
            let state = next(contents.state, used)
            defer { contents.state = state }
            return (state, state != contents.state)
        }
        if isNew { report(state, used) }
        return state
    }

    private func next(_ state: State, _ used: Int) -> State {
        // Where each state but the first is entered, and left, in thousandths of the limit.
        let marks = [(enter: 500, leave: 450), (enter: 600, leave: 550), (enter: 750, leave: 700)]
        let reached = marks.indices.count { used >= share($0 < state.rawValue ? marks[$0].leave : marks[$0].enter) }
        return State(rawValue: reached) ?? .exhausted
    }
}

private import Files
package import Scheduling
package import Storage

/// The threads that turn memtables into parts: one seals their rows into parts in memory, the other writes these to the disk, and lets
/// go of log segments that are no longer needed. Without the first the second does both.
package final class FlushWorker: Sendable {
    private struct State {
        var isWanted = false
        /// There may be rows to seal.
        var isSealWanted = false
        var hasSealer = false
        var isClosing = false
        /// Requests to flush everything, and how many of them are done.
        var asked = 0
        var done = 0
        var failure: StorageError?
        /// The thread has flushed for the last time.
        var hasEnded = false
    }

    /// When the log may be begun again after it failed.
    private struct Recovery {
        var next: ContinuousClock.Instant?
        var pause = Duration.zero
    }

    /// The longest time between two attempts to begin the log again.
    private static let longestPause = Duration.seconds(30)

    private let tables: [any Flushable]
    private let log: WriteAheadLog
    private let state = Monitor(State())
    private let report: @Sendable (StorageError) -> Void
    private let recovery = Monitor(Recovery())
    private let space: DiskSpace?
    private let restartPause: Duration
    /// Up to where the log was let go of, and up to where it may be next.
    private let released = Monitor((last: UInt64(0), next: UInt64(0)))

    /// - Parameters:
    ///   - space: told when a flush finds no space, and asked whether the log has to make room.
    ///   - restartPause: how long a log that fails again soon after it was begun rests; doubled each time.
    package init(
        tables: [any Sendable], log: WriteAheadLog, space: DiskSpace? = nil, restartPause: Duration = .seconds(1),
        report: @escaping @Sendable (StorageError) -> Void
    ) {
        self.space = space
        self.restartPause = restartPause
        self.tables = tables.map { table in
            guard let table = table as? any Flushable else { preconditionFailure("not a buffered table") }
            return table
        }
        self.log = log
        self.report = report
    }

    /// Starts the thread that writes, and seals unless another does; `stop` ends it.
    package func start() -> WorkerThread {
        WorkerThread { [self] in
            while runOnce() {}
        }
    }

    /// Starts a thread that seals; `stop` ends it.
    package func startSealing() -> WorkerThread {
        state.withLock { $0.hasSealer = true }
        return WorkerThread { [self] in
            while sealOnce() {}
        }
    }

    /// Says that a memtable has become large.
    package func wake() {
        state.notifying { state in
            if state.hasSealer { state.isSealWanted = true } else { state.isWanted = true }
        }
    }

    /// Says that the log failed: the thread that writes begins it again.
    package func wakeAfterFailure() { state.notifying { $0.isWanted = true } }

    /// - Returns: false at the end.
    private func sealOnce() -> Bool {
        let isClosing = state.wait(timeout: .seconds(1)) { state -> Bool? in
            guard state.isSealWanted || state.isClosing else { return nil }
            state.isSealWanted = false
            return state.isClosing
        }
        if isClosing == true {
            state.notifying { $0.hasSealer = false }
            return false
        }
        do throws(StorageError) { try seal(all: false) } catch { report(error) }
        state.notifying { $0.isWanted = true }
        return true
    }

    /// Seals what is due, or everything, on the caller's thread.
    package func seal(all: Bool) throws(StorageError) {
        var failure: StorageError?
        for table in tables {
            do throws(StorageError) { try table.seal(all: all) } catch { failure = failure ?? error }
        }
        if let failure { throw failure }
    }

    /// Flushes everything that was ingested before the call.
    package func flushAll() throws(StorageError) {
        let ticket = state.notifying { state in
            state.asked += 1
            // What failed before this request says nothing of it.
            state.failure = nil
            return state.asked
        }
        let failure = state.wait { state -> StorageError?? in
            if state.done >= ticket { return .some(nil) }
            if let failure = state.failure { return .some(failure) }
            return state.hasEnded ? .some(nil) : nil
        }
        if let error = failure ?? nil { throw error }
    }

    /// Asks the thread to flush everything and to end.
    package func stop() { state.notifying { $0.isClosing = true } }

    /// - Returns: false at the end.
    private func runOnce() -> Bool {
        let work = state.wait(timeout: .seconds(1)) { state -> (all: Bool, ticket: Int, last: Bool)? in
            guard state.isWanted || state.isClosing || state.asked > state.done else { return nil }
            state.isWanted = false
            state.failure = nil
            return (state.isClosing || state.asked > state.done, state.asked, state.isClosing)
        }
        let (all, ticket, last) = work ?? (false, 0, false)
        space?.check()
        do throws(StorageError) {
            try flushNow(all: all)
            if all { state.notifying { $0.done = max($0.done, ticket) } }
        } catch {
            report(error)
            // The next attempt finds the reserve.
            if error.isOutOfSpace { space?.useReserve() }
            if all { state.notifying { $0.failure = error } }
            if !last { _ = state.wait(timeout: .seconds(1)) { $0.isClosing ? true : nil } }
        }
        if last { state.notifying { $0.hasEnded = true } }
        return !last
    }

    /// Flushes what is due, or everything, on the caller's thread: the worker's own, or that of one who chooses the time.
    package func flushNow(all: Bool) throws(StorageError) {
        if log.hasFailed { recoverLog() }
        var failure: StorageError?
        if all || !state.withLock({ $0.hasSealer }) {
            do throws(StorageError) { try seal(all: all) } catch { failure = error }
        }
        for table in tables {
            do throws(StorageError) { try table.flush() } catch { failure = failure ?? error }
        }
        if let space, space.state != .plenty { log.rotate() }
        releaseLog()
        if let failure { throw failure }
    }

    /// After a failed write of the log: forgets what is not durable, and begins a new segment; at once the first time, later after a
    /// pause, so that a disk that goes on failing does not fill with segments.
    package func recoverLog() {
        recovery.withLock { recovery in
            let now = ContinuousClock.now
            guard log.hasFailed, recovery.next.map({ now >= $0 }) ?? true else { return }
            let isSoon = recovery.next.map { now - $0 < Self.longestPause } ?? false
            recovery.pause = min(isSoon ? max(restartPause, recovery.pause * 2) : restartPause, Self.longestPause)
            recovery.next = now + recovery.pause
            for table in tables { table.forgetUndurable() }
            do throws(FileError) {
                try log.restart()
            } catch {
                report(.file(error))
            }
        }
    }

    /// Lets go of the segments whose rows are all in parts, one advance later than it could: then the rows of the catalog's last
    /// record are in the log, and are not lost if that record is damaged as only a torn one should be.
    private func releaseLog() {
        let newest = log.durablePosition
        let flushed = tables.reduce(newest) { min($0, $1.flushedThrough(at: newest)) }
        let position = released.withLock { released -> UInt64? in
            if let space, space.state != .plenty {
                released = (flushed, flushed)
                return flushed
            }
            guard flushed > released.next else { return nil }
            defer { released = (released.next, flushed) }
            return released.next
        }
        if let position { log.release(through: position) }
    }

    package var memtableBytes: Int { tables.reduce(0) { $0 + $1.memtableBytes } }
}

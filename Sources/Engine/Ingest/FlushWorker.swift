package import Core
private import Files
package import Storage

/// The thread that turns memtables into parts, and lets go of log segments that are no longer needed.
package final class FlushWorker: Sendable {
    private struct State {
        var isWanted = false
        var isClosing = false
        /// Requests to flush everything, and how many of them are done.
        var asked = 0
        var done = 0
        var failure: StorageError?
        /// The thread has flushed for the last time.
        var hasEnded = false
    }

    private let tables: [any Flushable]
    private let log: WriteAheadLog
    private let state = Monitor(State())
    private let report: @Sendable (StorageError) -> Void
    private let recovery = Monitor(())
    /// Up to where the log was let go of, and up to where it may be next.
    private let released = Monitor((last: UInt64(0), next: UInt64(0)))

    package init(
        tables: [any Sendable], log: WriteAheadLog, report: @escaping @Sendable (StorageError) -> Void
    ) {
        self.tables = tables.map { table in
            guard let table = table as? any Flushable else { preconditionFailure("not a buffered table") }
            return table
        }
        self.log = log
        self.report = report
    }

    /// Starts the thread; `stop` ends it.
    package func start() -> WorkerThread {
        WorkerThread { [self] in
            while runOnce() {}
        }
    }

    /// Says that a memtable has become large.
    package func wake() { state.notifying { $0.isWanted = true } }

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
        do throws(StorageError) {
            try flushNow(all: all)
            if all { state.notifying { $0.done = max($0.done, ticket) } }
        } catch {
            report(error)
            if all { state.notifying { $0.failure = error } }
            if !last { _ = state.wait(timeout: .seconds(1)) { $0.isClosing ? true : nil } }
        }
        if last { state.notifying { $0.hasEnded = true } }
        return !last
    }

    /// Flushes what is due, or everything, on the caller's thread: the worker's own, or that of one who chooses the moment.
    package func flushNow(all: Bool) throws(StorageError) {
        if log.hasFailed { recoverLog() }
        var failure: StorageError?
        for table in tables {
            do throws(StorageError) { try table.flush(all: all) } catch { failure = failure ?? error }
        }
        releaseLog()
        if let failure { throw failure }
    }

    /// After a failed write of the log: forgets what is not durable, and begins a new segment.
    package func recoverLog() {
        recovery.withLock { _ in
            guard log.hasFailed else { return }
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
        let position = released.withLock { released in
            guard flushed > released.next else { return nil as UInt64? }
            defer { released = (released.next, flushed) }
            return released.next
        }
        if let position { log.release(through: position) }
    }

    package var memtableBytes: Int { tables.reduce(0) { $0 + $1.memtableBytes } }
}

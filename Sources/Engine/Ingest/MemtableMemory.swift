internal import Scheduling

/// Bytes of rows in memory, of all tables and tenants together: many small memtables must not take more than a few large ones.
package final class MemtableMemory: Sendable {
    private struct State {
        var bytes = 0
        var memtables = 0
    }

    /// What an empty memtable takes, about: the more tenants there are, the sooner rows are flushed.
    private static let overhead = 64 << 10

    private let limit: Int
    private let isTight: @Sendable () -> Bool
    private let state = Monitor(State())

    /// - Parameters:
    ///   - limit: beyond it requests wait; from half of it on the larger memtables are flushed early …
    ///   - isTight: … and as long as this says so.
    package init(limit: Int = .max, isTight: @escaping @Sendable () -> Bool = { false }) {
        self.limit = limit
        self.isTight = isTight
    }

    package var usedBytes: Int { state.withLock { $0.bytes } }

    /// Waits until there is room.
    ///
    /// - Returns: false if there was none for `patience`.
    func waitForRoom(_ patience: Duration) -> Bool {
        state.wait(timeout: patience) { [limit] in $0.bytes < limit ? true : nil } ?? false
    }

    /// The size from which on a memtable is to be flushed, however young it is; nil while memory is plenty.
    var pressingSize: Int? {
        let isTight = isTight()
        return state.withLock { state in
            isTight || state.bytes >= limit / 2 ? state.bytes / max(state.memtables, 1) / 2 : nil
        }
    }

    func change(by bytes: Int) {
        if bytes > 0 {
            state.withLock { $0.bytes += bytes }
        } else if bytes < 0 {
            state.notifying { $0.bytes += bytes }
        }
    }

    func open() {
        state.withLock { state in
            state.memtables += 1
            state.bytes += Self.overhead
        }
    }

    /// - Parameter bytes: what the memtable has counted and not taken back.
    func close(bytes: Int) {
        state.notifying { state in
            state.memtables -= 1
            state.bytes -= Self.overhead + bytes
        }
    }
}

private import Glibc
private import Synchronization

/// How much of a processor the requests of a connection for telemetry take. A sender that sends as fast as it can gets what queries
/// leave: its requests have threads that come behind theirs. One that sends at a rate that leaves room has not, since many queries at a time
/// would then keep it from getting in.
package struct SenderLoad {
    /// Nanoseconds after which is looked, and the share of a processor from which on a thread goes behind: a quarter.
    static let window = 1_000_000_000
    static let share = 4
    /// A weight of 335 in Linux's scheduler, where other threads have 1024, and those of merges 110.
    private static let nice: Int32 = 5

    private var begin: (wall: Int, processor: Int)?

    init() {}

    /// - Parameters:
    ///   - wall: of a clock that never goes back, nanoseconds.
    ///   - processor: time that the thread has had a processor, nanoseconds.
    /// - Returns: whether it took more than its share since it was looked last.
    mutating func isBusy(wall: Int, processor: Int) -> Bool {
        guard let begin else {
            begin = (wall, processor)
            return false
        }
        guard wall - begin.wall >= Self.window else { return false }
        self.begin = (wall, processor)
        return (processor - begin.processor) * Self.share > wall - begin.wall
    }

    /// Puts the calling thread behind those of queries, for good.
    package static func goBehind() {
        let kind = __priority_which_t(PRIO_PROCESS.rawValue)
        if getpriority(kind, 0) < nice { _ = setpriority(kind, 0, nice) }
    }

    fileprivate static func time(_ clock: clockid_t) -> Int {
        var time = timespec()
        unsafe clock_gettime(clock, &time)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }
}

/// The load of a sender whose requests are handled by threads that serve others, too: as with a thread of its own, once it is busy it
/// stays so.
package final class SenderAccount: Sendable {
    private struct State {
        var load = SenderLoad()
        /// Nanoseconds.
        var processor = 0
        var isBusy = false
    }

    private let state = Mutex(State())

    package init() {}

    package var isBusy: Bool { state.withLock { $0.isBusy } }

    /// Counts the processor time that the calling thread spends in `work`.
    package func measure(_ work: () -> Void) {
        let begin = SenderLoad.time(CLOCK_THREAD_CPUTIME_ID)
        work()
        let spent = SenderLoad.time(CLOCK_THREAD_CPUTIME_ID) - begin
        let wall = SenderLoad.time(CLOCK_MONOTONIC)
        state.withLock { state in
            state.processor += spent
            if state.load.isBusy(wall: wall, processor: state.processor) { state.isBusy = true }
        }
    }
}

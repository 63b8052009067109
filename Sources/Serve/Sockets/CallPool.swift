private import Scheduling

/// Threads that handle calls beside those that receive and send. A handler may wait for room in a memtable, so while nothing of what
/// is in line has been begun for a while, there are more threads, up to a limit; they end when they have had nothing to do for a second.
package final class CallPool: Sendable {
    package typealias Job = @Sendable () -> Void

    private struct State {
        /// Oldest first, from `next` on.
        var line: [Job] = []
        var next = 0
        var threads: [Int: WorkerThread] = [:]
        var started = 0
        /// Of threads that have ended and are to be waited for.
        var ended: [Int] = []
        /// Jobs that were begun, and as many of them as there were when it was looked last.
        var begun = 0
        var seen = 0
        var isStopping = false

        var isEmpty: Bool { next == line.count }

        mutating func take() -> Job? {
            guard !isEmpty else { return nil }
            defer {
                next += 1
                if next == line.count {
                    line.removeAll(keepingCapacity: true)
                    next = 0
                } else if next >= 1024, next * 2 > line.count {
                    line.removeFirst(next)
                    next = 0
                }
            }
            begun += 1
            return line[next]
        }
    }

    private let least: Int
    private let most: Int
    private let growth: Int
    private let begin: @Sendable () -> Void
    private let state = Monitor(State())

    /// - Parameters:
    ///   - growth: how many threads are added at a time.
    ///   - begin: what each thread does first.
    package init(threads: Int, most: Int, growth: Int = 1, begin: @escaping @Sendable () -> Void = {}) {
        least = threads
        self.most = most
        self.growth = growth
        self.begin = begin
    }

    package func add(_ job: @escaping Job) {
        state.notifying { state in
            state.line.append(job)
            if state.threads.count < least { start(&state) }
        }
    }

    /// To be called now and then while there are calls.
    package func growIfStuck() {
        let ended = state.withLock { state in
            if state.begun == state.seen {
                let wanted = min(state.line.count - state.next, growth, most - state.threads.count)
                for _ in 0..<max(wanted, 0) { start(&state) }
            }
            state.seen = state.begun
            defer { state.ended = [] }
            return state.ended.compactMap { state.threads.removeValue(forKey: $0) }
        }
        for thread in ended { thread.join() }
    }

    private func start(_ state: inout State) {
        let isExtra = state.threads.count >= least
        let number = state.started
        state.started += 1
        state.threads[number] = WorkerThread { [self] in
            begin()
            while let job = next(isExtra) { job() }
            self.state.withLock { $0.ended.append(number) }
        }
    }

    private func next(_ isExtra: Bool) -> Job? {
        let job = state.wait(timeout: isExtra ? .seconds(1) : nil) { state -> Job?? in
            if let job = state.take() { return job }
            return state.isStopping ? .some(nil) : nil
        }
        return job ?? nil
    }

    /// Lets the threads end once nothing is in line, and waits for them.
    package func stop() {
        let threads = state.notifying { state in
            state.isStopping = true
            return state.threads.values
        }
        for thread in threads { thread.join() }
    }
}

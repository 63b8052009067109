internal import Scheduling

/// Threads that handle calls beside those that receive and send. A handler may wait for room in a memtable, so while nothing of what
/// is in line has been begun for a while, there is one thread more, up to a limit; it ends when it has had nothing to do for a second.
final class CallPool: Sendable {
    typealias Job = @Sendable () -> Void

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
    private let begin: @Sendable () -> Void
    private let state = Monitor(State())

    /// - Parameter begin: what each thread does first.
    init(threads: Int, most: Int, begin: @escaping @Sendable () -> Void = {}) {
        least = threads
        self.most = most
        self.begin = begin
    }

    func add(_ job: @escaping Job) {
        state.notifying { state in
            state.line.append(job)
            if state.threads.count < least { start(&state) }
        }
    }

    /// To be called now and then while there are calls.
    func growIfStuck() {
        let ended = state.withLock { state in
            if !state.isEmpty, state.begun == state.seen, state.threads.count < most { start(&state) }
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
    func stop() {
        let threads = state.notifying { state in
            state.isStopping = true
            return state.threads.values
        }
        for thread in threads { thread.join() }
    }
}

private import Glibc
private import Synchronization

/// The threads that work for queries: as many as the machine has processors, whatever the number of queries.
///
/// A query's own thread works too, so that a query that reads one block meets no other thread, and a large one keeps every
/// processor busy that no other query has. Threads take one piece of a query at a time, and then one of the next: however much a query has left to do,
/// the others wait for a piece of it only.
package final class QueryPool: Sendable {
    package static let shared = QueryPool(threadCount: max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))))

    package let threadCount: Int
    /// What threads may take pieces of, in the order in which they do; a piece of work stands here once for each thread that may
    /// join in.
    private let waiting = Monitor<[any PooledWork]>([])

    package init(threadCount: Int) {
        self.threadCount = threadCount
        // The threads live as long as the process, or, in tests, the pool's work.
        for _ in 0..<threadCount {
            let waiting = waiting
            _ = WorkerThread { Self.serve(waiting) }
        }
    }

    deinit { waiting.notifying { [threadCount] in $0 = Array(repeating: EndOfWork(), count: threadCount) } }

    /// Queries that run now, each on a thread of its own.
    private let queries = Atomic<Int>(0)

    /// Runs a query, whose thread counts as one of the pool's meanwhile.
    package func running<Result>(_ query: () -> Result) -> Result {
        queries.add(1, ordering: .relaxed)
        defer { queries.subtract(1, ordering: .relaxed) }
        return query()
    }

    /// How many threads besides its own a query may have now: those for which there are processors. With as many queries as
    /// processors each has its own thread alone, and nobody works ahead of what it may need.
    package var helperCount: Int { max(0, threadCount - max(1, queries.load(ordering: .relaxed))) }

    func offer(_ work: some PooledWork, times: Int) {
        guard times > 0 else { return }
        waiting.notifying { waiting in
            for _ in 0..<times { waiting.append(work) }
        }
    }

    private static func serve(_ waiting: Monitor<[any PooledWork]>) {
        var work = next(waiting)
        while !(work is EndOfWork) {
            guard work.doPiece() else {
                work = next(waiting)
                continue
            }
            let done = work
            work = waiting.withLock { waiting in
                guard !waiting.isEmpty else { return done }
                waiting.append(done)
                return waiting.removeFirst()
            }
        }
    }

    private static func next(_ waiting: Monitor<[any PooledWork]>) -> any PooledWork {
        let work = waiting.wait { $0.isEmpty ? nil : $0.removeFirst() }
        guard let work else { preconditionFailure("it waits without a limit") }
        return work
    }
}

/// Work in pieces that any thread can do.
protocol PooledWork: AnyObject, Sendable {
    /// - Returns: whether there may be more; if not, the thread does not come again until it is offered the work.
    func doPiece() -> Bool
}

private final class EndOfWork: PooledWork {
    func doPiece() -> Bool { false }
}

/// Pieces of work numbered from zero, done by several threads, whose results come out in order.
///
/// Work runs ahead of what was taken by a window of pieces at most, which bounds the memory of results that wait.
package final class OrderedWork<Output: Sendable>: PooledWork {
    private struct State {
        /// The first piece that nobody has taken on.
        var next = 0
        /// Pieces below this one may be taken on.
        var end = 0
        /// Threads of the pool that have been asked to come, or are here.
        var helpers = 0
        /// Pieces that are being worked on.
        var running = 0
        var results: [Int: Result<Output, any Error>] = [:]
        /// Nil once the work has ended: a thread that comes later holds nothing of the query any more.
        var piece: Piece?
    }

    private typealias Piece = @Sendable (Int) throws -> Output

    /// What the calling thread does next.
    private enum Turn {
        case take(Result<Output, any Error>)
        case work(Int, Piece)
    }

    private let count: Int
    private let pool: QueryPool
    private let state: Monitor<State>

    package init(count: Int, on pool: QueryPool, piece: @escaping @Sendable (Int) throws -> Output) {
        self.count = count
        self.pool = pool
        state = Monitor(State(piece: piece))
    }

    /// Runs the pieces and hands over their results in order, on the calling thread.
    ///
    /// The first error in this order is thrown. When the call returns, no thread works on a piece any more.
    ///
    /// - Parameters:
    ///   - window: the most pieces that are taken on and not handed over. Doubles from `first` on with each result, since a
    ///     query that needs a few blocks should not read many.
    ///   - body: answers whether to go on.
    package func run(
        window: Int, first: Int = 1, _ body: (Output) throws -> Bool
    ) throws {
        defer { stop() }
        let window = min(window, count)
        var width = min(first, window)
        for index in 0..<count {
            open(to: min(count, index + width))
            width = min(2 * width, window)
            guard try body(result(index).get()) else { return }
        }
    }

    /// Lets pieces below `end` be taken on, and calls for as many threads as can join in.
    private func open(to end: Int) {
        let missing = state.withLock { state in
            state.end = max(state.end, end)
            // One piece is for the calling thread.
            let wanted = min(pool.helperCount, state.end - state.next - 1)
            let missing = max(0, wanted - state.helpers)
            state.helpers += missing
            return missing
        }
        pool.offer(self, times: missing)
    }

    /// Works on pieces itself while that one is not there.
    private func result(_ index: Int) -> Result<Output, any Error> {
        while true {
            let turn: Turn? = state.wait { state in
                if let result = state.results.removeValue(forKey: index) { return .take(result) }
                return Self.take(&state).map { .work($0.number, $0.piece) }
            }
            switch turn {
            case .take(let result): return result
            case .work(let number, let piece):
                let result = Result { try piece(number) }
                let isWanted = state.withLock { state in
                    state.running -= 1
                    if number != index { state.results[number] = result }
                    return number == index
                }
                if isWanted { return result }
            case nil: preconditionFailure("it waits without a limit")
            }
        }
    }

    private static func take(_ state: inout State) -> (number: Int, piece: Piece)? {
        guard state.next < state.end, let piece = state.piece else { return nil }
        defer { state.next += 1 }
        state.running += 1
        return (state.next, piece)
    }

    func doPiece() -> Bool {
        guard let (number, result) = perform() else { return false }
        state.notifying { state in
            state.running -= 1
            state.results[number] = result
        }
        return true
    }

    /// Takes on a piece. When it returns, this thread holds nothing of the query but the result.
    private func perform() -> (number: Int, result: Result<Output, any Error>)? {
        let taken = state.withLock { state in
            let taken = Self.take(&state)
            if taken == nil { state.helpers -= 1 }
            return taken
        }
        guard let (number, piece) = taken else { return nil }
        return (number, Result { try piece(number) })
    }

    private func stop() {
        state.withLock { $0.end = 0 }
        // What is let go of behind the lock may have much to free.
        let left = state.wait { state in
            guard state.running == 0 else { return nil as (Piece?, [Int: Result<Output, any Error>])? }
            defer { (state.piece, state.results) = (nil, [:]) }
            return (state.piece, state.results)
        }
        withExtendedLifetime(left) {}
    }
}

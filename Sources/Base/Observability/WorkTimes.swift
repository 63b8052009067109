private import Glibc

/// Processor time of what the server does with rows, by kind of work, for `/metrics`: what a row costs, and where.
package final class WorkTimes: Sendable {
    package enum Kind: String, CaseIterable, Sendable {
        /// From a request's bytes to columns.
        case decode
        /// Checksums and writes of the write-ahead log.
        case log
        /// Putting a memtable into its table's order.
        case sort
        /// Making pages of columns, and writing them.
        case encode
        /// Making skip indexes of a flushed part.
        case index
        /// Merging parts, all of it.
        case merge
        /// Making views' rows of parts, and writing them; not merging them.
        case rollup
    }

    /// Nanoseconds, by kind.
    private let spent = Kind.allCases.map { _ in Counter() }

    package init() {}

    /// Runs `body` and counts the processor time that the calling thread spends in it.
    ///
    /// - Parameter outer: what is being measured around the call; it is not charged for `body`.
    package func measure<Result: ~Copyable, Failure: Error>(
        _ kind: Kind, within outer: Kind? = nil, _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let begin = Self.threadTime()
        defer {
            let spent = Self.threadTime() - begin
            add(spent, to: kind)
            if let outer { add(-spent, to: outer) }
        }
        return try body()
    }

    private func add(_ nanoseconds: Int, to kind: Kind) {
        for (known, counter) in zip(Kind.allCases, spent) where known == kind { counter.add(nanoseconds) }
    }

    package func seconds(_ kind: Kind) -> Double {
        zip(Kind.allCases, spent).reduce(0) { $1.0 == kind ? Double($1.1.value) / 1e9 : $0 }
    }

    /// Nanoseconds that the calling thread has had a processor.
    private static func threadTime() -> Int {
        var time = timespec()
        unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }
}

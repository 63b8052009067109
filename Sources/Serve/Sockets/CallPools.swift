package import Scheduling

/// The threads that handle the requests of a server. Those of senders that take more than their share of a processor have threads that
/// come behind queries (docs/decisions/0048).
package final class CallPools: Sendable {
    private let pool: CallPool
    private let behind: CallPool

    package init(threads: Int, most: Int, growth: Int = 1) {
        pool = CallPool(threads: threads, most: most, growth: growth)
        behind = CallPool(threads: threads, most: most) { SenderLoad.goBehind() }
    }

    /// Handles a request on a thread that may wait.
    ///
    /// - Parameter sender: who sends telemetry by it; nil for queries, which have limits of their own.
    package func add(of sender: SenderAccount?, _ work: @escaping @Sendable () -> Void) {
        guard let sender else { return pool.add(work) }
        (sender.isBusy ? behind : pool).add { sender.measure(work) }
    }

    /// To be called now and then while there are requests.
    package func growIfStuck() {
        pool.growIfStuck()
        behind.growIfStuck()
    }

    /// Lets the threads end once nothing is in line, and waits for them.
    package func stop() {
        pool.stop()
        behind.stop()
    }
}

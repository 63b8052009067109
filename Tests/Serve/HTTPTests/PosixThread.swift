import Glibc

/// A plain thread, so that tests that block do not hold up others.
final class PosixThread: Sendable {
    private let work: @Sendable () -> Void

    init(_ work: @escaping @Sendable () -> Void) { self.work = work }

    @discardableResult
    func start() -> pthread_t {
        var thread = pthread_t()
        pthread_create(
            &thread, nil,
            { context in
                if let context { Unmanaged<PosixThread>.fromOpaque(context).takeRetainedValue().work() }
                return nil
            }, Unmanaged.passRetained(self).toOpaque())
        return thread
    }
}

/// Runs `work` on `count` threads, and waits for all.
func withThreads(_ count: Int, _ work: @escaping () -> Void) throws {
    nonisolated(unsafe) let work = work
    let threads = (0..<count).map { _ in PosixThread { work() }.start() }
    for thread in threads { pthread_join(thread, nil) }
}

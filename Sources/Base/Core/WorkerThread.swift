private import Glibc

/// A thread of the engine's own; blocking in it delays nobody else.
package final class WorkerThread: @unchecked Sendable {
    private var thread = pthread_t()

    /// Starts a thread that runs `body`.
    package init(_ body: @escaping @Sendable () -> Void) {
        let start = Unmanaged.passRetained(Start(body: body))
        let status = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
                start.body()
                return nil
            }, start.toOpaque())
        precondition(status == 0, "the system has no thread to give")
    }

    /// Waits for the thread's end; to be called once.
    package func join() { pthread_join(thread, nil) }

    private final class Start {
        let body: @Sendable () -> Void

        init(body: @escaping @Sendable () -> Void) { self.body = body }
    }
}

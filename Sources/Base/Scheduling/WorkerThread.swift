private import Glibc

/// A thread of the engine's own; blocking in it delays nobody else.
package final class WorkerThread: @unchecked Sendable {
    private var thread = pthread_t()

    /// Starts a thread that runs `body`.
    package init(_ body: @escaping @Sendable () -> Void) {
        let start = unsafe Unmanaged.passRetained(Start(body: body))
        let status = unsafe pthread_create(
            &thread, nil,
            { argument in
                guard let argument = unsafe argument else { return nil }
                let start = unsafe Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
                start.body()
                return nil
            }, start.toOpaque())
        precondition(status == 0, "the system has no thread to give")
    }

    /// Lets the calling thread have what processor time the others leave: on Linux a nice value is the thread's own.
    package static func lowerPriority() {
        // It is best effort: a thread without it works as well.
        _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 10)
        // SCHED_BATCH, which <sched.h> has for GNU programs only: it does not preempt threads that wake up.
        var parameters = sched_param()
        _ = unsafe sched_setscheduler(0, 3, &parameters)
    }

    /// Waits for the thread's end; to be called once.
    package func join() { pthread_join(thread, nil) }

    private final class Start {
        let body: @Sendable () -> Void

        init(body: @escaping @Sendable () -> Void) { self.body = body }
    }
}

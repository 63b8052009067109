private import Synchronization

/// C contexts that are costly to make and may serve one call at a time: taken for a call, then put back.
///
/// A mutex around a short array costs some 50 ns a call; making a zstd context costs tens of microseconds.
final class ContextPool: Sendable {
    private struct Idle: @unchecked Sendable {
        var contexts: [OpaquePointer] = []
    }

    /// More idle contexts than threads that ever compress at once are only memory.
    private static let mostIdle = 32

    private let idle = Mutex(Idle())
    private let make: @Sendable () -> OpaquePointer?
    private let free: @Sendable (OpaquePointer) -> Void

    init(make: @escaping @Sendable () -> OpaquePointer?, free: @escaping @Sendable (OpaquePointer) -> Void) {
        self.make = make
        self.free = free
    }

    func take() -> OpaquePointer {
        if let context = idle.withLock({ Taken(context: $0.contexts.popLast()) }).context { return context }
        guard let context = make() else { preconditionFailure("out of memory for a compression context") }
        return context
    }

    func putBack(_ context: OpaquePointer) {
        let returned = Taken(context: context)
        let kept = idle.withLock { idle in
            guard idle.contexts.count < Self.mostIdle, let context = returned.context else { return false }
            idle.contexts.append(context)
            return true
        }
        if !kept { free(context) }
    }

    /// Carries a context across the lock: it has one owner at any time.
    private struct Taken: @unchecked Sendable {
        let context: OpaquePointer?
    }
}

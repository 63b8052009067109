private import Core
internal import Parts
private import Synchronization

/// The parts that are open: each has a file descriptor, and its footer in memory. Above either limit those are closed that nobody
/// asked for since the cache last looked; who reads one keeps it open until then.
package final class OpenParts: Sendable {
    package struct Limits: Hashable, Sendable {
        package var files: Int
        /// Of footers and dictionaries, half of it for each.
        package var bytes: Int

        package init(files: Int = 512, bytes: Int = 256 << 20) {
            self.files = files
            self.bytes = bytes
        }
    }

    private struct Slot {
        weak var handle: PartHandle?
        /// What `forget` is told by.
        let part: ObjectIdentifier
        let bytes: Int
    }

    private struct State {
        var slots: [Slot] = []
        var hand = 0
        var bytes = 0
    }

    package let limits: Limits
    let dictionaries: DictionaryPool
    private let state = Mutex(State())

    package init(_ limits: Limits = Limits()) {
        self.limits = limits
        dictionaries = DictionaryPool(byteLimit: limits.bytes / 2)
    }

    package var openParts: Int { state.withLock { $0.slots.count } }
    package var usedBytes: Int { state.withLock { $0.bytes } + dictionaries.usedBytes }

    func insert(_ handle: PartHandle, _ part: Part) {
        let bytes = part.footerBytes
        var idle: [(PartHandle?, Part)] = []
        // A handle is asked to close outside of the lock: the last reference to one takes this lock too.
        for candidate in add(Slot(handle: handle, part: ObjectIdentifier(part), bytes: bytes)) {
            guard let part = candidate.closeIfIdle() else { continue }
            forget(part)
            idle.append((candidate, part))
        }
        withExtendedLifetime(idle) {}
    }

    /// - Returns: the handles that are to be asked whether they can close.
    private func add(_ slot: Slot) -> [PartHandle] {
        state.withLock { state in
            state.slots.append(slot)
            state.bytes += slot.bytes
            var files = state.slots.count - limits.files
            var bytes = state.bytes - limits.bytes / 2
            var candidates: [PartHandle] = []
            // Some of them are in use: others are asked then, at most all of them twice.
            var asked = 0
            while files > 0 || bytes > 0, asked < 2 * state.slots.count {
                if state.hand >= state.slots.count { state.hand = 0 }
                let next = state.slots[state.hand]
                state.hand += 1
                asked += 1
                guard let handle = next.handle, handle !== slot.handle else { continue }
                candidates.append(handle)
                files -= 1
                bytes -= next.bytes
            }
            return candidates
        }
    }

    func forget(_ part: Part) {
        let part = ObjectIdentifier(part)
        state.withLock { state in
            guard let place = state.slots.firstIndex(where: { $0.part == part }) else { return }
            state.bytes -= state.slots[place].bytes
            state.slots.swapAt(place, state.slots.count - 1)
            state.slots.removeLast()
        }
    }
}

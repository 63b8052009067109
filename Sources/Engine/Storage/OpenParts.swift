internal import Parts
private import Synchronization

/// The parts that are open: each has a file descriptor, and its footer and what was read of its indexes in memory. Above either limit those are closed that nobody
/// asked for since the cache last looked; who reads one keeps it open until then.
package final class OpenParts: Sendable {
    package struct Limits: Hashable, Sendable {
        package var files: Int
        /// Of footers with what was read of their indexes and lists half, of dictionaries and of decoded pages a quarter each.
        package var bytes: Int

        package init(files: Int = 512, bytes: Int = 384 << 20) {
            self.files = files
            self.bytes = bytes
        }
    }

    private struct Slot {
        weak var handle: PartHandle?
        /// What `forget` is told by.
        let part: ObjectIdentifier
        var bytes: Int
    }

    private struct State {
        var slots: [Slot] = []
        /// Where the slot of a part is.
        var places: [ObjectIdentifier: Int] = [:]
        var hand = 0
        var bytes = 0
    }

    package let limits: Limits
    let dictionaries: DictionaryPool
    let pages: PagePool
    private let state = Mutex(State())

    package init(_ limits: Limits = Limits()) {
        self.limits = limits
        // Searches ask for a dictionary of each attribute in each block: with one lock for all a hundred of them stood in line.
        let isLarge = limits.bytes >= 1 << 26
        dictionaries = DictionaryPool(byteLimit: limits.bytes / 4, shards: isLarge ? 8 : 1)
        pages = PagePool(byteLimit: limits.bytes / 4, shards: isLarge ? 16 : 1)
    }

    package var openParts: Int { state.withLock { $0.slots.count } }
    package var usedBytes: Int { state.withLock { $0.bytes } + dictionaries.usedBytes + pages.usedBytes }

    /// Keeps a quarter of what it may, of that which nobody uses.
    package func shrink() {
        dictionaries.shrink()
        pages.shrink()
        close(below: limits.bytes / 8) { _ in nil }
    }

    func insert(_ handle: PartHandle, _ part: Part) {
        close { state in
            // What was read meanwhile is counted too.
            let slot = Slot(handle: handle, part: ObjectIdentifier(part), bytes: part.heldBytes)
            state.places[slot.part] = state.slots.count
            state.slots.append(slot)
            state.bytes += slot.bytes
            return handle
        }
    }

    /// Counts what a part has come to hold.
    func update(_ part: Part) {
        close { state in
            // Before it is inserted, or after it was let go of, there is nothing to count.
            guard let place = state.places[ObjectIdentifier(part)] else { return nil }
            let bytes = part.heldBytes
            state.bytes += bytes - state.slots[place].bytes
            state.slots[place].bytes = bytes
            return state.slots[place].handle
        }
    }

    /// Closes parts that nobody uses, if a change brought more than there may be.
    ///
    /// - Parameters:
    ///   - most: bytes of footers and indexes; nil: as many as there may be.
    ///   - change: answers whose part changed, which stays open.
    private func close(below most: Int? = nil, _ change: (inout State) -> PartHandle?) {
        var idle: [(PartHandle?, Part)] = []
        let (changed, asked): (PartHandle?, [PartHandle]) = state.withLock { state in
            let changed = change(&state)
            return (changed, candidates(&state, most ?? limits.bytes / 2, besides: changed))
        }
        // A handle is asked to close outside of the lock: the last reference to one takes this lock too.
        for candidate in asked {
            guard let part = candidate.closeIfIdle() else { continue }
            forget(part)
            idle.append((candidate, part))
        }
        withExtendedLifetime((changed, idle)) {}
    }

    /// - Returns: the handles that are to be asked whether they can close.
    private func candidates(_ state: inout State, _ most: Int, besides changed: PartHandle?) -> [PartHandle] {
        var files = state.slots.count - limits.files
        var bytes = state.bytes - most
        var candidates: [PartHandle] = []
        // Some of them are in use: others are asked then, at most all of them twice.
        var asked = 0
        while files > 0 || bytes > 0, asked < 2 * state.slots.count {
            if state.hand >= state.slots.count { state.hand = 0 }
            let next = state.slots[state.hand]
            state.hand += 1
            asked += 1
            guard let handle = next.handle, handle !== changed else { continue }
            candidates.append(handle)
            files -= 1
            bytes -= next.bytes
        }
        return candidates
    }

    func forget(_ part: Part) {
        let part = ObjectIdentifier(part)
        state.withLock { state in
            guard let place = state.places.removeValue(forKey: part) else { return }
            state.bytes -= state.slots[place].bytes
            let last = state.slots.removeLast()
            guard last.part != part else { return }
            state.slots[place] = last
            state.places[last.part] = place
        }
    }
}

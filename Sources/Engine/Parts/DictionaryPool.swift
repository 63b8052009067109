internal import Columns
private import Synchronization

/// Dictionaries of parts that were read, as many as memory is given for: those that nobody asked for since the pool last looked
/// go first. Whoever uses one keeps it alive, in the pool or not.
package final class DictionaryPool: Sendable {
    private struct Key: Hashable {
        let part: UInt64
        let number: Int
    }

    private struct Entry {
        let dictionary: StringDictionary
        var wasUsed: Bool
    }

    private struct State {
        var entries: [Key: Entry] = [:]
        /// The order in which entries are looked at for removal; each once.
        var ring: [Key] = []
        var hand = 0
        var bytes = 0
        var nextPart: UInt64 = 0
    }

    package let byteLimit: Int
    private let state = Mutex(State())

    package init(byteLimit: Int) { self.byteLimit = byteLimit }

    package var usedBytes: Int { state.withLock { $0.bytes } }

    /// A number by which a part's dictionaries are known.
    func makePartNumber() -> UInt64 {
        state.withLock { state in
            state.nextPart += 1
            return state.nextPart
        }
    }

    func find(_ number: Int, ofPart part: UInt64) -> StringDictionary? {
        let key = Key(part: part, number: number)
        return state.withLock { state in
            guard let dictionary = state.entries[key]?.dictionary else { return nil }
            state.entries[key]?.wasUsed = true
            return dictionary
        }
    }

    /// - Returns: the one to use: another thread may have been faster.
    func insert(_ dictionary: StringDictionary, _ number: Int, ofPart part: UInt64) -> StringDictionary {
        let key = Key(part: part, number: number)
        // What is removed is let go of behind the lock.
        let (kept, removed) = state.withLock { state in
            if let known = state.entries[key] { return (known.dictionary, [StringDictionary]()) }
            // A single one that is larger than all may be goes as soon as its query does.
            guard dictionary.byteCount <= byteLimit else { return (dictionary, []) }
            state.entries[key] = Entry(dictionary: dictionary, wasUsed: true)
            state.ring.append(key)
            state.bytes += dictionary.byteCount
            var removed: [StringDictionary] = []
            while state.bytes > byteLimit { removed.append(Self.removeOne(&state)) }
            return (dictionary, removed)
        }
        withExtendedLifetime(removed) {}
        return kept
    }

    private static func removeOne(_ state: inout State) -> StringDictionary {
        while true {
            if state.hand >= state.ring.count { state.hand = 0 }
            let key = state.ring[state.hand]
            guard let entry = state.entries[key] else { preconditionFailure("the ring has the entries' keys") }
            if entry.wasUsed {
                state.entries[key]?.wasUsed = false
                state.hand += 1
            } else {
                drop(key, at: state.hand, &state)
                return entry.dictionary
            }
        }
    }

    private static func drop(_ key: Key, at place: Int, _ state: inout State) {
        guard let entry = state.entries.removeValue(forKey: key) else { return }
        state.bytes -= entry.dictionary.byteCount
        state.ring.swapAt(place, state.ring.count - 1)
        state.ring.removeLast()
    }

    /// Forgets the dictionaries of a part that is closed.
    func forget(part: UInt64) {
        state.withLock { state in
            for place in state.ring.indices.reversed() where state.ring[place].part == part {
                Self.drop(state.ring[place], at: place, &state)
            }
        }
    }
}

package import Columns
package import Core
private import Synchronization

/// Things of parts that were read and decoded, as many as memory is given for: those that nobody asked for since the pool last
/// looked go first. Whoever uses one keeps it alive, in the pool or not.
package final class PartPool<Value: PooledValue>: Sendable {
    private struct Key: Hashable {
        let part: UInt64
        let number: Int
    }

    /// Used under the lock of its shard; an object, so that what is found is not copied on the way.
    private final class Entry {
        let value: Value
        let byteCount: Int
        var wasUsed = true
        /// Where its key stands in the ring.
        var slot: Int

        init(_ value: Value, byteCount: Int, slot: Int) {
            self.value = value
            self.byteCount = byteCount
            self.slot = slot
        }
    }

    private struct State {
        var entries: [Key: Entry] = [:]
        /// The order in which entries are looked at for removal; each once.
        var ring: [Key] = []
        var hand = 0
        var bytes = 0
        /// What there is of each part, so that one that is closed costs as much as there is of it.
        var numbers: [UInt64: Set<Int>] = [:]
    }

    /// A share of the pool with a lock of its own.
    private final class Shard: Sendable {
        let state = Mutex(State())
    }

    package let byteLimit: Int
    private let shards: [Shard]
    private let lastPart = Atomic<UInt64>(0)
    private var shardLimit: Int { byteLimit / shards.count }

    /// - Parameter shards: more than one where many threads ask all the time; a value is no larger than a shard.
    package init(byteLimit: Int, shards: Int = 1) {
        self.byteLimit = byteLimit
        self.shards = (0..<shards).map { _ in Shard() }
    }

    package var usedBytes: Int { shards.reduce(0) { $0 + $1.state.withLock { $0.bytes } } }

    private func shard(of key: Key) -> Shard {
        if shards.count == 1 { return shards[0] }
        let mixed =
            (key.part &* 0x9E37_79B9_7F4A_7C15 &+ UInt64(truncatingIfNeeded: key.number)) &* 0xD6E8_FEB8_6659_FD93
        return shards[Int(mixed >> 40) % shards.count]
    }

    /// A number by which a part is known here.
    func makePartNumber() -> UInt64 {
        lastPart.add(1, ordering: .relaxed).newValue
    }

    func find(_ number: Int, ofPart part: UInt64) -> Value? {
        let key = Key(part: part, number: number)
        return shard(of: key).state.withLock { state in
            guard let entry = state.entries[key] else { return nil }
            entry.wasUsed = true
            return entry.value
        }
    }

    /// - Returns: the one to use: another thread may have been faster.
    func insert(_ value: Value, _ number: Int, ofPart part: UInt64) -> Value {
        let key = Key(part: part, number: number)
        let byteCount = value.pooledBytes
        // What is removed is let go of behind the lock.
        let shardLimit = shardLimit
        let (kept, removed) = shard(of: key).state.withLock { state in
            if let known = state.entries[key] { return (known.value, [Value]()) }
            // A single one that is larger than all may be goes as soon as its query does.
            guard byteCount <= shardLimit else { return (value, []) }
            state.entries[key] = Entry(value, byteCount: byteCount, slot: state.ring.count)
            state.ring.append(key)
            state.numbers[part, default: []].insert(number)
            state.bytes += byteCount
            var removed: [Value] = []
            while state.bytes > shardLimit { removed.append(Self.removeOne(&state)) }
            return (value, removed)
        }
        withExtendedLifetime(removed) {}
        return kept
    }

    private static func removeOne(_ state: inout State) -> Value {
        while true {
            if state.hand >= state.ring.count { state.hand = 0 }
            let key = state.ring[state.hand]
            guard let entry = state.entries[key] else { preconditionFailure("the ring has the entries' keys") }
            if entry.wasUsed {
                entry.wasUsed = false
                state.hand += 1
            } else {
                _ = drop(key, &state)
                return entry.value
            }
        }
    }

    private static func drop(_ key: Key, _ state: inout State) -> Value? {
        guard let entry = state.entries.removeValue(forKey: key) else { return nil }
        state.bytes -= entry.byteCount
        let last = state.ring.removeLast()
        if last != key {
            state.ring[entry.slot] = last
            state.entries[last]?.slot = entry.slot
        }
        state.numbers[key.part]?.remove(key.number)
        if state.numbers[key.part]?.isEmpty == true { state.numbers[key.part] = nil }
        return entry.value
    }

    /// Keeps a quarter of what it may.
    package func shrink() {
        let most = shardLimit / 4
        for shard in shards {
            // What is removed is let go of behind the lock.
            let removed = shard.state.withLock { state in
                var removed: [Value] = []
                while state.bytes > most { removed.append(Self.removeOne(&state)) }
                return removed
            }
            withExtendedLifetime(removed) {}
        }
    }

    /// Forgets what is of a part that is closed.
    func forget(part: UInt64) {
        for shard in shards {
            // What is removed is let go of behind the lock.
            let removed = shard.state.withLock { state in
                (state.numbers[part] ?? []).compactMap { Self.drop(Key(part: part, number: $0), &state) }
            }
            withExtendedLifetime(removed) {}
        }
    }
}

/// Something that is kept of a part.
package protocol PooledValue: Sendable {
    /// Bytes of memory that it takes, about.
    var pooledBytes: Int { get }
}

package typealias DictionaryPool = PartPool<StringDictionary>

extension StringDictionary: PooledValue {
    package var pooledBytes: Int { byteCount }
}

/// One page, decoded.
package enum DecodedPage: PooledValue {
    case column(Column)
    case naturals(Buffer<UInt32>)

    package var pooledBytes: Int {
        switch self {
        // The entry itself takes some, too.
        case .column(let column): 128 + column.heldBytes
        case .naturals(let values): 128 + values.count * 4
        }
    }
}

package typealias PagePool = PartPool<DecodedPage>

internal import Core
private import Synchronization

/// What was found out about byte strings, each of which is asked about often: resources and scopes.
final class ByteMemo<Value: Sendable>: Sendable {
    private struct Entry {
        let bytes: [UInt8]
        let value: Value
    }

    /// More than this are not remembered: who sends so many sends each of them seldom.
    private static var limit: Int { 1 << 14 }

    private let known = Mutex<[UInt64: Entry]>([:])

    init() {}

    /// - Parameter make: is called behind no lock, now and then twice for the same bytes.
    func value(of bytes: Span<UInt8>, _ make: () -> Value) -> Value {
        let hash = XXH3.hash(bytes)
        let found = known.withLock { known -> Value? in
            guard let entry = known[hash], bytes.isEqual(to: entry.bytes.span) else { return nil }
            return entry.value
        }
        if let found { return found }
        let value = make()
        return known.withLock { known in
            // Values may have an identity: the first one stays.
            if let entry = known[hash] { return bytes.isEqual(to: entry.bytes.span) ? entry.value : value }
            if known.count < Self.limit { known[hash] = Entry(bytes: Array(copying: bytes), value: value) }
            return value
        }
    }
}

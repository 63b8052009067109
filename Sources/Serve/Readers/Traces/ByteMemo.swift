internal import Core
private import Glibc
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
    func value(of bytes: UnsafeRawBufferPointer, _ make: () -> Value) -> Value {
        let hash = XXH3.hash(bytes)
        let found = known.withLock { known -> Value? in
            guard let entry = known[hash], bytes.isEqual(to: entry.bytes) else { return nil }
            return entry.value
        }
        if let found { return found }
        let value = make()
        return known.withLock { known in
            // Values may have an identity: the first one stays.
            if let entry = known[hash] { return bytes.isEqual(to: entry.bytes) ? entry.value : value }
            if known.count < Self.limit { known[hash] = Entry(bytes: Array(bytes), value: value) }
            return value
        }
    }

    /// Whether `needle` stands somewhere in the bytes.
    static func has(_ needle: [UInt8], in bytes: UnsafeRawBufferPointer) -> Bool {
        guard var place = bytes.baseAddress, let first = needle.first else { return needle.isEmpty }
        let end = place + bytes.count
        while end - place >= needle.count, let next = memchr(place, Int32(first), end - place - needle.count + 1) {
            if memcmp(next, needle, needle.count) == 0 { return true }
            place = UnsafeRawPointer(next) + 1
        }
        return false
    }
}

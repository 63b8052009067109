public import Core
public import Glibc

/// Keeps byte strings, each once as long as it looks them up, and gives each a number.
public struct StringInterner: ~Copyable {
    public var offsets: BufferBuilder<UInt32>
    public var contents: BufferBuilder<UInt8>
    /// Open addressing: the hash's upper half above the entry's index + 1; 0 is free.
    private var slots: UnsafeMutablePointer<UInt64>
    private var mask: Int
    private let seed = HashSeed.value
    /// Whether no two entries are equal.
    public private(set) var isUnique = true
    private static var tagMask: UInt64 { 0xFFFF_FFFF_0000_0000 }

    public init() {
        offsets = BufferBuilder(capacity: 16)
        offsets.append(0)
        contents = BufferBuilder()
        mask = 15
        slots = .allocate(capacity: 16)
        slots.initialize(repeating: 0, count: 16)
    }

    deinit { slots.deallocate() }

    @inlinable
    public var count: Int { offsets.count - 1 }

    @inlinable
    @inline(__always)
    public func isEqual(_ entry: UInt32, _ start: UnsafePointer<UInt8>, _ count: Int) -> Bool {
        let from = Int(offsets.base[Int(entry)])
        let length = Int(offsets.base[Int(entry) &+ 1]) &- from
        return length == count && memcmp(contents.base + from, start, count) == 0
    }

    /// Whether the entry is `prefix`, as four bytes in memory order, followed by the given bytes.
    @inlinable
    @inline(__always)
    public func isEqual(
        _ entry: UInt32, prefix: UInt32, _ start: UnsafePointer<UInt8>, _ count: Int
    ) -> Bool {
        let from = Int(offsets.base[Int(entry)])
        let length = Int(offsets.base[Int(entry) &+ 1]) &- from
        guard length == count &+ 4 else { return false }
        let stored = UnsafeRawPointer(contents.base + from)
        return stored.loadUnaligned(as: UInt32.self) == prefix
            && memcmp(stored + 4, start, count) == 0
    }

    /// Appends an entry without looking for an equal one.
    public mutating func add(_ start: UnsafePointer<UInt8>, _ count: Int) -> UInt32 {
        contents.append(contentsOf: UnsafeBufferPointer(start: start, count: count))
        precondition(contents.count <= Int(UInt32.max), "a memtable's strings stay below 4 GiB")
        offsets.append(UInt32(contents.count))
        return UInt32(offsets.count - 2)
    }

    /// The entry with the given bytes, added if it is new.
    public mutating func lookUp(_ start: UnsafePointer<UInt8>, _ count: Int) -> UInt32 {
        let hash = XXH3.hash(UnsafeRawBufferPointer(start: start, count: count), seed: seed)
        let tag = hash & Self.tagMask
        var index = Int(truncatingIfNeeded: hash) & mask
        while slots[index] != 0 {
            let slot = slots[index]
            if slot & Self.tagMask == tag {
                let entry = UInt32(truncatingIfNeeded: slot) &- 1
                if isEqual(entry, start, count) { return entry }
            }
            index = (index + 1) & mask
        }
        let entry = add(start, count)
        slots[index] = tag | UInt64(entry + 1)
        if self.count * 2 > mask { rehash() }
        return entry
    }

    package mutating func lookUp(_ bytes: Span<UInt8>) -> UInt32 {
        bytes.withUnsafeBufferPointer { bytes in
            var empty: UInt8 = 0
            guard let start = bytes.baseAddress else { return withUnsafePointer(to: &empty) { lookUp($0, 0) } }
            return lookUp(start, bytes.count)
        }
    }

    private mutating func rehash() {
        slots.deallocate()
        let capacity = (mask + 1) * 4
        mask = capacity - 1
        slots = .allocate(capacity: capacity)
        slots.initialize(repeating: 0, count: capacity)
        for entry in 0..<count {
            let hash = XXH3.hash(bytes(entry), seed: seed)
            var index = Int(truncatingIfNeeded: hash) & mask
            while slots[index] != 0 { index = (index + 1) & mask }
            slots[index] = hash & Self.tagMask | UInt64(entry + 1)
        }
    }

    /// From now on entries are only added.
    public mutating func stopLookingUp() {
        isUnique = false
        slots.deallocate()
        slots = .allocate(capacity: 1)
        mask = -1
    }

    /// Valid until the next entry is added.
    public func bytes(_ entry: Int) -> UnsafeRawBufferPointer {
        let from = Int(offsets[entry])
        return UnsafeRawBufferPointer(
            start: contents.base + from, count: Int(offsets[entry + 1]) - from)
    }

    package func with<Result>(_ entry: Int, _ body: (Span<UInt8>) -> Result) -> Result {
        body(Span(_unsafeBytes: bytes(entry)))
    }

    /// Whether one entry comes before another in the order of bytes.
    package func precedes(_ entry: Int, _ other: Int) -> Bool { ByteOrder.compare(bytes(entry), bytes(other)) < 0 }

    public var byteCount: Int { offsets.count * 4 + contents.count + (mask + 1) * 8 }

    package func snapshot() -> StringDictionary {
        StringDictionary(
            offsets: offsets.snapshot(), contents: contents.snapshot(), isUnique: isUnique,
            isSorted: false)
    }
}

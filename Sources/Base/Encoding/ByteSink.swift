/// Bytes that grow at their end, without the zero-filling and uniqueness checks of an array.
struct ByteSink: ~Copyable {
    private(set) var base: UnsafeMutableRawPointer
    private(set) var count = 0
    private var capacity: Int

    init(capacity: Int) {
        self.capacity = max(capacity, 64)
        base = .allocate(byteCount: self.capacity, alignment: 16)
    }

    deinit { base.deallocate() }

    var bytes: UnsafeRawBufferPointer { .init(start: base, count: count) }

    mutating func removeAll() { count = 0 }

    mutating func removeLast(_ removed: Int) {
        precondition(removed <= count)
        count -= removed
    }

    /// Makes room for `added` more bytes and returns where they go; `advance` then says how many were written.
    @inline(__always)
    mutating func reserve(_ added: Int) -> UnsafeMutableRawPointer {
        if capacity - count < added { grow(added) }
        return base + count
    }

    @inline(__always)
    mutating func advance(_ written: Int) {
        count &+= written
        assert(count <= capacity)
    }

    @inline(never)
    private mutating func grow(_ added: Int) {
        capacity = max(count + added, capacity * 2)
        let next = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
        next.copyMemory(from: base, byteCount: count)
        base.deallocate()
        base = next
    }

    mutating func append(_ byte: UInt8) {
        reserve(1).storeBytes(of: byte, as: UInt8.self)
        advance(1)
    }

    mutating func append(word: UInt64) {
        reserve(8).storeBytes(of: word.littleEndian, as: UInt64.self)
        advance(8)
    }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard let source = bytes.baseAddress, !bytes.isEmpty else { return }
        reserve(bytes.count).copyMemory(from: source, byteCount: bytes.count)
        advance(bytes.count)
    }

    mutating func append(varint value: UInt64) {
        advance(Varint.write(value, to: reserve(Varint.mostBytes)))
    }

    mutating func append(varint value: Int) { append(varint: UInt64(value)) }
}

/// Integers of 7 bits a byte, least significant first; the top bit says that more follow.
enum Varint {
    static let mostBytes = 10

    /// Writes `value` and returns its length; `target` has room for `mostBytes`.
    @inline(__always)
    static func write(_ value: UInt64, to target: UnsafeMutableRawPointer) -> Int {
        var rest = value
        var length = 0
        while rest >= 0x80 {
            target.storeBytes(of: UInt8(truncatingIfNeeded: rest) | 0x80, toByteOffset: length, as: UInt8.self)
            rest &>>= 7
            length &+= 1
        }
        target.storeBytes(of: UInt8(truncatingIfNeeded: rest), toByteOffset: length, as: UInt8.self)
        return length &+ 1
    }

    static func length(_ value: UInt64) -> Int {
        max(1, (70 - value.leadingZeroBitCount) / 7)
    }
}

/// Maps integers of small magnitude, of either sign, to small naturals.
enum ZigZag {
    @inline(__always)
    static func encode(_ value: Int64) -> UInt64 {
        UInt64(bitPattern: (value &<< 1) ^ (value &>> 63))
    }

    @inline(__always)
    static func decode(_ value: UInt64) -> Int64 {
        Int64(bitPattern: (value &>> 1) ^ (0 &- (value & 1)))
    }
}

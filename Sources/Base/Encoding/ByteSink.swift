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
        if value < 0x80 {
            target.storeBytes(of: UInt8(truncatingIfNeeded: value), as: UInt8.self)
            return 1
        }
        // Up to 56 bits without a branch on the length, which differs from value to value.
        if value < 1 &<< 56 {
            let length = length(value)
            let continued = 0x0080_8080_8080_8080 & (UInt64.max &>> UInt64(truncatingIfNeeded: 72 &- 8 &* length))
            target.storeBytes(of: (scatter(value) | continued).littleEndian, as: UInt64.self)
            return length
        }
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

    /// Spreads 56 bits over the low seven of each byte.
    @inline(__always)
    static func scatter(_ value: UInt64) -> UInt64 {
        var x = (value & 0x00FF_FFFF_F000_0000) &<< 4 | value & 0x0FFF_FFFF
        x = (x & 0x0FFF_C000_0FFF_C000) &<< 2 | x & 0x0000_3FFF_0000_3FFF
        return (x & 0x3F80_3F80_3F80_3F80) &<< 1 | x & 0x007F_007F_007F_007F
    }

    /// Undoes `scatter`; the top bit of each byte does not count.
    @inline(__always)
    static func gather(_ value: UInt64) -> UInt64 {
        var x = (value & 0x7F00_7F00_7F00_7F00) &>> 1 | value & 0x007F_007F_007F_007F
        x = (x & 0x3FFF_0000_3FFF_0000) &>> 2 | x & 0x0000_3FFF_0000_3FFF
        return (x & 0x0FFF_FFFF_0000_0000) &>> 4 | x & 0x0000_0000_0FFF_FFFF
    }

    @inline(__always)
    static func length(_ value: UInt64) -> Int {
        max(1, (70 &- value.leadingZeroBitCount) / 7)
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

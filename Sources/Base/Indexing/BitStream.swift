/// Writes bits, low ones first.
struct BitWriter {
    private(set) var bytes: [UInt8] = []
    private var pending: UInt64 = 0
    private var pendingCount = 0

    /// Appends the lower `count` bits of `value`, at most 56; the others must be zero.
    @inline(__always)
    mutating func append(_ value: UInt64, _ count: Int) {
        pending |= value &<< UInt64(pendingCount)
        pendingCount &+= count
        while pendingCount >= 8 {
            bytes.append(UInt8(truncatingIfNeeded: pending))
            pending &>>= 8
            pendingCount &-= 8
        }
    }

    /// As many zeros as `value` says, and a one.
    mutating func append(unary value: Int) {
        var rest = value
        while rest >= 32 {
            append(0, 32)
            rest &-= 32
        }
        append(1 &<< UInt64(rest), rest &+ 1)
    }

    /// The quotient by 2^`bits` in unary, and the rest.
    mutating func append(rice value: UInt64, bits: Int) {
        append(unary: Int(value &>> UInt64(bits)))
        append(value & ((1 &<< UInt64(bits)) &- 1), bits)
    }

    /// The bytes so far, the last one filled up with zeros. Starts over.
    mutating func finish() -> [UInt8] {
        if pendingCount > 0 { bytes.append(UInt8(truncatingIfNeeded: pending)) }
        defer { self = BitWriter() }
        return bytes
    }
}

/// Reads bits, low ones first; every read is checked.
struct BitReader {
    private let bytes: UnsafeRawBufferPointer
    private var position = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    var remaining: Int { bytes.count &* 8 &- position }

    /// The bits from the position on, at least 57 of them, zeros behind the end.
    @inline(__always)
    private func window() -> UInt64 {
        let byte = position &>> 3
        if byte &+ 8 <= bytes.count {
            return UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: byte, as: UInt64.self))
                &>> UInt64(position & 7)
        }
        var value: UInt64 = 0
        for i in byte..<bytes.count { value |= UInt64(bytes[i]) &<< UInt64((i &- byte) &* 8) }
        return value &>> UInt64(position & 7)
    }

    /// At most 56 bits.
    @inline(__always)
    mutating func bits(_ count: Int) throws(IndexingError) -> UInt64 {
        guard count <= remaining else { throw .corrupt }
        let value = window() & ((1 &<< UInt64(count)) &- 1)
        position &+= count
        return value
    }

    @inline(__always)
    mutating func unary() throws(IndexingError) -> Int {
        var zeros = 0
        while true {
            let some = window()
            if some != 0 {
                let more = some.trailingZeroBitCount
                position &+= more &+ 1
                guard remaining >= 0 else { throw .corrupt }
                return zeros &+ more
            }
            guard remaining > 56 else { throw .corrupt }
            position &+= 56
            zeros &+= 56
        }
    }

    @inline(__always)
    mutating func rice(_ bits: Int) throws(IndexingError) -> UInt64 {
        let quotient = try unary()
        return UInt64(quotient) &<< UInt64(bits) | (try self.bits(bits))
    }
}

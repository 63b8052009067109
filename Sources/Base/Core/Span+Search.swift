private import CSearch
private import Glibc

/// Searches in bytes: what C's library does faster than a loop with checked indices.
extension Span where Element == UInt8 {
    /// Whether no byte has its highest bit set.
    package var isASCII: Bool {
        withUnsafeBytes { bytes in
            var offset = 0
            while offset + 8 <= bytes.count {
                let word = bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
                if word & 0x8080_8080_8080_8080 != 0 { return false }
                offset += 8
            }
            while offset < bytes.count {
                if bytes[offset] & 0x80 != 0 { return false }
                offset += 1
            }
            return true
        }
    }

    /// Where `byte` comes first at or behind `start`; the end if nowhere.
    package func index(of byte: UInt8, from start: Int) -> Int {
        precondition(start >= 0 && start <= count)
        return withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress, start < bytes.count,
                let found = memchr(base + start, Int32(byte), bytes.count - start)
            else { return bytes.count }
            return UnsafeRawPointer(found) - base
        }
    }

    /// Where a quotation mark or a backslash comes first at or behind `start`; the end if nowhere.
    package func indexOfQuoteOrBackslash(from start: Int) -> Int {
        precondition(start >= 0 && start <= count)
        return withUnsafeBytes { bytes in
            let (ones, tops): (UInt64, UInt64) = (0x0101_0101_0101_0101, 0x8080_8080_8080_8080)
            var offset = start
            while offset + 8 <= bytes.count {
                let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
                let (quotes, backslashes) = (word ^ (ones &* 0x22), word ^ (ones &* 0x5C))
                // A byte that is zero loses its top bit first; bytes above it may be wrong, and are not looked at.
                let hits = ((quotes &- ones) & ~quotes | (backslashes &- ones) & ~backslashes) & tops
                if hits != 0 { return offset + hits.trailingZeroBitCount / 8 }
                offset += 8
            }
            while offset < bytes.count, bytes[offset] != 0x22, bytes[offset] != 0x5C { offset += 1 }
            return offset
        }
    }

    /// Where `needle` begins first at or behind `start`; in time that grows with the text alone.
    package func index(of needle: Span<UInt8>, from start: Int = 0) -> Int? {
        guard !needle.isEmpty else { return start <= count ? start : nil }
        return withUnsafeBufferPointer { text in
            needle.withUnsafeBufferPointer { needle in
                guard let base = text.baseAddress, start >= 0, start < text.count else { return nil }
                return varve_find(base + start, text.count - start, needle.baseAddress, needle.count).map { $0 - base }
            }
        }
    }

    package func isEqual(to other: Span<UInt8>) -> Bool {
        guard count == other.count else { return false }
        return withUnsafeBytes { left in
            other.withUnsafeBytes { right in
                guard let left = left.baseAddress, let right = right.baseAddress else { return true }
                return memcmp(left, right, count) == 0
            }
        }
    }
}

extension UnsafeRawBufferPointer {
    /// Whether both have the same bytes: `elementsEqual` compares them one by one.
    package func isEqual(to other: UnsafeRawBufferPointer) -> Bool {
        guard count == other.count else { return false }
        guard let left = baseAddress, let right = other.baseAddress else { return true }
        return memcmp(left, right, count) == 0
    }

    package func isEqual(to other: [UInt8]) -> Bool { other.withUnsafeBytes { isEqual(to: $0) } }
}

extension [UInt8] {
    package init(copying bytes: Span<UInt8>) { self = bytes.withUnsafeBufferPointer { Array($0) } }

    package mutating func append(copying bytes: Span<UInt8>) {
        bytes.withUnsafeBufferPointer { append(contentsOf: $0) }
    }
}

extension String {
    /// The bytes as text; what is not UTF-8 becomes U+FFFD.
    package init(repairing bytes: Span<UInt8>) {
        self = bytes.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
    }
}

/// Integers of a width, the least byte first.
extension [UInt8] {
    package mutating func append(littleEndian value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
    }
}

extension Span where Element == UInt8 {
    /// The integer whose bytes begin at `start`; all of them must be there.
    package func littleEndian<Value: FixedWidthInteger & BitwiseCopyable>(
        at start: Int, as _: Value.Type = UInt64.self
    ) -> Value {
        precondition(start >= 0 && count - start >= MemoryLayout<Value>.size, "no integer begins there")
        return withUnsafeBytes { Value(littleEndian: $0.loadUnaligned(fromByteOffset: start, as: Value.self)) }
    }
}

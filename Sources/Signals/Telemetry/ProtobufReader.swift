/// Why protobuf bytes cannot be read.
public enum ProtobufError: Error, Hashable, Sendable {
    /// A field ends after its message.
    case truncated
    /// A varint of more than ten bytes, a field number of zero, or a wire type that does not exist.
    case malformed
    /// Values nested deeper than `ProtobufReader.deepest`.
    case tooDeep
    /// More than a request may hold: more items than memory is granted for, or one of a size that no part can have.
    case tooLarge
}

/// Walks the fields of one protobuf message in place.
///
/// Every length is checked against the end of the message before it is used, so hostile bytes end in an error and are never
/// read beyond their end. Source: protobuf.dev, "Encoding".
public struct ProtobufReader {
    /// The deepest nesting of `AnyValue`, and of groups, that is accepted.
    public static let deepest = 64

    public var position: UnsafePointer<UInt8>
    public let end: UnsafePointer<UInt8>

    @inlinable
    public init(_ start: UnsafePointer<UInt8>, end: UnsafePointer<UInt8>) {
        position = start
        self.end = end
    }

    @inlinable
    public init(_ slice: ProtobufSlice) {
        position = slice.start
        end = slice.start + slice.count
    }

    @inlinable
    public var isAtEnd: Bool { position >= end }

    @inlinable
    @inline(__always)
    public mutating func varint() throws(ProtobufError) -> UInt64 {
        guard position < end else { throw .truncated }
        let first = position.pointee
        if first < 0x80 {
            position += 1
            return UInt64(first)
        }
        return try longVarint()
    }

    @inlinable
    @inline(never)
    public mutating func longVarint() throws(ProtobufError) -> UInt64 {
        var result: UInt64 = 0
        var shift: UInt64 = 0
        while position < end {
            let byte = position.pointee
            position += 1
            if shift == 63, byte > 1 { throw .malformed }
            result |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return result }
            shift += 7
            if shift > 63 { throw .malformed }
        }
        throw .truncated
    }

    /// The next field's number and wire type, as they are on the wire: `number << 3 | type`.
    @inlinable
    @inline(__always)
    public mutating func tag() throws(ProtobufError) -> UInt64 {
        let tag = try varint()
        guard tag >= 8, tag <= UInt64(UInt32.max) else { throw .malformed }
        return tag
    }

    @inlinable
    @inline(__always)
    public mutating func bytes() throws(ProtobufError) -> ProtobufSlice {
        let count = try varint()
        guard count <= UInt64(end - position) else { throw .truncated }
        let slice = ProtobufSlice(start: position, count: Int(count))
        position += Int(count)
        return slice
    }

    @inlinable
    @inline(__always)
    public mutating func fixed64() throws(ProtobufError) -> UInt64 {
        guard end - position >= 8 else { throw .truncated }
        let value = UnsafeRawPointer(position).loadUnaligned(as: UInt64.self)
        position += 8
        return UInt64(littleEndian: value)
    }

    @inlinable
    @inline(__always)
    public mutating func fixed32() throws(ProtobufError) -> UInt32 {
        guard end - position >= 4 else { throw .truncated }
        let value = UnsafeRawPointer(position).loadUnaligned(as: UInt32.self)
        position += 4
        return UInt32(littleEndian: value)
    }

    /// Passes over the value of a field that nobody wants.
    public mutating func skip(_ tag: UInt64) throws(ProtobufError) {
        switch tag & 7 {
        case 0: _ = try varint()
        case 1: _ = try fixed64()
        case 2: _ = try bytes()
        case 5: _ = try fixed32()
        case 3: try skipGroup(tag >> 3)
        default: throw .malformed
        }
    }

    /// Passes over a group, which some encoders still write: fields up to the end of the same number, other groups among them.
    private mutating func skipGroup(_ number: UInt64) throws(ProtobufError) {
        var open = [number]
        while let last = open.last {
            let tag = try tag()
            switch tag & 7 {
            case 3:
                guard open.count < Self.deepest else { throw .tooDeep }
                open.append(tag >> 3)
            case 4:
                guard tag >> 3 == last else { throw .malformed }
                open.removeLast()
            default: try skip(tag)
            }
        }
    }
}

/// A length-delimited value inside a message.
public struct ProtobufSlice: @unchecked Sendable {
    public let start: UnsafePointer<UInt8>
    public let count: Int

    @inlinable
    public init(start: UnsafePointer<UInt8>, count: Int) {
        self.start = start
        self.count = count
    }

    public init(_ bytes: UnsafeRawBufferPointer) {
        if let base = bytes.baseAddress {
            self.init(start: base.assumingMemoryBound(to: UInt8.self), count: bytes.count)
        } else {
            self.init(start: Self.nothing, count: 0)
        }
    }

    private nonisolated(unsafe) static let nothing = UnsafePointer(UnsafeMutablePointer<UInt8>.allocate(capacity: 1))

    public static var empty: ProtobufSlice { ProtobufSlice(start: nothing, count: 0) }

    public var raw: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: start, count: count) }
    public var array: [UInt8] { Array(raw) }
    public var string: String { String(decoding: raw, as: UTF8.self) }
}

/// Writes protobuf fields into a byte array.
public struct ProtobufWriter {
    public var bytes: [UInt8] = []

    public init() {}

    public mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    public mutating func field(_ number: UInt64, varint value: UInt64) {
        varint(number << 3)
        varint(value)
    }

    public mutating func field(_ number: UInt64, fixed64 value: UInt64) {
        varint(number << 3 | 1)
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    public mutating func field(_ number: UInt64, bytes value: UnsafeRawBufferPointer) {
        varint(number << 3 | 2)
        varint(UInt64(value.count))
        bytes.append(contentsOf: value)
    }

    public mutating func field(_ number: UInt64, bytes value: [UInt8]) {
        value.withUnsafeBytes { field(number, bytes: $0) }
    }
}

internal import Columns
internal import Core
internal import Parts

/// Writes attributes as the `KeyValue` messages of an overflow value: field 1 of OTLP's protobuf, one after the other.
struct OverflowWriter {
    private var bytes: [UInt8] = []
    private var ends: [UInt32] = [0]

    /// The number of rows that were ended.
    var count: Int { ends.count - 1 }

    mutating func endRow() { ends.append(UInt32(bytes.count)) }

    /// The rows, as strings.
    func column() -> StringColumn {
        StringColumn(
            codes: Buffer(0..<UInt32(count)),
            dictionary: StringDictionary(
                offsets: Buffer(ends), contents: Buffer(bytes), isUnique: false, isSorted: false))
    }

    /// Empty values, bools and ints.
    mutating func append(_ subcolumn: SubcolumnEntry, integer: Int64) {
        var value: [UInt8] = []
        switch subcolumn.type {
        case .bool: value = [2 << 3, integer == 0 ? 0 : 1]
        case .int: value = [3 << 3] + Self.varint(UInt64(bitPattern: integer))
        default: break
        }
        append(subcolumn.key, value)
    }

    mutating func append(_ subcolumn: SubcolumnEntry, double: Double) {
        append(subcolumn.key, [4 << 3 | 1] + Self.fixed(double.bitPattern))
    }

    /// Strings and bytes; arrays and maps, which are `AnyValue`s already; and what overflowed before.
    mutating func append(_ subcolumn: SubcolumnEntry, bytes value: Span<UInt8>) {
        switch subcolumn.type {
        case .overflow: bytes.append(copying: value)
        case .array, .map: append(subcolumn.key, Array(copying: value))
        case .bytes: append(subcolumn.key, [7 << 3 | 2] + Self.varint(UInt64(value.count)) + Array(copying: value))
        default: append(subcolumn.key, [1 << 3 | 2] + Self.varint(UInt64(value.count)) + Array(copying: value))
        }
    }

    /// - Parameter value: the fields of an `AnyValue`.
    private mutating func append(_ key: [UInt8], _ value: [UInt8]) {
        let fields = Self.message(1, key) + Self.message(2, value)
        bytes += Self.message(1, fields)
    }

    private static func message(_ field: UInt8, _ bytes: [UInt8]) -> [UInt8] {
        [field << 3 | 2] + varint(UInt64(bytes.count)) + bytes
    }

    private static func varint(_ value: UInt64) -> [UInt8] {
        var bytes: [UInt8] = []
        Varint.append(value, to: &bytes)
        return bytes
    }

    private static func fixed(_ value: UInt64) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(littleEndian: value)
        return bytes
    }
}

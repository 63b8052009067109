import Columns
import Core
import Parts
import TableSchema

/// A value, as plain as it can be: what a row of a part is compared by.
indirect enum Cell: Hashable, Comparable {
    case integer(Int64)
    case bits(UInt64)
    case bytes([UInt8])
    case list([Cell])
    case attribute(key: [UInt8], type: UInt8, Cell)

    static func < (left: Cell, right: Cell) -> Bool {
        switch (left, right) {
        case (.integer(let a), .integer(let b)): a < b
        case (.bytes(let a), .bytes(let b)): a.lexicographicallyPrecedes(b)
        default: false
        }
    }

    static func read(_ column: Column, _ row: Int) -> Cell {
        switch column {
        case .integers(let values): .integer(values[row])
        case .floats(let values): .bits(values[row].bitPattern)
        case .fixed(let column):
            .bytes(column.bytes[(row * column.width)..<((row + 1) * column.width)].array)
        case .strings(let column): .bytes(Array(column.bytes(row)))
        case .arrays(let column): .list(column.range(row).map { read(column.elements, $0) })
        case .nested(let column):
            .list(column.range(row).map { inner in .list(column.fields.map { read($0, inner) }) })
        case .attributes(let column): .list(attributes(column, row))
        }
    }

    /// In order; what overflowed is taken apart.
    private static func attributes(_ column: AttributesColumn, _ row: Int) -> [Cell] {
        column.entries(row).flatMap { entry -> [Cell] in
            let lane = column.lanes[entry.lane]
            guard let values = lane.values else { return [] }
            let value = read(values, entry.slot)
            guard lane.type == .overflow else { return [.attribute(key: lane.key, type: lane.type.rawValue, value)] }
            guard case .bytes(let bytes) = value else { return [] }
            return KeyValues.decode(bytes)
        }
    }

    /// The rows of a part, in order.
    static func rows(of part: Part) throws -> [[Cell]] {
        var rows: [[Cell]] = []
        for block in 0..<part.blockCount { rows += try self.rows(of: part, block: block) }
        return rows
    }

    static func rows(of part: Part, block: Int) throws -> [[Cell]] {
        let columns = try part.table.columns.indices.map { try part.read($0, block: block) }
        return (0..<part.rowCount(ofBlock: block)).map { row in columns.map { read($0, row) } }
    }

    static func rows(of batch: ColumnBatch) -> [[Cell]] {
        (0..<batch.rowCount).map { row in batch.columns.map { $0.map { read($0, row) } ?? .integer(0) } }
    }
}

extension TableDefinition {
    /// What the table is ordered by, of a row.
    func key(_ row: [Cell]) -> [Cell] {
        order.map { expression in
            switch expression {
            case .column(let id): return row[ordinal(of: id) ?? 0]
            case .startOfMinute(let id):
                guard case .integer(let time) = row[ordinal(of: id) ?? 0] else { return .integer(0) }
                return .integer(time / 60_000_000_000)
            }
        }
    }
}

/// OTLP's `KeyValue` messages, field 1, one after the other.
enum KeyValues {
    /// - Parameter value: the fields of an `AnyValue`.
    static func encode(_ key: [UInt8], _ value: [UInt8]) -> [UInt8] {
        let fields = [10] + varint(key.count) + key + [18] + varint(value.count) + value
        return [10] + varint(fields.count) + fields
    }

    private static func varint(_ value: Int) -> [UInt8] {
        value < 128 ? [UInt8(value)] : [UInt8(value & 127 | 128)] + varint(value >> 7)
    }

    static func decode(_ bytes: [UInt8]) -> [Cell] {
        var result: [Cell] = []
        var rest = bytes[...]
        while let (_, keyValue) = field(&rest) {
            var inner = keyValue[...]
            var key: [UInt8] = []
            var value: [UInt8] = []
            while let (number, content) = field(&inner) {
                if number == 1 { key = content } else { value = content }
            }
            result.append(attribute(key, value))
        }
        return result
    }

    private static func attribute(_ key: [UInt8], _ value: [UInt8]) -> Cell {
        guard let tag = value.first else {
            return .attribute(key: key, type: AttributeType.empty.rawValue, .integer(0))
        }
        var rest = value.dropFirst()
        switch tag {
        case 16, 24:
            let type: AttributeType = tag == 16 ? .bool : .int
            return .attribute(key: key, type: type.rawValue, .integer(Int64(bitPattern: number(&rest))))
        case 33:
            let bits = rest.reversed().reduce(0) { $0 << 8 | UInt64($1) }
            return .attribute(key: key, type: AttributeType.double.rawValue, .bits(bits))
        case 10, 58:
            let type: AttributeType = tag == 10 ? .string : .bytes
            _ = number(&rest)
            return .attribute(key: key, type: type.rawValue, .bytes(Array(rest)))
        default:
            let type: AttributeType = tag == 42 ? .array : .map
            return .attribute(key: key, type: type.rawValue, .bytes(value))
        }
    }

    private static func number(_ rest: inout ArraySlice<UInt8>) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while let byte = rest.popFirst() {
            value |= UInt64(byte & 127) << shift
            shift += 7
            if byte < 128 { break }
        }
        return value
    }

    /// The next field, which has a length.
    private static func field(_ rest: inout ArraySlice<UInt8>) -> (number: UInt8, content: [UInt8])? {
        guard let tag = rest.popFirst() else { return nil }
        let length = Int(number(&rest))
        defer { rest = rest.dropFirst(length) }
        return (tag >> 3, Array(rest.prefix(length)))
    }
}

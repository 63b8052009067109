package import Columns
import Core

/// The value of one column in one row, plain and comparable bit for bit.
package indirect enum Cell: Hashable, Sendable {
    case integer(Int64)
    /// Of a double: NaNs and zeros differ by their bits.
    case bits(UInt64)
    case bytes([UInt8])
    case list([Cell])
    case attributes(AttributeSet)
    case rows([[Cell]])
}

/// Attributes of one row, each as the bytes that stand for its value.
package struct AttributeSet: Hashable, Sendable {
    package struct Entry: Hashable, Sendable {
        package var key: [UInt8]
        /// `AttributeType`'s raw value.
        package var type: UInt8
        package var value: [UInt8]

        package init(key: [UInt8], type: UInt8, value: [UInt8]) {
            self.key = key
            self.type = type
            self.value = value
        }
    }

    package var entries: [Entry]
    /// Attributes beyond the builder's limits stand behind the others, and lose their place.
    package var isReordered = false

    package init(_ entries: [Entry]) { self.entries = entries }

    private var sorted: [Entry] { entries.sorted { $0.key.lexicographicallyPrecedes($1.key) } }

    package static func == (left: AttributeSet, right: AttributeSet) -> Bool {
        left.isReordered || right.isReordered ? left.sorted == right.sorted : left.entries == right.entries
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(sorted) }
}

extension Cell {
    /// The same, with attributes that are equal only in the same order, wherever they stood.
    package var inOrder: Cell {
        switch self {
        case .attributes(var set):
            set.isReordered = false
            return .attributes(set)
        case .list(let cells): return .list(cells.map(\.inOrder))
        case .rows(let rows): return .rows(rows.map { $0.map(\.inOrder) })
        case .integer, .bits, .bytes: return self
        }
    }
}

extension UInt64 {
    /// Eight bytes, little-endian.
    package var littleEndianBytes: [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: self >> (8 * $0)) } }
}

extension Column {
    /// The value in `row`.
    package func cell(_ row: Int) -> Cell {
        switch self {
        case .integers(let values): .integer(values[row])
        case .floats(let values): .bits(values[row].bitPattern)
        case .fixed(let column):
            .bytes(column.bytes[(row * column.width)..<((row + 1) * column.width)].array)
        case .strings(let column): .bytes(Array(column.bytes(row)))
        case .arrays(let column): .list(column.range(row).map { column.elements.cell($0) })
        case .attributes(let column): .attributes(column.set(row))
        case .nested(let column):
            .rows(column.range(row).map { inner in column.fields.map { $0.cell(inner) } })
        }
    }
}

extension AttributesColumn {
    fileprivate func set(_ row: Int) -> AttributeSet {
        var set = AttributeSet([])
        for (subcolumn, slot) in entries(row) {
            guard let values = subcolumns[subcolumn].values else { continue }
            let key = subcolumns[subcolumn].key
            let type = subcolumns[subcolumn].type
            switch (type, values.cell(slot)) {
            case (.empty, _): set.entries.append(.init(key: key, type: 0, value: []))
            case (.overflow, .bytes(let bytes)):
                set.isReordered = true
                set.entries += (try? NaiveAttributes.set(in: bytes, field: 1).entries) ?? []
            case (_, .integer(let value)):
                set.entries.append(
                    .init(key: key, type: type.rawValue, value: UInt64(bitPattern: value).littleEndianBytes))
            case (_, .bits(let bits)):
                set.entries.append(.init(key: key, type: type.rawValue, value: bits.littleEndianBytes))
            case (_, .bytes(let bytes)):
                set.entries.append(.init(key: key, type: type.rawValue, value: bytes))
            default: continue
            }
        }
        return set
    }
}

extension ColumnBatch {
    /// All rows, each with a cell for every column of the table.
    package var naiveRows: [[Cell]] {
        (0..<rowCount).map { row in columns.map { $0?.cell(row) ?? .list([]) } }
    }
}

/// Attributes from protobuf, read slowly.
package enum NaiveAttributes {
    /// The `KeyValue`s in field `field`: of equal keys the last one counts, in the place of the first (rule O-24).
    package static func set(in message: [UInt8], field: UInt64) throws -> AttributeSet {
        var set = AttributeSet([])
        for item in try NaiveMessage(message).all(field) {
            let keyValue = try NaiveMessage(item)
            let (type, value) = try self.value(keyValue.bytes(2))
            let entry = AttributeSet.Entry(key: keyValue.bytes(1), type: type, value: value)
            if let place = set.entries.firstIndex(where: { $0.key == entry.key }) {
                set.entries[place] = entry
            } else {
                set.entries.append(entry)
            }
        }
        return set
    }

    /// An `AnyValue`: of several values the last one counts.
    package static func value(_ message: [UInt8]) throws -> (type: UInt8, value: [UInt8]) {
        var result: (UInt8, [UInt8]) = (0, [])
        for field in try NaiveMessage(message).fields {
            switch (field.number, field.value) {
            case (1, .bytes(let text)): result = (1, text)
            case (2, .varint(let value)): result = (2, UInt64(value == 0 ? 0 : 1).littleEndianBytes)
            case (3, .varint(let value)): result = (3, value.littleEndianBytes)
            case (4, .fixed64(let bits)): result = (4, bits.littleEndianBytes)
            case (5, .bytes): result = (5, message)
            case (6, .bytes): result = (6, message)
            case (7, .bytes(let bytes)): result = (7, bytes)
            default: continue
            }
        }
        return result
    }
}

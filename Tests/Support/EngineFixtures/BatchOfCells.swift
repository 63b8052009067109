package import Columns
import Core
package import TableSchema

/// Makes column batches from plain rows.
package struct BatchOfCells {
    /// How string columns keep their values: as the part writer may meet them.
    package enum Dictionaries: CaseIterable, Sendable {
        /// Every value once, as it came up.
        case unique
        /// An entry per row.
        case repeating
        /// Every value once, in order.
        case sorted
    }

    package static func make(
        _ rows: [[Cell]], _ table: TableDefinition, _ dictionaries: Dictionaries = .unique
    ) -> ColumnBatch {
        ColumnBatch(
            rowCount: rows.count,
            columns: table.columns.enumerated().map { ordinal, definition in
                column(rows.map { $0[ordinal] }, definition.type, dictionaries)
            })
    }

    private static func column(_ cells: [Cell], _ type: ColumnType, _ dictionaries: Dictionaries) -> Column {
        switch type {
        case .integer: return .integers(Buffer(cells.map(\.integer)))
        case .float: return .floats(Buffer(cells.map { Double(bitPattern: $0.bits) }))
        case .fixed(let width): return .fixed(FixedColumn(width: width, bytes: Buffer(cells.flatMap(\.bytes))))
        case .string, .lowCardinality, .aggregateState: return .strings(strings(cells.map(\.bytes), dictionaries))
        case .array(let element):
            return .arrays(
                ArrayColumn(
                    offsets: offsets(cells.map(\.list.count)),
                    elements: column(cells.flatMap(\.list), element, dictionaries)))
        case .attributes: return .attributes(attributes(cells.map(\.set)))
        case .nested(let fields):
            let inner = cells.flatMap(\.rows)
            return .nested(
                NestedColumn(
                    offsets: offsets(cells.map(\.rows.count)),
                    fields: fields.enumerated().map { index, field in
                        column(inner.map { $0[index] }, field.type, dictionaries)
                    }))
        }
    }

    private static func offsets(_ counts: [Int]) -> Buffer<UInt32> {
        var offsets: [UInt32] = [0]
        for count in counts { offsets.append(offsets[offsets.count - 1] + UInt32(count)) }
        return Buffer(offsets)
    }

    private static func strings(_ values: [[UInt8]], _ dictionaries: Dictionaries) -> StringColumn {
        var entries: [[UInt8]]
        switch dictionaries {
        case .repeating: entries = values
        case .unique:
            var seen: Set<[UInt8]> = []
            entries = values.filter { seen.insert($0).inserted }
        case .sorted: entries = Set(values).sorted { $0.lexicographicallyPrecedes($1) }
        }
        // Entries that no row has are part of a dictionary's life.
        if dictionaries != .repeating, !entries.contains([0xFF, 0xFF]) { entries.append([0xFF, 0xFF]) }
        var codes: [[UInt8]: UInt32] = [:]
        for (code, entry) in entries.enumerated() { codes[entry] = UInt32(code) }
        return StringColumn(
            codes: dictionaries == .repeating
                ? Buffer((0..<UInt32(values.count)).map { $0 }) : Buffer(values.map { codes[$0] ?? 0 }),
            dictionary: StringDictionary(
                offsets: offsets(entries.map(\.count)), contents: Buffer(entries.flatMap { $0 }),
                isUnique: dictionaries != .repeating, isSorted: dictionaries == .sorted))
    }

    private static func attributes(_ sets: [AttributeSet]) -> AttributesColumn {
        var builder = AttributesBuilder()
        for set in sets {
            builder.begin()
            for entry in set.entries { builder.append(entry) }
            builder.end()
        }
        return builder.snapshot(rows: sets.count)
    }
}

extension AttributesBuilder {
    /// Appends one attribute, which must fit.
    package mutating func append(_ entry: AttributeSet.Entry) {
        guard let type = AttributeType(rawValue: entry.type) else { preconditionFailure("no such type") }
        let word = entry.value.prefix(8).reversed().reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
        let fits = entry.key.withUnsafeBufferPointer { key in
            // A pointer to nothing is as good as any for no bytes.
            let start = key.baseAddress ?? UnsafePointer(bitPattern: 8).unsafelyUnwrapped
            switch type {
            case .empty: return append(key: start, key.count, type, integer: 0)
            case .bool, .int: return append(key: start, key.count, type, integer: Int64(bitPattern: word))
            case .double: return append(key: start, key.count, double: Double(bitPattern: word))
            default: return append(key: start, key.count, type, bytes: entry.value, entry.value.count)
            }
        }
        precondition(fits, "a small set fits")
    }
}

extension Cell {
    package var integer: Int64 { if case .integer(let value) = self { value } else { 0 } }
    package var bits: UInt64 { if case .bits(let value) = self { value } else { 0 } }
    package var bytes: [UInt8] { if case .bytes(let value) = self { value } else { [] } }
    package var list: [Cell] { if case .list(let value) = self { value } else { [] } }
    package var rows: [[Cell]] { if case .rows(let value) = self { value } else { [] } }
    package var set: AttributeSet { if case .attributes(let value) = self { value } else { AttributeSet([]) } }
}

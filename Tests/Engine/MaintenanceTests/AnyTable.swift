import Columns
import Core
import EngineFixtures
import Parts
import Randomness
import TableSchema
import Telemetry

/// A table with columns of every type, and batches of random rows for it.
enum AnyTable {
    static let hour: Int64 = 3_600_000_000_000

    enum Order: String, CaseIterable, Sendable { case minutes, keys }

    static func definition(_ order: Order, id: UInt16 = 1, unit: PartitionUnit = .hour) -> TableDefinition {
        func column(_ number: UInt16, _ name: String, _ type: ColumnType) -> ColumnDefinition {
            ColumnDefinition(id: ColumnID(number: number), name: name, type: type)
        }
        let nested: [ColumnDefinition] = [
            column(11, "n_int", .integer(.int64)), column(12, "n_text", .string),
            column(13, "n_label", .lowCardinality), column(14, "n_attributes", .attributes),
            column(15, "n_ints", .array(of: .integer(.uint64))), column(16, "n_floats", .array(of: .float)),
            column(17, "n_id", .fixed(width: 8)), column(18, "n_float", .float),
        ]
        return TableDefinition(
            id: TableID(number: id), name: "any\(id)",
            columns: [
                column(1, "time", .integer(.dateTime64)), column(2, "id", .fixed(width: 16)),
                column(3, "key", .lowCardinality), column(4, "int", .integer(.int64)), column(5, "float", .float),
                column(6, "short", .fixed(width: 8)), column(7, "body", .string), column(8, "label", .lowCardinality),
                column(9, "attributes", .attributes), column(10, "nested", .nested(nested)),
                column(19, "ints", .array(of: .integer(.int64))), column(20, "floats", .array(of: .float)),
                column(21, "state", .aggregateState(function: "uniq")),
            ],
            partitionColumn: ColumnID(number: 1), partitionUnit: unit,
            order: order == .minutes
                ? [.startOfMinute(ColumnID(number: 1)), .column(ColumnID(number: 2)), .column(ColumnID(number: 1))]
                : [
                    .column(ColumnID(number: 3)), .column(ColumnID(number: 8)), .column(ColumnID(number: 4)),
                    .column(ColumnID(number: 1)),
                ],
            indexes: [
                SkipIndexDefinition(
                    name: "by_id", column: ColumnID(number: 2), kind: .bloomFilter(falsePositives: 0.01)),
                SkipIndexDefinition(
                    name: "by_key", column: ColumnID(number: 3), kind: .bloomFilter(falsePositives: 0.01)),
            ],
            timeToLive: 24 * hour, ttlColumn: ColumnID(number: 1), fingerprint: 42)
    }

    /// How random rows are.
    struct Style {
        var rows: Int
        /// Of keys of attributes.
        var keys: Int
        /// Of distinct texts.
        var texts: Int
        /// Where times begin, and how far they go.
        var start: Int64 = 0
        var width: Int64 = hour
        /// Of attributes of a row, at most.
        var attributes = 6
    }

    static func batch(_ style: Style, _ random: inout SeededRandom) -> ColumnBatch {
        var builder = AnyBuilder()
        for _ in 0..<style.rows { builder.appendRow(style, &random) }
        return builder.batch()
    }
}

private struct TextColumn: ~Copyable {
    var builder = StringColumnBuilder(.adaptive)

    mutating func append(_ text: String) {
        var text = text
        text.withUTF8 { bytes in
            withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 1) { none in
                builder.append(bytes.baseAddress ?? UnsafeBufferPointer(none).start, count: bytes.count)
            }
        }
    }
}

private struct AnyBuilder: ~Copyable {
    var rows = 0
    var times = BufferBuilder<Int64>(), ints = BufferBuilder<Int64>(), floats = BufferBuilder<Double>()
    var ids = BufferBuilder<UInt8>(), shorts = BufferBuilder<UInt8>()
    var keys = TextColumn(), bodies = TextColumn(), labels = TextColumn(), states = TextColumn()
    var attributes = AttributesBuilder()
    var ends = BufferBuilder<UInt32>.offsets()
    var innerInts = BufferBuilder<Int64>(), innerFloats = BufferBuilder<Double>(), innerIDs = BufferBuilder<UInt8>()
    var innerTexts = TextColumn(), innerLabels = TextColumn()
    var innerAttributes = AttributesBuilder()
    var innerIntEnds = BufferBuilder<UInt32>.offsets(), innerIntItems = BufferBuilder<Int64>()
    var innerFloatEnds = BufferBuilder<UInt32>.offsets(), innerFloatItems = BufferBuilder<Double>()
    var intEnds = BufferBuilder<UInt32>.offsets(), intItems = BufferBuilder<Int64>()
    var floatEnds = BufferBuilder<UInt32>.offsets(), floatItems = BufferBuilder<Double>()

    mutating func appendRow(_ style: AnyTable.Style, _ random: inout SeededRandom) {
        rows += 1
        times.append(style.start + Int64.random(in: 0..<style.width, using: &random))
        // Few ids, so that many keys are equal, and some are none.
        let id = UInt64.random(in: 0..<UInt64(style.rows / 3 + 2), using: &random)
        Self.append(id == 0 ? 0 : id &* 0x9E37_79B9_7F4A_7C15, 2, to: &ids)
        Self.append(random.next() & 3, 1, to: &shorts)
        keys.append("key \(Int.random(in: 0..<5, using: &random))")
        labels.append(random.oneIn(4) ? "" : "label \(Int.random(in: 0..<style.texts, using: &random))")
        bodies.append(Self.text(style, &random))
        states.append("state \(random.next() % 7)")
        ints.append(random.oneIn(5) ? Int64.random(in: .min ... .max, using: &random) : Int64(random.next() % 9))
        floats.append(random.oneIn(9) ? .nan : Double(random.next() % 1000) / 8)
        Self.append(&attributes, style, &random)
        Self.list(&intEnds, &intItems, &random) { Int64(bitPattern: $0) >> 40 }
        Self.list(&floatEnds, &floatItems, &random) { Double($0 % 100) }
        for _ in 0..<(random.oneIn(2) ? 0 : Int.random(in: 1...3, using: &random)) {
            innerInts.append(Int64(random.next() % 100))
            innerFloats.append(Double(random.next() % 100))
            Self.append(random.next() & 7, 1, to: &innerIDs)
            innerTexts.append(Self.text(style, &random))
            innerLabels.append("inner \(random.next() % 4)")
            Self.append(&innerAttributes, style, &random)
            Self.list(&innerIntEnds, &innerIntItems, &random) { Int64(bitPattern: $0) >> 40 }
            Self.list(&innerFloatEnds, &innerFloatItems, &random) { Double($0 % 100) }
        }
        ends.append(UInt32(innerInts.count))
    }

    static func text(_ style: AnyTable.Style, _ random: inout SeededRandom) -> String {
        random.oneIn(6) ? "" : "text \(Int.random(in: 0..<style.texts, using: &random)) of some length"
    }

    static func append(_ word: UInt64, _ times: Int, to bytes: inout BufferBuilder<UInt8>) {
        for _ in 0..<times { withUnsafeBytes(of: word.bigEndian) { for byte in $0 { bytes.append(byte) } } }
    }

    static func list<Item>(
        _ ends: inout BufferBuilder<UInt32>, _ items: inout BufferBuilder<Item>, _ random: inout SeededRandom,
        _ make: (UInt64) -> Item
    ) {
        for _ in 0..<(random.oneIn(2) ? 0 : Int.random(in: 1...4, using: &random)) { items.append(make(random.next())) }
        ends.append(UInt32(items.count))
    }

    static func append(_ builder: inout AttributesBuilder, _ style: AnyTable.Style, _ random: inout SeededRandom) {
        builder.begin()
        var rest: [UInt8] = []
        var keys: Set<[UInt8]> = []
        let count = Int.random(in: 0...style.attributes, using: &random)
        let start = Int.random(in: 0..<style.keys, using: &random)
        for i in 0..<count {
            let key = Array("attribute.\((start + i * i) % style.keys)".utf8)
            guard keys.insert(key).inserted else { continue }
            let type = AttributeType(rawValue: UInt8(random.next() % 8)) ?? .empty
            var value = Array("value \(random.next() % 50)".utf8)
            // Arrays and maps are kept as the messages that they came as.
            if type == .array || type == .map { value = [type == .array ? 42 : 50, UInt8(value.count)] + value }
            let fits = key.withUnsafeBufferPointer { key in
                let base = key.start
                return switch type {
                case .empty, .bool:
                    builder.append(key: base, key.count, type, integer: type == .empty ? 0 : Int64(i & 1))
                case .int: builder.append(key: base, key.count, type, integer: Int64(random.next() % 100) - 50)
                case .double: builder.append(key: base, key.count, double: Double(random.next() % 100))
                default:
                    value.withUnsafeBufferPointer { value in
                        builder.append(key: base, key.count, type, bytes: value.start, value.count)
                    }
                }
            }
            if !fits { rest += keyValue(key, [10, UInt8(value.count)] + value) }
        }
        if !rest.isEmpty || random.oneIn(50) {
            if rest.isEmpty { rest = keyValue(Array("late".utf8), [24, 7]) }
            _ = rest.withUnsafeBufferPointer { builder.appendOverflow($0.start, $0.count) }
        }
        builder.end()
    }

    /// A field of attributes, number 1.
    ///
    /// - Parameter value: the fields of an `AnyValue`.
    private static func keyValue(_ key: [UInt8], _ value: [UInt8]) -> [UInt8] {
        var keyValue = ProtobufWriter()
        keyValue.field(1, bytes: key)
        keyValue.field(2, bytes: value)
        var attributes = ProtobufWriter()
        attributes.field(1, bytes: keyValue.bytes)
        return attributes.bytes
    }

    func batch() -> ColumnBatch {
        let inner = innerInts.count
        let nested = NestedColumn(
            offsets: ends.snapshot(),
            fields: [
                innerInts.column(inner), .strings(innerTexts.builder.snapshot(rows: inner)),
                .strings(innerLabels.builder.snapshot(rows: inner)), .attributes(innerAttributes.snapshot(rows: inner)),
                .arrays(ArrayColumn(offsets: innerIntEnds.snapshot(), elements: .integers(innerIntItems.snapshot()))),
                .arrays(ArrayColumn(offsets: innerFloatEnds.snapshot(), elements: .floats(innerFloatItems.snapshot()))),
                innerIDs.fixed(inner, width: 8), innerFloats.column(inner),
            ])
        return ColumnBatch(
            rowCount: rows,
            columns: [
                times.column(rows), ids.fixed(rows, width: 16), .strings(keys.builder.snapshot(rows: rows)),
                ints.column(rows), floats.column(rows), shorts.fixed(rows, width: 8),
                .strings(bodies.builder.snapshot(rows: rows)), .strings(labels.builder.snapshot(rows: rows)),
                .attributes(attributes.snapshot(rows: rows)), .nested(nested),
                .arrays(ArrayColumn(offsets: intEnds.snapshot(), elements: .integers(intItems.snapshot()))),
                .arrays(ArrayColumn(offsets: floatEnds.snapshot(), elements: .floats(floatItems.snapshot()))),
                .strings(states.builder.snapshot(rows: rows)),
            ])
    }
}

extension UnsafeBufferPointer {
    /// Where the elements are, of which there is memory for one at least.
    fileprivate var start: UnsafePointer<Element> {
        guard let baseAddress else { preconditionFailure("there are elements") }
        return baseAddress
    }
}

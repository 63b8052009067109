package import Randomness
package import TableSchema

/// A table with a column of every type, and random rows for it.
package enum EveryTypeTable {
    package static let time = 0, number = 1, float = 2, traceID = 3, spanID = 4, text = 5, label = 6, attributes = 7
    package static let naturals = 8, doubles = 9, nested = 10
    /// The place of the attributes inside `nested`.
    package static let nestedAttributes = 2

    private static func column(_ number: UInt16, _ name: String, _ type: ColumnType) -> ColumnDefinition {
        ColumnDefinition(id: ColumnID(number: number), name: name, type: type)
    }

    package static func make(
        unit: PartitionUnit = .day,
        order: [SortExpression] = [.column(ColumnID(number: 7)), .column(ColumnID(number: 1))]
    ) -> TableDefinition {
        TableDefinition(
            id: TableID(number: 900), name: "every_type",
            columns: [
                column(1, "time", .integer(.dateTime64)), column(2, "number", .integer(.int64)),
                column(3, "float", .float), column(4, "trace_id", .fixed(width: 16)),
                column(5, "span_id", .fixed(width: 8)), column(6, "text", .string),
                column(7, "label", .lowCardinality), column(8, "attributes", .attributes),
                column(9, "naturals", .array(of: .integer(.uint64))), column(10, "doubles", .array(of: .float)),
                column(
                    11, "nested",
                    .nested([
                        column(12, "n", .integer(.int64)), column(13, "s", .lowCardinality),
                        column(14, "a", .attributes), column(15, "xs", .array(of: .integer(.uint64))),
                        column(16, "id", .fixed(width: 8)),
                    ])),
            ],
            partitionColumn: ColumnID(number: 1), partitionUnit: unit, order: order,
            indexes: [
                SkipIndexDefinition(
                    name: "by_id", column: ColumnID(number: 4), kind: .bloomFilter(falsePositives: 0.01)),
                SkipIndexDefinition(
                    name: "by_text", column: ColumnID(number: 6), kind: .bloomFilter(falsePositives: 0.01)),
            ], timeToLive: nil, ttlColumn: nil, fingerprint: 0xFEED)
    }

    /// What random rows look like.
    package struct Style: Sendable {
        package var start: Int64 = 1_700_000_000_000_000_000
        package var spread: Int64 = 3 * 86_400_000_000_000
        /// How many ids, texts and labels there are to choose from.
        package var variety = 40
        /// The share of rows, one in so many, that have lists and nested rows.
        package var fullness = 2

        package init() {}
    }

    package static func rows(
        _ count: Int, _ random: inout SeededRandom, _ style: Style = Style()
    ) -> [[Cell]] {
        (0..<count).map { _ in row(&random, style) }
    }

    private static func row(_ random: inout SeededRandom, _ style: Style) -> [Cell] {
        let isFull = random.oneIn(style.fullness)
        let (naturals, doubles) = (isFull ? random.below(5) : 0, isFull ? random.below(4) : 0)
        let inner = isFull ? random.below(3) : 0
        return [
            .integer(style.start + Int64.random(in: 0..<style.spread, using: &random)), .integer(integer(&random)),
            .bits(double(&random)), .bytes(id(16, &random, style)), .bytes(id(8, &random, style)),
            .bytes(text(&random, style)), .bytes(Array("label-\(random.below(style.variety))".utf8)),
            .attributes(set(&random)), .list((0..<naturals).map { _ in .integer(integer(&random)) }),
            .list((0..<doubles).map { _ in .bits(double(&random)) }),
            .rows(
                (0..<inner).map { _ in
                    [
                        .integer(integer(&random)), .bytes(Array("in-\(random.below(5))".utf8)),
                        .attributes(set(&random)),
                        .list((0..<random.below(3)).map { _ in .integer(Int64(random.below(9))) }),
                        .bytes(id(8, &random, style)),
                    ]
                }),
        ]
    }

    private static func integer(_ random: inout SeededRandom) -> Int64 {
        random.oneIn(4) ? random.pick([.min, .max, -1, 0, .min + 1]) : Int64(random.below(1000))
    }

    private static func double(_ random: inout SeededRandom) -> UInt64 {
        switch random.below(5) {
        case 0: random.pick([0x7FF8_0000_0000_0001, 0xFFF0_0000_0000_0001, 1, 0x8000_0000_0000_0000, 0])
        case 1: random.next()
        default: (Double(random.below(10_000)) / 10).bitPattern
        }
    }

    private static func id(_ width: Int, _ random: inout SeededRandom, _ style: Style) -> [UInt8] {
        let number = random.below(style.variety + 1)
        guard number > 0 else { return Array(repeating: 0, count: width) }
        var seeded = SeededRandom(seed: UInt64(number))
        return seeded.bytes(width)
    }

    private static func text(_ random: inout SeededRandom, _ style: Style) -> [UInt8] {
        switch random.below(6) {
        case 0: []
        case 1: Array("unique \(random.next())".utf8)
        default: Array("text \(random.below(style.variety))".utf8)
        }
    }

    private static func set(_ random: inout SeededRandom) -> AttributeSet {
        var keys = Array(0..<6)
        keys.shuffle(using: &random)
        return AttributeSet(
            keys.prefix(random.below(5)).map { key in
                let type = UInt8(random.below(8))
                let value: [UInt8] =
                    switch type {
                    case 0: []
                    case 2: UInt64(random.below(2)).littleEndianBytes
                    case 3: UInt64(bitPattern: integer(&random)).littleEndianBytes
                    case 4: double(&random).littleEndianBytes
                    default: Array("v\(random.below(30))".utf8)
                    }
                return AttributeSet.Entry(key: Array("key\(key)".utf8), type: type, value: value)
            })
    }
}

import Core
package import Plans
package import Randomness
import TableSchema

/// Random plans over `EveryTypeTable`: most of them fit it.
package struct RandomPlans {
    package var random: SeededRandom
    /// Values that some rows have, so that conditions hold now and then.
    private let rows: [[Cell]]
    private let table = EveryTypeTable.make()

    package init(seed: UInt64, rows: [[Cell]] = []) {
        random = SeededRandom(seed: seed)
        self.rows = rows
    }

    private func column(_ ordinal: Int) -> ColumnID { table.columns[ordinal].id }

    /// A field of the nested column.
    private func field(_ index: Int) -> ColumnID {
        guard case .nested(let fields) = table.columns[EveryTypeTable.nested].type else {
            preconditionFailure("it is nested")
        }
        return fields[index].id
    }

    private mutating func bytes(_ ordinal: Int) -> [UInt8] {
        if rows.isEmpty || random.oneIn(4) { return random.bytes(random.below(6)) }
        return random.pick(rows)[ordinal].bytes
    }

    private mutating func integer() -> Int64 {
        random.oneIn(4) ? random.pick([.min, .max, -1, 0, .min + 1]) : Int64(random.below(1000))
    }

    private mutating func id(_ ordinal: Int, _ width: Int) -> [UInt8] {
        rows.isEmpty || random.oneIn(4) ? random.bytes(width) : random.pick(rows)[ordinal].bytes
    }

    // MARK: Conditions

    private mutating func range() -> ClosedRange<Int64> {
        let (one, other) = (integer(), integer())
        return min(one, other)...max(one, other)
    }

    private mutating func comparison() -> Comparison { random.pick(Comparison.allCases) }

    private mutating func textCondition(_ ordinal: Int) -> Condition {
        switch random.below(7) {
        case 0: return .text(comparison(), bytes(ordinal))
        case 1: return .oneOf((0..<random.below(4)).map { _ in bytes(ordinal) })
        case 2: return .contains(Array(bytes(ordinal).dropFirst(random.below(3))))
        case 3:
            return .matches(
                random.pick(["text [0-9]+", "l.*[1-5]", "", "(?i)TEXT 1", "v|label-3"]), isAnchored: random.oneIn(2))
        case 4: return .shown(String(decoding: bytes(ordinal), as: UTF8.self))
        case 5: return .repaired(random.oneIn(3) ? .matches("\u{FFFD}|t", isAnchored: false) : textCondition(ordinal))
        default: return .exists
        }
    }

    private mutating func attributeCondition(depth: Int = 0) -> Condition {
        switch random.below(depth < 2 ? 11 : 8) {
        case 0: return .exists
        case 1: return .integer(range())
        case 2: return .oneOf((0..<random.below(4)).map { _ in integer() })
        case 3: return .double(comparison(), Double(random.below(10_000)) / 10)
        case 4: return .boolean(random.oneIn(2))
        case 5: return .text(comparison(), Array("v\(random.below(30))".utf8))
        case 6: return .shown(random.pick(["v3", "true", "0", "17", "12.5", "", "-1", "false"]))
        case 7: return .matches("v[0-9]", isAnchored: random.oneIn(2))
        case 8: return .element(attributeCondition(depth: depth + 1))
        case 9: return .repaired(attributeCondition(depth: depth + 1))
        default: return .contains(Array("v1".utf8))
        }
    }

    private mutating func key() -> [UInt8] { Array("key\(random.below(8))".utf8) }

    private mutating func test() -> Predicate {
        switch random.below(10) {
        case 0:
            return .test(
                .column(column(EveryTypeTable.number)),
                random.oneIn(3) ? .unsigned(0...UInt64(random.below(900))) : .integer(range()))
        case 1:
            return .test(.column(column(EveryTypeTable.number)), .oneOf((0..<random.below(20)).map { _ in integer() }))
        case 2:
            return .test(
                .column(column(EveryTypeTable.float)), .double(comparison(), Double(random.below(10_000)) / 10))
        case 3:
            let ordinal = random.pick([EveryTypeTable.text, EveryTypeTable.label])
            return .test(.column(column(ordinal)), textCondition(ordinal))
        case 4:
            let ids = (0..<random.below(4)).map { _ in id(EveryTypeTable.traceID, 16) }
            return .test(.column(column(EveryTypeTable.traceID)), .oneOf(ids.map { WideID(bytes: $0) }))
        case 5:
            let ids = (0..<random.below(4)).map { _ in id(EveryTypeTable.spanID, 8) }
            return .test(.column(column(EveryTypeTable.spanID)), .oneOf(shortIDs: ids.map { WideID.word($0[...]) }))
        case 6, 7: return .test(.attribute(column(EveryTypeTable.attributes), key: key()), attributeCondition())
        case 8:
            // Of one value, which is read once.
            let operand = Operand.attribute(column(EveryTypeTable.attributes), key: key())
            return .any((0..<(2 + random.below(2))).map { _ in .test(operand, attributeCondition()) })
        default:
            let ordinal = random.pick([EveryTypeTable.text, EveryTypeTable.label])
            let derivation = Derivation(random.pick(["length", "first"]))
            return .test(
                .derived(column(ordinal), derivation),
                random.oneIn(2) ? .integer(0...Int64(random.below(12))) : .text(comparison(), Array("t".utf8)))
        }
    }

    private mutating func elementTest() -> Predicate {
        switch random.below(4) {
        case 0: .test(.column(field(0)), .integer(range()))
        case 1: .test(.column(field(1)), .text(comparison(), Array("in-\(random.below(5))".utf8)))
        case 2: .test(.column(field(4)), .oneOf(shortIDs: [WideID.word(id(EveryTypeTable.spanID, 8)[...])]))
        default: .test(.attribute(field(EveryTypeTable.nestedAttributes), key: key()), attributeCondition())
        }
    }

    private mutating func combined(
        _ depth: Int, _ leaf: (inout RandomPlans) -> Predicate
    ) -> Predicate {
        guard depth < 3 else { return leaf(&self) }
        switch random.below(7) {
        case 0: return .all((0..<random.below(4)).map { _ in combined(depth + 1, leaf) })
        case 1: return .any((0..<random.below(4)).map { _ in combined(depth + 1, leaf) })
        case 2: return .not(combined(depth + 1, leaf))
        default: return leaf(&self)
        }
    }

    package mutating func predicate() -> Predicate {
        combined(0) { plans in
            guard plans.random.oneIn(5) else { return plans.test() }
            return .anyElement(plans.column(EveryTypeTable.nested), plans.combined(1) { $0.elementTest() })
        }
    }

    // MARK: Plans

    package mutating func operand() -> Operand {
        switch random.below(7) {
        case 0: .column(column(EveryTypeTable.label))
        case 1: .column(column(EveryTypeTable.text))
        case 2: .column(column(EveryTypeTable.number))
        case 3: .column(column(EveryTypeTable.float))
        case 4: .column(column(random.pick([EveryTypeTable.traceID, EveryTypeTable.spanID])))
        case 5: .attribute(column(EveryTypeTable.attributes), key: key())
        default: .derived(column(EveryTypeTable.label), Derivation(random.pick(["length", "first"])))
        }
    }

    package mutating func buckets(_ style: EveryTypeTable.Style = .init()) -> TimeBuckets? {
        switch random.below(4) {
        case 0: return nil
        case 1: return .every(width: .random(in: 1...style.spread, using: &random), origin: style.start)
        case 2:
            return .every(
                width: random.pick([3_600_000_000_000, 86_400_000_000_000]),
                origin: .random(in: .min ... .max, using: &random))
        default:
            let edges = (0..<random.below(9)).map { _ in
                style.start - 1000 + .random(in: 0...style.spread, using: &random)
            }
            return .edges(Array(Set(edges)).sorted())
        }
    }

    package mutating func aggregation() -> Aggregation {
        let functions: [Aggregate.Function] = (0..<random.below(4)).map { _ in
            switch random.below(8) {
            case 0, 1: .count
            case 2: .sum(column(EveryTypeTable.number))
            case 3: .sumOfDoubles(column(EveryTypeTable.float))
            case 4: .min(column(random.pick([EveryTypeTable.number, EveryTypeTable.float, EveryTypeTable.time])))
            case 5: .max(column(random.pick([EveryTypeTable.number, EveryTypeTable.float, EveryTypeTable.time])))
            case 6: .histogram(column(EveryTypeTable.number))
            default: .distinct(operand(), limit: random.below(6))
            }
        }
        return Aggregation(
            keys: (0..<random.below(4)).map { _ in operand() }, buckets: buckets(),
            aggregates: functions.map { Aggregate($0, where: random.oneIn(3) ? predicate() : nil) })
    }

    package mutating func plan() -> ScanPlan {
        let range = TimeRange.everything
        if random.oneIn(3) {
            return ScanPlan(
                table: table.id, range: range, predicate: predicate(),
                result: .rows(
                    Projection(
                        columns: [column(random.below(11))], order: random.pick([.any, .newestFirst, .oldestFirst]),
                        limit: random.oneIn(2) ? nil : random.below(50))))
        }
        return ScanPlan(table: table.id, range: range, predicate: predicate(), result: .states(aggregation()))
    }
}

extension WideID {
    package init(bytes: [UInt8]) { self.init(high: Self.word(bytes.prefix(8)), low: Self.word(bytes.dropFirst(8))) }

    package static func word(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }
}

import Columns
import Core
import EngineFixtures
import Execution
import Parts
import Pattern
import Plans
import Storage
import TableSchema

/// Functions of texts that have nothing to do with telemetry.
struct TestFunctions: ScanFunctions {
    func knows(_ function: String) -> Bool { ["length", "first", "prefix"].contains(function) }

    func values(_ derivation: Derivation, of entry: Span<UInt8>) -> [AttributeValue] {
        Self.values(derivation, of: Array(copying: entry))
    }

    static func values(_ derivation: Derivation, of entry: [UInt8]) -> [AttributeValue] {
        switch derivation.function {
        case "length": [.int(Int64(entry.count))]
        default: entry.first.map { [.string(String(decoding: [$0], as: UTF8.self))] } ?? []
        }
    }

    func match(_ derivation: Derivation, key: [UInt8]) -> AttributeProbe.Match {
        key.starts(with: derivation.argument) ? .whole : .none
    }

    func value(_ type: AttributeType, _ bytes: Span<UInt8>) -> AttributeValue {
        Self.value(type, Array(copying: bytes))
    }

    static func value(_ type: AttributeType, _ bytes: [UInt8]) -> AttributeValue {
        let text = AttributeValue.string(String(decoding: bytes, as: UTF8.self))
        return type == .array ? .array([text, .int(Int64(bytes.count))]) : .map([Attribute(key: "m", value: text)])
    }

    func values(ofKey key: [UInt8], amongOverflow bytes: Span<UInt8>) -> [AttributeValue] { [] }
}

/// Plans over plain rows, one row after the other.
struct NaiveExecution {
    let table: TableDefinition

    // MARK: Predicates

    func holds(_ predicate: Predicate, _ row: [Cell]) -> Bool { holds(predicate, row, table.columns) }

    private func holds(_ predicate: Predicate, _ row: [Cell], _ columns: [ColumnDefinition]) -> Bool {
        switch predicate {
        case .all(let parts): parts.allSatisfy { holds($0, row, columns) }
        case .any(let parts): parts.contains { holds($0, row, columns) }
        case .not(let part): !holds(part, row, columns)
        case .hint: true
        case .anyElement(let id, let part):
            cell(id, row, columns).cell.rows.contains { holds(part, $0, fields(id)) }
        case .test(let operand, let condition): values(operand, row, columns).contains { holds(condition, $0) }
        }
    }

    private func fields(_ id: ColumnID) -> [ColumnDefinition] {
        guard case .nested(let fields)? = table.columns.first(where: { $0.id == id })?.type else { return [] }
        return fields
    }

    private func cell(
        _ id: ColumnID, _ row: [Cell], _ columns: [ColumnDefinition]
    ) -> (cell: Cell, type: ColumnType) {
        guard let ordinal = columns.firstIndex(where: { $0.id == id }) else { return (.list([]), .float) }
        return (row[ordinal], columns[ordinal].type)
    }

    /// A value as a condition sees it.
    enum Value: Hashable {
        case integer(Int64)
        case double(UInt64)
        case boolean(Bool)
        case text([UInt8])
        case id([UInt8])
        case other(AttributeValue, type: UInt8, bytes: [UInt8])
    }

    private func values(_ operand: Operand, _ row: [Cell], _ columns: [ColumnDefinition]) -> [Value] {
        let (cell, type) = cell(operand.column, row, columns)
        switch operand {
        case .attributes: return []
        case .column:
            switch type {
            case .integer: return [.integer(cell.integer)]
            case .float: return [.double(cell.bits)]
            case .fixed: return [.id(cell.bytes)]
            default: return [.text(cell.bytes)]
            }
        case .attribute(_, let key): return cell.set.entries.filter { $0.key == key }.map(value)
        case .derived(_, let derivation):
            return TestFunctions.values(derivation, of: cell.bytes).map { value($0) }
        }
    }

    private func value(_ entry: AttributeSet.Entry) -> Value {
        let word = entry.value.prefix(8).reversed().reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
        switch entry.type {
        case 1: return .text(entry.value)
        case 2: return .boolean(word != 0)
        case 3: return .integer(Int64(bitPattern: word))
        case 4: return .double(word)
        case 5, 6:
            let type: AttributeType = entry.type == 5 ? .array : .map
            return .other(TestFunctions.value(type, entry.value), type: entry.type, bytes: entry.value)
        case 7: return .other(.bytes(entry.value), type: 7, bytes: entry.value)
        default: return .other(.empty, type: 0, bytes: [])
        }
    }

    private func value(_ value: AttributeValue) -> Value {
        switch value {
        case .string(let text): .text(Array(text.utf8))
        case .int(let integer): .integer(integer)
        case .bool(let flag): .boolean(flag)
        case .double(let double): .double(double.bitPattern)
        default: .other(value, type: 0, bytes: [])
        }
    }

    private func shown(_ value: Value) -> AttributeValue {
        switch value {
        case .integer(let integer): .int(integer)
        case .double(let bits): .double(Double(bitPattern: bits))
        case .boolean(let flag): .bool(flag)
        case .text(let bytes): .string(String(decoding: bytes, as: UTF8.self))
        case .id(let bytes): .bytes(bytes)
        case .other(let value, _, _): value
        }
    }

    private func holds(_ condition: Condition, _ value: Value) -> Bool {
        switch (condition, value) {
        case (.exists, _): return true
        case (.integer(let range), .integer(let integer)): return range.contains(integer)
        case (.unsigned(let range), .integer(let integer)): return range.contains(UInt64(bitPattern: integer))
        case (.integers(let wanted), .integer(let integer)): return wanted.contains(integer)
        case (.double(let comparison, let right), .double(let bits)):
            let left = Double(bitPattern: bits)
            return holds(comparison, left < right, left == right, left > right, isOrdered: !left.isNaN)
        case (.boolean(let wanted), .boolean(let flag)): return wanted == flag
        case (.text(let comparison, let right), .text(let left)):
            return holds(
                comparison, left.lexicographicallyPrecedes(right), left == right, right.lexicographicallyPrecedes(left),
                isOrdered: true)
        case (.texts(let wanted), .text(let text)): return wanted.contains(text)
        case (.contains(let needle), .text(let text)):
            return needle.count <= text.count
                && (0...(text.count - needle.count)).contains { Array(text[$0..<($0 + needle.count)]) == needle }
        case (.matches(let source, let isAnchored), .text(let text)):
            let pattern = isAnchored ? try? Pattern(anchored: source) : try? Pattern(unanchored: source)
            return pattern.map { pattern in text.withUnsafeBytes { pattern.matches($0) } } ?? false
        case (.ids(let wanted), .id(let id)): return wanted.contains(WideID(bytes: id))
        case (.shortIDs(let wanted), .id(let id)): return wanted.contains(WideID.word(id[...]))
        case (.shown(let text), _):
            if case .double(let bits) = value, Double(bitPattern: bits) == Double(text), Double(text) != nil {
                return true
            }
            return shown(value).text == text
        case (.repaired(let inner), .text(let text)):
            return holds(inner, .text(Array(String(decoding: text, as: UTF8.self).utf8)))
        case (.element(let inner), .other(.array(let elements), _, _)):
            return elements.contains { holds(inner, self.value($0)) }
        default: return false
        }
    }

    private func holds(_ comparison: Comparison, _ less: Bool, _ equal: Bool, _ greater: Bool, isOrdered: Bool) -> Bool
    {
        switch comparison {
        case .equal: equal
        case .notEqual: !equal
        case .less: less
        case .lessOrEqual: less || equal
        case .greater: greater
        case .greaterOrEqual: greater || equal
        }
    }

    // MARK: Aggregation

    struct Group: Hashable {
        var values: [GroupValue]
        var bucket: Int64
    }

    /// By aggregate, a text of its state that equal states have.
    func aggregate(_ plan: ScanPlan, _ rows: [[Cell]]) -> [Group: [String]] {
        guard case .states(let aggregation) = plan.result else { return [:] }
        var members: [Group: [[Cell]]] = [:]
        for row in rows where holds(plan.predicate, row) {
            let time = row[EveryTypeTable.time].integer
            var bucket: Int64 = 0
            if let buckets = aggregation.buckets {
                guard let number = Self.bucket(buckets, time) else { continue }
                bucket = number
            }
            members[Group(values: aggregation.keys.map { key($0, row) }, bucket: bucket), default: []].append(row)
        }
        return members.mapValues { rows in
            aggregation.aggregates.map { aggregate in
                state(aggregate.function, rows.filter { row in aggregate.filter.map { holds($0, row) } ?? true })
            }
        }
    }

    private static func bucket(_ buckets: TimeBuckets, _ time: Int64) -> Int64? {
        switch buckets {
        case .every(let width, let origin):
            let distance = Int128(time) - Int128(origin)
            let (quotient, remainder) = distance.quotientAndRemainder(dividingBy: Int128(width))
            return Int64(quotient - (remainder < 0 ? 1 : 0))
        case .edges(let edges):
            return edges.indices.dropLast().first { edges[$0] <= time && time < edges[$0 + 1] }.map { Int64($0) }
        }
    }

    private func key(_ operand: Operand, _ row: [Cell]) -> GroupValue {
        guard let value = values(operand, row, table.columns).first else { return .absent }
        switch value {
        case .integer(let integer): return .integer(integer)
        case .double(let bits): return .double(bits)
        case .boolean(let flag): return .boolean(flag)
        case .text(let text): return .text(text)
        case .id(let id): return .id(id)
        case .other(_, let type, let bytes):
            return AttributeType(rawValue: type).map { $0 == .empty ? .absent : .stored($0, bytes) } ?? .absent
        }
    }

    private func integers(_ id: ColumnID, _ rows: [[Cell]]) -> [Int64] {
        rows.map { cell(id, $0, table.columns).cell.integer }
    }

    private func doubles(_ id: ColumnID, _ rows: [[Cell]]) -> [Double] {
        rows.map { Double(bitPattern: cell(id, $0, table.columns).cell.bits) }
    }

    private func isDouble(_ id: ColumnID) -> Bool { table.columns.first { $0.id == id }?.type == .float }

    private func state(_ function: Aggregate.Function, _ rows: [[Cell]]) -> String {
        switch function {
        case .count: return "\(rows.count)"
        case .sum(let id): return "\(integers(id, rows).reduce(Int128(0)) { $0 + Int128($1) })"
        case .sumOfDoubles(let id): return Self.text(sum: doubles(id, rows).reduce(0, +))
        case .min(let id):
            if isDouble(id) { return doubles(id, rows).filter { !$0.isNaN }.min().map { "\($0 + 0)" } ?? "none" }
            return integers(id, rows).min().map { "\($0)" } ?? "none"
        case .max(let id):
            if isDouble(id) { return doubles(id, rows).filter { !$0.isNaN }.max().map { "\($0 + 0)" } ?? "none" }
            return integers(id, rows).max().map { "\($0)" } ?? "none"
        case .histogram(let id):
            var histogram = ExponentialHistogram()
            for value in integers(id, rows) { histogram.insert(value) }
            return "\(histogram.bytes)"
        case .distinct(let operand, let limit):
            let values = Set(rows.map { key(operand, $0) })
            return values.count > limit ? "more" : Self.text(values)
        }
    }

    static func text(_ values: some Sequence<GroupValue>) -> String {
        values.map { "\($0)" }.sorted().joined(separator: ",")
    }

    /// Sums of doubles depend on the order a little; infinities and NaN do not matter here.
    static func text(sum: Double) -> String { sum.isFinite && abs(sum) < 1e15 ? "\((sum * 10).rounded())" : "large" }

    /// The same of states.
    static func texts(_ states: AggregateStates) -> [Group: [String]] {
        var found: [Group: [String]] = [:]
        for group in 0..<states.groupCount {
            let key = Group(
                values: states.aggregation.keys.indices.map { states.value($0, of: group) },
                bucket: states.bucket(of: group))
            found[key] = states.aggregation.aggregates.indices.map { text(states, $0, group) }
        }
        return found
    }

    private static func text(_ states: AggregateStates, _ index: Int, _ group: Int) -> String {
        switch states.states[index] {
        case .counts: "\(states.count(index, of: group))"
        case .sums: "\(states.sum(index, of: group))"
        case .doubleSums: text(sum: states.doubleSum(index, of: group))
        case .integers: states.integer(index, of: group).map { "\($0)" } ?? "none"
        case .doubles: states.double(index, of: group).map { "\($0 + 0)" } ?? "none"
        case .histograms: "\(states.histogram(index, of: group).bytes)"
        case .distinct: states.distinctValues(index)[group].map { text($0) } ?? "more"
        }
    }
}

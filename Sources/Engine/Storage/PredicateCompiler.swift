internal import Columns
internal import Core
internal import Indexing
internal import Parts
internal import Plans
internal import TableSchema

/// Makes of a predicate what a scan applies: checks it against its table, compiles its expressions, finds the indexes that may help.
///
/// A predicate may come from anybody. What does not fit the table is an error here, so that nothing that is applied later can trap.
struct PredicateCompiler {
    private let table: TableDefinition
    private let functions: any ScanFunctions
    /// Of a nested column, whose fields are meant.
    private let nested: (column: Int, fields: [ColumnDefinition])?

    init(_ table: TableDefinition, _ functions: any ScanFunctions) {
        self.init(table, functions, nested: nil)
    }

    private init(
        _ table: TableDefinition, _ functions: any ScanFunctions, nested: (column: Int, fields: [ColumnDefinition])?
    ) {
        self.table = table
        self.functions = functions
        self.nested = nested
    }

    /// Conditions that all hold, so that the cheapest can be applied first.
    func filters(_ predicate: Predicate) throws(PlanError) -> [RowFilter] {
        guard case .all(let parts) = predicate else { return [try filter(predicate)] }
        var filters: [RowFilter] = []
        for part in parts { filters += try self.filters(part) }
        return filters
    }

    func filter(_ predicate: Predicate) throws(PlanError) -> RowFilter {
        switch predicate {
        case .all(let parts): return .allOf(try each(parts, filter))
        case .any(let parts): return .anyOf(try each(parts, filter))
        case .not(let part): return .not(try filter(part))
        case .hint(let part): return try pruning(part)
        case .test(let operand, let condition): return try test(operand, condition)
        case .anyElement(let column, let part):
            guard nested == nil else { throw .mismatch("elements do not have elements") }
            let (ordinal, type) = try self.column(column)
            guard case .nested(let fields) = type else { throw Self.mismatch(table, column, "no nested column") }
            let inner = PredicateCompiler(table, functions, nested: (ordinal, fields))
            let exact = RowFilter.anyElement(ordinal, try inner.filter(part))
            let probes = inner.probes(part)
            return probes.isEmpty ? exact : .allOf(probes + [exact])
        }
    }

    private func each(
        _ parts: [Predicate], _ make: (Predicate) throws(PlanError) -> RowFilter
    ) throws(PlanError) -> [RowFilter] {
        var filters: [RowFilter] = []
        for part in parts { filters.append(try make(part)) }
        return filters
    }

    // MARK: Tests

    private func test(_ operand: Operand, _ condition: Condition) throws(PlanError) -> RowFilter {
        let exact: RowFilter
        switch operand {
        case .column(let column): exact = try test(column, condition)
        case .attribute(let column, let key):
            let (ordinal, type) = try self.column(column)
            guard type == .attributes else { throw Self.mismatch(table, column, "no column of attributes") }
            let compiled = try CompiledCondition(condition, functions)
            exact = .attribute(ordinal, key: key) { compiled.accepts($0, $1, key: key) }
        case .attributes: throw .mismatch("attributes by a function can only be hinted at")
        case .derived(let column, let derivation):
            let (ordinal, type) = try self.column(column)
            guard type.isText else { throw Self.mismatch(table, column, "no column of strings") }
            guard functions.knows(derivation.function) else { throw .unknownFunction(derivation.function) }
            let compiled = try CompiledCondition(condition, functions)
            exact = .strings(ordinal) { [functions] in compiled.accepts(functions.values(derivation, of: $0)) }
        }
        // What elements are asked is asked of the rows that they are in.
        guard nested == nil, let probe = probe(operand, condition) else { return exact }
        return .allOf([probe, exact])
    }

    private func test(_ column: ColumnID, _ condition: Condition) throws(PlanError) -> RowFilter {
        let (ordinal, type) = try self.column(column)
        if case .exists = condition { return .allOf([]) }
        switch (type, condition) {
        case (.integer, .integer(let range)): return .integers(ordinal, range)
        case (.integer, .unsigned(let range)): return Self.unsigned(ordinal, range)
        case (.integer, .integers(let values)):
            guard let first = values.first, let last = values.last else { return .anyOf([]) }
            return .integerSet(ordinal, Set(values), first...last)
        case (.float, .double(let comparison, let value)): return .doubles(ordinal, comparison, value)
        case (.fixed(width: 16), .ids(let ids)):
            return .ids(ordinal, Set(ids.map { TraceID(high: $0.high, low: $0.low) }))
        case (.fixed(width: 8), .shortIDs(let ids)): return .shortIDs(ordinal, Set(ids))
        case (_, .text), (_, .texts), (_, .contains), (_, .matches), (_, .shown):
            guard type.isText else { break }
            let compiled = try CompiledCondition(condition, functions)
            return .strings(ordinal) { compiled.accepts($0) }
        default: break
        }
        throw Self.mismatch(table, column, "of another type than what it is compared with")
    }

    /// Integers without a sign are kept as those with one that have the same bits.
    private static func unsigned(_ ordinal: Int, _ range: ClosedRange<UInt64>) -> RowFilter {
        let (least, greatest) = (Int64(bitPattern: range.lowerBound), Int64(bitPattern: range.upperBound))
        if least <= greatest { return .integers(ordinal, least...greatest) }
        return .anyOf([.integers(ordinal, least...(.max)), .integers(ordinal, .min...greatest)])
    }

    // MARK: Indexes

    /// What only rules out blocks, for a hint.
    private func pruning(_ predicate: Predicate) throws(PlanError) -> RowFilter {
        switch predicate {
        case .all(let parts): return .allOf(try each(parts, pruning))
        case .any(let parts): return .anyOf(try choices(parts))
        case .not: return .allOf([])
        case .hint(let part): return try pruning(part)
        case .anyElement(let column, let part):
            // For the check.
            _ = try filter(predicate)
            guard case .nested(let fields) = try self.column(column).type, let ordinal = table.ordinal(of: column)
            else {
                return .allOf([])
            }
            return .allOf(PredicateCompiler(table, functions, nested: (ordinal, fields)).probes(part))
        case .test(.attributes(let column, let derivation), let condition):
            let (_, type) = try self.column(column)
            guard type == .attributes else { throw Self.mismatch(table, column, "no column of attributes") }
            guard functions.knows(derivation.function) else { throw .unknownFunction(derivation.function) }
            if case .exists = condition { return keys(column, derivation) }
            return probe(.attributes(column, derivation), condition) ?? .allOf([])
        case .test(let operand, let condition):
            let exact = try test(operand, condition)
            if let probe = probe(operand, condition) { return probe }
            switch operand {
            case .attribute, .attributes: return .allOf([])
            case .column(let column):
                // Zones and dictionaries tell; texts without a dictionary would be read.
                return try self.column(column).type == .string ? .allOf([]) : exact
            case .derived: return exact
            }
        }
    }

    /// As `pruning`, of each; texts of which a column holds one are asked for at once.
    private func choices(_ parts: [Predicate]) throws(PlanError) -> [RowFilter] {
        var needles: [ColumnID: [[UInt8]]] = [:]
        for case .test(.column(let column), .contains(let needle)) in parts {
            needles[column, default: []].append(needle)
        }
        var filters: [RowFilter] = []
        for part in parts {
            guard case .test(.column(let column), .contains) = part, let ordinal = ordinal(column), nested == nil else {
                filters.append(try pruning(part))
                continue
            }
            guard let texts = needles.removeValue(forKey: column) else { continue }
            // For the check.
            _ = try filter(part)
            filters.append(IndexProbe.containing(anyOf: texts).map { .indexed(ordinal, $0) } ?? .allOf([]))
        }
        return filters
    }

    /// A part's keys tell whether any of its rows can have the attribute.
    private func keys(_ column: ColumnID, _ derivation: Derivation) -> RowFilter {
        guard nested == nil, let ordinal = ordinal(column) else { return .allOf([]) }
        return .attributeKeys(ordinal) { [functions] key, type in
            switch type {
            case .overflow: return true
            case .empty: return false
            case .map: return functions.match(derivation, key: key) != .none
            default: return functions.match(derivation, key: key) == .whole
            }
        }
    }

    /// What the indexes may be asked about rows that satisfy a predicate.
    private func probes(_ predicate: Predicate) -> [RowFilter] {
        switch predicate {
        case .all(let parts): parts.flatMap { probes($0) }
        case .test(let operand, let condition): probe(operand, condition).map { [$0] } ?? []
        default: []
        }
    }

    private func probe(_ operand: Operand, _ condition: Condition) -> RowFilter? {
        guard let ordinal = ordinal(operand.column) else { return nil }
        let (column, field) = nested.map { ($0.column, Optional(ordinal)) } ?? (ordinal, nil)
        switch (operand, condition) {
        case (.column, .contains(let needle)):
            return IndexProbe.containing(anyOf: [needle]).map { .indexed(column, field: field, $0) }
        case (.column, .shortIDs(let ids)):
            // "None" is in no index.
            guard !ids.contains(0) else { return nil }
            return .indexed(column, field: field, .ids(ids.map { BloomKeys.hash(SpanID(word: $0)) }))
        case (.attribute(_, let key), _):
            return Self.text(condition).map {
                .indexed(column, field: field, .attribute(AttributeProbe(key: key, text: $0)))
            }
        case (.attributes(_, let derivation), _):
            return Self.text(condition).map { text in
                let probe = AttributeProbe(text: text) { [functions] in functions.match(derivation, key: $0) }
                return .indexed(column, field: field, .attribute(probe))
            }
        default: return nil
        }
    }

    /// The text of every value that meets a condition, if it is one.
    private static func text(_ condition: Condition) -> String? {
        switch condition {
        case .shown(let text): text
        case .text(.equal, let bytes): String(validating: bytes, as: UTF8.self)
        case .integer(let range) where range.lowerBound == range.upperBound: String(range.lowerBound)
        case .boolean(let value): value ? "true" : "false"
        default: nil
        }
    }

    // MARK: Columns

    private func ordinal(_ column: ColumnID) -> Int? {
        if let nested { return nested.fields.firstIndex { $0.id == column } }
        return table.ordinal(of: column)
    }

    /// Its number among the columns of the table, or among the fields of the nested column.
    private func column(_ column: ColumnID) throws(PlanError) -> (ordinal: Int, type: ColumnType) {
        guard let ordinal = ordinal(column) else {
            throw Self.mismatch(table, column, nested == nil ? "not there" : "no field of the nested column")
        }
        return (ordinal, nested?.fields[ordinal].type ?? table.columns[ordinal].type)
    }

    private static func mismatch(_ table: TableDefinition, _ column: ColumnID, _ what: String) -> PlanError {
        let name = table.columns.first { $0.id == column }?.name ?? "\(column.number)"
        return .mismatch("column \(name) of \(table.name) is \(what)")
    }
}

extension ColumnType {
    fileprivate var isText: Bool {
        switch self {
        case .string, .lowCardinality, .aggregateState: true
        default: false
        }
    }
}

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
    func filters(_ predicate: Predicate) throws(PlanError) -> [CompiledFilter] {
        guard case .all(let parts) = predicate else { return [try filter(predicate)] }
        var filters: [CompiledFilter] = []
        for part in parts { filters += try self.filters(part) }
        return filters
    }

    func filter(_ predicate: Predicate) throws(PlanError) -> CompiledFilter {
        switch predicate {
        case .all(let parts): return .allOf(try each(parts, filter))
        case .any(let parts):
            let choices = try each(Self.grouped(parts), choice)
            return choices.count == 1 ? choices[0] : .anyOf(choices)
        case .not(let part): return .not(try filter(part))
        case .hint(let part): return try pruning(part)
        case .test(let operand, let condition): return try test(operand, [condition])
        case .anyElement(let column, let part):
            guard nested == nil else { throw .mismatch("elements do not have elements") }
            let (ordinal, type) = try self.column(column)
            guard case .nested(let fields) = type else { throw Self.mismatch(table, column, "no nested column") }
            let inner = PredicateCompiler(table, functions, nested: (ordinal, fields))
            let exact = CompiledFilter.anyElement(ordinal, try inner.filter(part))
            return inner.probe(part).map { .allOf([$0, exact]) } ?? exact
        }
    }

    /// One of several things of which one has to hold.
    private enum Choice {
        case predicate(Predicate)
        /// Of one value: it is read once.
        case tests(Operand, [Condition])
    }

    /// Tests of one attribute, or of one function, that follow each other are one choice.
    private static func grouped(_ parts: [Predicate]) -> [Choice] {
        var choices: [Choice] = []
        for part in parts {
            guard case .test(let operand, let condition) = part, operand.hasManyTypes else {
                choices.append(.predicate(part))
                continue
            }
            if case .tests(operand, let conditions)? = choices.last {
                choices[choices.count - 1] = .tests(operand, conditions + [condition])
            } else {
                choices.append(.tests(operand, [condition]))
            }
        }
        return choices
    }

    private func choice(_ choice: Choice) throws(PlanError) -> CompiledFilter {
        switch choice {
        case .predicate(let predicate): try filter(predicate)
        case .tests(let operand, let conditions): try test(operand, conditions)
        }
    }

    private func each<Part>(
        _ parts: [Part], _ make: (Part) throws(PlanError) -> CompiledFilter
    ) throws(PlanError) -> [CompiledFilter] {
        var filters: [CompiledFilter] = []
        for part in parts { filters.append(try make(part)) }
        return filters
    }

    // MARK: Tests

    /// One of some conditions holds for a value: of a column there is one.
    private func test(_ operand: Operand, _ conditions: [Condition]) throws(PlanError) -> CompiledFilter {
        let exact: CompiledFilter
        switch operand {
        case .column(let column):
            let choices = try each(conditions) { (condition) throws(PlanError) in try test(column, condition) }
            exact = choices.count == 1 ? choices[0] : .anyOf(choices)
        case .attribute(let column, let key):
            let (ordinal, type) = try self.column(column)
            guard type == .attributes else { throw Self.mismatch(table, column, "no column of attributes") }
            let compiled = try compile(conditions)
            exact = .attribute(ordinal, key: key) { type, value in
                compiled.contains { $0.accepts(type, value, key: key) }
            }
        case .attributes: throw .mismatch("attributes by a function can only be hinted at")
        case .derived(let column, let derivation):
            let (ordinal, type) = try self.column(column)
            guard type.isText else { throw Self.mismatch(table, column, "no column of strings") }
            guard functions.knows(derivation.function) else { throw .unknownFunction(derivation.function) }
            let compiled = try compile(conditions)
            exact = .strings(ordinal) { [functions] in
                let values = functions.values(derivation, of: $0)
                return compiled.contains { $0.accepts(values) }
            }
        }
        // What elements are asked is asked of the rows that they are in.
        guard nested == nil, let probe = probe(operand, conditions) else { return exact }
        return .allOf([probe, exact])
    }

    private func compile(_ conditions: [Condition]) throws(PlanError) -> [CompiledCondition] {
        var compiled: [CompiledCondition] = []
        for condition in conditions { compiled.append(try CompiledCondition(condition, functions)) }
        return compiled
    }

    private func test(_ column: ColumnID, _ condition: Condition) throws(PlanError) -> CompiledFilter {
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
        case (_, .text), (_, .texts), (_, .contains), (_, .matches), (_, .shown),
            (_, .repaired):
            guard type.isText else { break }
            let compiled = try CompiledCondition(condition, functions)
            return .strings(ordinal) { compiled.accepts($0) }
        default: break
        }
        throw Self.mismatch(table, column, "of another type than what it is compared with")
    }

    /// Integers without a sign are kept as those with one that have the same bits.
    private static func unsigned(_ ordinal: Int, _ range: ClosedRange<UInt64>) -> CompiledFilter {
        let (least, greatest) = (Int64(bitPattern: range.lowerBound), Int64(bitPattern: range.upperBound))
        if least <= greatest { return .integers(ordinal, least...greatest) }
        return .anyOf([.integers(ordinal, least...(.max)), .integers(ordinal, .min...greatest)])
    }

    // MARK: Indexes

    /// What only rules out blocks, for a hint.
    private func pruning(_ predicate: Predicate) throws(PlanError) -> CompiledFilter {
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
            return PredicateCompiler(table, functions, nested: (ordinal, fields)).probe(part) ?? .allOf([])
        case .test(.attributes(let column, let derivation), let condition):
            let (_, type) = try self.column(column)
            guard type == .attributes else { throw Self.mismatch(table, column, "no column of attributes") }
            guard functions.knows(derivation.function) else { throw .unknownFunction(derivation.function) }
            if case .exists = condition { return keys(column, derivation) }
            return probe(.attributes(column, derivation), [condition]) ?? .allOf([])
        case .test(let operand, let condition):
            let exact = try test(operand, [condition])
            if let probe = probe(operand, [condition]) { return probe }
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
    private func choices(_ parts: [Predicate]) throws(PlanError) -> [CompiledFilter] {
        var needles: [ColumnID: [[UInt8]]] = [:]
        for case .test(.column(let column), .contains(let needle)) in parts {
            needles[column, default: []].append(needle)
        }
        var filters: [CompiledFilter] = []
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
    private func keys(_ column: ColumnID, _ derivation: Derivation) -> CompiledFilter {
        guard nested == nil, let ordinal = ordinal(column) else { return .allOf([]) }
        return .attributeKeys(ordinal) { [functions] key, type in
            switch type {
            case .overflow: return true
            case .map: return functions.match(derivation, key: key) != .none
            default: return functions.match(derivation, key: key) == .whole
            }
        }
    }

    /// What the indexes may be asked about rows that satisfy a predicate.
    private func probe(_ predicate: Predicate) -> CompiledFilter? {
        switch predicate {
        case .all(let parts):
            let probes = parts.compactMap { probe($0) }
            return probes.isEmpty ? nil : .allOf(probes)
        case .any(let parts): return Self.anyOf(parts.map { probe($0) })
        case .test(let operand, let condition): return probe(operand, [condition])
        case .not, .anyElement, .hint: return nil
        }
    }

    /// - Returns: nil if there is nothing to ask for one of the choices.
    private static func anyOf(_ probes: [CompiledFilter?]) -> CompiledFilter? {
        let known = probes.compactMap { $0 }
        guard known.count == probes.count else { return nil }
        return known.count == 1 ? known[0] : .anyOf(known)
    }

    private func probe(_ operand: Operand, _ conditions: [Condition]) -> CompiledFilter? {
        guard let ordinal = ordinal(operand.column) else { return nil }
        let (column, field) = nested.map { ($0.column, Optional(ordinal)) } ?? (ordinal, nil)
        func attributes(_ probe: (String) -> AttributeProbe) -> CompiledFilter? {
            var texts: Set<String> = []
            for condition in conditions {
                guard let some = Self.texts(condition) else { return nil }
                texts.formUnion(some)
            }
            return Self.anyOf(texts.sorted().map { .indexed(column, field: field, .attribute(probe($0))) })
        }
        switch (operand, conditions.count == 1 ? conditions[0] : nil) {
        case (.column, .contains(let needle)?):
            return IndexProbe.containing(anyOf: [needle]).map { .indexed(column, field: field, $0) }
        case (.column, .shortIDs(let ids)?):
            // "None" is in no index.
            guard !ids.contains(0) else { return nil }
            return .indexed(column, field: field, .ids(ids.map { BloomKeys.hash(SpanID(word: $0)) }))
        case (.attribute(_, let key), _): return attributes { AttributeProbe(key: key, text: $0) }
        case (.attributes(_, let derivation), _):
            return attributes { text in
                AttributeProbe(text: text) { [functions] in functions.match(derivation, key: $0) }
            }
        default: return nil
        }
    }

    /// Texts of which every value that meets a condition has one; nil if it may have any.
    private static func texts(_ condition: Condition) -> [String]? {
        switch condition {
        case .shown(let text): return [text]
        case .text(.equal, let bytes): return String(validating: bytes, as: UTF8.self).map { [$0] }
        case .texts(let all):
            let texts = all.compactMap { String(validating: $0, as: UTF8.self) }
            return texts.count == all.count ? texts : nil
        case .integer(let range) where range.lowerBound == range.upperBound: return [String(range.lowerBound)]
        case .boolean(let value): return [value ? "true" : "false"]
        // Values that are neither strings nor integers nor booleans are looked up by their keys alone, whatever the text.
        case .double(.equal, let value): return [value.shortestText]
        case .element(let inner): return texts(inner)
        // A text that was repaired is odd, and so is what it is repaired to.
        case .repaired(let inner): return texts(inner)
        default: return nil
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

extension Operand {
    /// Whether its values are read with more work than conditions are asked.
    fileprivate var hasManyTypes: Bool {
        switch self {
        case .attribute, .derived: true
        case .column, .attributes: false
        }
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

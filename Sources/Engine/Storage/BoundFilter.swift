internal import Columns
internal import Core
internal import Parts
internal import Plans
internal import TableSchema

/// A filter as it applies to one part: what the part's dictionaries can answer is answered, once for each of their entries.
indirect enum BoundFilter: Sendable {
    /// Every row passes.
    case always
    case never
    case integers(Int, ClosedRange<Int64>)
    case integerSet(Int, Set<Int64>, ClosedRange<Int64>)
    case doubles(Int, Comparison, Double)
    /// By entry of the column's dictionary, whether it is accepted.
    case codes(Int, [Bool], isSorted: Bool)
    case strings(Int, @Sendable (Span<UInt8>) -> Bool)
    case ids(Int, Set<TraceID>)
    case shortIDs(Int, Set<UInt64>)
    case attribute(Int, key: [UInt8], @Sendable (AttributeType, SubcolumnValue) -> Bool, [SubcolumnAnswers])
    case nestedAttribute(Int, field: Int, key: [UInt8], @Sendable (AttributeType, SubcolumnValue) -> Bool)
    /// Columns of the filter are fields.
    case anyElement(Int, BoundFilter)
    case not(BoundFilter)
    case anyOf([BoundFilter])
    case allOf([BoundFilter])
    /// Every row passes, but an index may rule out blocks.
    case indexed(Int, field: Int?, IndexProbe)

    /// What was asked about a subcolumn's dictionary.
    struct SubcolumnAnswers: Sendable {
        let dictionary: StringDictionary
        let accepted: [Bool]
    }

    /// Subcolumns with more distinct values are asked about those that come up in a block.
    private static let subcolumnEntryLimit = 4096

    /// A filter on rows in memory, whose dictionaries are asked as their entries come up.
    init(_ filter: CompiledFilter) {
        self =
            switch filter {
            case .integers(let column, let range): .integers(column, range)
            case .strings(let column, let accepts): .strings(column, accepts)
            case .ids(let column, let ids): .ids(column, ids)
            case .integerSet(let column, let values, let range): .integerSet(column, values, range)
            case .doubles(let column, let comparison, let value): .doubles(column, comparison, value)
            case .shortIDs(let column, let ids): .shortIDs(column, ids)
            case .anyElement(let column, let filter): .anyElement(column, BoundFilter(filter))
            case .not(let filter): .not(BoundFilter(filter))
            case .attribute(let column, let key, let accepts): .attribute(column, key: key, accepts, [])
            case .nestedAttribute(let column, let field, let key, let accepts):
                .nestedAttribute(column, field: field, key: key, accepts)
            case .anyOf(let filters): .anyOf(filters.map { BoundFilter($0) })
            case .allOf(let filters): .allOf(filters.map { BoundFilter($0) })
            case .indexed, .attributeKeys: .always
            }
    }

    /// - Parameter pin: gets the dictionaries that the scan will refer to.
    init(_ filter: CompiledFilter, _ part: Part, pin: (StringDictionary) throws -> Void) throws {
        switch filter {
        case .integers(let column, let range): self = .integers(column, range)
        case .ids(let column, let ids): self = ids.isEmpty ? .never : .ids(column, ids)
        case .integerSet, .doubles, .shortIDs: self = BoundFilter(filter)
        case .anyElement(let column, let inner):
            self = Self.isImpossible(inner, column, part) ? .never : .anyElement(column, BoundFilter(inner))
        case .not(let filter):
            switch try BoundFilter(filter, part, pin: pin) {
            case .always: self = .never
            case .never: self = .always
            case let bound: self = .not(bound)
            }
        case .strings(let column, let accepts):
            guard let dictionary = try part.dictionary(column) else {
                self = .strings(column, accepts)
                return
            }
            try pin(dictionary)
            let answers = Self.ask(dictionary, accepts)
            self = Self.decided(answers) ?? .codes(column, answers, isSorted: dictionary.isSorted)
        case .attribute(let column, let key, let accepts):
            self = try Self.attribute(column, key, accepts, part, pin)
        case .nestedAttribute(let column, let field, let key, let accepts):
            let keys = part.attributeKeys(column, field: field)
            self =
                keys.contains(key) || keys.contains([])
                ? .nestedAttribute(column, field: field, key: key, accepts) : .never
        case .indexed(let column, let field, let probe): self = .indexed(column, field: field, probe)
        case .attributeKeys(let column, let accepts):
            self = part.attributeSubcolumns(column).contains(where: { accepts($0.key, $0.type) }) ? .always : .never
        case .allOf(let filters):
            var conditions: [BoundFilter] = []
            for filter in filters {
                let condition = try BoundFilter(filter, part, pin: pin)
                if case .never = condition {
                    self = .never
                    return
                }
                conditions.append(condition)
            }
            self = .allOf(conditions)
        case .anyOf(let filters):
            var choices: [BoundFilter] = []
            for filter in filters {
                let choice = try BoundFilter(filter, part, pin: pin)
                if case .never = choice { continue }
                choices.append(choice)
            }
            if choices.contains(where: { if case .always = $0 { true } else { false } }) {
                self = .always
            } else {
                self = choices.isEmpty ? .never : choices.count == 1 ? choices[0] : .anyOf(choices)
            }
        }
    }

    /// Whether no element of a nested column in the part has an attribute that is wanted.
    private static func isImpossible(_ filter: CompiledFilter, _ column: Int, _ part: Part) -> Bool {
        switch filter {
        case .attribute(let field, let key, _):
            let keys = part.attributeKeys(column, field: field)
            return !keys.contains(key) && !keys.contains([])
        case .anyOf(let filters): return filters.allSatisfy { isImpossible($0, column, part) }
        case .allOf(let filters): return filters.contains { isImpossible($0, column, part) }
        default: return false
        }
    }

    /// The columns that it looks at.
    var columns: [Int] {
        switch self {
        case .integers(let column, _), .integerSet(let column, _, _), .doubles(let column, _, _),
            .codes(let column, _, _), .strings(let column, _), .ids(let column, _), .shortIDs(let column, _),
            .attribute(let column, _, _, _), .nestedAttribute(let column, _, _, _), .anyElement(let column, _):
            [column]
        case .not(let filter): filter.columns
        case .anyOf(let filters), .allOf(let filters): filters.flatMap(\.columns)
        case .always, .never, .indexed: []
        }
    }

    private static func attribute(
        _ column: Int, _ key: [UInt8], _ accepts: @escaping @Sendable (AttributeType, SubcolumnValue) -> Bool,
        _ part: Part, _ pin: (StringDictionary) throws -> Void
    ) throws -> BoundFilter {
        var known: [SubcolumnAnswers] = []
        var isPossible = false
        for subcolumn in try part.subcolumnDictionaries(column, key: key, entryLimit: subcolumnEntryLimit) {
            guard let dictionary = subcolumn.dictionary else {
                isPossible = true
                continue
            }
            try pin(dictionary)
            let answers = ask(dictionary) { accepts(subcolumn.type, .bytes($0)) }
            isPossible = isPossible || answers.contains(true)
            known.append(SubcolumnAnswers(dictionary: dictionary, accepted: answers))
        }
        return isPossible ? .attribute(column, key: key, accepts, known) : .never
    }

    private static func ask(
        _ dictionary: StringDictionary, _ accepts: (Span<UInt8>) -> Bool
    ) -> [Bool] {
        (0..<dictionary.count).map { accepts(dictionary.span($0)) }
    }

    private static func decided(_ answers: [Bool]) -> BoundFilter? {
        if !answers.contains(true) { return .never }
        return answers.contains(false) ? nil : .always
    }

    // MARK: What zones say

    /// Whether zones say that no row of a block can pass.
    func isRuledOut(_ part: Part, block: Int) -> Bool {
        switch self {
        case .never: true
        case .integers(let column, let range):
            part.zone(column, block: block).map { !$0.overlaps(range) } ?? false
        case .integerSet(let column, let values, let range):
            part.zone(column, block: block).map { zone in
                !zone.overlaps(range) || (zone.lowerBound == zone.upperBound && !values.contains(zone.lowerBound))
            } ?? false
        case .codes(let column, let accepted, true):
            Self.accepted(accepted, in: part.zone(column, block: block)).map { !$0.contains(true) } ?? false
        case .not(let filter): filter.isCertain(part, block: block)
        case .anyOf(let filters): filters.allSatisfy { $0.isRuledOut(part, block: block) }
        case .allOf(let filters): filters.contains { $0.isRuledOut(part, block: block) }
        default: false
        }
    }

    /// Whether zones say that every row of a block passes: its pages need not be read for that.
    func isCertain(_ part: Part, block: Int) -> Bool {
        switch self {
        case .always: true
        case .integers(let column, let range):
            part.zone(column, block: block).map { range.contains($0.lowerBound) && range.contains($0.upperBound) }
                ?? false
        case .integerSet(let column, let values, _):
            part.zone(column, block: block).map { zone in
                zone.lowerBound == zone.upperBound && values.contains(zone.lowerBound)
            } ?? false
        case .codes(let column, let accepted, true):
            Self.accepted(accepted, in: part.zone(column, block: block)).map { !$0.contains(false) } ?? false
        case .not(let filter): filter.isRuledOut(part, block: block)
        case .anyOf(let filters): filters.contains { $0.isCertain(part, block: block) }
        case .allOf(let filters): filters.allSatisfy { $0.isCertain(part, block: block) }
        case .indexed: true
        default: false
        }
    }

    /// The answers for the codes of a zone; nil if it says nothing, or what no zone can: a footer may say anything.
    private static func accepted(_ accepted: [Bool], in zone: ClosedRange<Int64>?) -> ArraySlice<Bool>? {
        guard let zone, zone.lowerBound >= 0, zone.upperBound < Int64(accepted.count) else { return nil }
        return accepted[Int(zone.lowerBound)...Int(zone.upperBound)]
    }

    // MARK: Order

    /// What it costs to apply the filter to a block, in about nanoseconds: reading its columns, and asking about the rows.
    func cost(_ part: Part, block: Int) -> Int {
        let rows = part.rowCount(ofBlock: block)
        switch self {
        case .always, .never, .indexed: return 0
        case .integers(let column, _), .codes(let column, _, _), .doubles(let column, _, _):
            return rows + part.storedBytes(ofColumn: column, block: block)
        case .ids(let column, _), .shortIDs(let column, _):
            return 2 * rows + part.storedBytes(ofColumn: column, block: block)
        case .integerSet(let column, _, _): return 10 * rows + part.storedBytes(ofColumn: column, block: block)
        case .strings(let column, _): return 30 * rows + 2 * part.storedBytes(ofColumn: column, block: block)
        case .attribute: return 20 * rows
        case .not(let filter): return filter.cost(part, block: block)
        case .nestedAttribute(let column, _, _, _), .anyElement(let column, _):
            return 60 * rows + 2 * part.storedBytes(ofColumn: column, block: block)
        case .anyOf(let filters), .allOf(let filters): return filters.reduce(0) { $0 + $1.cost(part, block: block) }
        }
    }
}

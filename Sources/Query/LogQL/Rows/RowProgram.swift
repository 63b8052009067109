import Pattern
import QueryModel

/// The stages of a pipeline in the form in which they run on the bytes of rows.
///
/// Only some labels can make a difference: those that a later stage looks at, and those that are seen behind the pipeline. Each
/// has a slot, and parsers take no other field out of a line. Templates make texts of whatever labels there are, so the stages from
/// the first template on are left to `Pipeline`, which says what all of this has to come to; then the program ends with the last
/// filter before that, and tells rows that `Pipeline` would drop too.
struct RowProgram: Sendable {
    /// Takes what a parser found: the slots of a label and of the same with `_extracted` behind it, where these make a difference.
    struct Target: Sendable {
        var slot: Int?
        var suffixed: Int?
    }

    enum Step: Sendable {
        case line(LineFilter)
        case label(RowLabelFilter)
        case json
        case jsonFields([(target: Target, path: [FieldStep])])
        case logfmt(LogfmtOptions)
        /// The labels are numbered, since fields may have the same.
        case logfmtFields(LogfmtOptions, [(target: Target, label: Int, key: String)])
        /// By group of the expression.
        case regexp(Pattern, [Target?])
        /// By part of the shape.
        case pattern(LineShape, [Target?])
        case unpack
        case decolorize
        case rename([(source: Int, target: Int?)])
        case drop([(slot: Int, condition: LabelCondition)])
        /// By slot.
        case keep([[LabelCondition]])
    }

    /// By slot: the label's name.
    let names: [String]
    /// By slot: where a parser puts a field whose name is taken.
    let suffixed: [Int?]
    let errorSlot: Int?
    let steps: [Step]
    let readsLine: Bool
    /// Whether it is the whole pipeline, and its slots all that is seen behind it.
    let isWhole: Bool

    /// The most stages that may change a line, each of which holds a copy of it.
    private static let mostLineChanges = 8
    /// The most fields that `logfmt` may be asked for.
    private static let mostFields = 64

    init(_ stages: [PipelineStage], observing observed: ObservedLabels) {
        var count = stages.firstIndex { !Self.canRun($0) } ?? stages.count
        let changes = stages.indices.filter { stages[$0].changesLine }
        if changes.count > Self.mostLineChanges { count = min(count, changes[Self.mostLineChanges]) }
        var isWhole = false
        var wanted: Set<String> = []
        if count == stages.count, case .only(let names) = observed, !names.contains(ErrorLabel.details) {
            isWhole = true
            wanted = names
        } else {
            let filters = stages[..<count].lastIndex { stage in
                if case .line = stage { true } else if case .label = stage { true } else { false }
            }
            count = filters.map { $0 + 1 } ?? 0
        }
        for stage in stages[..<count] {
            if case .only(let names) = stage.readLabels { wanted.formUnion(names) }
        }
        wanted.remove(ErrorLabel.details)
        for name in wanted where name.hasSuffix("_extracted") { wanted.insert(String(name.dropLast(10))) }
        let names = wanted.sorted()
        let slots = Dictionary(uniqueKeysWithValues: names.enumerated().map { ($1, $0) })
        self.names = names
        suffixed = names.map { slots[$0 + "_extracted"] }
        errorSlot = slots[ErrorLabel.name]
        steps = stages[..<count].map { Self.step($0, slots) }
        readsLine = stages[..<count].contains { $0.readsLine || $0.changesLine }
        self.isWhole = isWhole
    }

    var isEmpty: Bool { steps.isEmpty }

    /// Whether it can drop a row.
    var hasFilters: Bool {
        steps.contains { step in
            switch step {
            case .line, .label: true
            default: false
            }
        }
    }

    private static func canRun(_ stage: PipelineStage) -> Bool {
        switch stage {
        case .line, .json, .regexp, .pattern, .unpack, .decolorize: true
        case .label(let filter): !filter.names.contains(ErrorLabel.details)
        case .logfmt(_, let fields): fields.count <= mostFields
        case .lineFormat: false
        case .labelFormat(let assignments):
            assignments.allSatisfy { assignment in
                guard case .label(let source) = assignment.value else { return false }
                return source != ErrorLabel.details && !ErrorLabel.all.contains(assignment.target)
            }
        case .drop(let conditions):
            // What the details say is never looked at here, so that to drop them is to do nothing.
            conditions.allSatisfy { condition in
                if case .matcher(let matcher) = condition { matcher.name != ErrorLabel.details } else { true }
            }
        case .keep: true
        }
    }

    private static func step(_ stage: PipelineStage, _ slots: [String: Int]) -> Step {
        func target(_ name: String) -> Target { Target(slot: slots[name], suffixed: slots[name + "_extracted"]) }
        switch stage {
        case .line(let filter): return .line(filter)
        case .label(let filter): return .label(RowLabelFilter(filter, slots))
        case .json(let fields):
            return fields.isEmpty ? .json : .jsonFields(fields.map { (target($0.label), $0.path) })
        case .logfmt(let options, let fields):
            if fields.isEmpty { return .logfmt(options) }
            let labels = fields.map(\.label)
            return .logfmtFields(
                options, fields.map { (target($0.label), labels.firstIndex(of: $0.label) ?? 0, $0.expression) })
        case .regexp(let pattern):
            return .regexp(pattern.pattern, pattern.pattern.groupNames.map { $0.map(target) })
        case .pattern(let shape):
            return .pattern(
                shape,
                shape.parts.map { part in
                    if case .capture(let name?) = part { target(name) } else { nil }
                })
        case .unpack: return .unpack
        case .decolorize: return .decolorize
        case .lineFormat: preconditionFailure("templates do not run on rows")
        case .labelFormat(let assignments):
            return .rename(
                assignments.compactMap { assignment in
                    guard case .label(let source) = assignment.value, source != assignment.target,
                        let slot = slots[source]
                    else { return nil }
                    return (slot, slots[assignment.target])
                })
        case .drop(let conditions):
            return .drop(conditions.compactMap { condition in slots[condition.name].map { ($0, condition) } })
        case .keep(let conditions):
            var bySlot = [[LabelCondition]](repeating: [], count: slots.count)
            for condition in conditions {
                if let slot = slots[condition.name] { bySlot[slot].append(condition) }
            }
            return .keep(bySlot)
        }
    }
}

/// A filter on labels whose names are slots.
indirect enum RowLabelFilter: Sendable {
    case text(Int, LabelMatcher)
    case number(Int, Comparison, Double)
    case duration(Int, Comparison, Int64)
    case bytes(Int, Comparison, UInt64)
    case address(Int, isNegated: Bool, AddressRange)
    case all([RowLabelFilter])
    case any([RowLabelFilter])

    init(_ filter: LabelFilter, _ slots: [String: Int]) {
        func slot(_ name: String) -> Int {
            guard let slot = slots[name] else { preconditionFailure("what a stage reads has a slot") }
            return slot
        }
        switch filter {
        case .text(let matcher): self = .text(slot(matcher.name), matcher)
        case .number(let name, let comparison, let operand): self = .number(slot(name), comparison, operand)
        case .duration(let name, let comparison, let operand): self = .duration(slot(name), comparison, operand)
        case .bytes(let name, let comparison, let operand): self = .bytes(slot(name), comparison, operand)
        case .address(let name, let isNegated, let range): self = .address(slot(name), isNegated: isNegated, range)
        case .all(let filters): self = .all(filters.map { RowLabelFilter($0, slots) })
        case .any(let filters): self = .any(filters.map { RowLabelFilter($0, slots) })
        }
    }
}

import Pattern
import QueryModel

/// What stages do with labels, for planning.
extension PipelineStage {
    /// The labels whose values the stage looks at.
    var readLabels: ObservedLabels {
        switch self {
        case .line, .json, .logfmt, .regexp, .pattern, .unpack, .decolorize: .only([])
        case .label(let filter): .only(filter.names)
        case .lineFormat(let template): template.readLabels
        case .labelFormat(let assignments):
            assignments.reduce(.only([])) { names, assignment in
                switch assignment.value {
                case .label(let source): names.union(.only([source]))
                case .template(let template): names.union(template.readLabels)
                }
            }
        case .drop(let conditions), .keep(let conditions): .only(Set(conditions.map(\.name)))
        }
    }

    /// The labels that may be others behind the stage than before it.
    var changedLabels: ObservedLabels {
        switch self {
        case .line, .label, .lineFormat, .decolorize: .only([])
        case .json(let fields), .logfmt(_, let fields):
            fields.isEmpty ? .all : Self.extracted(fields.map(\.label))
        case .regexp(let pattern): Self.extracted(pattern.pattern.groupNames.compactMap(\.self))
        case .pattern(let shape): Self.extracted(shape.names)
        case .unpack, .keep: .all
        case .labelFormat(let assignments):
            .only(
                assignments.reduce(into: []) { names, assignment in
                    names.insert(assignment.target)
                    if case .label(let source) = assignment.value { names.insert(source) }
                })
        case .drop(let conditions): .only(Set(conditions.map(\.name)))
        }
    }

    private static func extracted(_ names: [String]) -> ObservedLabels {
        .only(Set(names).union(names.map { $0 + "_extracted" }))
    }

    /// Whether lines may be others behind the stage.
    var changesLine: Bool {
        switch self {
        case .lineFormat, .unpack, .decolorize: true
        default: false
        }
    }

    /// Whether labels, or whether the entry stays, may depend on the line.
    var readsLine: Bool {
        switch self {
        case .line, .json, .logfmt, .regexp, .pattern, .unpack: true
        case .label, .decolorize, .drop, .keep: false
        case .lineFormat(let template): template.readsLine
        case .labelFormat(let assignments):
            assignments.contains { assignment in
                if case .template(let template) = assignment.value { template.readsLine } else { false }
            }
        }
    }
}

extension LabelFilter {
    var names: Set<String> {
        switch self {
        case .text(let matcher): [matcher.name]
        case .number(let name, _, _), .duration(let name, _, _), .bytes(let name, _, _), .address(let name, _, _):
            [name]
        case .all(let filters), .any(let filters): filters.reduce(into: []) { $0.formUnion($1.names) }
        }
    }
}

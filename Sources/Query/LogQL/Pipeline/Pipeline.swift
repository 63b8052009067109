import Pattern
import QueryModel

/// Runs a pipeline's stages over entries.
///
/// - Stages that the source has already applied are left out.
/// - If only some labels can be observed behind the pipeline, parsers extract no others.
struct Pipeline: Sendable {
    private let stages: [PipelineStage]
    private let observed: ObservedLabels

    init(stages: [PipelineStage], observing observed: ObservedLabels = .all) {
        self.stages = stages
        self.observed = stages.reversed().reduce(observed) { observed, stage in observed.union(stage.readLabels) }
    }

    var isEmpty: Bool { stages.isEmpty }

    /// - Returns: whether the entry stays.
    func run(_ entry: inout PipelineEntry) -> Bool {
        for stage in stages where !apply(stage, to: &entry) { return false }
        return true
    }

    private func apply(_ stage: PipelineStage, to entry: inout PipelineEntry) -> Bool {
        switch stage {
        case .line(let filter): return filter.accepts(entry.line)
        case .label(let filter): return filter.accepts(&entry)
        case .json(let fields): JSONFields.extract(fields, into: &entry, observing: observed)
        case .logfmt(let options, let fields): LogfmtFields.extract(fields, options, into: &entry, observing: observed)
        case .regexp(let pattern): extract(pattern, into: &entry)
        case .pattern(let shape): extract(shape, into: &entry)
        case .unpack: JSONFields.unpack(&entry)
        case .decolorize: entry.line = Decoloring.plain(entry.line)
        case .lineFormat(let template): format(template, line: &entry)
        case .labelFormat(let assignments): format(assignments, labels: &entry)
        case .drop(let conditions): drop(conditions, from: &entry)
        case .keep(let conditions): keep(conditions, in: &entry)
        }
        return true
    }

    private func extract(_ pattern: NamedPattern, into entry: inout PipelineEntry) {
        guard let match = pattern.pattern.firstMatch(in: entry.line) else { return }
        let bytes = Array(entry.line.utf8)
        for (name, range) in zip(pattern.pattern.groupNames, match) {
            guard let name, observed.mayShow(name) else { continue }
            entry.extract(name, String(decoding: bytes[range ?? 0..<0], as: UTF8.self))
        }
    }

    private func extract(_ shape: LineShape, into entry: inout PipelineEntry) {
        let bytes = Array(entry.line.utf8)
        shape.captures(in: bytes.span) { part, range in
            guard case .capture(let name?) = shape.parts[part], observed.mayShow(name) else { return }
            entry.extract(name, String(decoding: bytes[range], as: UTF8.self))
        }
    }

    private func format(_ template: LineTemplate, line entry: inout PipelineEntry) {
        do {
            entry.line = try template.render(entry)
        } catch {
            entry.fail(.template, details: error.message)
        }
    }

    private func format(_ assignments: [LabelAssignment], labels entry: inout PipelineEntry) {
        for assignment in assignments {
            switch assignment.value {
            case .label(let source):
                guard source != assignment.target, let value = entry.value(of: source) else { continue }
                entry.remove(source)
                entry.set(assignment.target, to: value)
            case .template(let template):
                do {
                    entry.set(assignment.target, to: try template.render(entry))
                } catch {
                    entry.fail(.template, details: error.message)
                }
            }
        }
    }

    private func drop(_ conditions: [LabelCondition], from entry: inout PipelineEntry) {
        for condition in conditions {
            if let value = entry.value(of: condition.name), condition.accepts(value) { entry.remove(condition.name) }
        }
    }

    private func keep(_ conditions: [LabelCondition], in entry: inout PipelineEntry) {
        entry.keep { label in
            conditions.contains { $0.name == label.name && $0.accepts(label.value) }
        }
    }
}

/// Which labels can make a difference.
enum ObservedLabels: Hashable, Sendable {
    case all
    case only(Set<String>)

    func union(_ other: ObservedLabels) -> ObservedLabels {
        guard case .only(let names) = self, case .only(let others) = other else { return .all }
        return .only(names.union(others))
    }

    /// Whether a field of this name must be extracted; it may end up with a suffix.
    func mayShow(_ name: String) -> Bool {
        guard case .only(let names) = self else { return true }
        return names.contains(name) || names.contains(name + "_extracted")
    }

    var isEmpty: Bool { self == .only([]) }
}

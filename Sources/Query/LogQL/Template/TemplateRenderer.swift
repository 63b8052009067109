internal import Core
import QueryModel

/// Renders a template's nodes for one entry.
struct TemplateRenderer {
    private let entry: PipelineEntry
    private(set) var output: [UInt8] = []
    private var dot = TemplateValue.labels
    private var variables: [(name: String, value: TemplateValue)] = []
    private var steps = 0

    init(_ entry: PipelineEntry) { self.entry = entry }

    mutating func render(_ nodes: [TemplateNode]) throws(TemplateError) {
        for node in nodes { try render(node) }
    }

    private mutating func render(_ node: TemplateNode) throws(TemplateError) {
        switch node {
        case .text(let text): try append(text)
        case .output(let pipeline):
            let value = try evaluate(pipeline)
            if pipeline.variables.isEmpty { try append(Array(describe(value).utf8)) }
        case .conditional(let pipeline, let then, let otherwise):
            let scope = variables.count
            try render(try evaluate(pipeline).isTrue ? then : otherwise)
            variables.removeLast(variables.count - scope)
        case .with(let pipeline, let then, let otherwise):
            let scope = variables.count
            let value = try evaluate(pipeline)
            if value.isTrue { try render(then, dot: value) } else { try render(otherwise) }
            variables.removeLast(variables.count - scope)
        case .range(let pipeline, let body, let otherwise): try renderRange(pipeline, body, otherwise)
        }
    }

    private mutating func append(_ bytes: [UInt8]) throws(TemplateError) {
        guard output.count + bytes.count <= LineTemplate.longestOutput else { throw TemplateError("line is too long") }
        output += bytes
    }

    private mutating func render(_ nodes: [TemplateNode], dot value: TemplateValue) throws(TemplateError) {
        let outer = dot
        dot = value
        defer { dot = outer }
        try render(nodes)
    }

    private mutating func renderRange(
        _ pipeline: TemplatePipeline, _ body: [TemplateNode], _ otherwise: [TemplateNode]
    ) throws(TemplateError) {
        let scope = variables.count
        defer { variables.removeLast(variables.count - scope) }
        var source = pipeline
        source.variables = []
        let elements = try elements(of: try evaluate(source))
        if elements.isEmpty { return try render(otherwise) }
        for (key, element) in elements {
            try step()
            switch pipeline.variables.count {
            case 1: variables.append((pipeline.variables[0], element))
            case 2:
                variables.append((pipeline.variables[0], key))
                variables.append((pipeline.variables[1], element))
            default: break
            }
            try render(body, dot: element)
            variables.removeLast(variables.count - scope)
        }
    }

    private func elements(of value: TemplateValue) throws(TemplateError) -> [(TemplateValue, TemplateValue)] {
        switch value {
        case .nothing: []
        case .list(let values): values.enumerated().map { (.integer(Int64($0.offset)), $0.element) }
        case .map(let values): values.sorted { $0.key < $1.key }.map { (.string($0.key), $0.value) }
        case .labels: entry.allLabels.map { (.string($0.name), .string($0.value)) }
        default: throw TemplateError("range can't iterate over \(value.text)")
        }
    }

    private mutating func step() throws(TemplateError) {
        steps += 1
        guard steps <= LineTemplate.mostSteps else { throw TemplateError("template takes too many steps") }
    }

    // MARK: Expressions

    private mutating func evaluate(_ pipeline: TemplatePipeline) throws(TemplateError) -> TemplateValue {
        var value: TemplateValue?
        for command in pipeline.commands { value = try evaluate(command, piped: value) }
        let result = value ?? .nothing
        if let name = pipeline.variables.last {
            if pipeline.declares {
                variables.append((name, result))
            } else if let place = variables.lastIndex(where: { $0.name == name }) {
                variables[place].value = result
            } else {
                throw TemplateError("undefined variable \"$\(name)\"")
            }
        }
        return result
    }

    private mutating func evaluate(
        _ command: [TemplateOperand], piped: TemplateValue?
    ) throws(TemplateError) -> TemplateValue {
        guard case .function(let name) = command[0] else {
            guard command.count == 1, piped == nil else { throw TemplateError("can't give argument to non-function") }
            return try evaluate(command[0])
        }
        try step()
        if name == "and" || name == "or" { return try choose(name, command.dropFirst(), piped) }
        var arguments: [TemplateValue] = []
        for operand in command.dropFirst() { arguments.append(try evaluate(operand)) }
        if let piped { arguments.append(piped) }
        switch name {
        case "__line__": return .string(entry.line)
        case "__timestamp__": return .time(entry.timestamp.nanoseconds)
        default: return try TemplateFunctions.call(name, arguments)
        }
    }

    /// `and` and `or` answer the argument that decides, and look at no further ones.
    private mutating func choose(
        _ name: String, _ operands: ArraySlice<TemplateOperand>, _ piped: TemplateValue?
    ) throws(TemplateError) -> TemplateValue {
        var result: TemplateValue?
        for operand in operands {
            let value = try evaluate(operand)
            result = value
            if value.isTrue == (name == "or") { return value }
        }
        guard let last = piped ?? result else { throw TemplateError("wrong number of args for \(name)") }
        return last
    }

    private mutating func evaluate(_ operand: TemplateOperand) throws(TemplateError) -> TemplateValue {
        switch operand {
        case .literal(let value): return value
        case .dot(let path): return lookUp(path, in: dot)
        case .variable(let name, let path):
            if name.isEmpty { return lookUp(path, in: .labels) }
            guard let variable = variables.last(where: { $0.name == name }) else {
                throw TemplateError("undefined variable \"$\(name)\"")
            }
            return lookUp(path, in: variable.value)
        case .pipeline(let pipeline, let path): return lookUp(path, in: try evaluate(pipeline))
        case .function: return try evaluate([operand], piped: nil)
        }
    }

    private func lookUp(_ path: [String], in value: TemplateValue) -> TemplateValue {
        var value = value
        for name in path {
            switch value {
            case .labels: value = .string(entry.value(of: name) ?? "")
            case .map(let members): value = members[name] ?? .nothing
            default: return .nothing
            }
        }
        return value
    }

    private func describe(_ value: TemplateValue) -> String {
        guard case .labels = value else { return value.text }
        return "map[" + entry.allLabels.map { "\($0.name):\($0.value)" }.joined(separator: " ") + "]"
    }
}

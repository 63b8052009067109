/// A template of `line_format` and `label_format`: a subset of Go's text/template.
///
/// Known are fields (`.label`, `.a.b` of decoded JSON), pipes, parentheses, variables, `if`, `with`, `range`, `else`, comments, trim
/// marks and the functions of `TemplateFunctions`. What a template may produce is bounded by `longestOutput`.
package struct LineTemplate: Hashable, Sendable {
    /// A template that renders more than this many bytes for one line fails.
    static let longestOutput = 1 << 20
    /// The most turns that `range` may take, and functions that may be called, for one line.
    static let mostSteps = 100_000

    package let source: String
    let nodes: [TemplateNode]
    /// The labels that the template looks at.
    let readLabels: ObservedLabels
    /// Whether it looks at the line.
    let readsLine: Bool

    package init(_ source: String) throws(TemplateError) {
        self.source = source
        var parser = TemplateParser(source)
        nodes = try parser.parse()
        readLabels = parser.usesWholeDot ? .all : .only(parser.fieldNames)
        readsLine = parser.functionNames.contains("__line__")
    }

    func render(_ entry: PipelineEntry) throws(TemplateError) -> String {
        var renderer = TemplateRenderer(entry)
        try renderer.render(nodes)
        return String(decoding: renderer.output, as: UTF8.self)
    }

    package static func == (left: LineTemplate, right: LineTemplate) -> Bool { left.source == right.source }
    package func hash(into hasher: inout Hasher) { hasher.combine(source) }
}

/// Why a template does not parse, or could not be rendered for a line.
package struct TemplateError: Error, Hashable, Sendable {
    package var message: String

    init(_ message: String) { self.message = message }
}

indirect enum TemplateNode: Sendable {
    case text([UInt8])
    case output(TemplatePipeline)
    case conditional(TemplatePipeline, then: [TemplateNode], otherwise: [TemplateNode])
    /// `then` runs with the pipeline's value as its dot.
    case with(TemplatePipeline, then: [TemplateNode], otherwise: [TemplateNode])
    /// For each element; the pipeline's variables are index and element.
    case range(TemplatePipeline, body: [TemplateNode], otherwise: [TemplateNode])
}

/// `$x := .a | lower | trunc 3`
struct TemplatePipeline: Sendable {
    var variables: [String] = []
    var declares = false
    var commands: [[TemplateOperand]] = []
}

indirect enum TemplateOperand: Sendable {
    case literal(TemplateValue)
    /// The fields of the dot, one below the other; none is the dot itself.
    case dot([String])
    case variable(String, [String])
    case pipeline(TemplatePipeline, [String])
    case function(String)
}

/// What expressions in templates evaluate to.
indirect enum TemplateValue: Hashable, Sendable {
    case nothing
    case bool(Bool)
    case integer(Int64)
    case number(Double)
    case string(String)
    case list([TemplateValue])
    case map([String: TemplateValue])
    /// Nanoseconds since the epoch.
    case time(Int64)
    /// The labels of the entry at hand: the outermost dot.
    case labels
    /// A regular expression that the template spells out, compiled once.
    case pattern(NamedPattern)

    var isTrue: Bool {
        switch self {
        case .nothing: false
        case .bool(let value): value
        case .integer(let value): value != 0
        case .number(let value): value != 0
        case .string(let value): !value.isEmpty
        case .list(let values): !values.isEmpty
        case .map(let values): !values.isEmpty
        case .time, .labels, .pattern: true
        }
    }

    /// As it is printed.
    var text: String {
        switch self {
        case .nothing, .labels: ""
        case .bool(let value): value ? "true" : "false"
        case .integer(let value): String(value)
        case .number(let value): TemplateNumber.text(value)
        case .string(let value): value
        case .pattern(let pattern): pattern.source
        case .list(let values): "[" + values.map(\.text).joined(separator: " ") + "]"
        case .map(let values):
            "map[" + values.sorted { $0.key < $1.key }.map { "\($0.key):\($0.value.text)" }.joined(separator: " ") + "]"
        case .time(let value): TimeLayout.goDefault.format(value)
        }
    }
}

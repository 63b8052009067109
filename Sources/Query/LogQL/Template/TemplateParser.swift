import Pattern

/// Reads templates: text, and actions between `{{` and `}}`.
struct TemplateParser {
    static let deepestNesting = 32

    private let bytes: [UInt8]
    private var position = 0
    private var depth = 0
    /// Names of the outermost dot's fields.
    private(set) var fieldNames: Set<String> = []
    private(set) var functionNames: Set<String> = []
    /// Whether the dot, or `$`, is used as a whole.
    private(set) var usesWholeDot = false

    init(_ source: String) { bytes = Array(source.utf8) }

    mutating func parse() throws(TemplateError) -> [TemplateNode] {
        let (nodes, end) = try nodes()
        guard end == nil else { throw TemplateError("unexpected {{\(end ?? "")}}") }
        return nodes
    }

    // MARK: Blocks

    /// Nodes up to the end of the text, or up to `{{end}}` or `{{else`, which is answered; what follows `else` is still to be read.
    private mutating func nodes() throws(TemplateError) -> ([TemplateNode], end: String?) {
        var nodes: [TemplateNode] = []
        while position < bytes.count {
            takeText(into: &nodes)
            guard position < bytes.count else { break }
            position += 2
            skipTrimMark()
            if takeComment() {
                try closeAction()
                continue
            }
            let start = position
            switch takeWord() {
            case "end":
                try closeAction()
                return (nodes, "end")
            case "else": return (nodes, "else")
            case "if": nodes.append(try block { .conditional($0, then: $1, otherwise: $2) })
            case "with": nodes.append(try block { .with($0, then: $1, otherwise: $2) })
            case "range": nodes.append(try block { .range($0, body: $1, otherwise: $2) })
            case "define", "template", "block", "break", "continue":
                throw TemplateError("only expressions, if, with and range are supported")
            default:
                position = start
                nodes.append(.output(try pipeline()))
                try closeAction()
            }
        }
        return (nodes, nil)
    }

    private mutating func block(
        _ make: (TemplatePipeline, [TemplateNode], [TemplateNode]) -> TemplateNode
    ) throws(TemplateError) -> TemplateNode {
        try descend()
        defer { depth -= 1 }
        let head = try pipeline()
        try closeAction()
        let (body, end) = try nodes()
        guard end != nil else { throw TemplateError("unexpected EOF") }
        guard end == "else" else { return make(head, body, []) }
        skipBlanks()
        if takeWord() == "if" {
            return make(head, body, [try block { .conditional($0, then: $1, otherwise: $2) }])
        }
        try closeAction()
        let (otherwise, last) = try nodes()
        guard last == "end" else { throw TemplateError("unexpected \(last.map { "{{\($0)}}" } ?? "EOF")") }
        return make(head, body, otherwise)
    }

    private mutating func descend() throws(TemplateError) {
        guard depth < Self.deepestNesting else { throw TemplateError("nested too deeply") }
        depth += 1
    }

    // MARK: Text and action borders

    private mutating func takeText(into nodes: inout [TemplateNode]) {
        let start = position
        let open = ByteSearch.first("{{".utf8Span.span, in: bytes.span, from: position) ?? bytes.count
        position = open
        var text = bytes[start..<open]
        let trims = open + 3 < bytes.count && bytes[open + 2] == UInt8(ascii: "-") && Self.isBlank(bytes[open + 3])
        if trims { while let last = text.last, Self.isBlank(last) { text.removeLast() } }
        if !text.isEmpty { nodes.append(.text(Array(text))) }
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

    private mutating func skipTrimMark() {
        if position + 1 < bytes.count, bytes[position] == UInt8(ascii: "-"), Self.isBlank(bytes[position + 1]) {
            position += 1
        }
        skipBlanks()
    }

    private mutating func skipBlanks() {
        while position < bytes.count, Self.isBlank(bytes[position]) { position += 1 }
    }

    private mutating func takeComment() -> Bool {
        guard ByteSearch.has("/*".utf8Span.span, in: bytes.span, at: position),
            let end = ByteSearch.first("*/".utf8Span.span, in: bytes.span, from: position + 2)
        else { return false }
        position = end + 2
        return true
    }

    private mutating func closeAction() throws(TemplateError) {
        skipBlanks()
        if ByteSearch.has("-}}".utf8Span.span, in: bytes.span, at: position) {
            position += 3
            skipBlanks()
        } else if ByteSearch.has("}}".utf8Span.span, in: bytes.span, at: position) {
            position += 2
        } else if position >= bytes.count {
            throw TemplateError("unclosed action")
        } else {
            throw TemplateError("unexpected \(character) in operand")
        }
    }

    private var character: String {
        String(decoding: bytes[position...].prefix(4), as: UTF8.self).first.map { "\"\($0)\"" } ?? "EOF"
    }

    private var byte: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func takeWord() -> String {
        let name = bytes[position...].prefix(while: Lexer.continuesName)
        guard let first = name.first, Lexer.startsName(first) else { return "" }
        position = name.endIndex
        return String(decoding: name, as: UTF8.self)
    }

    // MARK: Expressions

    private mutating func pipeline() throws(TemplateError) -> TemplatePipeline {
        try descend()
        defer { depth -= 1 }
        var pipeline = TemplatePipeline()
        skipBlanks()
        takeVariables(of: &pipeline)
        repeat {
            var command: [TemplateOperand] = []
            skipBlanks()
            while let operand = try operand() {
                command.append(operand)
                skipBlanks()
            }
            guard !command.isEmpty else { throw TemplateError("missing value for command") }
            try Self.compile(&command)
            pipeline.commands.append(command)
        } while takeByte("|")
        return pipeline
    }

    /// Compiles the expression that a function gets as a literal.
    private static func compile(_ command: inout [TemplateOperand]) throws(TemplateError) {
        guard command.count > 1, case .function(let name) = command[0], TemplateFunctions.takesPattern.contains(name),
            case .literal(.string(let source)) = command[1]
        else { return }
        do {
            command[1] = .literal(.pattern(NamedPattern(source: source, pattern: try Pattern(unanchored: source))))
        } catch {
            throw TemplateError("\(name): \(error.message)")
        }
    }

    private mutating func takeByte(_ wanted: Unicode.Scalar) -> Bool {
        guard byte == UInt8(ascii: wanted) else { return false }
        position += 1
        return true
    }

    /// `$a :=`, `$i, $a :=` or `$a =`
    private mutating func takeVariables(of pipeline: inout TemplatePipeline) {
        let start = position
        var names: [String] = []
        repeat {
            skipBlanks()
            guard takeByte("$") else { break }
            let name = takeWord()
            guard !name.isEmpty else { break }
            names.append(name)
            skipBlanks()
        } while takeByte(",")
        let declares = takeByte(":")
        if !names.isEmpty, names.count <= 2, takeByte("=") {
            pipeline.variables = names
            pipeline.declares = declares
        } else {
            position = start
        }
    }

    /// Nil at the end of a command.
    private mutating func operand() throws(TemplateError) -> TemplateOperand? {
        guard let byte else { throw TemplateError("unclosed action") }
        switch byte {
        case UInt8(ascii: "|"), UInt8(ascii: "}"), UInt8(ascii: ")"): return nil
        case UInt8(ascii: "-") where ByteSearch.has("-}}".utf8Span.span, in: bytes.span, at: position): return nil
        case UInt8(ascii: "("):
            position += 1
            let inner = try pipeline()
            guard takeByte(")") else { throw TemplateError("unclosed left paren") }
            return .pipeline(inner, fields())
        case UInt8(ascii: "."):
            if position + 1 < bytes.count, Quantity.isDigit(bytes[position + 1]) { return .literal(try number()) }
            let path = fields()
            if path.isEmpty {
                position += 1
                usesWholeDot = true
            }
            if let name = path.first { fieldNames.insert(name) }
            return .dot(path)
        case UInt8(ascii: "$"):
            position += 1
            let name = takeWord()
            let path = fields()
            if name.isEmpty {
                if let first = path.first { fieldNames.insert(first) } else { usesWholeDot = true }
            }
            return .variable(name, path)
        case UInt8(ascii: "\""): return .literal(.string(try quoted()))
        case UInt8(ascii: "`"): return .literal(.string(try raw()))
        case UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .literal(try number())
        default: return try word()
        }
    }

    private mutating func word() throws(TemplateError) -> TemplateOperand {
        let name = takeWord()
        switch name {
        case "": throw TemplateError("unexpected \(character) in operand")
        case "true": return .literal(.bool(true))
        case "false": return .literal(.bool(false))
        case "nil": return .literal(.nothing)
        default:
            guard TemplateFunctions.isKnown(name) else { throw TemplateError("function \"\(name)\" not defined") }
            functionNames.insert(name)
            return .function(name)
        }
    }

    /// `.a.b`
    private mutating func fields() -> [String] {
        var names: [String] = []
        while byte == UInt8(ascii: "."), position + 1 < bytes.count, Lexer.startsName(bytes[position + 1]) {
            position += 1
            names.append(takeWord())
        }
        return names
    }

    private mutating func number() throws(TemplateError) -> TemplateValue {
        let text = String(
            decoding: bytes[position...].prefix {
                Lexer.continuesName($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "+")
            }, as: UTF8.self)
        position += text.utf8.count
        if let value = Int64(text) { return .integer(value) }
        if let value = Double(text) { return .number(value) }
        throw TemplateError("bad number syntax: \(text.quoted)")
    }

    private mutating func raw() throws(TemplateError) -> String {
        let content = bytes[(position + 1)...].prefix { $0 != UInt8(ascii: "`") }
        guard content.endIndex < bytes.count else { throw TemplateError("unterminated raw quoted string") }
        position = content.endIndex + 1
        return String(decoding: content, as: UTF8.self)
    }

    private mutating func quoted() throws(TemplateError) -> String {
        let start = position
        position += 1
        while let byte, byte != UInt8(ascii: "\"") { position += byte == UInt8(ascii: "\\") ? 2 : 1 }
        guard position < bytes.count else { throw TemplateError("unterminated quoted string") }
        position += 1
        let literal = String(decoding: bytes[start..<position], as: UTF8.self)
        guard let lexemes = try? Lexer.lexemes(of: literal), case .string(let content) = lexemes[0].token else {
            throw TemplateError("invalid syntax in string \(literal)")
        }
        return content
    }
}

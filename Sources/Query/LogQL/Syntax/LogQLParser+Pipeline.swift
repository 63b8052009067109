import Pattern
import QueryModel

/// The rules of pipelines: what follows a stream selector.
extension LogQLParser {
    /// Whether a stage (but not `unwrap`, which ends a pipeline) begins here.
    var atStage: Bool {
        guard case .symbol(let symbol) = token else { return false }
        if symbol == .pipe { return !atUnwrap }
        return Self.lineOperators[symbol] != nil
    }

    mutating func stages() throws(LogQLError) -> [PipelineStage] {
        var stages: [PipelineStage] = []
        while atStage { stages.append(try stage()) }
        return stages
    }

    mutating func stage() throws(LogQLError) -> PipelineStage {
        guard take(.pipe) else { return .line(try lineFilter()) }
        guard let word, !nextIsComparison else { return .label(try labelFilter()) }
        switch word {
        case "json":
            advance()
            return .json(try extractions(paths: true))
        case "logfmt":
            advance()
            return try logfmt()
        case "regexp":
            advance()
            return try regexp()
        case "pattern":
            advance()
            let source = try expectString()
            return .pattern(
                try Self.inStage("pattern", source) { () throws(LogQLError) in try LineShape(parser: source) })
        case "line_format":
            advance()
            let source = try expectString()
            return .lineFormat(try Self.template(source, stage: "line_format"))
        case "label_format":
            advance()
            return .labelFormat(try assignments())
        case "drop":
            advance()
            return .drop(try conditions())
        case "keep":
            advance()
            return .keep(try conditions())
        case "unpack":
            advance()
            return .unpack
        case "decolorize":
            advance()
            return .decolorize
        default: return .label(try labelFilter())
        }
    }

    /// Tells a label that is called like a stage from the stage; `| json != "x"` is a stage and a line filter.
    private var nextIsComparison: Bool {
        guard case .symbol(let symbol) = nextToken else { return false }
        switch symbol {
        case .equal, .regex, .equalEqual, .greater, .greaterOrEqual, .less, .lessOrEqual: return true
        default: return false
        }
    }

    // MARK: Line filters

    private static let lineOperators: [Token.Symbol: (isNegated: Bool, kind: NeedleKind)] = [
        .lineContains: (false, .text), .notEqual: (true, .text),
        .lineMatches: (false, .regex), .notRegex: (true, .regex),
        .lineLike: (false, .shape), .lineUnlike: (true, .shape),
    ]

    private enum NeedleKind { case text, regex, shape }

    private mutating func lineFilter() throws(LogQLError) -> LineFilter {
        guard case .symbol(let symbol) = token, let (isNegated, kind) = Self.lineOperators[symbol] else {
            throw unexpected()
        }
        advance()
        var filter = LineFilter(isNegated: isNegated, needles: [try needle(kind)])
        while take(word: "or") { filter.needles.append(try needle(kind)) }
        return filter
    }

    private mutating func needle(_ kind: NeedleKind) throws(LogQLError) -> LineFilter.Needle {
        if kind == .text, word == "ip" { return .address(try addresses()) }
        let source = try expectString()
        switch kind {
        case .text: return .text(source)
        case .regex: return .regex(try Self.unanchored(source))
        case .shape: return .shape(try LineShape(filter: source))
        }
    }

    /// `ip("10.0.0.0/8")`
    private mutating func addresses() throws(LogQLError) -> AddressRange {
        advance()
        try expect(.openParenthesis)
        let source = try expectString()
        try expect(.closeParenthesis)
        guard let range = AddressRange(source) else { throw .semantic("ip: invalid pattern: \"\(source)\"") }
        return range
    }

    // MARK: Label filters

    mutating func labelFilter() throws(LogQLError) -> LabelFilter {
        var alternatives = [try labelConjunction()]
        while take(word: "or") { alternatives.append(try labelConjunction()) }
        return alternatives.count == 1 ? alternatives[0] : .any(alternatives)
    }

    private mutating func labelConjunction() throws(LogQLError) -> LabelFilter {
        var parts = [try labelCondition()]
        while true {
            if take(.comma) || take(word: "and") {
                parts.append(try labelCondition())
            } else if at(.openParenthesis) || (word != nil && word != "or") {
                parts.append(try labelCondition())
            } else {
                return parts.count == 1 ? parts[0] : .all(parts)
            }
        }
    }

    private mutating func labelCondition() throws(LogQLError) -> LabelFilter {
        if take(.openParenthesis) {
            let filter = try nested { (parser) throws(LogQLError) in try parser.labelFilter() }
            try expect(.closeParenthesis)
            return filter
        }
        let name = try expectName()
        guard case .symbol(let symbol) = token else { throw unexpected(expecting: "=", "!=", "=~", "!~", ">", "<") }
        let matching = LabelMatcher.Operator(rawValue: symbol.rawValue)
        let comparison = Comparison(rawValue: symbol == .equal ? "==" : symbol.rawValue)
        guard matching != nil || comparison != nil else { throw unexpected(expecting: "=", "!=", "=~", "!~", ">", "<") }
        advance()
        if let matching, case .string(let value) = token {
            advance()
            return .text(try Self.matcher(name, matching, value))
        }
        guard let comparison else { throw unexpected(expecting: "STRING") }
        if symbol == .equal || symbol == .notEqual, word == "ip" {
            return .address(name, isNegated: symbol == .notEqual, try addresses())
        }
        return try quantityFilter(name, comparison)
    }

    private mutating func quantityFilter(_ name: String, _ comparison: Comparison) throws(LogQLError) -> LabelFilter {
        let isNegative = take(.minus)
        let filter: LabelFilter
        switch token {
        case .number(let value): filter = .number(name, comparison, isNegative ? -value : value)
        case .duration(let value): filter = .duration(name, comparison, isNegative ? -value : value)
        case .bytes(let value) where !isNegative: filter = .bytes(name, comparison, value)
        default: throw unexpected(expecting: "NUMBER", "DURATION", "BYTES")
        }
        advance()
        return filter
    }

    // MARK: Parsers

    /// `a="b.c", d`; possibly nothing.
    private mutating func extractions(paths: Bool) throws(LogQLError) -> [FieldExtraction] {
        guard word != nil else { return [] }
        var extractions: [FieldExtraction] = []
        repeat {
            let label = try expectName()
            let expression = take(.equal) ? try expectString() : label
            let path = paths ? FieldStep.path(expression) : [.key(expression)]
            guard let path, !expression.isEmpty else {
                throw .semantic("cannot parse expression [\(expression)]: syntax error")
            }
            extractions.append(FieldExtraction(label: label, expression: expression, path: path))
        } while take(.comma)
        return extractions
    }

    private mutating func logfmt() throws(LogQLError) -> PipelineStage {
        var options = LogfmtOptions()
        while case .flag(let flag) = token {
            switch flag {
            case "strict": options.isStrict = true
            case "keep-empty": options.keepsEmpty = true
            default: throw .semantic("unknown flag --\(flag) of logfmt")
            }
            advance()
        }
        return .logfmt(options, try extractions(paths: false))
    }

    private mutating func regexp() throws(LogQLError) -> PipelineStage {
        let source = try expectString()
        let pattern = try Self.inStage("regexp", source) { () throws(LogQLError) in try Self.unanchored(source) }
        let names = pattern.pattern.groupNames.compactMap(\.self)
        let stage = "stage '| regexp \(source.quoted)' :"
        guard !names.isEmpty else { throw .semantic("\(stage) at least one named capture must be supplied") }
        for (position, name) in names.enumerated() {
            guard name.isLabelName else { throw .semantic("\(stage) invalid extracted label name '\(name)'") }
            if names[..<position].contains(name) {
                throw .semantic("\(stage) duplicate extracted label name '\(name)'")
            }
        }
        return .regexp(pattern)
    }

    /// Errors of `build` with the stage that they belong to.
    private static func inStage<Result>(
        _ name: String, _ source: String, _ build: () throws(LogQLError) -> Result
    ) throws(LogQLError) -> Result {
        do {
            return try build()
        } catch .semantic(let reason) {
            throw .semantic("stage '| \(name) \(source.quoted)' : \(reason)")
        }
    }

    // MARK: Formatting

    private static func template(_ source: String, stage: String) throws(LogQLError) -> LineTemplate {
        do {
            return try LineTemplate(source)
        } catch {
            throw .semantic("stage '| \(stage) \(source.quoted)' : invalid template: \(error.message)")
        }
    }

    private mutating func assignments() throws(LogQLError) -> [LabelAssignment] {
        var assignments: [LabelAssignment] = []
        repeat {
            let target = try expectName()
            guard target != ErrorLabel.name else { throw .semantic("\(ErrorLabel.name) cannot be formatted") }
            guard !assignments.contains(where: { $0.target == target }) else {
                throw .semantic("multiple label name '\(target)' not allowed in a single format operation")
            }
            try expect(.equal)
            if case .string(let source) = token {
                advance()
                let template = try Self.template(source, stage: "label_format")
                assignments.append(LabelAssignment(target: target, value: .template(template)))
            } else {
                guard case .identifier(let source) = token else { throw unexpected(expecting: "IDENTIFIER", "STRING") }
                advance()
                assignments.append(LabelAssignment(target: target, value: .label(source)))
            }
        } while take(.comma)
        return assignments
    }

    private mutating func conditions() throws(LogQLError) -> [LabelCondition] {
        var conditions: [LabelCondition] = []
        repeat {
            let name = try expectName()
            if case .symbol(let symbol) = token, case .string(let value) = nextToken,
                let kind = LabelMatcher.Operator(rawValue: symbol.rawValue)
            {
                advance()
                advance()
                conditions.append(.matcher(try Self.matcher(name, kind, value)))
            } else {
                conditions.append(.name(name))
            }
        } while take(.comma)
        return conditions
    }
}

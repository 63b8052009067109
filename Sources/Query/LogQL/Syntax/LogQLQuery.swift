package import Pattern
package import QueryModel

/// A parsed LogQL text.
package enum LogQLQuery: Hashable, Sendable {
    /// Answers log lines.
    case logs(LogSelector)
    /// Answers numbers over time.
    case metric(MetricExpression)
}

/// Which streams, and what becomes of their entries: `{app="a"} |= "x" | json`.
package struct LogSelector: Hashable, Sendable {
    package var matchers: [LabelMatcher]
    package var stages: [PipelineStage]

    package init(matchers: [LabelMatcher], stages: [PipelineStage] = []) {
        self.matchers = matchers
        self.stages = stages
    }
}

/// One step of a pipeline: it looks at an entry's line and labels, changes them, or drops the entry.
package enum PipelineStage: Hashable, Sendable {
    case line(LineFilter)
    case label(LabelFilter)
    /// Without extractions all of the object's fields become labels.
    case json([FieldExtraction])
    case logfmt(LogfmtOptions, [FieldExtraction])
    case regexp(NamedPattern)
    case pattern(LineShape)
    case unpack
    case decolorize
    case lineFormat(LineTemplate)
    case labelFormat([LabelAssignment])
    case drop([LabelCondition])
    case keep([LabelCondition])
}

/// `|= "a" or "b"`: the line holds one of the needles, or, negated, none of them.
package struct LineFilter: Hashable, Sendable {
    package enum Needle: Hashable, Sendable {
        case text(String)
        case regex(NamedPattern)
        case shape(LineShape)
        case address(AddressRange)
    }

    package var isNegated: Bool
    package var needles: [Needle]
}

/// A regular expression and its source, which tells it from others.
package struct NamedPattern: Hashable, Sendable {
    package let source: String
    package let pattern: Pattern

    package static func == (left: NamedPattern, right: NamedPattern) -> Bool { left.source == right.source }
    package func hash(into hasher: inout Hasher) { hasher.combine(source) }
}

/// A condition on labels: `| status >= 500 and method = "GET"`.
package indirect enum LabelFilter: Hashable, Sendable {
    case text(LabelMatcher)
    case number(String, Comparison, Double)
    /// Nanoseconds.
    case duration(String, Comparison, Int64)
    case bytes(String, Comparison, UInt64)
    case address(String, isNegated: Bool, AddressRange)
    case all([LabelFilter])
    case any([LabelFilter])
}

package enum Comparison: String, Hashable, Sendable, CaseIterable {
    case equal = "==", notEqual = "!=", greater = ">", greaterOrEqual = ">=", less = "<", lessOrEqual = "<="

    @inlinable
    package func holds<Value: Comparable>(_ left: Value, _ right: Value) -> Bool {
        switch self {
        case .equal: left == right
        case .notEqual: left != right
        case .greater: left > right
        case .greaterOrEqual: left >= right
        case .less: left < right
        case .lessOrEqual: left <= right
        }
    }
}

/// `label="a.b[0]"`: which field of a line becomes which label.
package struct FieldExtraction: Hashable, Sendable {
    package var label: String
    package var expression: String
    /// The expression, taken apart.
    package var path: [FieldStep]
}

package enum FieldStep: Hashable, Sendable {
    case key(String)
    case index(Int)
}

package struct LogfmtOptions: Hashable, Sendable {
    /// Whether a malformed pair is an error instead of being skipped.
    package var isStrict = false
    /// Whether keys without a value become labels with the empty value.
    package var keepsEmpty = false
}

/// `target=source` or `target="template"`.
package struct LabelAssignment: Hashable, Sendable {
    package enum Value: Hashable, Sendable {
        case label(String)
        case template(LineTemplate)
    }

    package var target: String
    package var value: Value
}

/// What `drop` and `keep` select: a label, whatever its value or only if the matcher accepts it.
package enum LabelCondition: Hashable, Sendable {
    case name(String)
    case matcher(LabelMatcher)

    package var name: String {
        switch self {
        case .name(let name): name
        case .matcher(let matcher): matcher.name
        }
    }

    func accepts(_ value: String) -> Bool {
        switch self {
        case .name: true
        case .matcher(let matcher): matcher.matches(value)
        }
    }
}

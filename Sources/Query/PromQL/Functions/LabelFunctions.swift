import Pattern
import QueryModel

/// Functions that change labels (rules of §3.5 and §3.6).
enum LabelFunctions {
    static let all: [FunctionDefinition] = [
        FunctionDefinition(
            "label_replace", [.instantVector, .string, .string, .string, .string], .general(replace)),
        FunctionDefinition(
            "label_join", [.instantVector, .string, .string, .string], repeats: true, .general(join)),
    ]

    private static func replace(_ frame: CallFrame) throws(QueryError) -> Evaluator.Value {
        let (destination, replacement) = (try frame.string(1), try frame.string(2))
        let (source, expression) = (try frame.string(3), try frame.string(4))
        guard !destination.isEmpty else {
            throw .execution("invalid destination label name in label_replace(): \(destination)")
        }
        let pattern: Pattern
        do {
            pattern = try Pattern(anchored: expression)
        } catch {
            throw .execution("invalid regular expression in label_replace(): \(expression)")
        }
        var output = try frame.vector(0)
        for i in output.indices {
            let text = output[i].labels[source]
            guard let match = pattern.firstMatch(in: text) else { continue }
            let value = try expand(replacement, match, of: pattern, in: text)
            output[i].labels = output[i].labels.setting(destination, to: value)
            try frame.evaluator.context.charge(bytes: value.utf8.count)
        }
        return .vector(try frame.evaluator.merged(output))
    }

    private static func expand(
        _ replacement: String, _ match: [Range<Int>?], of pattern: Pattern, in text: String
    ) throws(QueryError) -> String {
        do {
            return try pattern.expand(replacement, match: match, in: text)
        } catch {
            throw .execution("invalid replacement in label_replace(): \(error.message)")
        }
    }

    private static func join(_ frame: CallFrame) throws(QueryError) -> Evaluator.Value {
        let (destination, separator) = (try frame.string(1), try frame.string(2))
        guard !destination.isEmpty else {
            throw .execution("invalid destination label name in label_join(): \(destination)")
        }
        var sources: [String] = []
        for position in 3..<max(frame.argumentCount, 3) {
            let source = try frame.string(position)
            guard !source.isEmpty else {
                throw .execution("invalid source label name in label_join(): \(source)")
            }
            sources.append(source)
        }
        let output = try frame.vector(0).map { series in
            var series = series
            let value = sources.map { series.labels[$0] }.joined(separator: separator)
            series.labels = series.labels.setting(destination, to: value)
            return series
        }
        return .vector(try frame.evaluator.merged(output))
    }
}

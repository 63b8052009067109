internal import Columns
internal import Core
internal import Parts
internal import Pattern
internal import Plans

/// A condition ready to be asked: its regular expression is compiled, its sets are looked up in.
struct CompiledCondition: Sendable {
    private indirect enum Test: Sendable {
        case exists
        case integer(ClosedRange<Int64>)
        case integers(Set<Int64>)
        case double(Comparison, Double)
        case boolean(Bool)
        case text(Comparison, [UInt8])
        case texts([[UInt8]])
        case contains([UInt8])
        case matches(Pattern)
        case shown(ShownText)
        case element(CompiledCondition)
        case repaired(CompiledCondition)
        case never
    }

    private let test: Test
    private let functions: any ScanFunctions

    init(_ condition: Condition, _ functions: any ScanFunctions) throws(PlanError) {
        self.functions = functions
        test =
            switch condition {
            case .exists: .exists
            case .integer(let range): .integer(range)
            case .unsigned(let range):
                range.lowerBound > UInt64(Int64.max)
                    ? .never : .integer(Int64(range.lowerBound)...Int64(clamping: range.upperBound))
            case .integers(let values): .integers(Set(values))
            case .double(let comparison, let value): .double(comparison, value)
            case .boolean(let value): .boolean(value)
            case .text(let comparison, let value): .text(comparison, value)
            case .texts(let values): .texts(values)
            case .contains(let value): .contains(value)
            case .matches(let source, let isAnchored): .matches(try Self.pattern(source, isAnchored))
            // Ids stand in columns of their own.
            case .ids, .shortIDs: .never
            case .shown(let text): .shown(ShownText(text))
            case .element(let inner): .element(try CompiledCondition(inner, functions))
            case .repaired(let inner): .repaired(try CompiledCondition(inner, functions))
            }
    }

    private static func pattern(_ source: String, _ isAnchored: Bool) throws(PlanError) -> Pattern {
        do throws(PatternError) {
            return isAnchored ? try Pattern(anchored: source) : try Pattern(unanchored: source)
        } catch {
            throw .pattern(error.message)
        }
    }

    // MARK: Texts

    /// Asks about the bytes of a text.
    func accepts(_ bytes: Span<UInt8>) -> Bool {
        switch test {
        case .exists: true
        case .text(let comparison, let value):
            Self.holds(comparison, ByteOrder.compare(bytes, value.span))
        case .texts(let values): Self.contains(values, bytes)
        case .contains(let needle): bytes.index(of: needle.span) != nil
        case .matches(let pattern): pattern.matches(bytes)
        case .shown(let text): text.isShown(bytes)
        case .repaired(let inner): inner.accepts(repaired: bytes)
        case .integer, .integers, .double, .boolean, .element, .never: false
        }
    }

    private func accepts(repaired bytes: Span<UInt8>) -> Bool {
        if bytes.isASCII { return accepts(bytes) }
        return accepts(String(repairing: bytes).utf8Span.span)
    }

    /// - Parameter sorted: by their bytes.
    private static func contains(_ sorted: [[UInt8]], _ bytes: Span<UInt8>) -> Bool {
        var (low, high) = (0, sorted.count)
        while low < high {
            let middle = (low + high) / 2
            let text = sorted[middle]
            let order = ByteOrder.compare(text.span, bytes)
            if order == 0 { return true }
            if order < 0 { low = middle + 1 } else { high = middle }
        }
        return false
    }

    private static func holds(_ comparison: Comparison, _ order: Int) -> Bool {
        switch comparison {
        case .equal: order == 0
        case .notEqual: order != 0
        case .less: order < 0
        case .lessOrEqual: order <= 0
        case .greater: order > 0
        case .greaterOrEqual: order >= 0
        }
    }

    static func holds(_ comparison: Comparison, _ left: Double, _ right: Double) -> Bool {
        switch comparison {
        case .equal: left == right
        case .notEqual: left != right
        case .less: left < right
        case .lessOrEqual: left <= right
        case .greater: left > right
        case .greaterOrEqual: left >= right
        }
    }

    // MARK: Values of attributes

    /// Asks about a value of a subcolumn; of attributes that have none, about those with a key.
    func accepts(_ type: AttributeType, _ value: SubcolumnValue, key: [UInt8]) -> Bool {
        switch (type, value) {
        case (.string, .bytes(let bytes)): accepts(bytes)
        case (.int, .integer(let value)): accepts(integer: value)
        case (.bool, .integer(let value)): accepts(value != 0)
        case (.double, .double(let value)): accepts(double: value)
        case (.bytes, .bytes(let bytes)): accepts(.bytes(Array(copying: bytes)))
        case (.array, .bytes(let bytes)), (.map, .bytes(let bytes)):
            if case .exists = test { true } else { accepts(functions.value(type, bytes)) }
        case (.overflow, .bytes(let bytes)): accepts(functions.values(ofKey: key, amongOverflow: bytes))
        default: accepts(.empty)
        }
    }

    func accepts(_ values: [AttributeValue]) -> Bool { values.contains { accepts($0) } }

    func accepts(_ value: AttributeValue) -> Bool {
        switch value {
        case .string(let text): return accepts(text.utf8Span.span)
        case .int(let value): return accepts(integer: value)
        case .bool(let value): return accepts(value)
        case .double(let value): return accepts(double: value)
        case .array(let elements):
            if case .element(let inner) = test { return elements.contains { inner.accepts($0) } }
            return acceptsShown(value)
        case .empty, .bytes, .map: return acceptsShown(value)
        }
    }

    private func acceptsShown(_ value: @autoclosure () -> AttributeValue) -> Bool {
        switch test {
        case .exists: true
        case .shown(let text): text.isShown(value())
        default: false
        }
    }

    private func accepts(integer value: Int64) -> Bool {
        switch test {
        case .exists: true
        case .integer(let range): range.contains(value)
        case .integers(let values): values.contains(value)
        case .shown(let text): text.integer == value
        default: false
        }
    }

    private func accepts(_ value: Bool) -> Bool {
        switch test {
        case .exists: true
        case .boolean(let wanted): value == wanted
        case .shown(let text): (value ? "true" : "false") == text.text
        default: false
        }
    }

    private func accepts(double value: Double) -> Bool {
        switch test {
        case .exists: true
        case .double(let comparison, let right): Self.holds(comparison, value, right)
        case .shown(let text): text.isShown(.double(value))
        default: false
        }
    }
}

/// A text that values are compared with as they are shown.
struct ShownText: Sendable {
    let text: String
    private let bytes: [UInt8]
    private let isASCII: Bool
    private let number: Double?
    /// The integer that is shown so.
    let integer: Int64?

    init(_ text: String) {
        self.text = text
        bytes = Array(text.utf8)
        isASCII = bytes.allSatisfy { $0 < 0x80 }
        let isDecimal = bytes.allSatisfy { "0123456789+-.eE".utf8.contains($0) }
        number = isDecimal ? Double(text) : nil
        integer = Int64(text).flatMap { String($0) == text ? $0 : nil }
    }

    func isShown(_ raw: Span<UInt8>) -> Bool {
        if raw.isEqual(to: bytes.span) { return true }
        // What is not UTF-8 is repaired before it is compared, and texts are equal if they look alike.
        if isASCII, raw.isASCII { return false }
        return String(repairing: raw) == text
    }

    func isShown(_ value: AttributeValue) -> Bool {
        if case .double(let double) = value { return double == number || double.shortestText == text }
        return value.text == text
    }
}

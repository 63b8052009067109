import Core
import JSON
import Pattern
import QueryModel
import Settings
import TraceSearch

/// The structured filter of Jaeger's v3 search, `query.filter`: a tree of calls in JSON (Jaeger's RFC 0005, and
/// `expression.proto` of jaeger-idl).
///
///     {"op":"and","args":[{"call":{"op":"gt","args":[{"field":{"name":"duration","level":"span"}},{"scalar":{"value":"2s"}}]}},
///                         {"call":{"op":"exists","args":[{"attr":{"key":"http.route"}}]}}]}
///
/// All of it is obeyed but comparisons of two references or two constants, which are refused: dropping a condition would answer
/// with more traces than were asked for.
struct JaegerFilter {
    /// As Jaeger counts calls in calls.
    private static let deepest = 20
    /// A call in a call is four levels of JSON.
    private static let deepestJSON = 4 * deepest + 8
    private static let mostTests = 256

    private var depth = 0
    private var tests = 0
    /// Whose `some` the reader is in.
    private var bound: Set<SpanElement> = []

    static func parse(_ text: String) throws(RequestFailure) -> SpanCondition {
        let value: JSONValue
        do {
            value = try JSONValue.parse(Array(text.utf8), maximumDepth: deepestJSON)
        } catch {
            throw .badRequest("\(error)")
        }
        var filter = JaegerFilter()
        return try filter.call(value)
    }

    // MARK: Calls

    private mutating func call(_ value: JSONValue) throws(RequestFailure) -> SpanCondition {
        guard depth < Self.deepest else { throw .badRequest("filter nests calls more than \(Self.deepest) deep") }
        depth += 1
        defer { depth -= 1 }
        let members = try JaegerFilterObject(value, "a call", fields: ["op", "args"])
        guard let op = try members.text("op"), !op.isEmpty else { throw .badRequest("a call has no op") }
        guard let terms = try members.array("args") else { throw .badRequest("operator \"\(op)\" has no args") }
        switch op {
        case "and", "or":
            guard terms.count >= 2 else {
                throw .badRequest("operator \"\(op)\" takes at least two arguments, got \(terms.count)")
            }
            var conditions: [SpanCondition] = []
            for term in terms { conditions.append(try predicate(term, of: op)) }
            return op == "and" ? .all(conditions) : .any(conditions)
        case "not":
            try Self.check(terms, count: 1, op)
            return .not(try predicate(terms[0], of: op))
        case "some":
            try Self.check(terms, count: 2, op)
            return try some(terms)
        default: return try test(op, terms)
        }
    }

    private static func check(_ terms: [JSONValue], count: Int, _ op: String) throws(RequestFailure) {
        guard terms.count != count else { return }
        let arguments = count == 1 ? "one argument" : "two arguments"
        throw .badRequest("operator \"\(op)\" takes \(arguments), got \(terms.count)")
    }

    private mutating func predicate(_ term: JSONValue, of op: String) throws(RequestFailure) -> SpanCondition {
        let (kind, value) = try JaegerFilterTerm.only(term)
        guard kind == "call" else {
            throw .badRequest("operator \"\(op)\" takes a predicate, got \(JaegerFilterTerm.name(kind))")
        }
        return try call(value)
    }

    private mutating func some(_ terms: [JSONValue]) throws(RequestFailure) -> SpanCondition {
        let (kind, value) = try JaegerFilterTerm.only(terms[0])
        guard kind == "nested" else {
            throw .badRequest(
                "operator \"some\" takes a collection as its first argument, got \(JaegerFilterTerm.name(kind))")
        }
        let level = try JaegerFilterObject(value, "a collection reference", fields: ["level"]).text("level") ?? ""
        guard let element = SpanElement(rawValue: level) else {
            throw .badRequest("operator \"some\" quantifies over event or link, got \"\(level)\"")
        }
        guard bound.insert(element).inserted else {
            throw .badRequest("operator \"some\" is already quantifying over \"\(level)\"")
        }
        defer { bound.remove(element) }
        return .some(element, try predicate(terms[1], of: "some"))
    }

    // MARK: Tests

    private mutating func test(_ op: String, _ terms: [JSONValue]) throws(RequestFailure) -> SpanCondition {
        tests += 1
        guard tests <= Self.mostTests else { throw .badRequest("a filter may have \(Self.mostTests) comparisons") }
        switch op {
        case "exists":
            try Self.check(terms, count: 1, op)
            return .test(try reference(terms[0], of: op), .exists)
        case "in", "not_in":
            try Self.check(terms, count: 2, op)
            let subject = try reference(terms[0], of: op)
            let test = ValueTest.equal(try JaegerFilterTerm.list(terms[1], of: op, comparedWith: subject))
            return op == "in" ? .test(subject, test) : .noneOf(subject, test)
        case "regex":
            try Self.check(terms, count: 2, op)
            return .test(try reference(terms[0], of: op), try pattern(terms))
        case "eq", "ne", "gt", "gte", "lt", "lte":
            try Self.check(terms, count: 2, op)
            return try comparison(op, terms)
        default: throw .badRequest("unknown filter operator \"\(op)\"")
        }
    }

    private func pattern(_ terms: [JSONValue]) throws(RequestFailure) -> ValueTest {
        let subject = try reference(terms[0], of: "regex")
        if case .field(let field) = subject, field.isInteger || field.isID {
            throw .badRequest("operator \"regex\" is not supported for \(JaegerFilterFields.name(of: field))")
        }
        let (kind, value) = try JaegerFilterTerm.only(terms[1])
        guard kind == "scalar" else {
            throw .badRequest("operator \"regex\" takes a string, got \(JaegerFilterTerm.name(kind))")
        }
        let (text, type) = try JaegerFilterTerm.scalar(value)
        guard type == .any || type == .string else {
            throw .badRequest("operator \"regex\" takes a string as its pattern")
        }
        do {
            return .matches(try TextPattern(text, wholeText: false))
        } catch {
            throw .badRequest("operator \"regex\" takes a pattern in RE2 syntax: \(error.message)")
        }
    }

    private func comparison(_ op: String, _ terms: [JSONValue]) throws(RequestFailure) -> SpanCondition {
        let kinds = [try JaegerFilterTerm.only(terms[0]), try JaegerFilterTerm.only(terms[1])]
        for (kind, _) in kinds where !["attr", "field", "scalar"].contains(kind) {
            throw .badRequest(
                "operator \"\(op)\" compares a reference or a constant, got \(JaegerFilterTerm.name(kind))")
        }
        let constants = kinds.indices.filter { kinds[$0].kind == "scalar" }
        guard constants.count == 1, let place = constants.first else {
            throw .badRequest(
                "operator \"\(op)\" compares \(constants.isEmpty ? "two references" : "two constants"), which is not supported"
            )
        }
        let subject = try reference(terms[1 - place], of: op)
        let constant = try JaegerFilterTerm.constant(kinds[place].value, of: op, comparedWith: subject)
        if op == "eq" { return .test(subject, .equal([constant])) }
        if op == "ne" { return .noneOf(subject, .equal([constant])) }
        if case .field(let field) = subject, field == .kind || field == .status || field.isID {
            throw .badRequest("operator \"\(op)\" has no ordering for \(JaegerFilterFields.name(of: field))")
        }
        if case .bool = constant { throw .badRequest("operator \"\(op)\" has no ordering for a boolean constant") }
        let order: ValueOrder =
            switch op {
            case "gt": .greater
            case "gte": .greaterOrEqual
            case "lt": .less
            default: .lessOrEqual
            }
        return .test(subject, .ordered(place == 1 ? order : order.reversed, constant))
    }

    // MARK: References

    private func reference(_ term: JSONValue, of op: String) throws(RequestFailure) -> SpanSubject {
        let (kind, value) = try JaegerFilterTerm.only(term)
        switch kind {
        case "attr":
            let members = try JaegerFilterObject(value, "an attribute reference", fields: ["key", "level"])
            guard let key = try members.text("key"), !key.isEmpty else {
                throw .badRequest("attribute reference has no key")
            }
            let level = try members.text("level") ?? ""
            guard let scopes = JaegerFilterFields.scopes[level] else {
                throw .badRequest("unknown filter level \"\(level)\"")
            }
            return .attribute(key, in: scopes)
        case "field":
            let members = try JaegerFilterObject(value, "a field reference", fields: ["name", "level"])
            let (name, level) = (try members.text("name") ?? "", try members.text("level") ?? "")
            guard !level.isEmpty else {
                throw .badRequest("field reference has no level, and a built-in field belongs to one")
            }
            guard JaegerFilterFields.scopes[level] != nil else {
                throw .badRequest("unknown filter level \"\(level)\"")
            }
            guard let field = JaegerFilterFields.field(name, level: level) else {
                throw .badRequest(
                    "unknown built-in field \"\(name)\" at the \"\(level)\" level; name an attribute to match a tag of that name instead"
                )
            }
            return .field(field)
        case "nested": throw .badRequest("a collection reference is only the first argument of \"some\"")
        default: throw .badRequest("operator \"\(op)\" takes a reference, got \(JaegerFilterTerm.name(kind))")
        }
    }
}

/// The built-in fields by Jaeger's names.
enum JaegerFilterFields {
    static let scopes: [String: AttributeScopes] = [
        "": [.span, .resource], "span": .span, "resource": .resource, "scope": .scope, "event": .event, "link": .link,
    ]

    private static let fields: [(level: String, name: String, field: SpanField)] = [
        ("span", "traceID", .traceID), ("span", "spanID", .spanID), ("span", "parentSpanID", .parentSpanID),
        ("span", "traceState", .traceState), ("span", "name", .name), ("span", "kind", .kind),
        ("span", "startTime", .startTime), ("span", "endTime", .endTime), ("span", "duration", .duration),
        ("span", "status", .status), ("span", "statusMessage", .statusMessage), ("resource", "service", .serviceName),
        ("resource", "schemaURL", .resourceSchemaURL), ("scope", "name", .scopeName),
        ("scope", "version", .scopeVersion),
        ("scope", "schemaURL", .scopeSchemaURL), ("event", "name", .eventName), ("event", "time", .eventTime),
        ("event", "timeSinceStart", .eventTimeSinceStart), ("link", "traceID", .linkTraceID),
        ("link", "spanID", .linkSpanID), ("link", "traceState", .linkTraceState),
    ]

    static func field(_ name: String, level: String) -> SpanField? {
        fields.first { $0.level == level && $0.name == name }?.field
    }

    static func name(of field: SpanField) -> String {
        fields.first { $0.field == field }.map { "\($0.level).\($0.name)" } ?? field.rawValue
    }
}

/// A JSON object with the members that a message has, and no others.
struct JaegerFilterObject {
    private let members: [(key: String, value: JSONValue)]
    private let what: String

    init(_ value: JSONValue, _ what: String, fields: Set<String>) throws(RequestFailure) {
        guard case .object(let members) = value else { throw .badRequest("expected \(what) as an object") }
        var seen: Set<String> = []
        for (key, _) in members {
            guard fields.contains(key) else { throw .badRequest("\(what) has no field \"\(key)\"") }
            guard seen.insert(key).inserted else { throw .badRequest("\(what) has \"\(key)\" twice") }
        }
        self.members = members
        self.what = what
    }

    private func value(_ key: String) -> JSONValue? {
        guard let value = members.first(where: { $0.key == key })?.value, value != .null else { return nil }
        return value
    }

    func text(_ key: String) throws(RequestFailure) -> String? {
        guard let value = value(key) else { return nil }
        guard case .string(let text) = value else { throw .badRequest("\"\(key)\" of \(what) is not a string") }
        return text
    }

    func array(_ key: String) throws(RequestFailure) -> [JSONValue]? {
        guard let value = value(key) else { return nil }
        guard case .array(let elements) = value else { throw .badRequest("\"\(key)\" of \(what) is not a list") }
        return elements
    }
}

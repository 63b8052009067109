import Core
import JSON
import QueryModel
import Settings
import TraceSearch

/// The terms of a structured filter: of which kind one is, and the values of constants.
enum JaegerFilterTerm {
    /// What a constant says of its own type.
    enum ValueType: String {
        case any = ""
        case string, int, double, bool
    }

    private static let kinds: [(kind: String, name: String)] = [
        ("attr", "an attribute reference"), ("field", "a field reference"), ("nested", "a collection reference"),
        ("scalar", "a constant"), ("list", "a list"), ("call", "a predicate"),
    ]

    static func name(_ kind: String) -> String { kinds.first { $0.kind == kind }?.name ?? kind }

    /// The one member that a term has.
    static func only(_ term: JSONValue) throws(RequestFailure) -> (kind: String, value: JSONValue) {
        guard case .object(let members) = term else { throw .badRequest("an argument is not an object") }
        let set = members.filter { $0.value != .null }
        guard set.count == 1, let only = set.first else {
            throw .badRequest("an argument has one of attr, field, nested, scalar, list and call")
        }
        guard kinds.contains(where: { $0.kind == only.key }) else { throw .badRequest("unknown term \"\(only.key)\"") }
        return (only.key, only.value)
    }

    static func scalar(_ value: JSONValue) throws(RequestFailure) -> (text: String, type: ValueType) {
        let members = try JaegerFilterObject(value, "a constant", fields: ["value", "type"])
        return (try members.text("value") ?? "", try type(members))
    }

    private static func type(_ members: JaegerFilterObject) throws(RequestFailure) -> ValueType {
        let name = try members.text("type") ?? ""
        guard let type = ValueType(rawValue: name) else { throw .badRequest("unknown filter value type \"\(name)\"") }
        return type
    }

    static func constant(
        _ value: JSONValue, of op: String, comparedWith subject: SpanSubject
    ) throws(RequestFailure) -> Constant {
        let (text, type) = try scalar(value)
        // A declared type holds even where a field has its own.
        let typed = try constant(text, type)
        guard case .field(let field) = subject else { return typed }
        return try constant(text, type, of: op, field)
    }

    /// The elements of a list, which are read as the type that the list declares, or else as the field's.
    static func list(
        _ term: JSONValue, of op: String, comparedWith subject: SpanSubject
    ) throws(RequestFailure) -> [Constant] {
        let (kind, value) = try only(term)
        guard kind == "list" else {
            throw .badRequest("operator \"\(op)\" takes a list as its second argument, got \(name(kind))")
        }
        let members = try JaegerFilterObject(value, "a list", fields: ["values", "type"])
        let type = try type(members)
        let values = try members.array("values") ?? []
        guard !values.isEmpty else { throw .badRequest("operator \"\(op)\" takes a list with at least one element") }
        guard values.count <= 1024 else {
            throw .badRequest("operator \"\(op)\" takes a list of 1024 elements at most")
        }
        if type == .any, case .attribute = subject {
            throw .badRequest(
                "operator \"\(op)\" takes a list that declares its element type when it is compared against an attribute"
            )
        }
        var constants: [Constant] = []
        for value in values {
            guard case .string(let text) = value else { throw .badRequest("an element of a list is not a string") }
            var constant = try self.constant(text, type)
            if case .field(let field) = subject { constant = try self.constant(text, type, of: op, field) }
            constants.append(constant)
        }
        return constants
    }

    private static func constant(_ text: String, _ type: ValueType) throws(RequestFailure) -> Constant {
        switch type {
        case .any: return .text(text)
        case .string: return .string(text)
        case .int:
            guard let integer = Int64(text) else { throw unreadable(text, "an integer") }
            return .integer(integer)
        case .double:
            guard case .some(let double) = Number.double(decimal: text) else { throw unreadable(text, "a number") }
            return .double(double)
        case .bool:
            guard let flag = FlagText.flag(text) else { throw unreadable(text, "true or false") }
            return .bool(flag)
        }
    }

    private static func unreadable(_ text: String, _ what: String) -> RequestFailure {
        .badRequest("the constant \"\(text)\" is not \(what)")
    }

    /// As a built-in field holds it.
    private static func constant(
        _ text: String, _ type: ValueType, of op: String, _ field: SpanField
    ) throws(RequestFailure) -> Constant {
        let name = JaegerFilterFields.name(of: field)
        guard type == .any || type == .string && !field.isInteger else {
            throw .badRequest(
                "operator \"\(op)\" compares \(name) against a constant of type \(type.rawValue), which hold different kinds of value"
            )
        }
        func failure(_ reason: String) -> RequestFailure {
            .badRequest("cannot compare \(name) against \"\(text)\": \(reason)")
        }
        switch field {
        case .kind:
            guard SpanKindName.words.contains(text) else {
                throw failure("not one of \(SpanKindName.words.joined(separator: ", "))")
            }
            return .string(text)
        case .status:
            guard SpanStatusName.words.contains(text) else {
                throw failure("not one of \(SpanStatusName.words.joined(separator: ", "))")
            }
            return .string(text)
        case .duration, .eventTimeSinceStart:
            guard let duration = DurationText.go(text) else { throw failure("not a duration such as 1.5s or 100ms") }
            return .integer(duration)
        case .startTime, .endTime, .eventTime:
            guard let time = TimeText.rfc3339(text) else { throw failure("not a time of RFC 3339") }
            return .integer(time.nanoseconds)
        default: return .string(field.normalized(text))
        }
    }
}

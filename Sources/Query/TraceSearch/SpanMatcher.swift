import Core
package import QueryModel

/// Whether one span satisfies all conditions of a query at once (rules J-8 and J-9).
package struct SpanMatcher: Sendable {
    private let query: TraceQuery
    private let tags: [TagCondition]

    package init(_ query: TraceQuery) {
        self.query = query
        tags = query.tags.map { TagCondition(key: $0.key, value: $0.value) }
    }

    package func matches(_ span: TraceSpan) -> Bool {
        guard query.range.contains(span.start) else { return false }
        if let operation = query.operation, operation != span.name { return false }
        if let service = query.service, service != span.serviceName { return false }
        if let kind = query.kind, kind != span.kind { return false }
        if query.minDuration != nil || query.maxDuration != nil {
            let duration = span.duration
            if let least = query.minDuration, duration < least { return false }
            if let most = query.maxDuration, duration > most { return false }
        }
        return tags.allSatisfy { $0.matches(span) }
    }
}

/// One tag of a query against a span: its virtual tags, and the attributes of the span, its events, scope and resource.
///
/// A value is compared in its textual form. A double also equals every other decimal spelling of itself: `3`, `3.0`, `3e0`.
struct TagCondition: Sendable {
    private enum Subject: Sendable {
        case anywhere
        case error(Bool)
        case kind, status, statusCode, statusDescription, scopeName, scopeVersion, traceState
        case scopeAttribute(String)
        case resourceAttribute(String)
    }

    private let key: String
    private let value: String
    private let number: Double?
    private let subject: Subject

    init(key: String, value: String) {
        self.key = key
        self.value = value
        // Swift would also read "inf", "nan" and hexadecimal floats.
        let isDecimal = value.utf8.allSatisfy { "0123456789+-.eE".utf8.contains($0) }
        number = isDecimal ? Double(value) : nil
        subject = Self.subject(key, value)
    }

    private static func subject(_ key: String, _ value: String) -> Subject {
        switch key {
        case "error" where value == "true": return .error(true)
        case "error" where value == "false": return .error(false)
        case "span.kind": return .kind
        case "span.status": return .status
        case "otel.status_code": return .statusCode
        case "otel.status_description": return .statusDescription
        case "scope.name", "otel.scope.name": return .scopeName
        case "scope.version", "otel.scope.version": return .scopeVersion
        case "w3c.tracestate": return .traceState
        default: break
        }
        if key.hasPrefix("resource.") { return .resourceAttribute(String(key.dropFirst("resource.".count))) }
        if key.hasPrefix("scope.") { return .scopeAttribute(String(key.dropFirst("scope.".count))) }
        return .anywhere
    }

    func matches(_ span: TraceSpan) -> Bool {
        switch subject {
        // The status alone decides, so that `true` and `false` part all spans in two.
        case .error(let wanted): wanted == (span.statusCode == 2)
        case .resourceAttribute(let name): hasResourceAttribute(name, span)
        case .anywhere: hasAttribute(span)
        case .kind: isEqual(SpanKindName.name(of: span.kind)) || hasAttribute(span)
        case .status: isEqual(Self.statusName(span)) || hasAttribute(span)
        case .statusCode:
            span.statusCode != 0 && isEqual(Self.statusName(span).uppercased()) || hasAttribute(span)
        case .statusDescription: isEqual(span.statusMessage) || hasAttribute(span)
        case .scopeName: isEqual(span.scope.name) || hasAttribute(span)
        case .scopeVersion: isEqual(span.scope.version) || hasAttribute(span)
        case .traceState: isEqual(span.traceState) || hasAttribute(span)
        case .scopeAttribute(let name): has(name, in: span.scope.attributes) || hasAttribute(span)
        }
    }

    private static func statusName(_ span: TraceSpan) -> String {
        switch span.statusCode {
        case 1: "ok"
        case 2: "error"
        default: "unset"
        }
    }

    /// A virtual tag that the span does not have is empty, and equals no value.
    private func isEqual(_ text: String) -> Bool { !text.isEmpty && text == value }

    private func hasAttribute(_ span: TraceSpan) -> Bool {
        has(key, in: span.attributes)
            || span.events.contains { has(key, in: $0.attributes) }
            || has(key, in: span.scope.attributes)
            || hasResourceAttribute(key, span)
    }

    private func hasResourceAttribute(_ name: String, _ span: TraceSpan) -> Bool {
        // The service's name may be held apart from the resource's other attributes.
        if name == "service.name", let service = span.resource.serviceName, service == value { return true }
        return has(name, in: span.resource.attributes)
    }

    private func has(_ name: String, in attributes: [Attribute]) -> Bool {
        attributes.contains { $0.key == name && isEqual($0.value) }
    }

    private func isEqual(_ attribute: AttributeValue) -> Bool {
        switch attribute {
        case .string(let text): text == value
        case .double(let double): double == number || double.shortestText == value
        default: attribute.text == value
        }
    }
}

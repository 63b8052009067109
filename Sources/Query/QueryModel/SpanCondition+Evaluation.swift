package import Core
import Pattern

/// Conditions on spans that are whole, by their definition: what sources, which know them as columns, are held against.
extension SpanCondition {
    package func holds(_ span: TraceSpan) -> Bool { holds(span, Binding()) }

    /// The event or link that `some` is at.
    private struct Binding {
        var event: TraceSpan.Event?
        var link: TraceSpan.Link?
    }

    private func holds(_ span: TraceSpan, _ bound: Binding) -> Bool {
        switch self {
        case .all(let conditions): conditions.allSatisfy { $0.holds(span, bound) }
        case .any(let conditions): conditions.contains { $0.holds(span, bound) }
        case .not(let condition): !condition.holds(span, bound)
        case .some(.event, let condition):
            span.events.contains { event in
                var inner = bound
                inner.event = event
                return condition.holds(span, inner)
            }
        case .some(.link, let condition):
            span.links.contains { link in
                var inner = bound
                inner.link = link
                return condition.holds(span, inner)
            }
        case .test(.field(let field), let test):
            Self.values(field, span, events(span, bound), links(span, bound)).contains { test.accepts(field: $0) }
        case .test(.attribute(let key, let scopes, let elements), let test):
            Self.attributes(scopes, span, events(span, bound), links(span, bound)).contains { attribute in
                attribute.key.utf8.elementsEqual(key.utf8) && test.accepts(attribute.value, elements: elements)
            } || Self.hasServiceName(key, scopes, span, test)
        }
    }

    private func events(_ span: TraceSpan, _ bound: Binding) -> [TraceSpan.Event] {
        bound.event.map { [$0] } ?? span.events
    }

    private func links(_ span: TraceSpan, _ bound: Binding) -> [TraceSpan.Link] {
        bound.link.map { [$0] } ?? span.links
    }

    private static func attributes(
        _ scopes: AttributeScopes, _ span: TraceSpan, _ events: [TraceSpan.Event], _ links: [TraceSpan.Link]
    ) -> [Attribute] {
        var attributes = scopes.contains(.span) ? span.attributes : []
        if scopes.contains(.resource) { attributes += span.resource.attributes }
        if scopes.contains(.scope) { attributes += span.scope.attributes }
        if scopes.contains(.event) { attributes += events.flatMap(\.attributes) }
        if scopes.contains(.link) { attributes += links.flatMap(\.attributes) }
        return attributes
    }

    /// The service's name may be held apart from the resource's other attributes.
    private static func hasServiceName(
        _ key: String, _ scopes: AttributeScopes, _ span: TraceSpan, _ test: ValueTest
    ) -> Bool {
        guard key == "service.name", scopes.contains(.resource), let name = span.resource.serviceName else {
            return false
        }
        return test.accepts(.string(name), elements: false)
    }

    private static func values(
        _ field: SpanField, _ span: TraceSpan, _ events: [TraceSpan.Event], _ links: [TraceSpan.Link]
    ) -> [FieldValue] {
        switch field {
        case .traceID: [.text(span.traceID.hex)]
        case .spanID: [.text(span.spanID.hex)]
        case .parentSpanID: span.parentSpanID.isZero ? [] : [.text(span.parentSpanID.hex)]
        case .traceState: text(span.traceState)
        case .name: text(span.name)
        case .kind: [.text(SpanKindName.word(of: span.kind))]
        case .status: [.text(SpanStatusName.word(of: span.statusCode))]
        case .statusMessage: text(span.statusMessage)
        case .startTime: [.integer(span.start.nanoseconds)]
        case .endTime: [.integer(span.end.nanoseconds)]
        case .duration: [.integer(span.duration)]
        case .serviceName: [.text(span.serviceName)]
        case .resourceSchemaURL: text(span.resource.schemaURL)
        case .scopeName: text(span.scope.name)
        case .scopeVersion: text(span.scope.version)
        case .scopeSchemaURL: text(span.scope.schemaURL)
        case .eventName: events.flatMap { text($0.name) }
        case .eventTime: events.map { .integer($0.time.nanoseconds) }
        case .eventTimeSinceStart: events.map { .integer($0.time.nanoseconds &- span.start.nanoseconds) }
        case .linkTraceID: links.filter { !$0.traceID.isZero }.map { .text($0.traceID.hex) }
        case .linkSpanID: links.filter { !$0.spanID.isZero }.map { .text($0.spanID.hex) }
        case .linkTraceState: links.flatMap { text($0.traceState) }
        }
    }

    private static func text(_ text: String) -> [FieldValue] { text.isEmpty ? [] : [.text(text)] }
}

/// The value of a field.
private enum FieldValue {
    case text(String)
    case integer(Int64)
}

extension ValueTest {
    fileprivate func accepts(field value: FieldValue) -> Bool {
        switch value {
        case .text(let text): accepts(.string(text))
        case .integer(let integer): accepts(.int(integer))
        }
    }

    /// - Parameter elements: whether one element of a list that passes is enough.
    package func accepts(_ value: AttributeValue, elements: Bool) -> Bool {
        if accepts(value) { return true }
        guard elements, case .array(let values) = value else { return false }
        return values.contains { accepts($0) }
    }

    package func accepts(_ value: AttributeValue) -> Bool {
        switch self {
        case .exists: true
        case .equal(let constants): constants.contains { $0.equals(value) }
        case .ordered(let order, let constant): constant.isOrdered(order, after: value)
        case .matches(let pattern):
            if case .string(let text) = value { pattern.pattern.matches(text) } else { false }
        }
    }
}

extension Constant {
    package func equals(_ value: AttributeValue) -> Bool {
        switch (self, value) {
        case (.text(let text), .double(let double)):
            double.shortestText == text || double == Number.double(decimal: text)
        case (.text(let text), _): value.text == text
        case (.number(let number), _): value.number?.compare(number) == .equal || value.text == number.text
        case (.string(let text), .string(let string)): string.utf8.elementsEqual(text.utf8)
        case (.integer(let integer), .int(let value)): value == integer
        case (.double(let double), .double(let value)): value == double
        case (.bool(let flag), .bool(let value)): value == flag
        default: false
        }
    }

    /// The number that values are ordered by; nil: texts are.
    package var orderedNumber: Number? {
        switch self {
        case .text(let text): Number(decimal: text)
        case .number(let number): number
        case .integer(let integer): .integer(integer)
        case .double(let double): .double(double)
        case .string, .bool: nil
        }
    }

    /// Whether `value order self`.
    package func isOrdered(_ order: ValueOrder, after value: AttributeValue) -> Bool {
        if let number = orderedNumber { return value.number.map { order.holds($0, number) } ?? false }
        switch (self, value) {
        case (.text(let text), .string(let string)), (.string(let text), .string(let string)):
            if string.utf8.elementsEqual(text.utf8) { return order == .lessOrEqual || order == .greaterOrEqual }
            let isLess = string.utf8.lexicographicallyPrecedes(text.utf8)
            return isLess == (order == .less || order == .lessOrEqual)
        default: return false
        }
    }
}

extension AttributeValue {
    fileprivate var number: Number? {
        switch self {
        case .int(let integer): .integer(integer)
        case .double(let double): .double(double)
        default: nil
        }
    }
}

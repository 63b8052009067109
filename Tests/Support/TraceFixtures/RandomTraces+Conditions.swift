import Core
package import QueryModel

/// Conditions on spans, about what one of them is, and now and then about what none is.
extension RandomTraces {
    package mutating func traceCondition(about spans: [TraceSpan], depth: Int = 0) -> TraceCondition {
        if depth > 1 || oneIn(2) { return .span(spanCondition(about: pick(spans))) }
        // Two spans of one trace have a chance to be found together.
        let first = pick(spans)
        let near = spans.filter { $0.traceID == first.traceID }
        let parts = (0..<(1 + below(3))).map { _ in traceCondition(about: oneIn(4) ? spans : near, depth: depth + 1) }
        return oneIn(3) ? .any(parts) : .all(parts)
    }

    package mutating func spanCondition(about span: TraceSpan, depth: Int = 0) -> SpanCondition {
        switch depth < 3 ? below(8) : 7 {
        case 0: return .all((0..<below(3)).map { _ in spanCondition(about: span, depth: depth + 1) })
        case 1: return .any((0..<(1 + below(2))).map { _ in spanCondition(about: span, depth: depth + 1) })
        case 2: return .not(spanCondition(about: span, depth: depth + 1))
        case 3: return elementCondition(about: span)
        default: return test(about: span)
        }
    }

    /// What one event, or one link, meets.
    private mutating func elementCondition(about span: TraceSpan) -> SpanCondition {
        let element = oneIn(2) ? SpanElement.event : .link
        var parts: [SpanCondition] = []
        switch element {
        case .event:
            guard let event = span.events.first else { return .some(.event, .always) }
            parts.append(.test(.field(.eventName), event.name.isEmpty ? .exists : .equal([.string(event.name)])))
            if let attribute = event.attributes.first {
                parts.append(.test(.attribute(attribute.key, in: .event), valueTest(attribute.value)))
            }
            if oneIn(3) { parts.append(.test(.field(.eventTimeSinceStart), .ordered(.greater, .integer(0)))) }
        case .link:
            guard let link = span.links.first else { return .some(.link, .always) }
            parts.append(.test(.field(.linkSpanID), .equal([.string(link.spanID.hex)])))
            if let attribute = link.attributes.first {
                parts.append(.test(.attribute(attribute.key, in: .link), valueTest(attribute.value)))
            }
        }
        if oneIn(3) { parts = parts.map { .not($0) } }
        // Now and then what the span is stands among it, too.
        if oneIn(5) { parts.append(test(about: span)) }
        return .some(element, oneIn(3) ? .any(parts) : .all(parts))
    }

    private mutating func test(about span: TraceSpan) -> SpanCondition {
        oneIn(3) ? fieldTest(about: span) : attributeTest(about: span)
    }

    private mutating func attributeTest(about span: TraceSpan) -> SpanCondition {
        let sets: [(scopes: AttributeScopes, attributes: [Attribute])] = [
            (.span, span.attributes), (.resource, span.resource.attributes), (.scope, span.scope.attributes),
            (.event, span.events.flatMap(\.attributes)), (.link, span.links.flatMap(\.attributes)),
        ]
        let (scopes, attributes) = pick(sets)
        let attribute =
            attributes.isEmpty || oneIn(6) ? Attribute(key: pick(["a", "nowhere"]), value: value()) : pick(attributes)
        let subject = SpanSubject.attribute(
            attribute.key, in: oneIn(3) ? .everywhere : oneIn(6) ? .span : scopes, elements: oneIn(2))
        let test = valueTest(attribute.value)
        return oneIn(4) ? .noneOf(subject, test) : .test(subject, test)
    }

    private mutating func valueTest(_ value: AttributeValue) -> ValueTest {
        switch below(6) {
        case 0: return .exists
        case 1:
            let constant: Constant =
                switch value {
                case .int(let integer): oneIn(2) ? .integer(integer) : .number(.integer(integer))
                case .double(let double) where double.isFinite: oneIn(2) ? .double(double) : .number(.double(double))
                case .bool(let flag): .bool(flag)
                case .string(let text): .string(text)
                case .array(let elements): .text((elements.first ?? value).text)
                default: .text(value.text)
                }
            return .equal(oneIn(3) ? [constant, .text("GET")] : [constant])
        case 2, 3:
            let order = pick([ValueOrder.less, .lessOrEqual, .greater, .greaterOrEqual])
            let number = pick([
                Number.integer(0), .integer(3), .integer(.max), .double(0.5), .double(-2.25), .double(0x1p63),
            ])
            return .ordered(order, oneIn(3) ? .text(value.text) : oneIn(3) ? .string("GET") : .number(number))
        case 4:
            guard let pattern = try? TextPattern(pick(["G.*", "T$", "[0-9]+", "", "true|3"]), wholeText: oneIn(2))
            else { return .exists }
            return .matches(pattern)
        default: return .equal([.text(value.text)])
        }
    }

    private mutating func fieldTest(about span: TraceSpan) -> SpanCondition {
        let order = pick([ValueOrder.less, .lessOrEqual, .greater, .greaterOrEqual])
        let status = ["unset", "ok", "error"]
        let texts: [(field: SpanField, text: String)] = [
            (.name, span.name), (.statusMessage, span.statusMessage), (.traceState, span.traceState),
            (.serviceName, span.resource.serviceName ?? "OTLPResourceNoServiceName"), (.scopeName, span.scope.name),
            (.scopeVersion, span.scope.version), (.scopeSchemaURL, span.scope.schemaURL),
            (.resourceSchemaURL, span.resource.schemaURL), (.traceID, span.traceID.hex), (.spanID, span.spanID.hex),
            (.parentSpanID, span.parentSpanID.hex), (.eventName, span.events.first?.name ?? "exception"),
            (.linkTraceID, span.links.first?.traceID.hex ?? "zz"),
            (.linkTraceState, span.links.first?.traceState ?? "x=y"),
            (.kind, pick(["unspecified", "internal", "server", "client", "producer", "consumer"])),
            (.status, status.indices.contains(Int(span.statusCode)) ? status[Int(span.statusCode)] : "unset"),
        ]
        switch below(4) {
        case 0:
            let duration = max(0, span.end.nanoseconds - span.start.nanoseconds)
            return .test(.field(.duration), .ordered(order, .integer(pick([0, duration, duration, -1, duration - 1]))))
        case 1:
            let field = pick([SpanField.startTime, .endTime, .eventTime, .eventTimeSinceStart])
            let time = field == .endTime ? span.end.nanoseconds : span.start.nanoseconds
            return .test(.field(field), .ordered(order, .integer(field == .eventTimeSinceStart ? 0 : time)))
        default:
            let (field, text) = pick(texts)
            if !field.isID, oneIn(4),
                let pattern = try? TextPattern(pick([".*", "s.*", "[a-z]+", "1"]), wholeText: oneIn(2))
            {
                return .test(.field(field), .matches(pattern))
            }
            if !field.isID, field != .kind, field != .status, oneIn(4) {
                return .test(.field(field), .ordered(order, .string(text)))
            }
            let test = oneIn(5) ? ValueTest.exists : .equal([.string(text)])
            return oneIn(4) ? .noneOf(.field(field), test) : .test(.field(field), test)
        }
    }
}

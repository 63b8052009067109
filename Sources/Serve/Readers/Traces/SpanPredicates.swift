internal import Columns
internal import Core
internal import Plans
internal import QueryModel
internal import TableSchema
internal import Telemetry

/// What searches ask of spans, as predicates on the columns of `otel_traces` (rules J-8, J-9).
///
/// The columns tell everything but what is the sum of two of them (the end of a span, the time of an event), what stands in `some`
/// about the span itself, beside an event or a link, and what repair of texts has made alike: that is asked of whole spans, of which
/// the columns leave out what they can.
struct SpanPredicates {
    let table: SpanTable
    /// What of the span is meant is one of these: conditions are on fields of the nested column.
    private var element: SpanElement?

    init(_ table: SpanTable) { self.table = table }

    // MARK: Queries

    /// All that a query asks of one span but its range; of several conditions that other spans may meet, one.
    func bounds(_ query: TraceQuery) -> PredicateBounds { bounds(query, condition: query.anyLeaf) }

    func bounds(_ query: TraceQuery, condition: SpanCondition) -> PredicateBounds {
        var parts: [PredicateBounds] = []
        if let kind = query.kind { parts.append(PredicateBounds(.integer(table.kind.id, Int64(kind)))) }
        if let service = query.service {
            parts.append(bounds(.test(.field(.serviceName), .equal([.string(service)]))))
        }
        if let operation = query.operation {
            parts.append(PredicateBounds(.text(shown: operation, in: table.spanName.id)))
        }
        parts.append(PredicateBounds(durations(query.minDuration ?? .min, query.maxDuration ?? .max)))
        parts += query.tags.map { bounds(.tag($0.key, $0.value)) }
        return .all(parts + [bounds(condition)])
    }

    /// A span that ends before it starts has a negative duration in its column, and none to those who ask.
    private func durations(_ least: Int64, _ greatest: Int64) -> Predicate {
        if least > greatest || greatest < 0 { return .noRow }
        let range = (least <= 0 ? .min : least)...greatest
        return range == .min ... .max ? .everyRow : .integer(table.duration.id, range)
    }

    // MARK: Conditions

    func bounds(_ condition: SpanCondition) -> PredicateBounds {
        switch condition {
        case .all(let parts): .all(parts.map { bounds($0) })
        case .any(let parts): .any(parts.map { bounds($0) })
        case .not(let part): .not(bounds(part))
        case .some(let element, let inner): some(element, inner)
        case .test(.field(let field), let test): bounds(field, test)
        case .test(.attribute(let key, let scopes, let elements), let test):
            attribute(key, scopes, elements: elements, test)
        }
    }

    private func some(_ element: SpanElement, _ condition: SpanCondition) -> PredicateBounds {
        guard self.element == nil else { return .unknown }
        let parts = if case .all(let parts) = condition { parts } else { [condition] }
        var inner = self
        inner.element = element
        // What is not about the element is asked of the span.
        let own = parts.filter { $0.isAbout(element) }.map { inner.bounds($0) }
        let others = parts.filter { !$0.isAbout(element) }.map { bounds($0) }
        return .all(others + [.anyElement(column(element), .all(own))])
    }

    private func column(_ element: SpanElement) -> ColumnID {
        table.definition.columns[ordinal(element)].id
    }

    private func ordinal(_ element: SpanElement) -> Int {
        element == .event ? table.events.ordinal : table.links.ordinal
    }

    private func field(_ element: SpanElement, _ field: Int) -> ColumnID {
        guard case .nested(let fields) = table.definition.columns[ordinal(element)].type else {
            preconditionFailure("the column was bound as a nested one")
        }
        return fields[field].id
    }

    // MARK: Fields

    private func bounds(_ field: SpanField, _ test: ValueTest) -> PredicateBounds {
        if let owner = field.element {
            if element == owner { return ofElement(field, test) }
            return element == nil ? .anyElement(column(owner), ofElement(field, test)) : .unknown
        }
        guard element == nil else { return .unknown }
        switch field {
        case .traceID: return wideID(table.traceID.id, test, isAbsentIfZero: false)
        case .spanID: return shortID(table.spanID.id, test, isAbsentIfZero: false)
        case .parentSpanID: return shortID(table.parentSpanID.id, test, isAbsentIfZero: true)
        case .traceState: return text(.column(table.traceState.id), test)
        case .name: return text(.column(table.spanName.id), test)
        case .statusMessage: return text(.column(table.statusMessage.id), test)
        case .kind: return PredicateBounds(words(table.kind.id, SpanKindName.words, test))
        case .status: return PredicateBounds(words(table.statusCode.id, SpanStatusName.words, test))
        case .startTime: return PredicateBounds(integers(table.startTime.id, test))
        case .duration:
            return PredicateBounds(.disjunction(test.integers.map { durations($0.lowerBound, $0.upperBound) }))
        case .serviceName: return serviceName(test)
        case .resourceSchemaURL: return text(derived(table.resource, SpanFunctions.resourceSchemaURL), test)
        case .scopeName: return text(derived(table.scope, SpanFunctions.scopeName), test)
        case .scopeVersion: return text(derived(table.scope, SpanFunctions.scopeVersion), test)
        case .scopeSchemaURL: return text(derived(table.scope, SpanFunctions.scopeSchemaURL), test)
        case .endTime, .eventTime, .eventName, .eventTimeSinceStart, .linkTraceID, .linkSpanID, .linkTraceState:
            return .unknown
        }
    }

    private func ofElement(_ field: SpanField, _ test: ValueTest) -> PredicateBounds {
        switch field {
        case .eventName: text(.column(self.field(.event, SpanTable.EventField.name)), test)
        case .eventTimeSinceStart:
            PredicateBounds(integers(self.field(.event, SpanTable.EventField.timeOffset), test))
        case .linkTraceID: wideID(self.field(.link, SpanTable.LinkField.traceID), test, isAbsentIfZero: true)
        case .linkSpanID: shortID(self.field(.link, SpanTable.LinkField.spanID), test, isAbsentIfZero: true)
        case .linkTraceState: text(.column(self.field(.link, SpanTable.LinkField.traceState)), test)
        default: .unknown
        }
    }

    private func derived(
        _ column: ColumnHandle<StringColumn>, _ function: String, _ key: String = ""
    ) -> Operand {
        .derived(column.id, Derivation(function, Array(key.utf8)))
    }

    /// One that is empty is absent.
    private func text(_ operand: Operand, _ test: ValueTest) -> PredicateBounds {
        let isThere = Predicate.test(operand, .text(.notEqual, []))
        if case .exists = test { return PredicateBounds(isThere) }
        let choices = Predicate.disjunction(test.textConditions.map { .test(operand, $0) })
        return PredicateBounds(test.accepts(.string("")) ? .conjunction([isThere, choices]) : choices)
    }

    /// A resource without a name has one to those who ask.
    private func serviceName(_ test: ValueTest) -> PredicateBounds {
        if case .exists = test { return PredicateBounds(.everyRow) }
        let column = Operand.column(table.serviceName.id)
        let named = text(column, test)
        guard test.accepts(.string(TraceSpan.unnamedService)) else { return named }
        return .any([named, PredicateBounds(.test(column, .text(.equal, [])))])
    }

    private func integers(_ column: ColumnID, _ test: ValueTest) -> Predicate {
        .disjunction(
            test.integers.map { $0 == .min ... .max ? .everyRow : .integer(column, $0) })
    }

    /// - Parameter words: by code; codes that have none are the first.
    private func words(_ column: ColumnID, _ words: [String], _ test: ValueTest) -> Predicate {
        let wanted = words.indices.filter { test.accepts(.string(words[$0])) }
        if wanted.count == words.count { return .everyRow }
        return .disjunction(
            wanted.map { code in
                code == 0
                    ? .any([.integer(column, .min...0), .integer(column, Int64(words.count)...(.max))])
                    : .integer(column, Int64(code))
            })
    }

    private func wideID(_ column: ColumnID, _ test: ValueTest, isAbsentIfZero: Bool) -> PredicateBounds {
        switch test {
        case .exists:
            return PredicateBounds(
                isAbsentIfZero ? .not(.test(.column(column), .ids([WideID(high: 0, low: 0)]))) : .everyRow)
        case .equal(let constants):
            let ids = constants.compactMap { constant -> WideID? in
                guard let text = constant.textOfStrings, let id = TraceID(hex: text), id.hex == text,
                    !(isAbsentIfZero && id.isZero)
                else { return nil }
                return WideID(high: id.high, low: id.low)
            }
            return PredicateBounds(ids.isEmpty ? .noRow : .test(.column(column), .oneOf(ids)))
        case .ordered, .matches: return .unknown
        }
    }

    private func shortID(_ column: ColumnID, _ test: ValueTest, isAbsentIfZero: Bool) -> PredicateBounds {
        switch test {
        case .exists:
            return PredicateBounds(isAbsentIfZero ? .not(.test(.column(column), .shortIDs([0]))) : .everyRow)
        case .equal(let constants):
            let ids = constants.compactMap { constant -> UInt64? in
                guard let text = constant.textOfStrings, let id = SpanID(hex: text), id.hex == text,
                    !(isAbsentIfZero && id.isZero)
                else { return nil }
                return id.word
            }
            return PredicateBounds(ids.isEmpty ? .noRow : .test(.column(column), .oneOf(shortIDs: ids)))
        case .ordered, .matches: return .unknown
        }
    }

    // MARK: Attributes

    private func attribute(
        _ key: String, _ scopes: AttributeScopes, elements: Bool, _ test: ValueTest
    ) -> PredicateBounds {
        let values = ValueConditions(test, elements: elements)
        if let element {
            guard scopes == element.scope else { return .unknown }
            return self.attribute(elementAttributes(element), key, values)
        }
        // What is asked of dictionaries comes first: it leaves the least to read.
        var places: [PredicateBounds] = []
        if scopes.contains(.resource) {
            places.append(values.bounds(derived(table.resource, SpanFunctions.resourceAttribute, key)))
        }
        if scopes.contains(.scope) {
            places.append(values.bounds(derived(table.scope, SpanFunctions.scopeAttribute, key)))
        }
        if scopes.contains(.span) { places.append(self.attribute(table.attributes.id, key, values)) }
        for element in [SpanElement.link, .event] where scopes.contains(element.scope) {
            places.append(
                .anyElement(column(element), self.attribute(elementAttributes(element), key, values)))
        }
        return .any(places)
    }

    private func elementAttributes(_ element: SpanElement) -> ColumnID {
        switch element {
        case .event: field(.event, SpanTable.EventField.attributes)
        case .link: field(.link, SpanTable.LinkField.attributes)
        }
    }

    private func attribute(_ column: ColumnID, _ key: String, _ values: ValueConditions) -> PredicateBounds {
        // Several keys may be shown so, of which one is stored.
        if key.isRepaired { return .unknown }
        return values.bounds(.attribute(column, key: Array(key.utf8)))
    }
}

extension SpanElement {
    fileprivate var scope: AttributeScopes {
        switch self {
        case .event: .event
        case .link: .link
        }
    }
}

extension SpanCondition {
    /// Whether it may mean the event, or link, that it is asked of.
    fileprivate func isAbout(_ element: SpanElement) -> Bool {
        switch self {
        case .all(let parts), .any(let parts): parts.contains { $0.isAbout(element) }
        case .not(let part): part.isAbout(element)
        case .test(.field(let field), _): field.element == element
        case .test(.attribute(_, let scopes, _), _): scopes.contains(element.scope)
        // Another element may be bound there.
        case .some(let inner, let part): inner != element && part.isAbout(element)
        }
    }
}

extension Predicate {
    /// Spans of some traces.
    static func traces(_ traces: [TraceID], in column: ColumnID) -> Predicate {
        .test(.column(column), .oneOf(traces.map { WideID(high: $0.high, low: $0.low) }))
    }
}

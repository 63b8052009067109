import Core
import QueryModel
import Readers
import Scheduling
import Testing
import TraceFixtures

/// Names and values of attributes from files and memory against what the spans have.
struct AttributeCompletionTests {
    private func context() -> QueryContext { QueryContext(tenant: .default, byteLimit: .max) }

    private static func attributes(_ span: TraceSpan) -> [(scope: AttributeScopes, attribute: Attribute)] {
        span.attributes.map { (.span, $0) } + span.resource.attributes.map { (.resource, $0) }
            + span.scope.attributes.map { (.scope, $0) } + span.events.flatMap(\.attributes).map { (.event, $0) }
            + span.links.flatMap(\.attributes).map { (.link, $0) }
    }

    private static func text(_ value: AttributeValue) -> AttributeValueText? {
        let type: AttributeValueText.ValueType? =
            switch value {
            case .string: .string
            case .int: .int
            case .double: .double
            case .bool: .bool
            default: nil
            }
        return type.map { AttributeValueText(text: value.text, type: $0) }
    }

    @Test(arguments: 40..<44 as Range<UInt64>, TraceStorage.State.allCases)
    func `names and values are those that spans have`(seed: UInt64, state: TraceStorage.State) throws {
        // More names than a part has typed subcolumns are in no dictionary: answers say then that they are not complete.
        var random = RandomTraces(seed: seed)
        random.hasWideSets = false
        let sent = random.spans(traces: 40)
        let storage = try TraceStorage(sent, state)
        let reader = storage.reader
        for scopes in [AttributeScopes.everywhere, .span, .resource, .scope, .event, [.event, .link]] {
            for service in [nil, "svc-1", "", "nobody"] {
                for prefix in ["", "a", "http."] {
                    let spans = sent.filter { service == nil || ($0.resource.serviceName ?? "") == service }
                    let all = spans.flatMap(Self.attributes).filter { scopes.contains($0.scope) }
                    let query = AttributeNamesQuery(
                        scopes: scopes, prefix: prefix, service: service, range: .everything, limit: 1_000)
                    let names = try reader.attributeNames(query, context: context())
                    var expected = Set(all.map { AttributeName(name: $0.attribute.key, scope: $0.scope) })
                    expected = expected.filter { $0.name.utf8.starts(with: prefix.utf8) }
                    // A scope does not say whose spans have it.
                    func isKnown(_ name: AttributeName) -> Bool { service == nil || name.scope != .scope }
                    #expect(Set(names.found.filter(isKnown)) == expected.filter(isKnown), "seed \(seed): \(query)")
                    #expect(
                        names.found
                            == names.found.sorted { ($0.name, $0.scope.rawValue) < ($1.name, $1.scope.rawValue) })
                    #expect(names.isComplete)
                }
                guard !scopes.contains(.scope) || service == nil else { continue }
                for key in ["a", "http.method", "error", "service.name", "nowhere"] {
                    let spans = sent.filter { service == nil || ($0.resource.serviceName ?? "") == service }
                    let all = spans.flatMap(Self.attributes).filter {
                        scopes.contains($0.scope) && $0.attribute.key == key
                    }
                    let query = AttributeNamesQuery(scopes: scopes, service: service, range: .everything, limit: 1_000)
                    let values = try reader.attributeValues(AttributeValuesQuery(name: key, query), context: context())
                    #expect(
                        Set(values.found) == Set(all.compactMap { Self.text($0.attribute.value) }),
                        "seed \(seed): \(key) \(query)")
                    #expect(values.isComplete)
                }
            }
        }
    }

    @Test(arguments: TraceStorage.State.allCases)
    func `as many as were asked for are found, and said to be not all`(state: TraceStorage.State) throws {
        let sent = (0..<500).map { number in
            TraceSpan.make(
                trace: UInt64(number) + 1, span: 1, start: Int64(number) + 1_000,
                attributes: [
                    Attribute(key: "key-\(number % 50)", value: .int(Int64(number))),
                    Attribute(key: "order", value: .string("order-\(number)")),
                ])
        }
        let storage = try TraceStorage(sent, state)
        let reader = storage.reader
        var query = AttributeNamesQuery(scopes: .span, prefix: "key-", range: .everything, limit: 7)
        let names = try reader.attributeNames(query, context: context())
        #expect(names.found.map(\.name) == ["key-0", "key-1", "key-10", "key-11", "key-12", "key-13", "key-14"])
        #expect(!names.isComplete)
        query.prefix = "order-1"
        let some = try reader.attributeValues(AttributeValuesQuery(name: "order", query), context: context())
        #expect(some.found.count == 7 && !some.isComplete)
        #expect(some.found.allSatisfy { $0.text.hasPrefix("order-1") && $0.type == .string })
        query.limit = 1_000
        let all = try reader.attributeValues(AttributeValuesQuery(name: "order", query), context: context())
        // 1, 10 to 19, 100 to 199.
        #expect(all.found.count == 111 && all.isComplete)
        query.prefix = ""
        let small = QueryContext(tenant: .default, byteLimit: 1_000)
        #expect(throws: QueryError.interrupted(.overBudget(bytes: 1_000))) {
            try reader.attributeValues(AttributeValuesQuery(name: "order", query), context: small)
        }
    }
}

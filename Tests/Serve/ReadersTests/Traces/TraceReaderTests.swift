import Core
import QueryModel
import Readers
import Scheduling
import Testing
import TraceFixtures

@testable import TraceSearch

/// Traces read from real storage, against the spans that were sent.
struct TraceReaderTests {
    private let context = QueryContext(tenant: .default)

    @Test(arguments: 0..<4 as Range<UInt64>, TraceStorage.State.allCases)
    func `every span of a trace is read with every field as it was sent`(
        seed: UInt64, state: TraceStorage.State
    ) throws {
        var random = RandomTraces(seed: seed)
        random.hasWideSets = false
        let sent = random.spans(traces: 60)
        let storage = try TraceStorage(sent, state)
        let bySpan = Dictionary(uniqueKeysWithValues: sent.map { ($0.spanID, $0) })
        let missing = TraceID(high: 7, low: 0)
        var ids = Array(Set(sent.map(\.traceID)))
        ids.insert(missing, at: ids.count / 2)
        let found = try storage.reader.spans(of: ids, context: context)
        #expect(found.count == ids.count)
        for (id, spans) in zip(ids, found) {
            let expected = Set(sent.filter { $0.traceID == id }.map(\.spanID))
            #expect(Set(spans.map(\.spanID)) == expected && spans.count == expected.count, "seed \(seed)")
            for span in spans {
                let original = try #require(bySpan[span.spanID])
                #expect(span.traceID == id)
                #expect(SpanContent(span: span) == SpanContent(span: original), "seed \(seed), \(span) for \(original)")
            }
        }
    }

    @Test(arguments: 10..<13 as Range<UInt64>, TraceStorage.State.allCases)
    func `attributes beyond the limits of subcolumns are read all the same`(
        seed: UInt64, state: TraceStorage.State
    ) throws {
        var random = RandomTraces(seed: seed)
        let sent = random.spans(traces: 50)
        let storage = try TraceStorage(sent, state)
        let found = try storage.reader.spans(of: Array(Set(sent.map(\.traceID))), context: context).joined()
        #expect(found.count == sent.count)
        let bySpan = Dictionary(uniqueKeysWithValues: sent.map { ($0.spanID, $0) })
        for span in found {
            // What does not fit comes last.
            let original = sorted(try #require(bySpan[span.spanID]))
            #expect(SpanContent(span: sorted(span)) == SpanContent(span: original), "seed \(seed)")
        }
    }

    @Test func `a trace that is asked for twice is answered twice, and none by nothing`() throws {
        let storage = try TraceStorage([.make(trace: 1, span: 1), .make(trace: 2, span: 2)], .parts)
        let ids = [2, 1, 2].map { TraceID(high: 1, low: $0) }
        let found = try storage.reader.spans(of: ids, context: context)
        #expect(found.map { $0.map(\.spanID.word) } == [[2], [1], [2]])
        #expect(try storage.reader.spans(of: [], context: context).isEmpty)
    }

    @Test(arguments: TraceStorage.State.allCases)
    func `the first and the last timestamp that are stored are read`(state: TraceStorage.State) throws {
        let sent = [0, 1, Int64.max - 1].enumerated().map { number, start in
            TraceSpan.make(trace: 9, span: UInt64(number + 1), start: start, duration: 0)
        }
        let storage = try TraceStorage(sent, state)
        let found = try storage.reader.spans(of: [sent[0].traceID], context: context)[0]
        #expect(found.map(\.start.nanoseconds).sorted() == [0, 1, .max - 1])
    }

    @Test(arguments: TraceStorage.State.allCases)
    func `services and operations are sorted, unique, and those of all parts and of memory`(
        state: TraceStorage.State
    ) throws {
        for seed in 20..<23 as Range<UInt64> {
            var random = RandomTraces(seed: seed)
            let sent = random.spans(traces: 50)
            let storage = try TraceStorage(sent, state)
            let twin = MemoryTraceSource(sent)
            let services = try storage.reader.services(context: context)
            #expect(services == twin.services(context: context), "seed \(seed)")
            for service in services + ["unknown", "svc"] {
                let found = try storage.reader.operations(of: service, context: context)
                let expected = twin.operations(of: service, context: context)
                #expect(found.elementsEqual(expected) { $0 == $1 }, "seed \(seed), service \(service)")
            }
        }
    }

    @Test func `a tenant sees nothing of another`() throws {
        let storage = try TraceStorage()
        let other = try #require(TenantID("other"))
        try storage.send([.make(trace: 1, span: 1, service: "mine", name: "a")])
        try storage.send([.make(trace: 1, span: 2, service: "theirs", name: "b")], tenant: other)
        for _ in 0..<2 {
            for (tenant, service, span) in [(TenantID.default, "mine", 1), (other, "theirs", 2)] as [(_, _, UInt64)] {
                let context = QueryContext(tenant: tenant)
                let id = TraceID(high: 1, low: 1)
                #expect(try storage.reader.services(context: context) == [service])
                #expect(try storage.reader.spans(of: [id], context: context)[0].map(\.spanID.word) == [span])
                #expect(try storage.reader.operations(of: "mine", context: context).count == (span == 1 ? 1 : 0))
                var seen: [UInt64] = []
                try storage.reader.scan(TraceQuery(range: .everything, limit: 9), context: context) {
                    seen += $0.map(\.spanID.word)
                    return true
                }
                #expect(seen == [span])
            }
            try storage.flush()
        }
        let nobody = QueryContext(tenant: try #require(TenantID("nobody")))
        #expect(try storage.reader.services(context: nobody).isEmpty)
    }

    private func sorted(_ span: TraceSpan) -> TraceSpan {
        var span = span
        span.attributes.sort { $0.key < $1.key }
        for i in span.events.indices { span.events[i].attributes.sort { $0.key < $1.key } }
        for i in span.links.indices { span.links[i].attributes.sort { $0.key < $1.key } }
        return span
    }
}

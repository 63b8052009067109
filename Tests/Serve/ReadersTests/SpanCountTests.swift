import Core
import QueryModel
import Readers
import Testing
import TraceFixtures

/// Counts of spans from codes against counts of the spans that were sent.
struct SpanCountTests {
    private struct Key: Hashable {
        let service: String
        let step: Int
    }

    @Test(arguments: 20..<24 as Range<UInt64>, TraceStorage.State.allCases)
    func `spans are counted by service and step as they were sent`(seed: UInt64, state: TraceStorage.State) throws {
        var random = RandomTraces(seed: seed)
        random.hasWideSets = false
        let sent = random.spans(traces: 50)
        let storage = try TraceStorage(sent, state)
        let times = sent.map(\.start).sorted()
        let first = try #require(times.first)
        let last = try #require(times.last)
        let half = Timestamp(nanoseconds: first.nanoseconds + (last.nanoseconds - first.nanoseconds) / 2)
        let ranges = [TimeRange(start: first, end: last.advanced(by: 1)), TimeRange(start: half, end: last)]
        let width = max(1, (last.nanoseconds - first.nanoseconds) / 7)
        for range in ranges {
            for step in [nil, width, 3_600_000_000_000] as [Int64?] {
                for service in [nil, sent[0].resource.serviceName ?? ""] as [String?] {
                    var expected: [Key: SpanCount] = [:]
                    for span in sent where range.contains(span.start) {
                        let name = span.resource.serviceName ?? ""
                        guard service == nil || service == name else { continue }
                        let place = step.map { Int((span.start.nanoseconds - range.start.nanoseconds) / $0) } ?? 0
                        let key = Key(service: name, step: place)
                        var count = expected[key] ?? SpanCount(service: name, step: place, calls: 0, errors: 0)
                        count.calls += 1
                        count.errors += span.statusCode == 2 ? 1 : 0
                        expected[key] = count
                    }
                    let context = QueryContext(tenant: .default)
                    let found = try storage.reader.spanCounts(
                        service: service, in: range, step: step, context: context)
                    let wanted = expected.values.sorted { ($0.service, $0.step) < ($1.service, $1.step) }
                    #expect(found == wanted, "seed \(seed), step \(step ?? 0)")
                    #expect(context.heldBytes == 0)
                }
            }
        }
    }
}

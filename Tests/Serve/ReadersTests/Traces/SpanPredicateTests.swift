import Columns
import Core
import Ingest
import Observability
import Plans
import QueryModel
import Scheduling
import Storage
import Telemetry
import Testing
import TraceFixtures

@testable import Readers
@testable import TraceSearch

/// Predicates on columns against the same conditions on whole spans.
struct SpanPredicateTests {
    private let context = QueryContext(tenant: .default, byteLimit: .max)

    /// The spans that a predicate keeps.
    private func kept(_ predicate: Predicate, _ storage: TraceStorage) throws -> Set<SpanID> {
        let table = storage.table
        // It means the same once it has been sent somewhere.
        #expect(try Predicate(bytes: predicate.bytes) == predicate)
        let request = try ScanRequest(
            table.definition, range: .everything, columns: [table.spanID.ordinal], predicate: predicate,
            functions: SpanFunctions())
        var scan = Scan(storage.spans.snapshot(.default, in: .everything), request, context: context)
        var found: Set<SpanID> = []
        try scan.run { block in
            let ids = block.batch[table.spanID]
            for row in block.rows { found.insert(ids.spanID(Int(row))) }
            return true
        }
        return found
    }

    /// Spans with every kind of value, some of whose texts are not UTF-8, as they are read.
    private func spans(_ random: inout RandomTraces, _ state: TraceStorage.State) throws -> (TraceStorage, [TraceSpan])
    {
        let storage = try TraceStorage()
        let sent = random.spans(traces: 60)
        for number in 0..<4 {
            var body = TraceRequest.protobuf(sent.indices.filter { $0 % 4 == number }.map { sent[$0] })
            // Half an "é" is followed by what it cannot be followed by.
            for at in body.indices.dropLast() where body[at] == 0xC3 && body[at + 1] == 0xA9 && random.oneIn(2) {
                body[at + 1] = 0x41
            }
            try storage.send(protobuf: body)
            if state == .mixed, number == 1 { try storage.flush() }
        }
        if state == .parts { try storage.flush() }
        var read: [TraceSpan] = []
        try storage.reader.scan(TraceQuery(range: .everything, limit: 1), context: context) {
            read += $0
            return true
        }
        #expect(read.count == sent.count)
        return (storage, read)
    }

    @Test(arguments: 800..<808 as Range<UInt64>, TraceStorage.State.allCases)
    func `predicates keep the spans that meet a condition, and others only where columns cannot tell`(
        seed: UInt64, state: TraceStorage.State
    ) throws {
        var random = RandomTraces(seed: seed)
        let (storage, spans) = try spans(&random, state)
        let predicates = SpanPredicates(storage.table)
        var (exact, hits, sharp) = (0, 0, 0)
        for number in 0..<80 {
            var query =
                random.oneIn(3) ? random.query(about: spans, limit: 1) : TraceQuery(range: .everything, limit: 1)
            query.range = .everything
            query.condition = .span(random.oneIn(5) ? .always : random.spanCondition(about: random.pick(spans)))
            if random.oneIn(10) { query.service = TraceSpan.unnamedService }
            let matcher = SpanMatcher(query)
            let expected = Set(spans.filter(matcher.matches).map(\.spanID))
            let bounds = predicates.bounds(query)
            let possible = try kept(bounds.possible, storage)
            let certain = try kept(bounds.certain, storage)
            #expect(possible.isSuperset(of: expected), "seed \(seed), query \(number): \(query)")
            #expect(certain.isSubset(of: expected), "seed \(seed), query \(number): \(query)")
            if bounds.isExact {
                #expect(possible == expected && certain == expected, "seed \(seed), query \(number): \(query)")
                exact += 1
            } else if possible.count < spans.count {
                sharp += 1
            }
            hits += expected.isEmpty ? 0 : 1
        }
        #expect(exact > 50 && hits > 25, "seed \(seed): \(exact) are exact, \(hits) find something, \(sharp) leave out")
    }

    /// Numbers that doubles cannot hold, and texts, lists and bytes that look like them.
    @Test(arguments: TraceStorage.State.allCases)
    func `values are compared with every kind of constant as whole spans are`(state: TraceStorage.State) throws {
        let two53: Int64 = 1 << 53
        let values: [AttributeValue] = [
            .int(3), .int(0), .int(-1), .int(two53), .int(two53 + 1), .int(two53 - 1), .int(.max), .int(.min),
            .int(1_152_921_504_606_847_000), .double(3), .double(3.5), .double(0), .double(-0.0), .double(-0.5),
            .double(0x1p53), .double(0x1p60), .double(0x1p63), .double(-0x1p63), .double(-0x1p64), .double(1e300),
            .double(.infinity), .double(-.infinity), .double(.nan), .bool(true), .bool(false), .empty,
            .string(""), .string("3"), .string("3.0"), .string("true"), .string("b"), .string("né"),
            .string("9007199254740993"), .string("ne\u{301}"), .string("[3]"), .bytes([]), .bytes([0xD7, 0x6D]),
            .array([]), .array([.int(3)]), .array([.string("b"), .double(3.5)]), .array([.array([.int(3)])]),
            .map([Attribute(key: "x", value: .int(3))]),
        ]
        let spans = values.enumerated().map { number, value in
            TraceSpan.make(
                trace: UInt64(number + 1), span: UInt64(number + 1), start: Int64(number),
                attributes: [Attribute(key: "n", value: value)])
        }
        let storage = try TraceStorage(spans, state)
        let predicates = SpanPredicates(storage.table)
        let numbers: [Number] = [
            .integer(3), .integer(0), .integer(two53), .integer(two53 + 1), .integer(.max), .integer(.min),
            .integer(.max - 1), .double(3), .double(3.5), .double(-0.5), .double(-0.0), .double(0x1p60),
            .double(0x1p63),
            .double(-0x1p63), .double(1e300), .double(-1e300),
        ]
        let texts = ["", "3", "3.0", "+3", "true", "b", "né", "9007199254740993", "[3]", "a\u{FFFD}", "1e300", "120t"]
        let constants: [Constant] =
            numbers.map { .number($0) } + texts.map { .text($0) } + texts.map { .string($0) } + [
                .integer(3), .integer(.max), .double(3), .double(3.5), .double(0), .bool(true), .bool(false),
            ]
        let orders = [ValueOrder.less, .lessOrEqual, .greater, .greaterOrEqual]
        let tests =
            [ValueTest.exists] + constants.map { .equal([$0]) }
            + constants.flatMap { constant in orders.map { .ordered($0, constant) } }
        var inexact = 0
        for test in tests {
            for elements in [false, true] {
                let condition = SpanCondition.test(.attribute("n", in: .span, elements: elements), test)
                let expected = Set(spans.filter { condition.holds($0) }.map(\.spanID))
                let bounds = predicates.bounds(condition)
                let possible = try kept(bounds.possible, storage)
                #expect(possible.isSuperset(of: expected), "\(test)")
                #expect(try kept(bounds.certain, storage).isSubset(of: expected), "\(test)")
                if bounds.isExact { #expect(possible == expected, "\(test)") } else { inexact += 1 }
            }
        }
        // Whether a text of bytes or the nearest double is meant.
        #expect(
            inexact == 2
                * numbers.filter { if case .integer(let value) = $0 { Double(exactly: value) == nil } else { false } }
                .count)
    }

    @Test func `a plan says what is asked of which columns`() throws {
        let storage = try TraceStorage([.make(trace: 1, span: 1)], .parts)
        func plan(_ query: TraceQuery) throws -> String? {
            let context = QueryContext(tenant: .default)
            _ = try TraceSearch(source: storage.reader).search(query, context: context)
            return context.statistics.plan
        }
        let plain = TraceQuery(service: "s", operation: "o", minDuration: 5, range: .everything, limit: 1)
        #expect(
            try plan(plain) == """
                from otel_traces where service_name = "s" and span_name = "o" and duration >= 5 \
                select start_time, trace_id newest first
                """)
        let end = SpanCondition.all([
            .test(.field(.kind), .equal([.string("client")])), .test(.field(.endTime), .ordered(.less, .integer(7))),
        ])
        #expect(
            try plan(TraceQuery(range: .everything, limit: 1, condition: .span(end)))
                == "from otel_traces where span_kind = 3 select all columns newest first, then test whole spans")
    }
}

import Core
import Observability
import QueryModel
import Readers
import Scheduling
import Synchronization
import Testing
import TraceFixtures

@testable import TraceSearch

/// What a scan hands over, against the matcher that decides (rules J-8 to J-10).
struct TraceScanTests {
    private let context = QueryContext(tenant: .default, byteLimit: .max)

    @Test(arguments: 100..<104 as Range<UInt64>, TraceStorage.State.allCases)
    func `a scan hands over every span that matches, newest first, and none twice`(
        seed: UInt64, state: TraceStorage.State
    ) throws {
        var random = RandomTraces(seed: seed)
        let sent = random.spans(traces: 60)
        let storage = try TraceStorage(sent, state)
        var hits = 0
        for number in 0..<40 {
            let query = random.query(about: sent)
            let matcher = SpanMatcher(query)
            let handed = try scan(storage.reader, query)
            let ids = Set(handed.map(\.spanID))
            #expect(ids.count == handed.count, "seed \(seed), query \(number)")
            #expect(handed.allSatisfy { query.range.contains($0.start) }, "seed \(seed), query \(number)")
            let isOrdered = zip(handed, handed.dropFirst()).allSatisfy { $0.start >= $1.start }
            #expect(isOrdered, "seed \(seed), query \(number)")
            let dropped = sent.filter { matcher.matches($0) && !ids.contains($0.spanID) }
            #expect(dropped.isEmpty, "seed \(seed), query \(number): \(query) drops \(dropped.map(\.spanID))")
            if handed.contains(where: matcher.matches) { hits += 1 }
        }
        #expect(hits > 15, "seed \(seed): few of the queries find anything")
    }

    @Test(arguments: 200..<204 as Range<UInt64>, TraceStorage.State.allCases)
    func `a search over storage answers what a search over the spans in memory does`(
        seed: UInt64, state: TraceStorage.State
    ) throws {
        var random = RandomTraces(seed: seed)
        let sent = random.spans(traces: 60)
        let storage = try TraceStorage(sent, state)
        let search = TraceSearch(source: storage.reader)
        let twin = TraceSearch(source: MemoryTraceSource(sent))
        for number in 0..<25 {
            var query = random.query(about: sent, limit: random.pick([1, 3, 20, 100]))
            if random.oneIn(8) { query.service = TraceSpan.unnamedService }
            let found = try search.search(query, context: context)
            let expected = try twin.search(query, context: context)
            #expect(found.map(\.id) == expected.map(\.id), "seed \(seed), query \(number): \(query)")
            #expect(
                found.map { $0.spans.map(\.spanID) } == expected.map { $0.spans.map(\.spanID) },
                "seed \(seed), query \(number): \(query)")
        }
        #expect(try search.services(context: context) == twin.services(context: context))
    }

    @Test(arguments: 300..<304 as Range<UInt64>, TraceStorage.State.allCases)
    func `of a query that columns can answer exactly the spans that match are told, newest first`(
        seed: UInt64, state: TraceStorage.State
    ) throws {
        var random = RandomTraces(seed: seed)
        let sent = random.spans(traces: 60)
        let storage = try TraceStorage(sent, state)
        var (exact, hits) = (0, 0)
        for number in 0..<60 {
            var query = random.query(about: sent)
            if random.oneIn(6) { query.tags.append(("error", random.pick(["true", "false"]))) }
            if random.oneIn(12) { query.maxDuration = -1 }
            var told: [SpanMatch] = []
            let isExact = try storage.reader.scanMatches(query, context: context) {
                told += $0
                return true
            }
            guard isExact else {
                #expect(told.isEmpty)
                continue
            }
            exact += 1
            func key(_ trace: TraceID, _ start: Timestamp) -> [UInt64] {
                [UInt64(bitPattern: start.nanoseconds), trace.high, trace.low]
            }
            let matcher = SpanMatcher(query)
            let expected = sent.filter(matcher.matches).map { key($0.traceID, $0.start) }
            if !expected.isEmpty { hits += 1 }
            let found = told.map { key($0.traceID, $0.start) }
            #expect(
                found.sorted { $0.lexicographicallyPrecedes($1) }
                    == expected.sorted { $0.lexicographicallyPrecedes($1) },
                "seed \(seed), query \(number): \(query)")
            #expect(zip(told, told.dropFirst()).allSatisfy { $0.start >= $1.start }, "seed \(seed), query \(number)")
        }
        #expect(exact > 20 && hits > 10, "seed \(seed): \(exact) queries are exact, \(hits) of them find something")
    }

    @Test func `a search reads few columns until it knows its traces`() throws {
        let sent = (0..<12_000 as Range<Int64>).map { number -> TraceSpan in
            let id = UInt64(number) + 1
            return TraceSpan.make(
                trace: id, span: id, service: "s", name: "op-\(number % 500)", start: 1_000 + number, duration: number,
                attributes: [Attribute(key: "url", value: .string("/\(id &* 0x9E37_79B9_7F4A_7C15)"))])
        }
        let storage = try TraceStorage(sent, .parts, requests: 1)
        let query = TraceQuery(operation: "op-7", range: .everything, limit: 1)
        func bytes(_ body: (QueryContext) throws -> Void) throws -> Int {
            let context = QueryContext(tenant: .default)
            try body(context)
            return context.statistics.bytesRead.load(ordering: .relaxed)
        }
        let whole = try bytes { try storage.reader.scan(query, context: $0) { _ in true } }
        let few = try bytes { context in
            let isExact = try storage.reader.scanMatches(query, context: context) { _ in true }
            #expect(isExact)
        }
        #expect(few * 3 < whole, "\(few) bytes, and \(whole) for whole spans")
    }

    @Test func `columns alone drop what cannot match`() throws {
        let sent = (0..<40 as Range<Int64>).map { number -> TraceSpan in
            let id = UInt64(number) + 1
            return TraceSpan.make(
                trace: id, span: id, service: id % 2 == 1 ? "even" : "odd", name: "op-\(number % 4)",
                kind: Int32(number % 5), start: 1_000 + number, duration: number,
                attributes: [Attribute(key: "n", value: .int(number % 10))])
        }
        for state in TraceStorage.State.allCases {
            let storage = try TraceStorage(sent, state)
            let queries: [(TraceQuery, Int)] = [
                (TraceQuery(service: "odd", range: .everything, limit: 1), 20),
                (TraceQuery(operation: "op-1", range: .everything, limit: 1), 10),
                (TraceQuery(kind: 3, range: .everything, limit: 1), 8),
                (TraceQuery(tags: [("n", "7")], range: .everything, limit: 1), 4),
                (TraceQuery(tags: [("n", "x")], range: .everything, limit: 1), 0),
                (TraceQuery(tags: [("service.name", "odd")], range: .everything, limit: 1), 20),
                (TraceQuery(tags: [("error", "true")], range: .everything, limit: 1), 0),
                (TraceQuery(minDuration: 30, range: .everything, limit: 1), 10),
                (TraceQuery(maxDuration: 9, range: .everything, limit: 1), 10),
                (TraceQuery(minDuration: 9, maxDuration: 8, range: .everything, limit: 1), 0),
            ]
            for (query, count) in queries { #expect(try scan(storage.reader, query).count == count, "\(query)") }
        }
    }

    /// Two parts of several blocks each, whose times interleave, and a memtable across both.
    @Test func `blocks of overlapping parts are merged into one order`() throws {
        let storage = try TraceStorage()
        var random = RandomTraces(seed: 5)
        var count: UInt64 = 0
        for round in 0..<3 {
            let sent = (0..<9000).map { _ in
                count += 1
                // Few distinct times, so that there are ties.
                let start = RandomTraces.start + Int64(random.below(3000)) * 1_000_000_000
                return TraceSpan.make(
                    trace: count % 500 + 1, span: count, service: "s\(count % 3)", start: start, duration: 5)
            }
            try storage.send(sent)
            if round < 2 { try storage.flush() }
        }
        let handed = try scan(storage.reader, TraceQuery(service: "s1", range: .everything, limit: 1))
        #expect(handed.count == 9000)
        #expect(Set(handed.map(\.spanID)).count == 9000)
        #expect(zip(handed, handed.dropFirst()).allSatisfy { $0.start >= $1.start })
    }

    @Test(arguments: TraceStorage.State.allCases)
    func `texts that are not UTF-8 are found by what is shown of them`(state: TraceStorage.State) throws {
        let broken: [UInt8] = [0x61, 0xFF]
        let shown = String(decoding: broken, as: UTF8.self)
        var sent = TraceSpan.make(trace: 1, span: 1, service: "SERVICE", name: "OPERATION")
        sent.attributes = [Attribute(key: "k", value: .string("ATTRIBUTE"))]
        var body = TraceRequest.protobuf([sent])
        for text in ["SERVICE", "OPERATION", "ATTRIBUTE"] { try replace(text, by: broken, in: &body) }
        let storage = try TraceStorage()
        try storage.send(protobuf: body)
        if state != .memory { try storage.flush() }
        #expect(try storage.reader.services(context: context).map { String($0.prefix(2)) } == [shown])
        let service = try storage.reader.services(context: context)[0]
        let operation = try #require(try storage.reader.operations(of: service, context: context).first?.name)
        for query in [
            TraceQuery(service: service, range: .everything, limit: 1),
            TraceQuery(operation: operation, range: .everything, limit: 1),
            TraceQuery(tags: [("k", "a\u{FFFD}-------")], range: .everything, limit: 1),
        ] { #expect(try scan(storage.reader, query).count == 1, "\(query)") }
    }

    /// Overwrites `text` in place, filled up to its length with dashes.
    private func replace(_ text: String, by bytes: [UInt8], in body: inout [UInt8]) throws {
        let wanted = Array(text.utf8)
        let at = try #require(body.indices.first { body[$0...].starts(with: wanted) })
        let filled = bytes + Array(repeating: UInt8(ascii: "-"), count: wanted.count - bytes.count)
        body.replaceSubrange(at..<(at + wanted.count), with: filled)
    }

    private func scan(_ reader: TraceReader, _ query: TraceQuery) throws -> [TraceSpan] {
        var handed: [TraceSpan] = []
        try reader.scan(query, context: context) { spans in
            handed += spans
            return true
        }
        return handed
    }
}

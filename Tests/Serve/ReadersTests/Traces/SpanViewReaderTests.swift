import Core
import Maintenance
import QueryModel
import Readers
import Scheduling
import Testing
import TraceFixtures
import TraceSearch

/// Answers from views, from spans and from both are the same, whatever is in memory, in parts and in views.
struct SpanViewReaderTests {
    private static let hour = RandomTraces.hour

    /// Ranges that begin and end within hours, at hours, and nowhere.
    private static func ranges(_ sent: [TraceSpan], _ random: inout RandomTraces) throws -> [TimeRange] {
        let times = sent.map(\.start).sorted()
        let first = try #require(times.first).nanoseconds
        let hours = try (#require(times.last).nanoseconds - first) / hour + 2
        let start = first - first % hour
        func time(_ nanoseconds: Int64) -> Timestamp { Timestamp(nanoseconds: nanoseconds) }
        var ranges: [TimeRange] = [.everything, TimeRange(start: time(start), end: time(start + hours * hour))]
        for _ in 0..<6 {
            let begin = start + Int64(random.below(Int(hours))) * hour
            let length = Int64(1 + random.below(4)) * hour
            ranges.append(TimeRange(start: time(begin), end: time(begin + length)))
            let odd = begin + Int64(random.below(3_000)) * 1_000_000_000
            ranges.append(
                TimeRange(start: time(odd), end: time(odd + length + Int64(random.below(3_000)) * 1_000_000_000)))
        }
        return ranges
    }

    private static func maintenance(_ storage: TraceStorage) -> MaintenanceWorker {
        var policy = MaintenanceWorker.Policy()
        policy.retention = nil
        policy.limits.reserve = 0
        policy.rollup?.quietTime = 0
        policy.merge?.newParts = 2
        return MaintenanceWorker(storage.store, policy: policy, clock: { .min }, report: { _ in })
    }

    /// Everything sent, some of it in views: rollups run while hours settle.
    private func storage(_ sent: [TraceSpan], _ random: inout RandomTraces) throws -> TraceStorage {
        let storage = try TraceStorage()
        let worker = Self.maintenance(storage)
        let last = sent.map(\.start).max()?.nanoseconds ?? 0
        for number in 0..<6 {
            try storage.send(sent.indices.filter { $0 % 6 == number }.map { sent[$0] })
            if random.oneIn(3) { continue }
            if number < 5 || random.oneIn(2) { try storage.flush() }
            let now = Timestamp(nanoseconds: last - Int64(random.below(60) - 10) * Self.hour)
            for _ in 0..<random.below(20) { _ = worker.rollUpOnce(now: now) }
            if random.oneIn(2) { _ = worker.runOnce(now: now) }
        }
        return storage
    }

    @Test(arguments: 40..<52 as Range<UInt64>)
    func `statistics are the same from views and from spans`(seed: UInt64) throws {
        var random = RandomTraces(seed: seed)
        random.hasWideSets = false
        let sent = random.spans(traces: 60)
        let storage = try storage(sent, &random)
        let views = try SpanViewReader(storage.reader, tables: storage.tables)
        let names = Set(sent.map { $0.resource.serviceName ?? "" }).sorted()
        for range in try Self.ranges(sent, &random) {
            let steps: [Int64?] = range.start == .min ? [nil] : [nil, Self.hour, 3 * Self.hour, 700_000_000_000]
            for step in steps {
                var query = SpanStatisticsQuery(
                    grouping: random.pick([[], .operation, .kind, [.operation, .kind]]), range: range, step: step)
                if random.oneIn(3) { query.services = Set(names.prefix(2)) }
                if random.oneIn(4) { query.operation = random.pick(sent).name }
                if random.oneIn(4) { query.kinds = [2, 3] }
                if random.oneIn(3) { query.wantsDurations = false }
                let context = QueryContext(tenant: .default)
                let found = try views.spanStatistics(query, context: context)
                let wanted = try storage.reader.spanStatistics(query, context: QueryContext(tenant: .default))
                #expect(found.rows == wanted.rows, "seed \(seed), \(query)")
                #expect(context.heldBytes == 0)
                try Self.check(found.tables, cover: range)
            }
        }
    }

    @Test(arguments: 60..<72 as Range<UInt64>)
    func `the graph is the same from the view, from joins and span by span`(seed: UInt64) throws {
        var random = RandomTraces(seed: seed)
        random.hasWideSets = false
        let sent = random.spans(traces: 60)
        let storage = try storage(sent, &random)
        let views = try SpanViewReader(storage.reader, tables: storage.tables)
        let twin = TraceSearch(source: MemoryTraceSource(sent))
        for range in try Self.ranges(sent, &random) {
            let context = QueryContext(tenant: .default)
            let found = try views.dependencies(in: range, table: .automatic, context: context)
            let joined = try views.dependencies(in: range, table: .raw, context: context)
            let wanted = try twin.dependencies(in: range, table: .raw, context: QueryContext(tenant: .default))
            #expect(found.dependencies == wanted.dependencies, "seed \(seed), \(range)")
            #expect(joined.dependencies == wanted.dependencies, "seed \(seed), \(range)")
            #expect(context.heldBytes == 0)
            try Self.check(found.tables, cover: range)
        }
    }

    /// The same reader is asked while children and parents come in any order, are sealed, flushed, merged and put into the view.
    @Test(arguments: 80..<100 as Range<UInt64>)
    func `the graph is the same while spans come`(seed: UInt64) throws {
        var random = RandomTraces(seed: seed)
        random.hasWideSets = false
        let sent = random.spans(traces: 50)
        let pieces = 14
        let piece = sent.map { _ in random.below(pieces) }
        let storage = try TraceStorage()
        let worker = Self.maintenance(storage)
        let views = try SpanViewReader(storage.reader, tables: storage.tables)
        let last = sent.map(\.start).max()?.nanoseconds ?? 0
        for number in 0..<pieces {
            try storage.send(sent.indices.filter { piece[$0] == number }.map { sent[$0] })
            if random.oneIn(2) { try storage.seal() }
            if random.oneIn(3) { try storage.flush() }
            let now = Timestamp(nanoseconds: last - Int64(random.below(60) - 10) * Self.hour)
            if random.oneIn(3) { for _ in 0..<random.below(6) { _ = worker.rollUpOnce(now: now) } }
            if random.oneIn(3) { _ = worker.runOnce(now: now) }
            if random.oneIn(3) { views.keepUp() }
            if random.oneIn(4) { continue }
            let first = sent.map(\.start).min()?.nanoseconds ?? 0
            let start = Timestamp(nanoseconds: first - first % Self.hour)
            for hours in [2, 48] as [Int64] {
                let range = TimeRange(start: start, end: start.advanced(by: hours * Self.hour))
                let context = QueryContext(tenant: .default)
                let found = try views.dependencies(in: range, table: .automatic, context: context)
                let joined = try views.dependencies(
                    in: range, table: .raw, context: QueryContext(tenant: .default))
                #expect(found.dependencies == joined.dependencies, "seed \(seed), piece \(number), \(hours) hours")
                #expect(context.heldBytes == 0)
            }
        }
    }

    /// The tables follow each other, and leave nothing out.
    private static func check(_ tables: [AnsweringTable], cover range: TimeRange) throws {
        #expect(tables.first?.range.start == range.start && tables.last?.range.end == range.end)
        for (one, next) in zip(tables, tables.dropFirst()) { #expect(one.range.end == next.range.start) }
    }

    @Test func `a view alone answers whole hours, and says when there is none`() throws {
        let sent = [TraceSpan.make(trace: 1, span: 1, start: RandomTraces.start + 5, duration: 10)]
        let storage = try TraceStorage(sent, .parts)
        let views = try SpanViewReader(storage.reader, tables: storage.tables)
        let context = QueryContext(tenant: .default)
        var query = SpanStatisticsQuery(range: .everything, table: .rollup)
        // It has not been rolled up.
        #expect(try views.spanStatistics(query, context: context).rows.isEmpty)
        query.range = TimeRange(
            start: Timestamp(nanoseconds: RandomTraces.start), end: Timestamp(nanoseconds: RandomTraces.start + 7))
        #expect(throws: QueryError.self) { try views.spanStatistics(query, context: context) }
        #expect(throws: QueryError.self) { try views.dependencies(in: query.range, table: .rollup, context: context) }
        query.table = .automatic
        #expect(try views.spanStatistics(query, context: context).rows.map(\.measures.calls) == [1])
    }
}

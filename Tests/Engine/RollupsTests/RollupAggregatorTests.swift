import Columns
import EngineFixtures
import Randomness
import Rollups
import TableSchema
import Telemetry
import Testing

/// Aggregates of random spans, in pieces of any size and order, against an aggregate of plain values.
struct RollupAggregatorTests {
    private let tables: TestTables
    private let source: TableDefinition

    init() throws {
        tables = try TestTables()
        source = tables.spans.definition
    }

    private func view(_ name: String) throws -> RollupDefinition {
        try #require(tables.catalog.rollups.first { $0.target.name == name })
    }

    private static let seeds: [UInt64] = [1, 2, 3, 4, 5, 6]

    /// Cuts spans into batches, each of which is aggregated by some aggregate; these are aggregated once more.
    private func aggregated(_ view: RollupDefinition, _ spans: [SpanFact], _ random: inout SeededRandom) throws
        -> ColumnBatch
    {
        var aggregates = (0..<3).map { _ in RollupAggregator(view, source: source) }
        var rest = spans[...]
        while !rest.isEmpty {
            let piece = Array(rest.prefix(1 + random.below(60)))
            rest = rest.dropFirst(piece.count)
            let chosen = (0..<UInt32(piece.count)).filter { _ in !random.oneIn(4) }
            let batch = SpanFact.batch(piece, source)
            let aggregate = random.pick(aggregates)
            aggregate.add(batch, rows: chosen)
            let others = Set(0..<UInt32(piece.count)).subtracting(chosen).sorted()
            random.pick(aggregates).add(batch, rows: others)
        }
        let whole = aggregates.removeLast()
        for aggregate in aggregates { try whole.add(aggregated: aggregate.batch()) }
        return whole.batch()
    }

    @Test(arguments: seeds)
    func `statistics of spans are the aggregates of their hours`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let spans = SpanFact.random(400, hours: 3, &random)
        let view = try view("otel_span_stats_1h")
        #expect(try ViewRows.read(aggregated(view, spans, &random), view) == NaiveViews.statistics(spans))
    }

    @Test(arguments: seeds)
    func `a trace's row is the aggregate of its day's spans`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let spans = SpanFact.random(400, hours: 30, &random)
        let view = try view("otel_trace_index")
        #expect(try ViewRows.read(aggregated(view, spans, &random), view) == NaiveViews.index(spans))
    }

    @Test func `a set of more values than a word has bits is whole`() throws {
        var random = SeededRandom(seed: 9)
        var spans = SpanFact.random(300, hours: 1, &random)
        for place in spans.indices {
            spans[place].trace = UInt64(place % 2)
            spans[place].service = "service-\(place)"
        }
        let view = try view("otel_trace_index")
        #expect(try ViewRows.read(aggregated(view, spans, &random), view) == NaiveViews.index(spans))
    }

    @Test(arguments: seeds)
    func `a span is joined to its parent wherever that is`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var spans = SpanFact.random(600, hours: 3, &random)
        if random.oneIn(2) {
            spans.sort { ($0.start / 60_000_000_000, $0.trace) < ($1.start / 60_000_000_000, $1.trace) }
        }
        let view = try view("otel_service_dependencies_1h")
        let join = JoinAggregator(view, source: source)
        var pieces: [ColumnBatch] = []
        var rest = spans[...]
        while !rest.isEmpty {
            let piece = Array(rest.prefix(1 + random.below(200)))
            rest = rest.dropFirst(piece.count)
            pieces.append(SpanFact.batch(piece, source))
        }
        func resolve() {
            for piece in pieces.shuffled(using: &random) { join.offer(piece) }
            join.finish()
        }
        for piece in pieces {
            join.add(piece)
            if random.oneIn(4) { resolve() }
        }
        resolve()
        #expect(!join.hasPending)
        #expect(
            try ViewRows.read(join.aggregate.batch(), view) == NaiveViews.dependencies(spans, isNear: false),
            "seed \(seed)")
    }

    @Test func `a state that cannot be read is an error that names its column`() throws {
        let view = try view("otel_span_stats_1h")
        let aggregate = RollupAggregator(view, source: source)
        aggregate.add(SpanFact.batch([SpanFact.random(1, hours: 1, &Self.one)[0]], source))
        var batch = aggregate.batch()
        let ordinal = try #require(view.target.columns.firstIndex { $0.name == "durations" })
        let bad = BatchOfCells.make([view.target.row(["durations": .bytes([5, 0, 9])])], view.target)
        batch.columns[ordinal] = bad.columns[ordinal]
        #expect(throws: RollupError.corruptState(table: "otel_span_stats_1h", column: "durations")) {
            try RollupAggregator(view, source: source).add(aggregated: batch)
        }
    }

    private static var one: SeededRandom {
        get { SeededRandom(seed: 1) }
        set {}
    }
}

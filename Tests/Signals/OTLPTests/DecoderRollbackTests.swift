import Columns
import EngineFixtures
import OTLP
import Randomness
import Telemetry
import Testing

/// What is rejected alone, what fails a request, and that neither leaves a trace.
struct DecoderRollbackTests {
    private let tables: TestTables

    init() throws { tables = try TestTables() }

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func `a request that fails leaves spans as they were`(seed: UInt64) throws {
        try expectUndone(SpanBuilder(tables), seed)
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func `a request that fails leaves log records as they were`(seed: UInt64) throws {
        try expectUndone(LogBuilder(tables), seed)
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func `a request that fails leaves data points as they were`(seed: UInt64) throws {
        try expectUndone(MetricBuilder(tables), seed)
    }

    private func expectUndone<Signal: DecodedSignal & ~Copyable>(_ builder: consuming Signal, _ seed: UInt64) throws {
        var generator = OTLPGenerator(seed: seed)
        var naive = NaiveDecoder(Signal.definition(tables))
        for _ in 0..<6 {
            let good = Signal.request(&generator)
            try Signal.decode(good, naively: &naive)
            _ = try builder.decode(good)
            let rows = builder.rowCount
            let bad = Self.broken(Signal.request(&generator), &generator.random)
            do {
                _ = try builder.decode(bad)
                Issue.record("a damaged request was read")
            } catch {
                #expect(error is ProtobufError)
            }
            builder.truncate(to: rows)
        }
        let rows = builder.naiveRows
        #expect(rows == naive.rows)
    }

    /// A request whose last field is damaged: a length beyond the end, a group, a varint without end, a field number of zero.
    private static func broken(_ request: [UInt8], _ random: inout SeededRandom) -> [UInt8] {
        request + random.pick([[0x0A, 0x7F], [0x0B], [0x08] + Array(repeating: 0x80, count: 11), [0x00]])
    }

    @Test func `every prefix of a request is read or refused`() throws {
        var style = OTLPGenerator.Style()
        style.itemLimit = 3
        var generator = OTLPGenerator(seed: 4, style: style)
        for _ in 0..<3 {
            let (traces, logs, metrics) = (generator.traces(), generator.logs(), generator.metrics())
            var spans = SpanBuilder(tables.spans)
            var records = LogBuilder(tables.logs)
            var points = MetricBuilder(tables.metrics)
            for end in traces.indices {
                let bytes = Array(traces[..<end])
                _ = try? bytes.withUnsafeBytes { try TraceDecoder.decode($0, into: &spans) }
                spans.truncate(to: 0)
            }
            for end in logs.indices {
                let bytes = Array(logs[..<end])
                _ = try? bytes.withUnsafeBytes { try LogDecoder.decode($0, received: 1, into: &records) }
                records.truncate(to: 0)
            }
            for end in metrics.indices {
                let bytes = Array(metrics[..<end])
                _ = try? bytes.withUnsafeBytes { try MetricDecoder.decode($0, into: &points) }
                points.truncate(to: 0)
            }
            // What was taken back left nothing: the whole request reads as if it were the first.
            var naive = NaiveDecoder(tables.metrics.definition)
            try naive.decode(metrics: metrics)
            _ = try metrics.withUnsafeBytes { try MetricDecoder.decode($0, into: &points) }
            #expect(points.snapshot(rows: points.rowCount).naiveRows == naive.rows)
        }
    }

    @Test(arguments: 1...300 as ClosedRange<UInt64>)
    func `damaged requests are read or refused`(seed: UInt64) throws {
        var style = OTLPGenerator.Style()
        style.itemLimit = 4
        var generator = OTLPGenerator(seed: seed, style: style)
        var spans = SpanBuilder(tables.spans)
        var records = LogBuilder(tables.logs)
        var points = MetricBuilder(tables.metrics)
        func damaged(_ bytes: [UInt8], _ random: inout SeededRandom) -> [UInt8] {
            var bytes = bytes
            for _ in 0..<(1 + random.below(4)) where !bytes.isEmpty {
                bytes[random.below(bytes.count)] = UInt8(truncatingIfNeeded: random.next())
            }
            return bytes
        }
        for _ in 0..<3 {
            let traces = damaged(generator.traces(), &generator.random)
            let rows = (spans.rowCount, records.rowCount, points.rowCount)
            if (try? traces.withUnsafeBytes({ try TraceDecoder.decode($0, into: &spans) })) == nil {
                spans.truncate(to: rows.0)
            }
            let logs = damaged(generator.logs(), &generator.random)
            if (try? logs.withUnsafeBytes({ try LogDecoder.decode($0, received: 1, into: &records) })) == nil {
                records.truncate(to: rows.1)
            }
            let metrics = damaged(generator.metrics(), &generator.random)
            if (try? metrics.withUnsafeBytes({ try MetricDecoder.decode($0, into: &points) })) == nil {
                points.truncate(to: rows.2)
            }
        }
        // Whatever was read can be looked at.
        #expect(spans.snapshot(rows: spans.rowCount).naiveRows.count == spans.rowCount)
        #expect(records.snapshot(rows: records.rowCount).naiveRows.count == records.rowCount)
        #expect(points.snapshot(rows: points.rowCount).naiveRows.count == points.rowCount)
    }

    @Test func `attributes that are malformed fail a metric each time that they come`() throws {
        // The same bytes twice: the second time they must not be taken for a series that is known.
        var metric = ProtobufWriter()
        metric.field(1, bytes: [0x6D])
        var point = ProtobufWriter()
        point.field(3, fixed64: 1)
        point.field(7, bytes: [0x0A, 1, 0x6B, 0x12, 2, 0x0A, 9])
        var data = ProtobufWriter()
        data.field(1, bytes: point.bytes)
        metric.field(5, bytes: data.bytes)
        let bad = DecoderRoundTripTests.wrap(metric.bytes)
        var builder = MetricBuilder(tables.metrics)
        for _ in 0..<3 {
            #expect(throws: ProtobufError.truncated) {
                try bad.withUnsafeBytes { try MetricDecoder.decode($0, into: &builder) }
            }
            builder.truncate(to: 0)
        }
        #expect(builder.rowCount == 0)
    }

    @Test(arguments: [(64, true), (65, false)])
    func `values nest 64 levels deep and no deeper`(depth: Int, isAccepted: Bool) throws {
        var value: [UInt8] = [0x18, 1]
        for _ in 0..<depth {
            var list = ProtobufWriter()
            list.field(1, bytes: value)
            var outer = ProtobufWriter()
            outer.field(5, bytes: list.bytes)
            value = outer.bytes
        }
        var record = ProtobufWriter()
        record.field(5, bytes: value)
        var builder = LogBuilder(tables.logs)
        let request = DecoderRoundTripTests.wrap(record.bytes)
        let outcome = try? request.withUnsafeBytes { try LogDecoder.decode($0, received: 1, into: &builder) }
        #expect((outcome?.accepted == 1) == isAccepted)
    }
}

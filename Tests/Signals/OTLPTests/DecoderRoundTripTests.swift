import Columns
import Core
import EngineFixtures
import OTLP
import Telemetry
import Testing

/// The decoders against a naive one that knows the field numbers of contract §8.4 and nothing else.
struct DecoderRoundTripTests {
    private let tables: TestTables

    init() throws { tables = try TestTables() }

    private static let styles: [(name: String, style: OTLPGenerator.Style)] = {
        var plain = OTLPGenerator.Style()
        plain.shuffles = false
        plain.isNoisy = false
        plain.hasRejects = false
        plain.splitsMessages = false
        var manyKeys = OTLPGenerator.Style()
        manyKeys.keyCount = 2000
        manyKeys.setLimit = 12
        var largeSets = OTLPGenerator.Style()
        largeSets.keyCount = 400
        largeSets.setLimit = 700
        largeSets.itemLimit = 2
        largeSets.innerLimit = 1
        var duplicates = OTLPGenerator.Style()
        duplicates.keyCount = 4
        return [
            ("plain", plain), ("noisy", OTLPGenerator.Style()), ("many keys", manyKeys), ("large sets", largeSets),
            ("duplicates", duplicates),
        ]
    }()

    @Test(arguments: styles.indices, 1...6 as ClosedRange<UInt64>)
    func `spans are the rows that a naive decoder reads`(style: Int, seed: UInt64) throws {
        try expectNaiveRows(SpanBuilder(tables), style, seed)
    }

    @Test(arguments: styles.indices, 1...6 as ClosedRange<UInt64>)
    func `log records are the rows that a naive decoder reads`(style: Int, seed: UInt64) throws {
        try expectNaiveRows(LogBuilder(tables), style, seed)
    }

    @Test(arguments: styles.indices, 1...6 as ClosedRange<UInt64>)
    func `data points are the rows that a naive decoder reads`(style: Int, seed: UInt64) throws {
        try expectNaiveRows(MetricBuilder(tables), style, seed)
    }

    private func expectNaiveRows<Signal: DecodedSignal & ~Copyable>(
        _ builder: consuming Signal, _ style: Int, _ seed: UInt64
    ) throws {
        var generator = OTLPGenerator(seed: seed, style: Self.styles[style].style)
        var naive = NaiveDecoder(Signal.definition(tables))
        for _ in 0..<8 {
            let request = Signal.request(&generator)
            let before = (naive.rejected, naive.rows.count)
            try Signal.decode(request, naively: &naive)
            let outcome = try builder.decode(request)
            #expect(outcome.rejected == naive.rejected - before.0)
            #expect(outcome.accepted == naive.rows.count - before.1)
            #expect(outcome.message.isEmpty == (outcome.rejected == 0))
        }
        expectEqual(builder.naiveRows, naive.rows, "\(Self.styles[style].name) \(seed)")
    }

    /// Compares row by row, so that a failure names one cell.
    private func expectEqual(_ found: [[Cell]], _ expected: [[Cell]], _ what: String) {
        #expect(found.count == expected.count, "\(what)")
        #expect(!expected.isEmpty)
        for (row, (left, right)) in zip(found, expected).enumerated() where left != right {
            for (column, (a, b)) in zip(left, right).enumerated() where a != b {
                Issue.record("\(what): row \(row), column \(column) is \(a), not \(b)")
            }
            return
        }
    }

    @Test func `300 attributes, and 2000 keys, go beyond the subcolumns and come back`() throws {
        // Contract §8.4 sets no limit; AttributesBuilder's subcolumns and set limit do.
        var style = OTLPGenerator.Style()
        style.keyCount = 2000
        style.setLimit = 300
        style.isNoisy = false
        var generator = OTLPGenerator(seed: 11, style: style)
        var builder = LogBuilder(tables.logs)
        var naive = NaiveDecoder(tables.logs.definition)
        for _ in 0..<20 {
            let request = generator.logs()
            try naive.decode(logs: request, received: 5)
            _ = try request.withUnsafeBytes { try LogDecoder.decode($0, received: 5, into: &builder) }
        }
        let batch = builder.snapshot(rows: builder.rowCount)
        let attributes = batch[tables.logs.attributes]
        #expect(attributes.subcolumns.contains { $0.type == .overflow })
        #expect(attributes.subcolumns.count <= AttributesBuilder.subcolumnLimit + 1)
        expectEqual(batch.naiveRows, naive.rows, "overflow")
    }

    @Test func `values read back as attributes are those that were sent`() throws {
        var inner = ProtobufWriter()
        inner.field(1, bytes: [0x0A, 1, 0x78])
        inner.field(1, bytes: [0x18, 0x7F])
        var list = ProtobufWriter()
        list.field(5, bytes: inner.bytes)
        var keyValue = ProtobufWriter()
        keyValue.field(1, bytes: Array("k".utf8))
        keyValue.field(2, bytes: list.bytes)
        var record = ProtobufWriter()
        record.field(6, bytes: keyValue.bytes)
        record.field(5, bytes: list.bytes)
        var builder = LogBuilder(tables.logs)
        let request = Self.wrap(record.bytes)
        let outcome = try request.withUnsafeBytes { try LogDecoder.decode($0, received: 77, into: &builder) }
        #expect(outcome.accepted == 1)
        let batch = builder.snapshot(rows: 1)
        let expected = AttributeValue.array([.string("x"), .int(127)])
        #expect(batch[tables.logs.attributes].attributes(0) == [Attribute(key: "k", value: expected)])
        #expect(AnyValue.decode(ProtobufSlice(batch[tables.logs.body].bytes(0))) == expected)
        #expect(batch[tables.logs.bodyType][0] == 5)
        #expect(batch[tables.logs.time][0] == 77)
        #expect(batch[tables.logs.timeSource][0] == LogTable.TimeSource.receipt)
        #expect(batch[tables.logs.observedDelay][0] == .min)
    }

    /// A request with one item.
    static func wrap(_ item: [UInt8]) -> [UInt8] {
        var scope = ProtobufWriter()
        scope.field(2, bytes: item)
        var group = ProtobufWriter()
        group.field(2, bytes: scope.bytes)
        var request = ProtobufWriter()
        request.field(1, bytes: group.bytes)
        return request.bytes
    }

    @Test func `a metric whose data come in pieces has the points of all`() throws {
        func point(_ time: UInt64) -> [UInt8] {
            var point = ProtobufWriter()
            point.field(3, fixed64: time)
            point.field(6, fixed64: time)
            var data = ProtobufWriter()
            data.field(1, bytes: point.bytes)
            return data.bytes
        }
        var metric = ProtobufWriter()
        metric.field(1, bytes: [0x6D])
        for time in 1...3 as ClosedRange<UInt64> { metric.field(7, bytes: point(time)) }
        metric.field(7, bytes: [2 << 3, 2, 3 << 3, 1])
        var builder = MetricBuilder(tables.metrics)
        let outcome = try Self.wrap(metric.bytes).withUnsafeBytes { try MetricDecoder.decode($0, into: &builder) }
        #expect(outcome.accepted == 3)
        let batch = builder.snapshot(rows: 3)
        #expect(batch[tables.metrics.time].array == [1, 2, 3])
        let series = SeriesIdentity(batch[tables.metrics.series].bytes(2))
        #expect(series.temporality == 2 && series.isMonotonic && series.kind == 2)
    }

    private static let edges: [Int64] = [
        .min, .min + 1, -9_007_199_254_740_993, -1, 0, 1, 9_007_199_254_740_992, 9_007_199_254_740_993, .max - 512,
        .max - 511, .max - 1, .max,
    ]

    @Test(arguments: edges)
    func `an integer is a double and what it lacks`(integer: Int64) {
        let (value, residue) = MetricTable.split(integer)
        #expect(value == Double(integer))
        #expect(MetricTable.join(value: value, residue: residue) == integer)
    }
}

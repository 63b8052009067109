import Columns
import Core
import EngineFixtures
import OTLP
import Storage
import TableSchema
import Telemetry
import Testing

/// From OTLP bytes to parts and back, against the naive decoder and the naive order.
struct StoreRoundTripTests {
    private let tables: TestTables

    init() throws { tables = try TestTables() }

    private func check(_ batch: ColumnBatch, _ rows: [[Cell]], _ table: TableDefinition) throws {
        let disk = SimulatedFileSystem(seed: 5)
        let store = try Store(directory: "/data", tables: tables.catalog, fileSystem: disk)
        let key = TenantTable(tenant: .default, table: table.id)
        let records = try store.writeParts(batch, of: key, zstdLevel: 1)
        #expect(store.allParts.isEmpty)
        try store.commit(CatalogEdit(added: records))
        let expected = NaiveOrder.partitions(of: rows, table: table)
        let handles = store.parts(key, in: .everything)
        #expect(handles.map(\.record.partition) == expected.map(\.start))
        for (handle, wanted) in zip(handles, expected) {
            let found = try handle.part().naiveRows()
            #expect(found.count == wanted.rows.count)
            for (row, (left, right)) in zip(found, wanted.rows).enumerated() where left != right {
                for (column, (a, b)) in zip(left, right).enumerated() where a != b {
                    Issue.record("row \(row), \(table.columns[column].name) is \(a), not \(b)")
                }
                return
            }
        }
    }

    private static func style(_ seed: UInt64) -> OTLPGenerator.Style {
        var style = OTLPGenerator.Style()
        if seed % 3 == 0 {
            style.keyCount = 1500
            style.setLimit = 40
        }
        if seed % 2 == 0 { style.spread = 90 * 86_400_000_000_000 }
        return style
    }

    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func `spans come back from parts`(seed: UInt64) throws {
        var generator = OTLPGenerator(seed: seed, style: Self.style(seed))
        var builder = SpanBuilder(tables.spans)
        var naive = NaiveDecoder(tables.spans.definition)
        for _ in 0..<8 {
            let request = generator.traces()
            try naive.decode(traces: request)
            _ = try request.withUnsafeBytes { try TraceDecoder.decode($0, into: &builder) }
        }
        try check(builder.snapshot(rows: builder.rowCount), naive.rows, tables.spans.definition)
    }

    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func `log records come back from parts`(seed: UInt64) throws {
        var generator = OTLPGenerator(seed: seed, style: Self.style(seed))
        var builder = LogBuilder(tables.logs)
        var naive = NaiveDecoder(tables.logs.definition)
        for _ in 0..<8 {
            let request = generator.logs()
            try naive.decode(logs: request, received: 1_700_000_000_000_000_000)
            _ = try request.withUnsafeBytes {
                try LogDecoder.decode($0, received: 1_700_000_000_000_000_000, into: &builder)
            }
        }
        try check(builder.snapshot(rows: builder.rowCount), naive.rows, tables.logs.definition)
    }

    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func `data points come back from parts`(seed: UInt64) throws {
        var generator = OTLPGenerator(seed: seed, style: Self.style(seed))
        var builder = MetricBuilder(tables.metrics)
        var naive = NaiveDecoder(tables.metrics.definition)
        for _ in 0..<8 {
            let request = generator.metrics()
            try naive.decode(metrics: request)
            _ = try request.withUnsafeBytes { try MetricDecoder.decode($0, into: &builder) }
        }
        try check(builder.snapshot(rows: builder.rowCount), naive.rows, tables.metrics.definition)
    }

    @Test func `a snapshot of half the rows is written as if there were no others`() throws {
        var generator = OTLPGenerator(seed: 21)
        var builder = LogBuilder(tables.logs)
        var naive = NaiveDecoder(tables.logs.definition)
        for _ in 0..<10 {
            let request = generator.logs()
            try naive.decode(logs: request, received: 1)
            _ = try request.withUnsafeBytes { try LogDecoder.decode($0, received: 1, into: &builder) }
        }
        let half = builder.rowCount / 2
        try check(builder.snapshot(rows: half), Array(naive.rows[..<half]), tables.logs.definition)
    }
}

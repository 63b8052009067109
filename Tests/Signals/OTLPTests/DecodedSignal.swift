import Columns
import EngineFixtures
import OTLP
import TableSchema
import Telemetry

/// A signal's builder with its decoder, its requests and what a naive decoder reads of them.
protocol DecodedSignal: ~Copyable {
    init(_ tables: TestTables)
    static func definition(_ tables: TestTables) -> TableDefinition
    static func request(_ generator: inout OTLPGenerator) -> [UInt8]
    static func decode(_ request: [UInt8], naively naive: inout NaiveDecoder) throws
    mutating func decode(_ request: [UInt8]) throws -> DecodeOutcome

    var rowCount: Int { get }
    mutating func truncate(to rows: Int)
    func snapshot(rows: Int) -> ColumnBatch
}

extension DecodedSignal where Self: ~Copyable {
    var naiveRows: [[Cell]] { snapshot(rows: rowCount).naiveRows }
}

extension SpanBuilder: DecodedSignal {
    init(_ tables: TestTables) { self.init(tables.spans) }

    static func definition(_ tables: TestTables) -> TableDefinition { tables.spans.definition }
    static func request(_ generator: inout OTLPGenerator) -> [UInt8] { generator.traces() }
    static func decode(_ request: [UInt8], naively naive: inout NaiveDecoder) throws {
        try naive.decode(traces: request)
    }

    mutating func decode(_ request: [UInt8]) throws -> DecodeOutcome {
        try request.withUnsafeBytes { try TraceDecoder.decode($0, into: &self) }
    }
}

extension LogBuilder: DecodedSignal {
    private static var received: Int64 { 1_700_000_000_123_456_789 }

    init(_ tables: TestTables) { self.init(tables.logs) }

    static func definition(_ tables: TestTables) -> TableDefinition { tables.logs.definition }
    static func request(_ generator: inout OTLPGenerator) -> [UInt8] { generator.logs() }
    static func decode(_ request: [UInt8], naively naive: inout NaiveDecoder) throws {
        try naive.decode(logs: request, received: received)
    }

    mutating func decode(_ request: [UInt8]) throws -> DecodeOutcome {
        try request.withUnsafeBytes { try LogDecoder.decode($0, received: Self.received, into: &self) }
    }
}

extension MetricBuilder: DecodedSignal {
    init(_ tables: TestTables) { self.init(tables.metrics) }

    static func definition(_ tables: TestTables) -> TableDefinition { tables.metrics.definition }
    static func request(_ generator: inout OTLPGenerator) -> [UInt8] { generator.metrics() }
    static func decode(_ request: [UInt8], naively naive: inout NaiveDecoder) throws {
        try naive.decode(metrics: request)
    }

    mutating func decode(_ request: [UInt8]) throws -> DecodeOutcome {
        try request.withUnsafeBytes { try MetricDecoder.decode($0, into: &self) }
    }
}

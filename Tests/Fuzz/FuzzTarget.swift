import Columns
import Compression
import Core
import Encoding
import Files
import JSON
import LogQL
import OTLP
import Parts
import Pattern
import PromQL
import Schema
import TableSchema
import Telemetry

/// What reads foreign bytes: given any, it answers or refuses; it never traps, hangs or takes unbounded memory.
enum FuzzTarget: String, CaseIterable {
    case traces, logs, metrics
    case tracesJSON = "traces-json"
    case logsJSON = "logs-json"
    case metricsJSON = "metrics-json"
    case json, gzip, zstd, lz4, pages, part, schema, lock, pattern, promql, logql
    /// Breaks on purpose: a search that does not find it would find nothing else either.
    case canary

    static let catalog: TableCatalog = {
        do throws(SchemaError) {
            return try TableCatalog.parse(files: Schema.files, lock: Schema.lock)
        } catch {
            preconditionFailure("\(error)")
        }
    }()

    static func table(_ name: String) -> TableDefinition {
        guard let table = catalog.table(named: name) else { preconditionFailure("no table \(name)") }
        return table
    }

    func run(_ bytes: UnsafeRawBufferPointer) {
        let array = Array(bytes)
        switch self {
        case .traces: _ = try? Self.decodeTraces(array)
        case .logs: _ = try? Self.decodeLogs(array)
        case .metrics: _ = try? Self.decodeMetrics(array)
        case .tracesJSON: decodable(try? OTLPJSON.transcode(traces: array)) { _ = try Self.decodeTraces($0) }
        case .logsJSON: decodable(try? OTLPJSON.transcode(logs: array)) { _ = try Self.decodeLogs($0) }
        case .metricsJSON: decodable(try? OTLPJSON.transcode(metrics: array)) { _ = try Self.decodeMetrics($0) }
        case .json: _ = try? JSONValue.parse(array)
        case .gzip:
            _ = try? Gzip.decompress(array, limit: 1 << 20)
            _ = try? Gzip.inflate(array, limit: 1 << 20)
        case .zstd: _ = try? Zstd.decompress(streamed: bytes, limit: 1 << 20)
        case .lz4:
            var target = [UInt8](repeating: 0, count: 1 << 12)
            target.withUnsafeMutableBytes { _ = try? LZ4.decompress(bytes, into: $0) }
        case .pages: Self.decodePage(array)
        case .part: Self.readPart(array)
        case .schema:
            _ = try? TableCatalog.lock(for: [("fuzz.sql", array)], extending: [])
        case .lock: _ = try? TableCatalog.parse(files: Schema.files, lock: array)
        case .promql: _ = try? PromQL.Parser.parse(String(decoding: array, as: UTF8.self))
        case .logql: _ = try? LogQLParser.query(String(decoding: array, as: UTF8.self))
        case .canary: precondition(!array.starts(with: "bug".utf8), "the canary")
        case .pattern:
            let text = String(decoding: array, as: UTF8.self)
            if let pattern = try? array.count % 2 == 0 ? Pattern(anchored: text) : Pattern(unanchored: text) {
                _ = pattern.firstMatch(in: text)
            }
        }
    }

    /// A request that the transcoder wrote must be one that the decoder reads.
    private func decodable(_ request: [UInt8]?, _ decode: ([UInt8]) throws -> Void) {
        guard let request else { return }
        do { try decode(request) } catch { preconditionFailure("the transcoder wrote what is no request: \(error)") }
    }

    // MARK: OTLP

    static func decodeTraces(_ bytes: [UInt8]) throws -> ColumnBatch {
        var builder = SpanBuilder(try SpanTable(table("otel_traces")))
        try bytes.withUnsafeBytes { _ = try TraceDecoder.decode($0, into: &builder) }
        return builder.snapshot(rows: builder.rowCount)
    }

    static func decodeLogs(_ bytes: [UInt8]) throws -> ColumnBatch {
        var builder = LogBuilder(try LogTable(table("otel_logs")))
        try bytes.withUnsafeBytes { _ = try LogDecoder.decode($0, received: 1, into: &builder) }
        return builder.snapshot(rows: builder.rowCount)
    }

    static func decodeMetrics(_ bytes: [UInt8]) throws -> ColumnBatch {
        var builder = MetricBuilder(try MetricTable(table("otel_metrics")))
        try bytes.withUnsafeBytes { _ = try MetricDecoder.decode($0, into: &builder) }
        return builder.snapshot(rows: builder.rowCount)
    }

    // MARK: Storage

    /// kind, encoding, compression, count and raw length in two bytes each, then the page.
    private static func decodePage(_ bytes: [UInt8]) {
        guard bytes.count >= 7, let encoding = EncodingID(rawValue: bytes[1]),
            let compression = CompressionID(rawValue: bytes[2] % 3)
        else { return }
        let count = Int(bytes[3]) | Int(bytes[4]) << 8
        let raw = Int(bytes[5]) | Int(bytes[6]) << 8
        var decoder = PageDecoder(byteLimit: 1 << 20)
        let words = UnsafeMutablePointer<UInt64>.allocate(capacity: count * 2 + 1)
        words.initialize(repeating: 0, count: count * 2 + 1)
        defer { words.deallocate() }
        let memory = UnsafeMutableRawPointer(words)
        bytes[7...].withUnsafeBytes { page in
            switch bytes[0] % 7 {
            case 0:
                try? decoder.decodeIntegers(
                    page: page, encoding: encoding, compression: compression, count: count, rawLength: raw,
                    into: memory.assumingMemoryBound(to: Int64.self))
            case 1:
                try? decoder.decodeFloats(
                    page: page, encoding: encoding, compression: compression, count: count, rawLength: raw,
                    into: memory.assumingMemoryBound(to: Double.self))
            case 2:
                try? decoder.decodeCodes(
                    page: page, encoding: encoding, compression: compression, count: count, rawLength: raw,
                    into: memory.assumingMemoryBound(to: UInt32.self))
            case 3:
                try? decoder.decodeFixed(
                    page: page, encoding: encoding, compression: compression, count: count, width: 16, rawLength: raw,
                    into: memory.assumingMemoryBound(to: UInt8.self))
            case 4:
                _ = try? decoder.decodeStrings(
                    page: page, encoding: encoding, compression: compression, count: count, rawLength: raw,
                    lengths: memory.assumingMemoryBound(to: UInt32.self))
            case 5:
                _ = try? decoder.decodeIntegerRows(
                    page: page, encoding: encoding, compression: compression, count: count, rawLength: raw,
                    lengths: memory.assumingMemoryBound(to: UInt32.self))
            default:
                _ = try? decoder.decodeFloatRows(
                    page: page, encoding: encoding, compression: compression, count: count, rawLength: raw,
                    lengths: memory.assumingMemoryBound(to: UInt32.self))
            }
        }
    }

    /// Reads every column of a part whose footer's checksum is made right, since chance would never hit it.
    private static func readPart(_ bytes: [UInt8]) {
        guard bytes.count >= 48 else { return }
        var bytes = bytes
        let trailer = bytes.count - 32
        var offset = 0
        for i in (0..<4).reversed() { offset = offset << 8 | Int(bytes[trailer + i]) }
        if offset <= trailer {
            let checksum = XXH3.hash(Array(bytes[offset..<trailer]))
            for i in 0..<8 { bytes[trailer + 16 + i] = UInt8(truncatingIfNeeded: checksum >> UInt64(8 * i)) }
        }
        for table in catalog.tables.prefix(3) {
            guard let part = try? Part(MemoryFile(bytes), table: table) else { continue }
            for block in 0..<min(part.blockCount, 4) {
                for column in table.columns.indices {
                    _ = part.zone(column, block: block)
                    _ = try? part.read(column, block: block)
                }
            }
        }
    }
}

import Columns
import Core
import Corpus
import Encoding
import Indexing
import OTLP
import Parts
import TableSchema
import Telemetry

/// The part reader, over damaged files: a part opens or throws, and every column of every block reads or throws.
extension FuzzTarget {
    /// A small part of each signal.
    private static let sampleParts: [[UInt8]] = {
        var spans = SpanBuilder(bound { try SpanTable(table("otel_traces")) })
        var logs = LogBuilder(bound { try LogTable(table("otel_logs")) })
        var metrics = MetricBuilder(bound { try MetricTable(table("otel_metrics")) })
        for request in requests(.traces) + [FullRequests.traces()] {
            request.withUnsafeBytes { bytes in _ = bound { try TraceDecoder.decode(bytes, into: &spans) } }
        }
        for request in requests(.logs) + [FullRequests.logs()] {
            request.withUnsafeBytes { bytes in _ = bound { try LogDecoder.decode(bytes, received: 1, into: &logs) } }
        }
        for request in [FullRequests.metrics()] {
            request.withUnsafeBytes { bytes in _ = bound { try MetricDecoder.decode(bytes, into: &metrics) } }
        }
        return [
            part(spans.snapshot(rows: spans.rowCount), table("otel_traces")),
            part(logs.snapshot(rows: logs.rowCount), table("otel_logs")),
            part(metrics.snapshot(rows: metrics.rowCount), table("otel_metrics")),
        ]
    }()

    /// The largest partition of a batch.
    private static func part(_ batch: ColumnBatch, _ table: TableDefinition) -> [UInt8] {
        let partitions = RowOrder.partitions(of: batch, table: table)
        guard let rows = partitions.max(by: { $0.rows.count < $1.rows.count }) else {
            preconditionFailure("a sample without rows")
        }
        let file = MemoryFile()
        _ = bound { try PartWriter.write(batch, rows, table: table, zstdLevel: 1, to: file) }
        return file.bytes
    }

    private static let trailerLength = 32

    /// The file as it is, but for its footer's checksum, which is made right: chance would never hit it.
    static let part = FuzzTarget("part", seeds: { sampleParts }) { bytes in
        var file = Array(bytes)
        let trailer = file.count - trailerLength
        if trailer >= 0, word(file, trailer) <= UInt64(trailer) {
            let checksum = XXH3.hash(Array(file[Int(word(file, trailer))..<trailer]))
            for i in 0..<8 { file[trailer + 16 + i] = UInt8(truncatingIfNeeded: checksum >> UInt64(8 * i)) }
        }
        for name in ["otel_traces", "otel_logs", "otel_metrics"] { read(file, table(name)) }
    }

    /// The footer alone, before its compression: put back under a checksum that is right, over pages that are whole. So what
    /// is damaged is what the footer says of the pages, which no checksum can tell.
    static let footer = FuzzTarget("footer", seeds: { [sampleFooter] }) { bytes in
        let pages = sampleParts[0].prefix(Int(word(sampleParts[0], sampleParts[0].count - trailerLength)))
        var file = Array(pages) + Array(bytes)
        append(UInt64(pages.count), to: &file)
        append(UInt64(bytes.count), to: &file)
        append(XXH3.hash(bytes), to: &file)
        file += sampleParts[0].suffix(8)
        read(file, table("otel_traces"))
    }

    private static let sampleFooter: [UInt8] = {
        let trailer = sampleParts[0].count - trailerLength
        let lengths = word(sampleParts[0], trailer + 8)
        let stored = Array(sampleParts[0][Int(word(sampleParts[0], trailer))..<trailer])
        return stored.withUnsafeBytes { stored in
            bound {
                var decoder = PageDecoder()
                let compression = try CompressionID(checking: UInt8(truncatingIfNeeded: lengths >> 32))
                return try decoder.decodeRaw(
                    page: stored, encoding: .plain, compression: compression, rawLength: Int(lengths & 0xFFFF_FFFF)
                ).array
            }
        }
    }()

    private static func word(_ bytes: [UInt8], _ at: Int) -> UInt64 {
        bytes[at..<at + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    private static func append(_ word: UInt64, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: word.littleEndian) { bytes.append(contentsOf: $0) }
    }

    private static let probes: [IndexProbe] = [
        .ids([1, 0x1234_5678_9ABC_DEF0]),
        .attribute(AttributeProbe(key: Array("http.request.method".utf8), text: "GET")),
        IndexProbe.containing(anyOf: [Array(" order ".utf8), Array("needleqzv7f3a91".utf8)]) ?? .ids([2]),
    ]

    private static func search(
        _ part: Part, _ probe: IndexProbe, _ ordinal: Int, _ definition: TableDefinition
    ) throws {
        var sets = [try part.candidates(probe, column: ordinal)]
        if case .nested(let fields) = definition.columns[ordinal].type {
            for field in fields.indices { sets.append(try part.candidates(probe, column: ordinal, field: field)) }
        }
        for set in sets.compactMap({ $0 }) {
            precondition(set.blockCount == part.blockCount, "blocks of another part")
        }
    }

    private static func read(_ bytes: [UInt8], _ definition: TableDefinition) {
        guard let part = try? Part(MemoryFile(bytes), table: definition) else { return }
        for ordinal in definition.columns.indices {
            _ = try? part.mayContain(0x1234_5678_9ABC_DEF0, column: ordinal)
            _ = try? part.blocks(mayContaining: 1, column: ordinal)
            for probe in probes { try? search(part, probe, ordinal, definition) }
            _ = try? part.dictionary(ordinal)
            let keys = part.attributeKeys(ordinal)
            for block in 0..<min(part.blockCount, 64) {
                _ = part.zone(ordinal, block: block)
                if let column = try? part.read(ordinal, block: block) {
                    precondition(
                        column.count == part.rowCount(ofBlock: block), "a column of another length than its block")
                    ColumnWalk.touch(column)
                }
                for key in keys.prefix(8) {
                    for subcolumn in (try? part.readSubcolumns(ordinal, key: key, block: block)) ?? [] {
                        precondition(
                            subcolumn.rows.count == subcolumn.values.count,
                            "a subcolumn of another length than its rows")
                        ColumnWalk.touch(subcolumn.values)
                    }
                }
            }
        }
    }
}

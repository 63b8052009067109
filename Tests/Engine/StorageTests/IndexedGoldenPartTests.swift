import Columns
import Core
import Encoding
import EngineFixtures
import Files
import Foundation
import Indexing
import TableSchema
import Testing

@testable import Parts

/// Parts of version 1 with all that writers may put into them, in Tests/Golden/parts/v1-indexed: lists, ids that refer to each
/// other, sums beside decimals, indexes of tokens. Like those of v1, they are opened for ever.
///
/// `every_index` is a table of its own, whose rows follow from their numbers: two blocks of them, so its file of rows has every
/// hundredth and the hash of all. The files of the tables of Schema/ have all rows. `VARVE_WRITE_GOLDEN=1` writes what is not
/// there yet.
struct IndexedGoldenPartTests {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../../Golden/parts/v1-indexed").standardizedFileURL.path

    static let names = ["every_index", "otel_traces", "otel_logs", "otel_metrics"]

    private let tables: TestTables

    init() throws { tables = try TestTables() }

    private func table(_ name: String) throws -> TableDefinition {
        name == "every_index" ? EveryIndexTable.definition : try #require(tables.catalog.table(named: name))
    }

    private func part(_ name: String) throws -> (file: any ReadableFile, part: Part) {
        let file = try PosixFileSystem().open(Self.folder + "/\(name).vp")
        return (file, try Part(file, table: table(name)))
    }

    private func lines(_ name: String) throws -> [Substring] {
        try String(contentsOfFile: Self.folder + "/\(name).json", encoding: .utf8).split(separator: "\n")
    }

    @Test(arguments: names) func `a part has the rows that were written to it, and is whole`(name: String) throws {
        try GoldenWriter.writeIfAsked(name, table(name), to: Self.folder)
        let (file, part) = try part(name)
        let rows = try part.naiveRows()
        let table = try table(name)
        let found = rows.map { RowText.line($0, table) }
        var lines = try lines(name)[...]
        if name == "every_index" {
            #expect(rows == EveryIndexTable.rows)
            let hash = lines.removeLast()
            #expect(hash == "{\"rows\":\(rows.count),\"xxh3\":\"\(GoldenWriter.hash(found))\"}")
            let some = stride(from: 0, to: found.count, by: 100).map { found[$0] }
            #expect(some.elementsEqual(lines, by: { $0 == $1 }))
        } else {
            #expect(rows.count == lines.count && rows.count >= 15)
            // A table may have got columns since; they stand behind those that it had.
            for (found, line) in zip(found, lines) {
                #expect(found == line || found.hasPrefix(line.dropLast() + ","))
            }
        }
        #expect(PartVerifier.verify(file, table: table).report.damage.isEmpty)
    }

    @Test func `the parts have every encoding and kind that those of v1 lack`() throws {
        var kinds: Set<LeafKind> = []
        var encodings: Set<[Int]> = []
        var indexes: Set<TokenIndex.Kind> = []
        var blooms = 0
        for name in Self.names {
            let footer = try part(name).part.footer
            for leaf in footer.leaves {
                kinds.insert(leaf.kind)
                for page in leaf.pages { encodings.insert([Int(leaf.kind.rawValue), Int(page.encoding)]) }
            }
            indexes.formUnion(footer.tokenIndexes.map(\.kind))
            blooms += footer.blooms.count
        }
        #expect(kinds.isSuperset(of: [.related8, .listedIntegers, .listed16]))
        let wanted: [(LeafKind, EncodingID)] = [
            (.floats, .nearDecimal), (.related8, .distances), (.listedIntegers, .entries), (.listed16, .entries),
        ]
        for (kind, encoding) in wanted {
            #expect(encodings.contains([Int(kind.rawValue), Int(encoding.rawValue)]), "\(kind), \(encoding)")
        }
        #expect(indexes == [.blooms, .postings] && blooms > 0)
        let own = try part("every_index").part.footer
        #expect(own.blockRows.count == 2 && Set(own.tokenIndexes.map(\.column)) == [3, 4, 7, 8])
    }

    @Test func `indexes find each row's tokens, and leave out blocks that lack one`() throws {
        let part = try part("every_index").part
        for (number, row) in EveryIndexTable.rows.enumerated() where number % 97 == 0 || number > 8300 {
            let block = number / 8192
            let text = row[6].bytes
            let code = row[7].set.entries[0]
            let probes: [(Int, IndexProbe)] = [
                (2, .ids([XXH3.hash(row[2].bytes)])), (3, .ids([XXH3.hash(row[3].bytes)])),
                (6, try #require(.containing(anyOf: [text]))),
                (7, .attribute(AttributeProbe(key: code.key, text: "\(200 + number % 3)"))),
            ]
            for (column, probe) in probes where !row[column].bytes.allSatisfy({ $0 == 0 }) || column > 3 {
                #expect(try #require(try part.candidates(probe, column: column)).contains(block), "row \(number)")
            }
        }
        let first = try #require(IndexProbe.containing(anyOf: [EveryIndexTable.rows[5][6].bytes]))
        #expect(try part.candidates(first, column: 6).map(Array.init) == [0])
        let absent = try #require(IndexProbe.containing(anyOf: [Array("never-written-7f3a9c".utf8)]))
        #expect(try #require(try part.candidates(absent, column: 6)).isEmpty)
    }
}

/// A table of which every part has lists, related ids and indexes of both kinds; its rows follow from their numbers.
enum EveryIndexTable {
    static let series = 28, points = 300

    static let definition = TableDefinition(
        id: TableID(number: 901), name: "every_index",
        columns: [
            column(1, "time", .integer(.dateTime64)), column(2, "series", .lowCardinality),
            column(3, "trace_id", .fixed(width: 16)), column(4, "span_id", .fixed(width: 8)),
            column(5, "parent_span_id", .fixed(width: 8)), column(6, "total", .float), column(7, "text", .string),
            column(8, "attributes", .attributes),
        ],
        partitionColumn: ColumnID(number: 1), partitionUnit: .month,
        order: [.column(ColumnID(number: 2)), .column(ColumnID(number: 1))],
        indexes: [
            SkipIndexDefinition(
                name: "by_trace", column: ColumnID(number: 3), kind: .bloomFilter(falsePositives: 0.01)),
            SkipIndexDefinition(name: "traces", column: ColumnID(number: 3), kind: .tokenPostings),
            SkipIndexDefinition(name: "spans", column: ColumnID(number: 4), kind: .tokenBloom(falsePositives: 0.01)),
            SkipIndexDefinition(name: "words", column: ColumnID(number: 7), kind: .tokenPostings),
            SkipIndexDefinition(name: "sets", column: ColumnID(number: 8), kind: .tokenBloom(falsePositives: 0.01)),
        ], timeToLive: nil, ttlColumn: nil, fingerprint: 0xE1)

    private static func column(_ number: UInt16, _ name: String, _ type: ColumnType) -> ColumnDefinition {
        ColumnDefinition(id: ColumnID(number: number), name: name, type: type)
    }

    /// In the table's order.
    static let rows: [[Cell]] = {
        var rows: [[Cell]] = []
        for series in 0..<series {
            var total = 0.0
            for point in 0..<points {
                // Added up, so that it is off the decimals by a little.
                total += 0.1 * Double(point % 7 + series % 3)
                rows.append(row(series, point, total))
            }
        }
        return rows
    }()

    private static func row(_ series: Int, _ point: Int, _ total: Double) -> [Cell] {
        let number = series * points + point
        // All series are collected at the same times, which are not regular.
        let time =
            1_792_000_000_000_000_000 + Int64(point) * 15_000_000_000 + Int64(point * point * 7919 % 9973) * 1_000_003
        let trace = number % 50 == 0 ? Array(repeating: 0, count: 16) : traceID(point / 3)
        let parent: [UInt8] =
            switch number % 11 {
            case 0: Array(repeating: 0, count: 8)
            case 1: id(number + 1_000_000)
            case 2: id(point < points - 1 ? number + 1 : number - 1)
            default: id(point < 3 ? number : number - 1 - number % 3)
            }
        let name = (series < 10 ? "s0" : "s") + String(series)
        let text =
            "GET /items/\(name)/\(number * 7) from 10.\(series).0.\(point) took \(point * 13 % 997) ms, id \(hex(trace))"
        let attributes = AttributeSet([
            .init(key: Array("code".utf8), type: 3, value: UInt64(200 + number % 3).littleEndianBytes),
            .init(key: Array("host".utf8), type: 1, value: Array("node-\(point % 5)".utf8)),
        ])
        return [
            .integer(time), .bytes(Array(name.utf8)), .bytes(trace), .bytes(id(number)), .bytes(parent),
            .bits(total.bitPattern), .bytes(Array(text.utf8)), .attributes(attributes),
        ]
    }

    private static func traceID(_ number: Int) -> [UInt8] {
        let word = UInt64(number + 1) &* 0x9E37_79B9_7F4A_7C15
        return word.littleEndianBytes + (word ^ word >> 29).littleEndianBytes
    }

    /// Eight bytes of which only three differ from number to number, for a small file.
    private static func id(_ number: Int) -> [UInt8] {
        let word = UInt32(truncatingIfNeeded: (number + 1) &* 2_654_435)
        return [0xA0, 0, 0, 0, 1] + (0..<3).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) }
    }

    private static func hex(_ bytes: [UInt8]) -> String {
        bytes.suffix(3).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}

import Core
import Encoding
import EngineFixtures
import Files
import Foundation
import Indexing
import Randomness
import TableSchema
import Testing

@testable import Parts
@testable import Storage

/// docs/FORMAT.md against the bytes: what it says of headers, trailers and footers is read from it, and a part is walked by its
/// text alone.
struct FormatDocumentTests {
    private let text: String

    init() throws {
        let path = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../../docs/FORMAT.md")
        text = try String(contentsOf: path, encoding: .utf8)
    }

    /// The groups of the first match.
    private func match(_ pattern: String, in text: String? = nil) throws -> [String] {
        let text = text ?? self.text
        let expression = try NSRegularExpression(pattern: pattern, options: [.anchorsMatchLines])
        let range = NSRange(text.startIndex..., in: text)
        let found = try #require(expression.firstMatch(in: text, range: range), "\(pattern) is not in FORMAT.md")
        return (1..<found.numberOfRanges).map { group in
            Range(found.range(at: group), in: text).map { String(text[$0]) } ?? ""
        }
    }

    /// The rows of the table under a heading: its cells.
    private func table(after heading: String) throws -> [[String]] {
        let start = try #require(text.range(of: heading)).upperBound
        let lines = text[start...].split(separator: "\n", omittingEmptySubsequences: false)
        let rows = lines.drop { !$0.hasPrefix("|") }.prefix { $0.hasPrefix("|") }.dropFirst(2)
        return rows.map { row in
            row.split(separator: "|", omittingEmptySubsequences: false).dropFirst().dropLast().map {
                $0.trimmingCharacters(in: .whitespaces)
            }
        }
    }

    @Test func `magics, versions and sizes are those of the code`() throws {
        #expect(try match(#"^ 0  magic "(\w+)""#) == [String(decoding: PartLayout.magic, as: UTF8.self)])
        #expect(try match(#"^ 8  version = (\d+)"#) == ["\(PartLayout.version)"])
        #expect(try match(#"^(\d+)  pages of row group 0"#) == ["\(PartLayout.headerLength)"])
        #expect(try match(#"^    trailer +(\d+)$"#) == ["\(PartLayout.trailerLength)"])
        #expect(try match(#"A block has at most (\d+) rows"#) == ["\(PartLayout.blockRows)"])
        #expect(try match(#"row group has (\d+) blocks"#) == ["\(PartLayout.groupBlocks)"])
        #expect(try match(#"more than 2²⁴ values or (\d+) MiB"#) == ["\(PartLayout.pageByteLimit >> 20)"])
        #expect(PartLayout.pageValueLimit == 1 << 24)
        #expect(try match(#"magic "(VARVECAT)" 8 \| version = (\d+), 4"#) == ["VARVECAT", "2"])
        #expect(try match(#"magic "(VARVEWAL)" 8 \| version = (\d+), 4"#) == ["VARVEWAL", "1"])
    }

    @Test func `kinds and roles of leaves have the numbers that stand there`() throws {
        let kinds: [(String, LeafKind)] = [
            ("integers", .integers), ("floats", .floats), ("fixed8", .fixed8), ("fixed16", .fixed16), ("codes", .codes),
            ("strings", .strings), ("integer rows", .integerRows), ("float rows", .floatRows), ("naturals", .naturals),
            ("related8", .related8), ("listed integers", .listedIntegers), ("listed16", .listed16),
        ]
        for (name, kind) in kinds { #expect(try match("\(name) \\((\\d+)\\)") == ["\(kind.rawValue)"]) }
        let roles: [(String, LeafRole)] = [
            (#"values \((\d+)\)"#, .values), (#"lengths \((\d+)\)"#, .lengths), (#"shapes \((\d+)\)"#, .shapes),
            (#"each subcolumn a leaf \((\d+)\)"#, .subcolumn),
        ]
        for (pattern, role) in roles { #expect(try match(pattern) == ["\(role.rawValue)"]) }
    }

    @Test func `encodings have the numbers that stand there`() throws {
        let expected = EncodingID.allCases.map { ["\($0.rawValue)", "\($0)"] }
        #expect(try table(after: "## Encodings").map { Array($0[0...1]) } == expected)
        #expect(try match(#"payload: (\d) nothing, (\d) zstd, (\d) LZ4"#) == ["0", "1", "2"])
        #expect(CompressionID.allCases.map(\.rawValue) == [0, 1, 2])
    }

    // MARK: A part, read by the text

    private struct Bytes {
        let all: [UInt8]
        var at: Int

        mutating func fixed(_ count: Int) -> UInt64 {
            defer { at += count }
            return all[at..<(at + count)].reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }

        mutating func varint() -> Int {
            var value = 0
            var shift = 0
            while all[at] >= 0x80 {
                value |= Int(all[at] & 0x7F) << shift
                shift += 7
                at += 1
            }
            defer { at += 1 }
            return value | Int(all[at]) << shift
        }

        mutating func zigzag() -> Int {
            let folded = varint()
            return folded % 2 == 0 ? folded / 2 : -(folded / 2) - 1
        }
    }

    private struct Walk {
        var footer: Bytes
        let file: [UInt8]
        /// Every range of the file that the footer names.
        var segments: [Range<Int>] = []
        var checksumFaults = 0

        /// A page as it stands in the footer, at `offset` of the file; answers its end and its number of values.
        mutating func page(at offset: Int) -> (end: Int, values: Int) {
            footer.at += 2
            let values = footer.varint()
            _ = footer.varint()
            let stored = footer.varint()
            if stored > 0 {
                let checksum = footer.fixed(4)
                if XXH3.hash(Array(file[offset..<(offset + stored)])) & 0xFFFF_FFFF != checksum { checksumFaults += 1 }
                segments.append(offset..<(offset + stored))
            }
            return (offset + stored, values)
        }

        /// Checks a directory of some blocks, and the checksums of its pages.
        mutating func tokenIndex(kind: Int, blocks: Int, _ pages: [UInt8], _ directory: Bytes) {
            var directory = directory
            var lengths: [Int] = []
            var checksums: [UInt64] = []
            if kind == 1 {
                let bytes = (0..<blocks).reduce(0) { sum, _ in sum + directory.varint() } * 32
                lengths = stride(from: 0, to: bytes, by: 4096).map { min(4096, bytes - $0) }
                checksums = lengths.map { _ in directory.fixed(4) }
            } else {
                let (fingerprint, rest) = (directory.fixed(1), directory.fixed(1))
                #expect(fingerprint >= rest)
                for _ in 0..<directory.varint() {
                    _ = (directory.varint(), directory.varint())
                    lengths.append(directory.varint())
                    checksums.append(directory.fixed(4))
                }
            }
            var at = 0
            for (length, checksum) in zip(lengths, checksums) {
                if XXH3.hash(Array(pages[at..<(at + length)])) & 0xFFFF_FFFF != checksum { checksumFaults += 1 }
                at += length
            }
            #expect(at == pages.count)
            let stamped = directory.varint()
            #expect(stamped == blocks || stamped == 0)
            for _ in 0..<(2 * stamped) {
                for _ in 0..<directory.varint() { _ = (directory.fixed(1), directory.varint()) }
            }
            #expect(directory.at == directory.all.count)
        }

        mutating func origin() {
            let kind = footer.varint()
            #expect(kind <= 4)
            if kind == 1 { for _ in 0..<4 { _ = footer.varint() } }
            if kind == 2 || kind == 3 { #expect(footer.varint() < 256) }
            guard kind > 1 else { return }
            rows()
            for _ in 0..<footer.varint() {
                _ = (footer.varint(), footer.zigzag())
                rows()
            }
        }

        private mutating func rows() {
            for _ in 0..<footer.varint() { _ = (footer.varint(), footer.varint()) }
            for _ in 0..<footer.varint() { _ = footer.varint() }
        }

        /// Dictionaries, leaves, attributes and bloom filters.
        mutating func columns(blocks: Int) {
            for _ in 0..<footer.varint() {
                let entries = footer.varint()
                #expect(footer.varint() <= 1)
                let count = footer.varint()
                #expect(pages(count) == entries)
            }
            for _ in 0..<footer.varint() {
                for _ in 0..<5 { _ = footer.varint() }
                _ = pages(blocks)
                if footer.varint() == 1 {
                    for _ in 0..<blocks { _ = (footer.zigzag(), footer.varint()) }
                }
            }
            for _ in 0..<footer.varint() {
                _ = footer.varint()
                for _ in 0..<footer.varint() {
                    let length = footer.varint()
                    footer.at += length
                    #expect(footer.varint() <= 8)
                }
                for _ in 0..<footer.varint() {
                    for _ in 0..<footer.varint() { _ = footer.varint() }
                }
            }
            for _ in 0..<footer.varint() {
                _ = (footer.varint(), footer.varint())
                _ = pages(1)
            }
        }

        mutating func pages(_ count: Int) -> Int {
            var offset = footer.zigzag()
            var values = 0
            for _ in 0..<count {
                let page = page(at: offset)
                offset = page.end
                values += page.values
            }
            return values
        }
    }

    @Test func `a part is what the text says, to the last byte`() throws {
        var random = SeededRandom(seed: 3)
        var table = EveryTypeTable.make(unit: .month)
        for (number, kind) in [(6, SkipIndexDefinition.Kind.tokenPostings), (8, .tokenBloom(falsePositives: 0.01))] {
            table.indexes.append(
                SkipIndexDefinition(name: "tokens_\(number)", column: ColumnID(number: UInt16(number)), kind: kind))
        }
        var style = EveryTypeTable.Style()
        style.spread = 86_400_000_000_000
        let disk = SimulatedFileSystem(seed: 1)
        let rows = EveryTypeTable.rows(9000, &random, style)
        let path = try PartFixtures.write(BatchOfCells.make(rows, table), table, to: disk)[0].path
        let file = try #require(disk.bytes(of: path))
        let times = rows.map { Int($0[0].integer) }
        try walk(
            file, table, partition: Int(NaiveOrder.start(of: rows[0][0].integer, unit: .month)), times: times,
            blocks: [8192, 9000 - 8192], indexes: [[6, 2], [8, 1]])
    }

    @Test(arguments: ["v1", "v1-indexed", "v2"]) func `golden parts are what the text says, to the last byte`(
        folder: String
    ) throws {
        let tables = try TestTables().catalog.tables + [EveryTypeTable.make(unit: .month), EveryIndexTable.definition]
        let path = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Golden/parts/\(folder)")
        let names = try FileManager.default.contentsOfDirectory(atPath: path.path).filter { $0.hasSuffix(".vp") }
        #expect(names.count >= 3)
        for name in names {
            let table = try #require(tables.first { $0.name + ".vp" == name })
            let file = try PosixFileSystem().open(path.path + "/" + name)
            let place = try #require(table.columns.firstIndex { $0.id == table.partitionColumn })
            let part = try Part(file, table: table)
            let times = try part.naiveRows().map { Int($0[place].integer) }
            try walk(
                [UInt8](Data(contentsOf: path.appending(path: name))), table,
                partition: Int(NaiveOrder.start(of: Int64(times[0]), unit: table.partitionUnit)), times: times,
                blocks: stride(from: 0, to: times.count, by: 8192).map { min(8192, times.count - $0) },
                indexes: part.footer.tokenIndexes.map { [Int($0.column), Int($0.kind.rawValue)] },
                fingerprint: part.fingerprint)
        }
    }

    /// - Parameter indexes: by index of tokens: its column and its kind.
    private func walk(
        _ file: [UInt8], _ table: TableDefinition, partition: Int, times: [Int], blocks: [Int], indexes: [[Int]],
        fingerprint: UInt64? = nil
    ) throws {
        var trailer = Bytes(all: file, at: file.count - 32)
        let offset = Int(trailer.fixed(8))
        let rawLength = Int(trailer.fixed(4))
        let compression = trailer.fixed(4)
        let checksum = trailer.fixed(8)
        #expect(Array(file[(file.count - 8)...]) == Array("VARVEP01".utf8))
        let stored = Array(file[offset..<(file.count - 32)])
        #expect(XXH3.hash(stored) == checksum)
        let disk = SimulatedFileSystem(seed: 1)
        try disk.open("/part.vp", .create).append(file)
        var raw = try PartFixtures.open("/part.vp", table, on: disk).footer.encoded()
        if file[8] == 1 {
            // Such a footer has no origin, and no list of indexes if there are none.
            #expect(raw.removeLast() == 0)
            if indexes.isEmpty { #expect(raw.removeLast() == 0) }
        }
        #expect(raw.count == rawLength && (compression != 0 || raw == stored))

        var walk = Walk(footer: Bytes(all: raw, at: 0), file: file)
        #expect(
            walk.footer.varint() == Int(table.id.number) && walk.footer.fixed(8) == fingerprint ?? table.fingerprint)
        #expect(walk.footer.zigzag() == partition)
        #expect(walk.footer.zigzag() == times.min() && walk.footer.zigzag() == times.max())
        #expect(walk.footer.varint() == 1 && walk.footer.varint() == blocks.count)
        for rows in blocks { #expect(walk.footer.varint() == rows) }
        walk.columns(blocks: blocks.count)
        // A footer of version 1 without indexes of tokens ends here.
        if file[8] > 1 || !indexes.isEmpty { #expect(walk.footer.varint() == indexes.count) }
        for index in indexes {
            #expect(walk.footer.varint() == index[0] && walk.footer.varint() == index[1])
            #expect(walk.footer.varint() == 0 && walk.footer.varint() == blocks.count)
            let pages = walk.footer.zigzag()
            // The pages stand right before the directory.
            let directory = walk.footer.zigzag()
            walk.segments.append(pages..<directory)
            let end = walk.page(at: directory).end
            walk.tokenIndex(
                kind: index[1], blocks: blocks.count, Array(file[pages..<directory]),
                Bytes(all: Array(file[directory..<end]), at: 0))
        }
        if file[8] > 1 { walk.origin() }
        #expect(walk.footer.at == raw.count && walk.checksumFaults == 0)
        // The pages fill the file from its header to its footer, without gaps.
        var end = 16
        for segment in walk.segments.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            #expect(segment.lowerBound == end)
            end = segment.upperBound
        }
        #expect(end == offset)
    }

    // MARK: A catalog, written by the text

    private func text(_ value: String) -> [UInt8] { UInt64(value.utf8.count).littleEndianBytes + Array(value.utf8) }

    private func words(_ values: [Int64]) -> [UInt8] { values.flatMap { UInt64(bitPattern: $0).littleEndianBytes } }

    private func catalog(version: UInt8, _ payload: [UInt8]) -> [UInt8] {
        Array("VARVECAT".utf8) + [version, 0, 0, 0, 0, 0, 0, 0] + words([Int64(payload.count)])
            + XXH3.hash(payload).littleEndianBytes + payload
    }

    @Test(arguments: [1, 2] as [UInt8])
    func `a catalog that is written by the text is read`(version: UInt8) throws {
        let first =
            words([8, 1, 7]) + text("acme") + words([2, -3, 1, 10, 1000, -5, 6]) + words([0, 1]) + text("acme")
            + words([2, 41])
        let payload = first + words(version == 1 ? [] : [1, 7, 1 << 4])
        let bytes = catalog(version: version, payload)
        let disk = SimulatedFileSystem(seed: 1)
        try disk.createDirectory("/data")
        for (name, content) in [("CURRENT", Array("catalog-000004\n".utf8)), ("catalog-000004", bytes)] {
            _ = try disk.open("/data/" + name, .create)
            disk.edit("/data/" + name) { $0 = content }
        }
        let catalog = try Catalog(directory: "/data", fileSystem: disk)
        let part = try #require(catalog.state.parts.values.first)
        #expect(part.id.number == 7 && part.tenant.name == "acme" && part.table.number == 2 && part.partition == -3)
        #expect(part.level == 1 && part.rowCount == 10 && part.byteCount == 1000)
        #expect(part.leastTime == -5 && part.greatestTime == 6)
        #expect(catalog.state.flushed.map(\.value) == [41] && catalog.state.nextPart == 8)
        #expect(catalog.state.rolledUp.mapValues(\.bits) == (version == 1 ? [:] : [PartID(number: 7): 1 << 4]))
        // The new log holds the same state in the same bytes, if it is of the newest version.
        let written = version == 1 ? self.catalog(version: 2, first + words([0])) : bytes
        #expect(disk.bytes(of: "/data/catalog-000005") == written)
    }
}

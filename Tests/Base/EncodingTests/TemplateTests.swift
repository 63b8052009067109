import Core
import Randomness
import Testing

@testable import Encoding

/// Lines as programs write them, and lines that nobody would.
enum LineShape: CaseIterable {
    case server, json, ids, errors, mixed, unique, zeros, empty, binary, long, manyNumbers, quoted, constant,
        widths

    func line(_ random: inout SeededRandom) -> [UInt8] {
        let word = random.next()
        switch self {
        case .server:
            let call = random.pick(["Get", "Add", "Empty"])
            let took = "\(word % 90).\(Self.padded(word >> 8 % 1000, 3))ms"
            let peer = "10.244.\(word >> 20 & 7).\(word >> 24 & 255):\(word >> 32 & 65535)"
            return Array("grpc server: cart.CartService/\(call) code=OK duration=\(took) peer=\(peer)".utf8)
        case .json:
            let time = "2026-11-\(Self.padded(word % 30, 2))T10:00:0\(word % 10).5Z"
            let id = Self.uuid(&random)
            let browser = "Mozilla/5.0 (X11; \(word % 5))"
            return Array(
                "{\"time\": \"\(time)\", \"level\": \(word % 60), \"id\": \"\(id)\", \"with\": \"\(browser)\"}".utf8)
        case .ids:
            let product = random.pick(["2ZYFJ3GM2N", "OLJCESPC7Z", "66VCHSJNUP"])
            return Array(
                "called with userId=\(Self.uuid(&random)), productId=\(product) key=\(String(word, radix: 16))".utf8)
        case .errors:
            let reason = random.pick(["i/o timeout", "unexpected EOF", "refused"])
            return Array("\(random.pick(["Get", "Put"])) failed after \(word % 100).\(word % 10)ms: \(reason)".utf8)
        case .mixed: return random.pick(Self.allCases.filter { $0 != .mixed && $0 != .long }).line(&random)
        case .unique: return (0..<(word % 60)).map { _ in 97 + UInt8(random.below(26)) }
        case .zeros: return Array("at 000\(word % 3) of 0 and 0\(word % 100)".utf8)
        case .empty: return []
        case .binary: return random.bytes(random.below(50))
        case .long: return Array("head \(word % 10) ".utf8) + random.bytes(random.below(20_000))
        case .manyNumbers: return Array((0..<random.below(120)).map { "\($0 * 7)" }.joined(separator: ",").utf8)
        case .quoted: return Array("said \"\(word % 4) words \\\" more\" and \"none\" \"\(word % 9)".utf8)
        case .constant: return Array("started".utf8)
        case .widths: return Array("n\(Self.padded(word % 1000, Int(word % 2) + 3))".utf8)
        }
    }

    static func padded(_ value: UInt64, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(width - digits.count, 0)) + digits
    }

    static func uuid(_ random: inout SeededRandom) -> String {
        let digits = Array(String(random.next() | 1 << 63, radix: 16) + String(random.next() | 1 << 63, radix: 16))
        return [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map { String(digits[$0]) }.joined(separator: "-")
    }
}

extension Page {
    init(lines: [[UInt8]]) {
        let lengths = lines.map { UInt32($0.count) }
        let joined = Array(lines.joined())
        self.init { encoder in
            lengths.withUnsafeBufferPointer { lengths in
                joined.withUnsafeBufferPointer { encoder.encode(strings: lengths, bytes: $0, areTexts: true) }
            }
        }
    }

    func templated(_ bytes: [UInt8]? = nil) throws -> TemplatedTexts? {
        let bytes = bytes ?? self.bytes
        return try TemplatedTexts(
            page: bytes, encoding: header.encoding.rawValue, compression: header.compression.rawValue,
            count: header.count, rawLength: bytes.count, byteLimit: 1 << 24)
    }
}

@Suite struct TemplateTests {
    private static let seed = UInt64.random(in: 0 ... .max)

    private func lines(_ shape: LineShape, _ count: Int, _ random: inout SeededRandom) -> [[UInt8]] {
        (0..<count).map { _ in shape.line(&random) }
    }

    @Test(arguments: LineShape.allCases)
    func `decode undoes encode`(shape: LineShape) throws {
        print("seed \(Self.seed)")
        var random = SeededRandom(seed: Self.seed)
        for count in [0, 1, 31, 32, 33, 500, 3000] {
            let lines = lines(shape, shape == .long ? min(count, 500) : count, &random)
            #expect(try Page(lines: lines).strings() == lines)
        }
    }

    @Test(arguments: [LineShape.server, .json, .ids, .errors, .zeros, .constant, .widths])
    func `lines of few statements become templates, and shorter`(shape: LineShape) throws {
        var random = SeededRandom(seed: 1)
        let lines = lines(shape, 2000, &random)
        let page = Page(lines: lines)
        #expect(page.header.encoding == .templates)
        #expect(page.bytes.count < Page(strings: lines).bytes.count * 11 / 10 + 200)
    }

    @Test(arguments: [LineShape.unique, .binary])
    func `texts that have nothing in common stay as they are`(shape: LineShape) throws {
        var random = SeededRandom(seed: 1)
        #expect(try Page(lines: lines(shape, 2000, &random)).templated() == nil)
    }

    @Test func `a template is what the statement writes, and its slots say what stands there`() throws {
        let lines = (0..<100).map {
            Array("took 0\($0 % 10)ms, 1\($0) of v2: id f6dbef28-5195-11ef-b243-dab2dfe86fc2".utf8)
        }
        let texts = try #require(try Page(lines: lines).templated())
        #expect(texts.table.count == 1)
        let constants = (0...4).map {
            String(decoding: texts.table.constants[texts.table.constant($0, 0)], as: UTF8.self)
        }
        #expect(constants == ["took ", "ms, ", " of v", ": id ", ""])
        #expect(texts.table.slots.map(\.kind) == [.padded, .decimal, .decimal, .uuid])
        #expect(texts.table.slots.map(\.shortest) == [2, 2, 1, 36])
        #expect(texts.table.slots.map(\.longest) == [2, 3, 1, 36])
    }

    // MARK: Searching

    /// What is looked for: pieces of lines, with and without something that is not there.
    private func needle(_ lines: [[UInt8]], _ random: inout SeededRandom) -> [UInt8] {
        let line = random.pick(lines)
        guard !line.isEmpty else { return Array("x".utf8) }
        let start = random.below(line.count)
        var piece = Array(line[start..<min(line.count, start + 1 + random.below(random.oneIn(5) ? 90 : 12))])
        if random.oneIn(3) { piece[random.below(piece.count)] = UInt8(truncatingIfNeeded: random.next()) }
        return piece
    }

    private static func contains(_ line: [UInt8], _ needle: [UInt8]) -> Bool {
        guard needle.count <= line.count else { return false }
        return (0...(line.count - needle.count)).contains { Array(line[$0..<($0 + needle.count)]) == needle }
    }

    @Test(arguments: [LineShape.server, .json, .ids, .errors, .zeros, .mixed, .manyNumbers, .widths])
    func `a search keeps the rows that a naive one keeps`(shape: LineShape) throws {
        print("seed \(Self.seed)")
        var random = SeededRandom(seed: Self.seed)
        let lines = lines(shape, 400, &random)
        guard let texts = try Page(lines: lines).templated() else { return }
        for _ in 0..<40 {
            var tests: [TextTest] = []
            var naive: [([UInt8]) -> Bool] = []
            for _ in 0...random.below(2) {
                let needles = (0...random.below(2)).map { _ in needle(lines, &random) }
                let keepsMatches = !random.oneIn(4)
                if random.oneIn(4) {
                    // A test that requires one of the needles, and more.
                    tests.append(
                        TextTest(required: [needles], keepsMatches: keepsMatches) { line in
                            line.count % 2 == 0 && needles.contains { TextMatcher($0).isContained(in: line) }
                        })
                    naive.append { line in
                        (line.count % 2 == 0 && needles.contains { Self.contains(line, $0) }) == keepsMatches
                    }
                } else {
                    tests.append(TextTest(anyOf: needles, keepsMatches: keepsMatches))
                    naive.append { line in needles.contains { Self.contains(line, $0) } == keepsMatches }
                }
            }
            let asked = (0..<UInt32(lines.count)).filter { _ in !random.oneIn(3) }
            var rows = asked
            try texts.keep(&rows, passing: tests)
            let expected = asked.filter { row in naive.allSatisfy { $0(lines[Int(row)]) } }
            #expect(rows == expected)
        }
    }

    @Test(arguments: [LineShape.server, .json, .mixed])
    func `some rows can be put together alone`(shape: LineShape) throws {
        print("seed \(Self.seed)")
        var random = SeededRandom(seed: Self.seed)
        let lines = lines(shape, 400, &random)
        guard let texts = try Page(lines: lines).templated() else { return }
        for _ in 0..<20 {
            let rows = (0..<UInt32(lines.count)).filter { _ in random.oneIn(9) }
            let (lengths, bytes) = try texts.texts(rows)
            #expect(try texts.lengths(rows).array == lengths.array)
            #expect(try texts.lengths().array.map(Int.init) == lines.map(\.count))
            var start = 0
            for row in 0..<lines.count {
                let text = Array(bytes.array[start..<(start + Int(lengths[row]))])
                #expect(text == (rows.contains(UInt32(row)) ? lines[row] : []))
                start += text.count
            }
        }
    }

    @Test func `what slots cannot hold is not looked for in them`() throws {
        let lines = (0..<200).map { Array("order \($0) paid by card 5b8aa5\($0)".utf8) }
        let texts = try #require(try Page(lines: lines).templated())
        func verdict(_ text: String) -> TemplateVerdict { TextMatcher(Array(text.utf8)).verdict(texts.table, 0) }
        #expect(verdict("paid by") == .all)
        #expect(verdict("") == .all)
        #expect(verdict("17") == .some)
        #expect(verdict("r 17 p") == .some)
        #expect(verdict("r 1734 p") == .none, "no number has four digits")
        #expect(verdict("7x") == .none)
        #expect(verdict("card 5b") == .some)
        #expect(verdict("card 5g") == .none)
        #expect(verdict("refused") == .none)
        #expect(verdict("order x") == .none)
    }

    // MARK: Indexes

    @Test func `an index of templates never denies a block that has the text`() throws {
        print("seed \(Self.seed)")
        var random = SeededRandom(seed: Self.seed)
        let shapes: [LineShape] = [.server, .json, .ids, .errors, .unique, .zeros, .mixed]
        let blocks = shapes.map { lines($0, 200, &random) }
        var builder = TemplateIndex.Builder()
        let pages = blocks.map { Page(lines: $0) }
        for page in pages {
            page.bytes.withUnsafeBytes {
                builder.add(
                    page: $0, encoding: page.header.encoding.rawValue, compression: page.header.compression.rawValue,
                    count: page.header.count)
            }
            builder.endBlock()
        }
        let index = try TemplateIndex(decoding: builder.finish(), blockCount: blocks.count)
        for _ in 0..<60 {
            let needles = (0...random.below(2)).map { _ in needle(random.pick(blocks), &random) }
            let found = index.blocks(mayContain: needles.map { TextMatcher($0) })
            for (block, lines) in blocks.enumerated()
            where lines.contains(where: { line in needles.contains { Self.contains(line, $0) } }) {
                #expect(found.contains(block))
            }
        }
        // Only texts without templates, and templates with texts of any letters, may have this.
        let left = Set(index.blocks(mayContain: [TextMatcher(Array("no such words".utf8))]))
        #expect(left.contains(4) && left.isSubset(of: [4, 6]))
        for (block, page) in pages.enumerated() {
            guard let texts = try page.templated() else { continue }
            #expect(index.covers(texts, block: block))
        }
    }

    @Test func `damaged pages and indexes are refused or read, and nothing worse`() throws {
        print("seed \(Self.seed)")
        var random = SeededRandom(seed: Self.seed)
        for shape in [LineShape.server, .json, .ids, .mixed] {
            let page = Page(lines: lines(shape, 200, &random))
            var builder = TemplateIndex.Builder()
            page.bytes.withUnsafeBytes {
                builder.add(page: $0, encoding: page.header.encoding.rawValue, compression: 0, count: page.header.count)
            }
            builder.endBlock()
            let index = builder.finish()
            for _ in 0..<150 {
                var bytes = page.bytes
                for _ in 0...random.below(3) {
                    bytes[random.below(bytes.count)] = UInt8(truncatingIfNeeded: random.next())
                }
                if random.oneIn(5) { bytes.removeLast(random.below(bytes.count)) }
                if let texts = try? page.templated(bytes) {
                    var rows = Array(0..<UInt32(texts.count))
                    _ = try? texts.keep(&rows, passing: [TextTest(anyOf: [Array("10.2".utf8)], keepsMatches: true)])
                    let whole = try? texts.texts()
                    // What has no lengths cannot be put together.
                    if let lengths = try? texts.lengths() {
                        #expect(whole == nil || whole?.lengths.array == lengths.array)
                    } else {
                        #expect(whole == nil)
                    }
                }
                var damaged = index
                damaged[random.below(damaged.count)] = UInt8(truncatingIfNeeded: random.next())
                _ = (try? TemplateIndex(decoding: damaged, blockCount: 1))?.blocks(mayContain: [TextMatcher([0x31])])
            }
        }
    }
}

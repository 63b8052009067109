import Randomness
import Testing

@testable import Indexing

/// Each kind of index against a full scan, and against damage.
@Suite struct TokenIndexTests {
    private static let kinds: [TokenIndex.Kind] = [.blooms, .postings]

    /// An index of blocks of texts: its directory as bytes, and its pages.
    private func build(_ kind: TokenIndex.Kind, _ blocks: [[[UInt8]]]) -> (directory: [UInt8], pages: [UInt8]) {
        var tokenizer = Tokenizer()
        let hashes = HashSet64()
        var stampBuilder = TokenStamps.Builder()
        var stamps: [TokenStamps] = []
        var blooms = TokenBlooms.Builder(falsePositives: 0.01)
        var postings = TokenPostings.Builder()
        for block in blocks {
            for text in block { text.withUnsafeBytes { tokenizer.add($0, to: hashes, &stampBuilder) } }
            hashes.withElements {
                blooms.endBlock($0)
                postings.endBlock($0)
            }
            hashes.removeAll()
            stamps.append(stampBuilder.finish())
        }
        switch kind {
        case .blooms:
            let (directory, pages) = blooms.finish()
            return (TokenIndex(.blooms(directory), stamps: stamps).encoded, pages)
        case .postings:
            let (directory, pages) = postings.finish()
            return (TokenIndex(.postings(directory), stamps: stamps).encoded, pages)
        case .templates: preconditionFailure("no index of tokens")
        }
    }

    private struct Unreadable: Error {}

    private func find(
        _ conditions: [TokenCondition], _ index: TokenIndex, _ pages: [UInt8]
    ) throws -> BlockSet {
        var found = BlockSet.all(of: index.blockCount)
        for condition in conditions {
            var blocks = BlockSet.none(of: index.blockCount)
            try index.find(condition, first: 0, &blocks) { (range) throws(Unreadable) in
                guard range.upperBound <= pages.count else { throw Unreadable() }
                return Array(pages[range])
            }
            found.formIntersection(blocks)
        }
        return found
    }

    private static let pieces = [
        "needle", "Zoë", "größer", "日本語", "10.0.0.1", "deadbeef", "0b9a3c52-7d1e-4f60-9c1d-2f3a4b5c6d7e", "timeout",
        "v1.2.3", "/api/orders/", "35ms", "200", "123456789", "x", "_", "-", ".", " ", "=", "\"", "\u{1}",
    ]

    /// Ids, words, numbers, joiners, separators, and sometimes any bytes.
    private func randomText(_ random: inout SeededRandom, variety: Int) -> [UInt8] {
        var text: [UInt8] = []
        for _ in 0..<Int.random(in: 0...8, using: &random) {
            switch Int.random(in: 0..<6, using: &random) {
            case 0: text += (0..<4).map { _ in UInt8.random(in: 0...255, using: &random) }
            case 1: text += String(Int.random(in: 0..<variety, using: &random), radix: 16).utf8
            default: text += (Self.pieces.randomElement(using: &random) ?? "").utf8
            }
            if Bool.random(using: &random) { text += " ".utf8 }
        }
        return text
    }

    private func contains(_ text: [UInt8], _ needle: [UInt8]) -> Bool {
        guard needle.count <= text.count else { return false }
        return (0...(text.count - needle.count)).contains { text[$0..<($0 + needle.count)].elementsEqual(needle) }
    }

    private func lowered(_ text: [UInt8]) -> [UInt8] { text.map { (0x41...0x5A).contains($0) ? $0 + 0x20 : $0 } }

    @Test(arguments: kinds, [1, 3, 70])
    func `no block that has the text is left out`(kind: TokenIndex.Kind, blockCount: Int) throws {
        let seed = UInt64.random(in: 0 ... .max)
        print("seed \(seed)")
        var random = SeededRandom(seed: seed)
        for round in 0..<20 {
            let blocks = (0..<blockCount).map { _ in
                (0..<Int.random(in: 0...6, using: &random)).map { _ in
                    randomText(&random, variety: round % 2 == 0 ? 1000 : 1 << 40)
                }
            }
            let (directory, pages) = build(kind, blocks)
            let index = try TokenIndex(decoding: directory, kind: kind, blockCount: blockCount)
            #expect(index.byteCount == pages.count)
            for _ in 0..<40 {
                let text = blocks.randomElement(using: &random)?.randomElement(using: &random) ?? []
                let low = Int.random(in: 0...text.count, using: &random)
                var needle = Array(text[low..<Int.random(in: low...text.count, using: &random)])
                let ignoresCase = Bool.random(using: &random)
                if ignoresCase { needle = needle.map { (0x61...0x7A).contains($0) ? $0 - 0x20 : $0 } }
                var tokenizer = Tokenizer()
                let found = try find(
                    needle.withUnsafeBytes { tokenizer.conditions(containing: $0) }, index, pages)
                for (block, texts) in blocks.enumerated() where !found.contains(block) {
                    let hit = texts.first {
                        contains($0, needle) || (ignoresCase && contains(lowered($0), lowered(needle)))
                    }
                    #expect(hit == nil, "seed \(seed): '\(String(decoding: needle, as: UTF8.self))'")
                }
            }
        }
    }

    @Test(arguments: kinds) func `a word that is in one block alone leaves that block`(kind: TokenIndex.Kind) throws {
        var blocks = (0..<200).map { block in (0..<20).map { Array("GET /orders/\(block)/\($0) took 12ms ok".utf8) } }
        blocks[77].append(Array("payment returned code needleqzv7f3a91 for order".utf8))
        let (directory, pages) = build(kind, blocks)
        let index = try TokenIndex(decoding: directory, kind: kind, blockCount: blocks.count)
        var tokenizer = Tokenizer()
        let rare = try find(tokenizer.conditions(containing: "needleqzv7f3a91"), index, pages)
        #expect(rare.contains(77) && rare.count <= 8)
        let absent = try find(tokenizer.conditions(containing: "needlezz0absent"), index, pages)
        #expect(absent.count <= 8)
        let everywhere = try find(tokenizer.conditions(containing: " took "), index, pages)
        #expect(everywhere.count == 200)
    }

    @Test(arguments: [1, 2, 31, 33, 64, 65, 300, 4096])
    func `lists, bitmaps and single blocks come back`(blockCount: Int) throws {
        let seed = UInt64.random(in: 0 ... .max)
        print("seed \(seed)")
        var random = SeededRandom(seed: seed)
        var expected: [UInt64: Set<Int>] = [:]
        var hashes = [[UInt64]](repeating: [], count: blockCount)
        for token in 0..<500 {
            let hash = random.next()
            let share = [1, 1, 1, 2, 3, blockCount / 10, blockCount / 2, blockCount][token % 8]
            let blocks = Set((0..<max(1, share)).map { _ in Int.random(in: 0..<blockCount, using: &random) })
            expected[hash] = token % 8 == 7 ? Set(0..<blockCount) : blocks
            for block in expected[hash] ?? [] { hashes[block].append(hash) }
        }
        var builder = TokenPostings.Builder()
        for block in hashes { block.withUnsafeBufferPointer { builder.endBlock($0) } }
        let (directory, pages) = builder.finish()
        let index = TokenIndex(.postings(directory), stamps: [])
        let read = try TokenIndex(decoding: index.encoded, kind: .postings, blockCount: blockCount)
        #expect(read == index)
        var extra = 0
        for (hash, blocks) in expected {
            let found = try find([TokenCondition(whole: hash)], read, pages)
            #expect(blocks.allSatisfy(found.contains))
            // Nearly everywhere is everywhere.
            if blocks.count * 8 <= blockCount * 7, found.count > blocks.count { extra += 1 }
        }
        #expect(extra <= 10)
        var hits = 0
        for _ in 0..<10_000 where !(try find([TokenCondition(whole: random.next())], read, pages)).isEmpty { hits += 1 }
        #expect(hits < 60)
    }

    @Test(arguments: kinds) func `damaged pages and directories are refused, and never trap`(
        kind: TokenIndex.Kind
    ) throws {
        let blocks = (0..<40).map { block in (0..<50).map { Array("id \(block * 7919 + $0 * 104_729) word\($0)".utf8) }
        }
        let (directory, pages) = build(kind, blocks)
        var tokenizer = Tokenizer()
        let conditions = tokenizer.conditions(containing: " word7 ")
        let seed = UInt64.random(in: 0 ... .max)
        print("seed \(seed)")
        var random = SeededRandom(seed: seed)
        let whole = try TokenIndex(decoding: directory, kind: kind, blockCount: blocks.count)
        for _ in 0..<300 {
            var damaged = pages
            damaged[Int.random(in: 0..<pages.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            if let found = try? find(conditions, whole, damaged) { #expect(found.count == 40) }
            var bytes = directory
            bytes[Int.random(in: 0..<bytes.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            guard let index = try? TokenIndex(decoding: bytes, kind: kind, blockCount: blocks.count) else { continue }
            _ = try? find(conditions, index, pages)
        }
        for end in 0..<min(directory.count, 200) {
            #expect(throws: IndexingError.corrupt) {
                try TokenIndex(decoding: Array(directory[..<end]), kind: kind, blockCount: blocks.count)
            }
        }
    }

    @Test func `the hash zero and many hashes are kept`() {
        var random = SeededRandom(seed: 5)
        let set = HashSet64()
        let hashes = [0] + (0..<20_000).map { _ in random.next() }
        for hash in hashes + hashes { set.insert(hash) }
        #expect(set.count == hashes.count)
        set.withElements { #expect(Set($0) == Set(hashes)) }
        set.removeAll()
        #expect(set.count == 0)
    }
}

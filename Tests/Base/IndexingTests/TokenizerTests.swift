import Core
import Testing

@testable import Indexing

@Suite struct TokenizerTests {
    @Test(arguments: [
        ("", []),
        ("  .-/ ", []),
        ("Hello World", ["hello", "world"]),
        ("user_id=42", ["user_id", "42"]),
        ("from 10.0.0.1:8080.", ["from", "10", "0", "0", "1", "8080", "10.0.0.1:8080"]),
        ("GET /api/v1/users?x=1", ["get", "api", "v1", "users", "x", "1", "api/v1/users"]),
        ("a.b.c", ["a", "b", "c"]),
        ("--v1.2.3--", ["v1", "2", "3", "v1.2.3"]),
        ("Straße größer", ["straße", "größer"]),
        ("x7", ["x7"]),
    ])
    func `tokens are words and compounds with a digit`(text: String, tokens: [String]) {
        var tokenizer = Tokenizer()
        let expected = Set(tokens.map { XXH3.hash($0) })
        #expect(Set(tokenizer.hashes(ofWhole: text)) == expected)
    }

    @Test(arguments: [
        ("timeout", []),
        (" timeout ", ["timeout"]),
        ("connection timeout now", ["timeout"]),
        ("10.20.30.40", ["20", "30"]),
        ("[10.20.30.40]", ["10", "20", "30", "40", "10.20.30.40"]),
        ("id=10.20", ["10"]),
    ])
    func `a part asks only for tokens that end inside it`(needle: String, tokens: [String]) {
        var tokenizer = Tokenizer()
        #expect(Set(tokenizer.hashes(ofPart: needle)) == Set(tokens.map { XXH3.hash($0) }))
    }

    @Test(arguments: [
        "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "0b9a3c52-7d1e-4f60-9c1d-2f3a4b5c6d7e",
        "checkout-7d9f8b6c5d-x2x9z",
    ])
    func `a whole id is found without knowing what stands around it`(id: String) {
        var tokenizer = Tokenizer()
        let needed = tokenizer.hashes(ofPart: id)
        var plain = Tokenizer(fragments: false)
        #expect(needed.count > plain.hashes(ofPart: id).count)
        let text = Set(tokenizer.hashes(ofWhole: "prefix\(id.uppercased())ef01 tail"))
        #expect(needed.allSatisfy(text.contains))
        let other = Set(tokenizer.hashes(ofWhole: "a5d1e3c9b8f70246135790bdface8642"))
        #expect(!needed.allSatisfy(other.contains))
    }

    @Test func `a fragment's hash is the one that docs/FORMAT.md defines`() {
        // Worked out from its text alone: of the nine eights in the id, the one at 4 has the least order.
        var tokenizer = Tokenizer()
        #expect(tokenizer.hashes(ofPart: "00f067aa0ba902b7") == [0xAD6D_A4AC_45E1_C2EF])
    }

    @Test(arguments: [true, false])
    func `no part of a text asks for a token that the text lacks`(fragments: Bool) {
        let seed = UInt64.random(in: 0 ... .max)
        print("seed \(seed)")
        var random = SeededGenerator(seed: seed)
        var tokenizer = Tokenizer(fragments: fragments)
        for round in 0..<3000 {
            let text = randomText(&random, round)
            let tokens = Set(text.withUnsafeBytes { tokenizer.hashes(ofWhole: $0) })
            let low = Int.random(in: 0...text.count, using: &random)
            let high = Int.random(in: low...text.count, using: &random)
            var part = Array(text[low..<high])
            if round % 3 == 0 { part = part.map { 0x61...0x7A ~= $0 ? $0 - 0x20 : $0 } }
            let needed = part.withUnsafeBytes { tokenizer.hashes(ofPart: $0) }
            #expect(needed.allSatisfy(tokens.contains), "\(String(decoding: part, as: UTF8.self))")
        }
    }

    /// Bytes that are mostly ids, joiners and separators, sometimes anything.
    private func randomText(_ random: inout SeededGenerator, _ round: Int) -> [UInt8] {
        let alphabet = Array((round % 2 == 0 ? "0123456789abcdef0123456789abcdef-" : "ab19XZ_.:/- =[é\u{1}").utf8)
        return (0..<Int.random(in: 0...120, using: &random)).map { _ in
            round % 7 == 0 ? UInt8.random(in: 0...255, using: &random) : alphabet.randomElement(using: &random) ?? 0
        }
    }

    @Test func `a block's filter says maybe wherever a full scan finds the part`() throws {
        let seed = UInt64.random(in: 0 ... .max)
        print("seed \(seed)")
        var random = SeededGenerator(seed: seed)
        let rows = (0..<400).map { randomText(&random, $0) }
        var builder = TokenBloomBuilder()
        for row in rows { row.withUnsafeBytes { builder.add($0) } }
        let built = builder.build(falsePositives: 0.01)
        let filter = try #require(built)
        var tokenizer = Tokenizer()
        for row in rows where row.count > 4 {
            let low = Int.random(in: 0..<(row.count / 2), using: &random)
            let part = Array(row[low...])
            let needed = part.withUnsafeBytes { tokenizer.hashes(ofPart: $0) }
            #expect(needed.allSatisfy(filter.mayContain))
        }
        let left = builder.tokenCount
        #expect(left == 0)
        let none = builder.build(falsePositives: 0.01)
        #expect(none == nil)
    }

    @Test func `the filter holds every hash however many, and the hash zero`() throws {
        var random = SeededGenerator(seed: 5)
        var builder = TokenBloomBuilder()
        let hashes = [0] + (0..<20_000).map { _ in random.next() }
        for hash in hashes + hashes { builder.add(hash: hash) }
        let count = builder.tokenCount
        #expect(count == hashes.count)
        let built = builder.build(falsePositives: 0.01)
        let filter = try #require(built)
        #expect(hashes.allSatisfy(filter.mayContain))
    }
}

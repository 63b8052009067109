import Core
import Testing

@testable import Indexing

@Suite struct TokenizerTests {
    private func hashes(_ text: String) -> Set<UInt64> {
        var tokenizer = Tokenizer()
        let set = HashSet64()
        var stamps = TokenStamps.Builder()
        var text = text
        text.withUTF8 { tokenizer.add(UnsafeRawBufferPointer($0), to: set, &stamps) }
        var found: Set<UInt64> = []
        set.withElements { found = Set($0) }
        return found
    }

    @Test(arguments: [
        ("", []),
        ("  .-/ ", []),
        ("Hello World", ["hello", "world"]),
        ("user_id=1234567", ["user_id", "1234567"]),
        ("status=200 took 35ms 0.451 12.5s", ["status", "took"]),
        ("from 10.0.0.1:8080.", ["from", "10.0.0.1"]),
        ("GET /api/v1/users?x=1", ["get", "api", "v1", "users", "x", "api/v1/users"]),
        ("a.b.c", ["a", "b", "c"]),
        ("--v1.2.3--", ["v1", "v1.2.3"]),
        ("Straße größer", ["straße", "größer"]),
        ("x7", ["x7"]),
        ("deadbeef01", ["deadbeef01"]),
        ("id-deadbeef01", ["id", "id-deadbeef01"]),
        ("0B9A3C52-7D1E-4F60-9C1D-2F3A4B5C6D7E", ["0b9a3c52-7d1e-4f60-9c1d-2f3a4b5c6d7e"]),
        (
            "/a/4bf92f3577b34da6a3ce929d0e0e4736",
            [
                "a", "4bf92f3577b34da6a3ce929d0e0e4736", "a/4bf92f3577b34da6a3ce929d0e0e4736",
            ]
        ),
        ("2026-11-20T09:23:14.114274557Z", ["20t09", "2026-11-20t09"]),
    ])
    func `tokens are words and compounds, but for numbers and parts of ids`(text: String, tokens: [String]) {
        #expect(hashes(text) == Set(tokens.map { XXH3.hash($0) }))
    }

    @Test(arguments: [
        ("timeout", [], ["timeout"]),
        (" timeout ", ["timeout"], []),
        ("connection timeout now", ["timeout"], ["connection", "now"]),
        ("10.20.30.40", [], ["10.20.30.40"]),
        ("[10.20.30.40]", ["10.20.30.40"], []),
        ("-10.20.30.40]", [], ["10.20.30.40"]),
        ("[deadbeef01]", ["deadbeef01"], []),
        ("deadbeef01", [], ["deadbeef01"]),
        // It may be part of a compound, which stands for it.
        ("a-deadbeef01 ", [], ["a", "a-deadbeef01"]),
        (" 200 ", [], []),
    ])
    func `a needle's tokens are known whole if both ends lie inside it`(
        needle: String, whole: [String], pieces: [String]
    ) {
        var tokenizer = Tokenizer()
        let conditions = tokenizer.conditions(containing: needle)
        #expect(Set(conditions.filter { $0.piece == nil }.map(\.hash)) == Set(whole.map { XXH3.hash($0) }))
        #expect(Set(conditions.filter { $0.piece != nil }.map(\.hash)) == Set(pieces.map { XXH3.hash($0) }))
    }

    @Test func `a piece can only lie in what is longer and has its classes of bytes`() throws {
        var tokenizer = Tokenizer()
        let piece = try #require(tokenizer.conditions(containing: "needleqzv7f3a91").first?.piece)
        func stamps(_ text: String) -> TokenStamps {
            var builder = TokenStamps.Builder()
            var text = text
            let set = HashSet64()
            text.withUTF8 { tokenizer.add(UnsafeRawBufferPointer($0), to: set, &builder) }
            return builder.finish()
        }
        #expect(!stamps("needleqzv7f3a91 and words, 12345678901234567890").mayContain(piece))
        #expect(stamps("needleqzv7f3a912").mayContain(piece))
        #expect(stamps(String(repeating: "needle7a", count: 10_000)).mayContain(piece))
    }
}

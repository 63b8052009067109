import Foundation
import JSON
import Randomness
import Testing

/// What is accepted, what is refused and where, and that random texts never trap.
struct JSONReaderTests {
    @Test(
        arguments: [
            ("null", .null), (" true ", .bool(true)), ("false", .bool(false)), ("0", .int(0)), ("-0", .double(-0.0)),
            ("-12", .int(-12)), ("9223372036854775807", .int(.max)), ("-9223372036854775808", .int(.min)),
            ("9223372036854775808", .uint(9_223_372_036_854_775_808)), ("18446744073709551615", .uint(.max)),
            ("18446744073709551616", .number("18446744073709551616")),
            ("-9223372036854775809", .number("-9223372036854775809")),
            ("1.0", .double(1)), ("1e3", .double(1000)), ("-1.5E-2", .double(-0.015)), ("1e400", .number("1e400")),
            ("\"\"", .string("")), (#""\"\\\/\b\f\n\r\tA""#, .string("\"\\/\u{8}\u{C}\n\r\tA")),
            (#""\u0041\u00e9\u20ac\ud83d\ude00""#, .string("Aé€😀")), (#""\ud83d""#, .string("\u{FFFD}")),
            (#""\ud83dx\u0041""#, .string("\u{FFFD}xA")), (#""\ude00\ud83d\u0041""#, .string("\u{FFFD}\u{FFFD}A")),
            ("[]", .array([])), ("[1 , [2]]", .array([.int(1), .array([.int(2)])])), ("{}", .object([])),
            (#"{"a":{"b":null},"a":2}"#, .object([("a", .object([("b", .null)])), ("a", .int(2))])),
            ("\t\r\n[\n]\n", .array([])),
        ] as [(String, JSONValue)])
    func `values are read`(text: String, expected: JSONValue) throws {
        #expect(try JSONValue.parse(Array(text.utf8)) == expected)
    }

    @Test(
        arguments: [
            ("", .unexpectedEnd, 0), ("  ", .unexpectedEnd, 2), ("nul", .unexpectedEnd, 3),
            ("nulx", .unexpectedByte(0x78), 3),
            ("01", .invalidNumber, 0), ("-", .unexpectedEnd, 1), ("1.", .unexpectedEnd, 2),
            (".5", .unexpectedByte(0x2E), 0),
            ("1e", .unexpectedEnd, 2), ("1.x", .invalidNumber, 2), ("+1", .unexpectedByte(0x2B), 0),
            ("1 2", .textAfterValue, 2), ("[1,]", .unexpectedByte(0x5D), 3), ("[1 2]", .unexpectedByte(0x32), 3),
            ("[", .unexpectedEnd, 1), ("[1}", .unexpectedByte(0x7D), 2), ("{\"a\"}", .unexpectedByte(0x7D), 4),
            ("{\"a\":1,}", .unexpectedByte(0x7D), 7), ("{a:1}", .unexpectedByte(0x61), 1), ("\"a", .unexpectedEnd, 2),
            ("\"a\nb\"", .controlCharacter, 2), ("\"\\x\"", .invalidEscape, 1), ("\"\\u12g4\"", .invalidEscape, 1),
            ("\"\\", .unexpectedEnd, 2), ("NaN", .unexpectedByte(0x4E), 0), ("]", .unexpectedByte(0x5D), 0),
            ("{]", .unexpectedByte(0x5D), 1), ("[}", .unexpectedByte(0x7D), 1),
        ] as [(String, JSONError.Reason, Int)])
    func `what is not JSON is refused with its place`(text: String, reason: JSONError.Reason, offset: Int) {
        #expect(throws: JSONError(reason, at: offset)) { try JSONValue.parse(Array(text.utf8)) }
    }

    @Test func `nesting ends at the limit`() throws {
        func nested(_ depth: Int) -> [UInt8] {
            Array((String(repeating: "[", count: depth) + String(repeating: "]", count: depth)).utf8)
        }
        _ = try JSONValue.parse(nested(128))
        #expect(throws: JSONError(.tooDeep(limit: 128), at: 128)) { try JSONValue.parse(nested(129)) }
        #expect(throws: JSONError(.tooDeep(limit: 3), at: 3)) {
            try JSONValue.parse(nested(1_000_000), maximumDepth: 3)
        }
    }

    @Test func `a reader that is asked to tells objects from arrays 512 levels deep`() throws {
        var random = SystemRandomNumberGenerator()
        let kinds = (0..<512).map { _ in Bool.random(using: &random) }
        let opening = kinds.map { $0 ? #"{"k":"# : "[" }.joined()
        let closing = kinds.reversed().map { $0 ? "}" : "]" }.joined()
        let text = "\(opening)[]\(closing)"
        #expect(throws: JSONError.self, "\(text)") { try JSONValue.parse(Array(text.utf8), maximumDepth: 1_000) }
        var writer = JSONWriter()
        writer.value(try JSONValue.parse(Array("\(opening)1\(closing)".utf8), maximumDepth: 512))
        #expect(writer.text == "\(opening)1\(closing)")
    }

    @Test func `numbers keep their text when it is asked for`() throws {
        let value = try JSONValue.parse(Array("[1.0,1e3,007.5]".utf8.prefix(8)) + Array("]".utf8), numbers: .text)
        #expect(value == .array([.number("1.0"), .number("1e3")]))
    }

    @Test func `a value can be skipped whole`() throws {
        let text = Array(#"{"a":[1,{"b":[]}],"c":7}"#.utf8)
        try text.withUnsafeBytes { bytes in
            var reader = JSONReader(bytes)
            var seen: [String] = []
            _ = try reader.next()
            while case .key(let key) = try reader.next() {
                seen.append(reader.string(key))
                try reader.skip(try reader.next())
            }
            #expect(seen == ["a", "c"])
            #expect(try reader.next() == .end)
        }
    }

    @Test func `bytes that are not UTF-8 are repaired`() throws {
        #expect(try JSONValue.parse([0x22, 0x61, 0xFF, 0x22]) == .string("a\u{FFFD}"))
    }

    @Test func `random texts never trap, and Foundation agrees on the valid ones`() throws {
        var random = SeededRandom(seed: 3)
        // No exponent: Foundation refuses what exceeds the doubles, which here is a `.number`.
        let pieces = [
            "{", "}", "[", "]", ",", ":", "\"a\"", "\"\\u00e9\"", "1", "-2.5", "true", "null", " ", "\"", "\\", "0",
            "x",
        ]
        for _ in 0..<50_000 {
            let text = (0..<Int.random(in: 1...9, using: &random)).map { _ in pieces.randomElement(using: &random)! }
                .joined()
            let ours = try? JSONValue.parse(Array(text.utf8))
            let theirs = try? JSONSerialization.jsonObject(with: Data(text.utf8), options: .fragmentsAllowed)
            #expect((ours != nil) == (theirs != nil), "\(text)")
        }
    }

    @Test func `writing undoes reading`() throws {
        let text = #"{"a":[1,-2.5,"x\n",null,true,18446744073709551615],"b":{},"c":123456789012345678901234}"#
        var writer = JSONWriter()
        writer.value(try JSONValue.parse(Array(text.utf8)))
        #expect(writer.text == text)
    }
}

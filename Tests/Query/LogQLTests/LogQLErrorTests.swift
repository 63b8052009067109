import Randomness
import Testing

@testable import LogQL

/// Rule L-9 and §5: what is refused, where, and with which words.
struct LogQLErrorTests {
    private static func message(_ text: String) -> String? {
        do {
            _ = try LogQLParser.query(text)
            return nil
        } catch {
            return error.message
        }
    }

    private static let syntaxErrors: [(String, String)] = [
        ("", "parse error at line 1, col 1: syntax error: unexpected $end"),
        ("{", "parse error at line 1, col 2: syntax error: unexpected $end, expecting IDENTIFIER or }"),
        ("{app}", "parse error at line 1, col 5: syntax error: unexpected }, expecting = or != or =~ or !~"),
        ("{app=b}", "parse error at line 1, col 6: syntax error: unexpected IDENTIFIER, expecting STRING"),
        (#"{app="b""#, "parse error at line 1, col 9: syntax error: unexpected $end, expecting } or ,"),
        (#"{app="b"} }"#, "parse error at line 1, col 11: syntax error: unexpected }"),
        (#"{app="b"} |="#, "parse error at line 1, col 13: syntax error: unexpected $end, expecting STRING"),
        ("{app=\"b\"}\n  |= x", "parse error at line 2, col 6: syntax error: unexpected IDENTIFIER, expecting STRING"),
        ("{ä=\"b\"}", "parse error at line 1, col 2: syntax error: unexpected character 'ä'"),
        (#"{app="ä"} x"#, "parse error at line 1, col 11: syntax error: unexpected IDENTIFIER"),
        (#"{app="b"#, "parse error at line 1, col 6: literal not terminated"),
        ("{app=`b", "parse error at line 1, col 6: literal not terminated"),
        (#"{app="\d"}"#, "parse error at line 1, col 6: invalid char escape"),
        (#"rate({app="b"}[5m)"#, "parse error at line 1, col 15: missing closing ']' in duration"),
        (#"rate({app="b"}[5k])"#, #"parse error at line 1, col 15: not a valid duration string: "5k""#),
        (#"rate({app="b"}[0s])"#, "parse error at line 1, col 15: duration must be greater than 0"),
        (#"rate({app="b"})"#, "parse error at line 1, col 15: syntax error: unexpected ), expecting RANGE"),
        (#"sum({app="b"})"#, "parse error at line 1, col 14: syntax error: unexpected ), expecting RANGE"),
        (#"rate({app="b"}[5m][1m])"#, "parse error at line 1, col 19: syntax error: unexpected RANGE"),
        (#"{app="b"} | unwrap x"#, "parse error at line 1, col 11: syntax error: unexpected |"),
        (#"foo({app="b"})"#, "parse error at line 1, col 1: syntax error: unexpected IDENTIFIER"),
        (
            #"{app="b"} | a >"#,
            "parse error at line 1, col 16: syntax error: unexpected $end, expecting NUMBER or DURATION or BYTES"
        ),
        (#"sum by (a ({app="b"}[5m])"#, "parse error at line 1, col 11: syntax error: unexpected (, expecting ) or ,"),
        ("vector(1) atan2 vector(1)", "parse error at line 1, col 11: syntax error: unexpected IDENTIFIER"),
    ]

    @Test(arguments: syntaxErrors)
    func `a syntax error names the place and the token`(text: String, expected: String) {
        #expect(Self.message(text) == expected)
    }

    private static let everything =
        "parse error : queries require at least one regexp or equality matcher that does not have an empty-compatible value. "
        + #"For instance, app=~".*" does not meet this requirement, but app=~".+" will"#

    private static let semanticErrors: [(String, String)] = [
        ("{}", everything), (#"{a=~".*"}"#, everything), (#"{a!="b"}"#, everything), (#"{a=""}"#, everything),
        (#"sum(rate({a=~"b*"}[1m]))"#, everything),
        (#"count_over_time({a="b"}[1m]) by (x)"#, "parse error : grouping not allowed for count_over_time aggregation"),
        (
            #"sum_over_time({a="b"} | unwrap x [1m]) by (x)"#,
            "parse error : grouping not allowed for sum_over_time aggregation"
        ),
        (#"count_over_time({a="b"} | unwrap x [1m])"#, "parse error : invalid aggregation count_over_time with unwrap"),
        (#"avg_over_time({a="b"}[1m])"#, "parse error : invalid aggregation avg_over_time without unwrap"),
        (#"topk(rate({a="b"}[1m]))"#, "parse error : parameter required for operation topk"),
        (#"topk(0, rate({a="b"}[1m]))"#, "parse error : invalid parameter (must be greater than 0) topk(0"),
        (
            #"quantile_over_time({a="b"} | unwrap x [1m])"#,
            "parse error : parameter required for operation quantile_over_time"
        ),
        (
            #"{a="b"} | regexp "x""#,
            #"parse error : stage '| regexp "x"' : at least one named capture must be supplied"#
        ),
        (
            #"{a="b"} | pattern "<a><b>""#,
            #"parse error : stage '| pattern "<a><b>"' : found consecutive capture '<b>': invalid expression"#
        ),
        (#"{a="b"} |> "<a>""#, "parse error : named captures are not allowed: invalid expression"),
        (
            #"{a="b"} | label_format x=y, x=z"#,
            "parse error : multiple label name 'x' not allowed in a single format operation"
        ),
        (#"{a="b"} |= ip("nonsense")"#, #"parse error : ip: invalid pattern: "nonsense""#),
        (
            #"{a="b"} | line_format "{{.x""#,
            #"parse error : stage '| line_format "{{.x"' : invalid template: unclosed action"#
        ),
        (
            #"{a="b"} + 1"#,
            "parse error : unexpected type for left leg of binary operation (+): log selector"
        ),
        (
            "vector(1) or 1",
            "parse error : unexpected literal for right leg of logical/set binary operation (or): 1"
        ),
    ]

    @Test(arguments: semanticErrors)
    func `a text that means nothing is refused with the reason`(text: String, expected: String) {
        #expect(Self.message(text) == expected)
    }

    @Test func `a bad regular expression is refused when it is read`() {
        for query in [#"{a=~"("}"#, #"{a="b"} |~ "(""#, #"{a="b"} | x=~"(""#] {
            #expect(Self.message(query)?.hasPrefix("parse error : error parsing regexp: missing closing )") == true)
        }
    }

    @Test func `depth and size are bounded`() {
        let deep = String(repeating: "(", count: 10_000) + "1" + String(repeating: ")", count: 10_000)
        #expect(Self.message(deep)?.contains("nested deeper than 64 levels") == true)
        let filters = #"{a="b"} | "# + String(repeating: "(", count: 10_000) + "x=`1`"
        #expect(Self.message(filters)?.contains("nested deeper than 64 levels") == true)
        let powers = String(repeating: "vector(1)^", count: 5_000) + "vector(1)"
        #expect(Self.message(powers) != nil)
        let long = #"{a="b"} |= ""# + String(repeating: "x", count: 140_000) + "\""
        #expect(Self.message(long) == "parse error : input size too long (140013 > 131072)")
        let wide = (0..<300).map { _ in "vector(1)" }.joined(separator: "+")
        #expect(Self.message(wide) == "parse error : query holds more than 256 operations")
        let sums = (0..<5_000).map(String.init).joined(separator: "+")
        #expect(Self.message(sums) == nil)
    }

    @Test func `no damage to a query makes the parser trap`() {
        let seed: UInt64 = 20_261_121
        var random = SeededRandom(seed: seed)
        let queries = ParserTests.valid.map { Array($0.utf8) }
        for _ in 0..<4_000 {
            var bytes = queries.randomElement(using: &random) ?? []
            for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes.remove(at: place)
                case 1: bytes[place] = UInt8.random(in: 0...255, using: &random)
                default: bytes.insert(contentsOf: bytes[place...].prefix(9), at: place)
                }
            }
            let text = String(decoding: bytes, as: UTF8.self)
            _ = Self.message(text)
        }
    }

    @Test(arguments: [
        (#"{a="b"} |= "x""#, "only label matchers are supported"),
        ("rate({a=`b`}[1m])", "only label matchers are supported"),
    ])
    func `a selector alone may not have a pipeline`(text: String, expected: String) {
        #expect(throws: LogQLError.onlyMatchers) { try LogQLParser.matchers(text) }
        #expect(LogQLError.onlyMatchers.message == expected)
    }

    @Test func `an empty selector is everything where that is allowed`() throws {
        #expect(try LogQLParser.matchers("").isEmpty)
        #expect(try LogQLParser.matchers("{}").isEmpty)
        #expect(try LogQLParser.logSelector("{}", allowsEverything: true).matchers.isEmpty)
    }
}

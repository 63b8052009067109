import Pattern
import Testing

/// What matches, what is captured, and what is refused. Anchoring is rule P-3's matcher semantics.
struct PatternTests {
    @Test(arguments: [
        ("a|b", "a", true), ("a|b", "b", true), ("a|b", "ab", false), ("a|b", "", false),
        ("a|ab", "ab", true), ("a.c", "a\nc", true), ("", "", true), ("", "x", false),
        ("(?i)abc", "ABC", true), (".*", "", true), (".+", "", false), ("a*", "aaab", false),
        ("grün|blau", "grün", true), ("^a$", "a", true), ("web-(1|2)", "web-2", true),
        ("web-(1|2)", "web-3", false), ("1\\.5", "1.5", true), ("1\\.5", "1x5", false), ("(a|)b", "b", true),
    ])
    func `an anchored pattern matches whole texts`(source: String, text: String, expected: Bool) throws {
        let pattern = try Pattern(anchored: source)
        #expect(pattern.matches(text) == expected)
        #expect((pattern.firstMatch(in: text) != nil) == expected)
    }

    @Test(arguments: [
        ("b", "abc", true), ("a.c", "a\nc", false), ("^b", "ab", false), ("x|b", "abc", true), ("", "", true),
    ])
    func `an unanchored pattern matches anywhere`(source: String, text: String, expected: Bool) throws {
        #expect(try Pattern(unanchored: source).matches(text) == expected)
    }

    @Test(
        arguments: [
            ("abc", ["abc"]), ("b|a|b", ["a", "b"]), ("(?:a|b)-(1|2)", ["a-1", "a-2", "b-1", "b-2"]),
            ("a\\.b", ["a.b"]), ("", [""]), ("a|", ["", "a"]), ("ü|ä", ["ä", "ü"]), ("(a)", ["a"]),
            ("a.b", nil), ("a?", nil), ("[ab]", nil), ("a{2}", nil), ("\\d", nil), ("^a", nil), ("(?i)a", nil),
            ("(?P<n>a)", nil), ("a\\n", nil),
        ] as [(String, [String]?)])
    func `an expression without operators is a choice among texts`(source: String, expected: [String]?) throws {
        #expect(try Pattern(anchored: source).literals == expected)
    }

    @Test func `a product of choices beyond the limit is left to the engine`() throws {
        let source = String(repeating: "(?:a|b)", count: 20)
        let pattern = try Pattern(anchored: source)
        #expect(pattern.literals == nil)
        #expect(pattern.matches("abababababababababab"))
    }

    @Test func `thousands of alternatives are looked up`() throws {
        let names = (0..<9_000).map { "service-\($0)" }
        let pattern = try Pattern(anchored: names.joined(separator: "|"))
        #expect(pattern.literals?.count == 9_000)
        #expect(names.allSatisfy(pattern.matches))
        #expect(!pattern.matches("service-9000") && !pattern.matches("service-") && !pattern.matches(""))
    }

    @Test(arguments: [
        ("(", "error parsing regexp: missing closing ): `(`"),
        ("a)(b", "error parsing regexp: unexpected ): `a)(b`"),
        ("[a", "error parsing regexp: missing closing ]: `[a`"),
        ("*", "error parsing regexp: missing argument to repetition operator: `*`"),
        ("a**", "error parsing regexp: invalid nested repetition operator: `**`"),
        ("\\", "error parsing regexp: trailing backslash at end of expression"),
        ("(?<=a)", "error parsing regexp: invalid or unsupported Perl syntax: `(?<`"),
        ("a{2000}", "error parsing regexp: invalid repeat count: `{2000}`"),
        ("(?P<n-1>a)", "error parsing regexp: invalid named capture: `(?P<n-1>`"),
    ])
    func `what does not compile says why`(source: String, message: String) {
        #expect(throws: PatternError.self) { try Pattern(anchored: source) }
        do { _ = try Pattern(unanchored: source) } catch { #expect(error.message == message) }
    }

    @Test func `an expression that needs too much memory is refused`() {
        #expect(throws: PatternError.self) { try Pattern(anchored: "((a{100}){100}){100}") }
        #expect(throws: PatternError.self) {
            try Pattern(anchored: String(repeating: "(", count: 100_000) + "a" + String(repeating: ")", count: 100_000))
        }
    }

    @Test func `groups are found by their UTF-8 offsets`() throws {
        let pattern = try Pattern(unanchored: "(?P<method>[A-Z]+) (\\S+)( extra)?()")
        #expect(pattern.groupCount == 4)
        #expect(pattern.groupNames == [nil, "method", nil, nil, nil])
        #expect(pattern.firstMatch(in: "ü: GET /a b") == [4..<10, 4..<7, 8..<10, nil, 10..<10])
        #expect(pattern.firstMatch(in: "nothing") == nil)
        #expect(try Pattern(anchored: "()").firstMatch(in: "") == [0..<0, 0..<0])
    }

    @Test(arguments: [
        ("(.*)-(.*)", "a-b", "$2/$1", "b/a"), ("(?P<x>.*)", "v", "<${x}>", "<v>"), ("(.*)", "v", "$1x", ""),
        ("(.*)", "v", "${1}x", "vx"), ("(.*)", "v", "$$1", "$1"), ("(.*)", "v", "$9", ""), ("(.*)", "v", "$", "$"),
        ("(.*)", "v", "${1", "${1"), ("(a)|(b)", "b", "[$1][$2]", "[][b]"),
    ])
    func `a template refers to groups`(source: String, text: String, template: String, expected: String) throws {
        let pattern = try Pattern(anchored: source)
        let match = try #require(pattern.firstMatch(in: text))
        #expect(try pattern.expand(template, match: match, in: text) == expected)
    }

    @Test(arguments: [
        ("a(x*)b", "-ab-axxb-", "T", "-T-T-"), ("a(x*)b", "-ab-axxb-", "${1}W", "-W-xxW-"), ("", "abc", "-", "-a-b-c-"),
        ("x*", "baxxd", "-", "-b-a-d-"), ("b", "ü", "-", "ü"), ("", "ü€", "-", "-ü-€-"), ("a", "", "-", ""),
    ])
    func `every match is replaced once`(source: String, text: String, template: String, expected: String) throws {
        #expect(try Pattern(unanchored: source).replaceAll(in: text, with: template) == expected)
    }

    @Test func `a literal replacement is not a template`() throws {
        #expect(try Pattern(unanchored: "b").replaceAll(in: "abc", literal: "$0") == "a$0c")
    }

    @Test func `a replacement does not grow without bound`() throws {
        let template = String(repeating: "$0", count: 100)
        let text = String(repeating: "x", count: 1 << 20)
        #expect(throws: PatternError.self) { try Pattern(unanchored: ".*").replaceAll(in: text, with: template) }
    }
}

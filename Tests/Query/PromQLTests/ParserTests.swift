import PromQL
import QueryModel
import Randomness
import Testing

/// Lexer, parser and type checker (rules of §3.1 to §3.4 and P-3).
struct ParserTests {
    static let accepted = [
        // Numbers and durations
        "1", "1e3", "0x1F", "1_000", ".5", "5.", "Inf", "+inf", "-INF", "nan", "5m", "1h30m", "010", "1e-3",
        // Strings
        #""a\nb""#, "'single'", "`raw \\ text`", #""\u00e9\x41\101""#,
        // Selectors
        "up", "a:b:c", "{a=\"b\"}", "up{a=\"b\",}", "up{a=~\"b.*\",c!=\"d\",e!~\"f\"}", "{\"http.server.duration\"}",
        "{\"foo.bar\",\"label.x\"=\"v\"}", "{__name__=~\"a|b\"}", "{__name__=~\"a.*\",__name__!=\"ab\"}",
        "up # comment",
        "up{}", "up{a=\"\"}", "# first\nup",
        // Keywords as names
        "sum", "by", "on", "offset", "start", "bool", "and", "sum{by=\"x\",on=\"y\",sum=\"z\"}", "and and and",
        "offset offset 5m", "sum by (sum, by) (by)", "a + on", "start + end",
        // Ranges, offsets, fixed times
        "up[5m]", "up[300]", "up[5m] offset 1m", "up offset -1m", "up @ 100", "up @ -1.5 offset 1h",
        "up offset 1h @ 100",
        "up @ start()", "up[5m] @ end()", "up[5m:1m]", "up[5m:]", "rate(up[5m])[10m:30s] @ 5 offset 1m",
        "avg_over_time((a + b)[5m:1m])", "up offset 60",
        // Operators
        "1 + 2 * 3 ^ 4 % 5 - 6 / 7", "-1 ^ 2", "2 ^ -1", "- - a", "a == bool b", "1 == bool 1", "a and b or c unless d",
        "a atan2 b", "a AND b", "a + on (x) b", "a + ignoring (x, y,) b", "a * on (x) group_left b",
        "a * on (x) group_left () b", "a * ignoring (x) group_right (y) b", "a / on (\"x.y\") b", "a > bool on (x) b",
        // Aggregations
        "sum(up)", "sum by (a) (up)", "sum(up) by (a)", "SUM WITHOUT (a, b,) (up)", "topk(3, up)",
        "quantile by (a) (0.9, up)", "count_values(\"v\", up)", "sum by () (up)", "topk(scalar(x), up)",
        "sum by (\"a.b\") (x)",
        "count_values without (a) (\"v\", up)", "sum((up))",
        // Calls
        "rate(up[5m])", "time()", "round(up)", "round(up, 5)", "minute()", "label_join(up, \"a\", \",\")",
        "label_join(up, \"a\", \",\", \"b\", \"c\")", "absent(up{a=\"b\"})",
        "histogram_quantile(0.9, sum by (le) (rate(x[5m])))",
        "clamp(up, 1, 2)", "quantile_over_time(0.5, up[5m])", "predict_linear(up[1h], 3600)", "pi()", "(up)",
    ]

    @Test(arguments: accepted)
    func `is an expression`(query: String) throws {
        _ = try PromQLQuery(query)
    }

    @Test(arguments: accepted)
    func `an expression's text reads back as itself`(query: String) throws {
        let expression = try PromQLQuery(query).expression
        #expect(try PromQLQuery(expression.text).expression.text == expression.text)
        #expect(try PromQLQuery(expression.prettyText).expression.text == expression.text)
    }

    @Test func `long expressions are broken into lines`() throws {
        let query =
            "sum by (job) (rate(http_requests_total{code=~\"5..\"}[5m] offset 1m)) / on (job) group_left (team) "
            + "topk(3, sum without (instance) (rate(http_requests_total{environment=\"production\"}[5m] @ end())))"
        let wanted = """
              sum by (job) (rate(http_requests_total{code=~"5.."}[5m] offset 1m))
            / on (job) group_left (team)
              topk(3, sum without (instance) (rate(http_requests_total{environment="production"}[5m] @ end())))
            """
        #expect(try PromQLQuery(query).expression.prettyText == wanted)
    }

    static let refused: [(String, String)] = [
        ("", "1:1: parse error: no expression found in input"),
        ("# only a comment", "1:1: parse error: no expression found in input"),
        ("1 +", "1:4: parse error: unexpected end of input"),
        ("(1", "1:3: parse error: unclosed left parenthesis"),
        ("1)", "1:2: parse error: unexpected right parenthesis ')'"),
        ("a b", "1:3: parse error: unexpected identifier \"b\""),
        ("up{", "1:4: parse error: unexpected end of input inside braces"),
        ("up{a}", "1:5: parse error: unexpected \"}\" in label matching, expected label matching operator"),
        ("up{a=b}", "1:6: parse error: unexpected identifier \"b\" in label matching, expected string"),
        ("up{a=\"b\"", "1:9: parse error: unexpected end of input inside braces"),
        ("up}", "1:3: parse error: unexpected right brace '}'"),
        ("up[5m", "1:6: parse error: unclosed left bracket"),
        ("up]", "1:3: parse error: unexpected right bracket ']'"),
        ("up[0]", "1:4: parse error: duration must be greater than 0"),
        ("up[5m:0s]", "1:7: parse error: duration must be greater than 0"),
        ("1[5m]", "1:2: parse error: ranges only allowed for vector selectors"),
        ("(up)[5m]", "1:5: parse error: ranges only allowed for vector selectors"),
        ("up offset 1m[5m]", "1:13: parse error: no offset modifiers allowed before range"),
        ("up @ 1[5m]", "1:7: parse error: no @ modifiers allowed before range"),
        ("up offset 1m offset 2m", "1:1: parse error: offset may not be set multiple times"),
        (
            "1 offset 1m",
            "1:1: parse error: offset modifier must be preceded by an instant vector selector or range vector selector or a subquery"
        ),
        ("\"open", "1:1: parse error: unterminated quoted string"),
        ("\"a\nb\"", "1:1: parse error: unterminated quoted string"),
        (#""\q""#, "1:1: parse error: unknown escape sequence 'q'"),
        ("5mm", "1:1: parse error: bad number or duration syntax: \"5mm\""),
        ("1m1h", "1:1: parse error: bad number or duration syntax: \"1m1h\""),
        ("1__0", "1:1: parse error: bad number or duration syntax: \"1__0\""),
        ("a ! b", "1:3: parse error: unexpected character after '!': ' '"),
        ("a $ b", "1:3: parse error: unexpected character: '$'"),
        ("{}", "1:1: parse error: vector selector must contain at least one non-empty matcher"),
        ("{a=~\".*\"}", "1:1: parse error: vector selector must contain at least one non-empty matcher"),
        ("x + {a=\"\"}", "1:5: parse error: vector selector must contain at least one non-empty matcher"),
        ("a{__name__=\"b\"}", "1:1: parse error: metric name must not be set twice: \"a\" or \"b\""),
        ("nope(up)", "1:1: parse error: unknown function with name \"nope\""),
        ("rate(up)", "1:6: parse error: expected type range vector in call to function \"rate\", got instant vector"),
        ("rate()", "1:1: parse error: expected 1 argument(s) in call to \"rate\", got 0"),
        ("round()", "1:1: parse error: expected at least 1 argument(s) in call to \"round\", got 0"),
        ("round(a, 1, 2)", "1:1: parse error: expected at most 2 argument(s) in call to \"round\", got 3"),
        ("label_join(a)", "1:1: parse error: expected at least 3 argument(s) in call to \"label_join\", got 1"),
        ("rate(up[5m],)", "1:12: parse error: trailing commas not allowed in function call args"),
        ("sum(1)", "1:5: parse error: expected type instant vector in aggregation expression, got scalar"),
        ("sum()", "1:1: parse error: no arguments for aggregate expression provided"),
        (
            "sum(a, b)",
            "1:1: parse error: wrong number of arguments for aggregate expression provided, expected 1, got 2"
        ),
        ("topk(a, b)", "1:6: parse error: expected type scalar in aggregation parameter, got instant vector"),
        ("1 == 1", "1:1: parse error: comparisons between scalars must use BOOL modifier"),
        ("a + bool b", "1:1: parse error: bool modifier can only be used on comparison operators"),
        ("a and 1", "1:1: parse error: set operator \"and\" not allowed in binary scalar expression"),
        ("a + on (x) 1", "1:1: parse error: vector matching only allowed between instant vectors"),
        ("a and on (x) group_left b", "1:1: parse error: no grouping allowed for \"and\" operation"),
        ("a + on (x) group_left (x) b", "1:1: parse error: label \"x\" must not occur in ON and GROUP clause at once"),
        ("a + \"b\"", "1:5: parse error: binary expression must contain only scalar and instant vector types"),
        (
            "-\"a\"",
            "1:1: parse error: unary expression only allowed on expressions of type scalar or instant vector, got \"string\""
        ),
        ("1[5m:1m]", "1:1: parse error: subquery is only allowed on instant vector, got scalar instead"),
        (
            "up\n  + rate(up)",
            "2:10: parse error: expected type range vector in call to function \"rate\", got instant vector"
        ),
        ("sum by (1) (a)", "1:9: parse error: unexpected number \"1\" in grouping opts, expected label"),
        ("up[9999999y]", "1:4: parse error: bad number or duration syntax: \"9999999y\""),
        ("up @ 1e300", "1:6: parse error: timestamp out of bounds for @ modifier: 1e+300"),
    ]

    @Test(arguments: refused)
    func `is refused where and as Prometheus refuses it`(query: String, message: String) {
        do {
            _ = try PromQLQuery(query)
            Issue.record("accepted \(query)")
        } catch {
            #expect(error.description == message)
        }
    }

    @Test(arguments: [
        ("1", ExpressionType.scalar), ("\"a\"", .string), ("up", .instantVector), ("up[5m]", .rangeVector),
        ("up[5m:1m]", .rangeVector),
        ("time()", .scalar), ("1 + 1", .scalar), ("1 + up", .instantVector), ("sum(up)", .instantVector),
        ("-up", .instantVector),
        ("(1)", .scalar), ("scalar(up)", .scalar), ("1 > bool 2", .scalar),
    ])
    func `has a type`(query: String, type: ExpressionType) throws {
        #expect(try PromQLQuery(query).type == type)
    }

    @Test(arguments: ["(", "-", "sum(", "a + ", "abs(", "2 ^ "])
    func `nesting without end is refused, not followed`(opening: String) {
        #expect(throws: ParseError.self) { try PromQLQuery(String(repeating: opening, count: 100_000) + "1") }
        let closing = opening.hasSuffix("(") ? ")" : ""
        let query = String(repeating: opening, count: 5000) + "up" + String(repeating: closing, count: 5000)
        #expect(throws: ParseError.self) { try PromQLQuery(query) }
    }

    @Test func `random text never traps`() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SeededRandom(seed: seed)
        let pieces = [
            "sum", "by", "(", ")", "{", "}", "[", "]", "a", "=", "=~", "\"x\"", ",", "5m", "1", "offset", "@", "+", "-",
            "^", "and",
            "on", "rate", ":", "group_left", "bool", "'", "\\", "é", "0x", "1e", "!", "#", "\n", "start", "topk",
        ]
        for _ in 0..<20_000 {
            let text = (0..<Int.random(in: 1...14, using: &generator)).map { _ in
                pieces.randomElement(using: &generator) ?? ""
            }.joined(separator: Bool.random(using: &generator) ? " " : "")
            _ = try? PromQLQuery(text)
        }
    }

    @Test func `a selector alone is what match parameters hold`() throws {
        #expect(try Parser.parseSelector("up{a=\"b\"}").count == 2)
        #expect(throws: ParseError.self) { try Parser.parseSelector("up offset 5m") }
        #expect(throws: ParseError.self) { try Parser.parseSelector("sum(up)") }
        #expect(throws: ParseError.self) { try Parser.parseSelector("up[5m]") }
    }
}

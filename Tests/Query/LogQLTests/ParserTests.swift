import QueryModel
import Testing

@testable import LogQL

/// §5: what is understood, and as what.
struct ParserTests {
    static let valid = [
        #"{service_name="a"}"#, #"{a="b", c!="d", e=~"f.*", g!~"h"}"#, #"( {a="b"} |= "x" ) != "y""#,
        "{service_name=~`a|b`} |= `x` | json | logfmt | drop __error__, __error_details__",
        "sum by (level, detected_level) (count_over_time({a=`b`} | drop __error__[30s]))",
        "sum by (detected_level) (count_over_time({service_name=`a`} [1m]))",
        "sum(count_over_time({a=`b`} | json x=\"y.z[0]\" | field!=\"\" [1m])) by (field)",
        "avg_over_time({a=`b`} | logfmt | unwrap duration(dur) | __error__=\"\" [1m]) by ()",
        "vector(1)+vector(1)", "{a=\"b\"} | trace_id=`5b8efff798038103d269b633813fc60c`",
        "count_over_time({a=\"b\"}[1m]) > 10", "topk(10, sum by (app) (rate({cluster=\"x\"}[5m])))",
        "rate({a=\"b\"}[5m] offset 1h |= \"x\" | json)", "rate(({a=\"b\"} |= \"x\")[5m] offset -1h)",
        "SUM BY (x) (RATE({a=\"b\"} | JSON [5m])) OR vector(-1.5e3) # comment",
        "{a=\"b\"} | (x > 5 or y <= 1.5s) and z == 10KB, w = \"1\" v != `2`",
        "{a=\"b\"} | logfmt --strict --keep-empty a=\"b\", c | pattern `<x> <_>` | regexp \"(?P<q>.)\"",
        "{a=\"b\"} |> `<_> x <_>` !> `y` |~ \"a\" or \"b\" !~ `c` != ip(\"10.0.0.0/8\")",
        "{a=\"b\"} | line_format `{{.x | ToUpper}}` | label_format p=q, r=`{{.s}}` | keep x, y=\"z\" | unpack | decolorize",
        "rate({a=\"b\"}[1m]) / on (x) group_left (y) rate({a=\"c\"}[1m])",
        "quantile_over_time(0.99, {a=\"b\"} | unwrap x [1h]) without (y)",
        "label_replace(rate({a=\"b\"}[1m]), \"x\", \"$1\", \"y\", \"(.*)\") == bool 2",
        "sort_desc(sum(rate({a=\"b\"}[1m])))",
        "{a=\"b\"} | addr = ip(\"1.2.3.4-1.2.3.9\") | json=\"x\" | duration > 1m",
    ]

    @Test(arguments: valid)
    func `what clients write is understood`(text: String) throws {
        _ = try LogQLParser.query(text)
    }

    private static let same: [(String, String)] = [
        (#"rate({a="b"} |= "x" [5m])"#, #"rate({a="b"}[5m] |= "x")"#),
        (#"rate({a="b"} |= "x" [5m])"#, #"rate(({a="b"} |= "x")[5m])"#),
        (#"rate({a="b"} |= "x" [5m])"#, "rate({a=`b`}|=`x`[300s])"),
        (#"sum(rate({a="b"}[5m])) by (x)"#, #"sum by (x) (rate({a="b"}[5m]))"#),
        ("2 + 3 * 4 ^ 2", "50"), ("(2 + 3) * 4", "20"), ("2 ^ 3 ^ 2", "512"), ("7 - 2 - 1", "4"), ("-2 * -3", "6"),
        ("1 > 2", "0"), ("2 >= 2", "1"), ("7 % 4", "3"),
        (#"{a="b"} | x="1", y="2""#, #"{a="b"} | x="1" and y="2""#),
        (#"{a="b"} | x="1" y="2""#, #"{a="b"} | x="1" and y="2""#),
        (#"{a="b"} | x="1" or y="2" and z="3""#, #"{a="b"} | x="1" or (y="2" and z="3")"#),
        (#"{a="b"} | x = 5"#, #"{a="b"} | x == 5"#), (#"{a="b"} | x > 1m30s"#, #"{a="b"} | x > 90s"#),
        (#"{a="b"} | x > 1.5KiB"#, #"{a="b"} | x > 1536B"#), (#"{a="b"} | x > 5kb"#, #"{a="b"} | x > 5000b"#),
        (#"({a="b"} | json) | x="1""#, #"{a="b"} | json | x="1""#),
    ]

    @Test(arguments: same)
    func `two spellings mean the same`(left: String, right: String) throws {
        #expect(try LogQLParser.query(left) == LogQLParser.query(right))
    }

    @Test func `operators bind as tightly as they should`() throws {
        let query = try LogQLParser.query(
            "vector(1) or vector(2) and vector(3) > vector(4) + vector(5) * vector(6) ^ vector(7)")
        var operators: [BinaryOperator] = []
        guard case .metric(var expression) = query else { return }
        while case .binary(let binary) = expression {
            operators.append(binary.operator)
            expression = binary.right
        }
        #expect(operators == [.or, .and, .greater, .add, .multiply, .power])
    }

    private static let durations: [(String, Int64?)] = [
        ("5m", 300_000_000_000), ("1h30m", 5_400_000_000_000), ("1.5s", 1_500_000_000), ("100ms", 100_000_000),
        ("7d", 604_800_000_000_000), ("1w", 604_800_000_000_000), ("1y", 31_536_000_000_000_000), ("3us", 3_000),
        ("3µs", 3_000), ("9ns", 9), ("-1m", -60_000_000_000), ("0", 0), ("5", nil), ("m", nil), ("5x", nil), ("", nil),
        ("300y", nil), ("1h1", nil), (".5s", 500_000_000), ("1..5s", nil),
    ]

    @Test(arguments: durations)
    func `durations are numbers with units`(text: String, nanoseconds: Int64?) {
        #expect(Quantity.duration(text) == nanoseconds)
    }

    private static let sizes: [(String, UInt64?)] = [
        ("5B", 5), ("5", 5), ("5kB", 5_000), ("5KB", 5_000), ("5k", 5_000), ("1KiB", 1_024), ("1.5MiB", 1_572_864),
        ("2gb", 2_000_000_000), ("1tib", 1_099_511_627_776), ("1 MB", 1_000_000), ("5m", 5_000_000), ("x", nil),
        ("5xb", nil), ("9EB", 9_000_000_000_000_000_000), ("99EB", nil), ("-5B", nil),
    ]

    @Test(arguments: sizes)
    func `sizes are numbers with decimal or binary units`(text: String, bytes: UInt64?) {
        #expect(Quantity.bytes(text) == bytes)
    }

    private static let paths: [(String, [FieldStep]?)] = [
        ("a", [.key("a")]), ("a.b", [.key("a"), .key("b")]), ("a[0].b", [.key("a"), .index(0), .key("b")]),
        (#"a["x y"]"#, [.key("a"), .key("x y")]), (#"["a"]"#, [.key("a")]), ("a..b", nil), ("a[", nil), ("a[x]", nil),
        (".a", nil), ("a b", nil), ("", nil),
    ]

    @Test(arguments: paths)
    func `paths name fields of nested objects`(text: String, steps: [FieldStep]?) {
        #expect(FieldStep.path(text) == steps)
    }
}

import LogQL
import PromQL
import TraceSearch

/// The parsers of queries: what is parsed prints as text that means the same.
extension FuzzTarget {
    static let promql = FuzzTarget("promql", seeds: { promqlSeeds.map { Array($0.utf8) } }) { bytes in
        guard let expression = try? PromQL.Parser.parse(String(decoding: bytes, as: UTF8.self)) else { return }
        let text = expression.text
        for printed in [text, expression.prettyText] {
            guard let again = try? PromQL.Parser.parse(printed) else {
                preconditionFailure("printed as what cannot be parsed: \(printed)")
            }
            precondition(again.text == text, "printed as another expression: \(text) became \(again.text)")
        }
    }

    static let logql = FuzzTarget("logql", seeds: { logqlSeeds.map { Array($0.utf8) } }) { bytes in
        guard let query = try? LogQLParser.query(String(decoding: bytes, as: UTF8.self)) else { return }
        let text = LogQLPrinter.text(of: query)
        guard let again = try? LogQLParser.query(text) else {
            preconditionFailure("printed as what cannot be parsed: \(text)")
        }
        precondition(LogQLPrinter.text(of: again) == text, "printed as another query: \(text)")
    }

    static let traceql = FuzzTarget("traceql", seeds: { traceqlSeeds.map { Array($0.utf8) } }) { bytes in
        _ = try? TraceQLParser.parse(String(decoding: bytes, as: UTF8.self))
    }

    private static let traceqlSeeds = [
        #"{resource.service.name = "shop" && span."a b".c >= -1.5e3 || !(.d != nil)} && ({kind=server} || {name =~ `G.*`})"#,
        #"{duration > 1h2m3.5s && "\u00e9\n" = event.x && link:traceID = "ab" && event:timeSinceStart <= 50us}"#,
        #"{status != error && instrumentation.lib !~ "x|y" && trace:id = "0A"} || {}"#,
    ]

    private static let promqlSeeds = [
        #"sum by (job) (rate(orders_total{job=~"a|b",x!=""}[5m] offset 1h @ end())) / on (job) group_left (y) up > bool 0x1F"#,
        #"topk(3, histogram_quantile(0.9, {"http.server.duration", le!~".+"}[1h:5m] + -Inf)) or vector(1_000) # x"#,
        #"label_replace(a, 'b', `$1`, "c", "(.*)") unless ignoring (d) max_over_time(e[1d12h]) ^ 2 % 1.5e-7"#,
        #"count_values without (x) ("v", -a @ 1.5 offset -5m) and on () b == c"#,
        #"quantile_over_time(0.5, a{b="\u00e9\n"}[5m:]) atan2 time() < bool scalar(absent(d))"#,
    ]

    private static let logqlSeeds = [
        #"sum by (level) (rate({service_name="a",b=~`c.+`} |= "x" or "y" !~ "z" | json a="b.c[0]", d | status >= 500 [5m]))"#,
        #"{a="b"} |> "<_> level=error <_>" | logfmt --strict | line_format "{{.a | ToUpper}}" | drop __error__, c=~"d""#,
        #"quantile_over_time(0.9, {a="b"} | pattern "<ip> - <_>" | unwrap duration(d) | __error__="" [1m] offset 5m) by (e)"#,
        #"topk(3, sum(count_over_time({a="b"} != ip("10.0.0.0/8") | size > 5KiB and ip = ip("::1") [1m])) by (x)) > 1"#,
        #"{a="b"} | regexp "(?P<n>.+)" | label_format x=y, z="{{.q}}" | keep a, b="c" | decolorize | unpack"#,
        #"label_replace(rate({a="b"}[1m]), "c", "$1", "d", "(.*)") / ignoring (e) group_left vector(2) * 1e3"#,
    ]
}

import Testing

@testable import LogQL

/// Rule L-32: what is written is the query that was read.
struct PrinterTests {
    @Test(arguments: ParserTests.valid)
    func `reading what was written gives the same query`(text: String) throws {
        let query = try LogQLParser.query(text)
        #expect(try LogQLParser.query(LogQLPrinter.text(of: query)) == query)
    }

    private static let forms: [(String, String)] = [
        ("{a=`b`,c!~'x'}".replacing("'", with: "`"), #"{a="b", c!~"x"}"#),
        ("{a=`b`}|=`x`or`y`|json|z>5m", #"{a="b"} |= "x" or "y" | json | z > 5m"#),
        ("sum(rate({a=`b`}[90s]offset 1h))by(x,y)", #"sum by (x, y) (rate({a="b"} [1m30s] offset 1h))"#),
        ("vector(1)+vector(2)*vector(3)", "vector(1) + (vector(2) * vector(3))"),
        ("{a=`b`}|x=`1`,(y=`2`or z=`3`)", #"{a="b"} | x="1" and (y="2" or z="3")"#),
    ]

    @Test(arguments: forms)
    func `queries are written on one line`(text: String, expected: String) throws {
        #expect(LogQLPrinter.text(of: try LogQLParser.query(text)) == expected)
    }
}

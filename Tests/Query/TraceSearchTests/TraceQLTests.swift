import Core
import Pattern
import QueryModel
import Testing
import TraceFixtures

@testable import TraceSearch

/// The part of TraceQL that selects traces: what texts mean, and where wrong ones are wrong.
struct TraceQLTests {
    private static func span(_ key: String, in scopes: AttributeScopes, _ test: ValueTest) -> SpanCondition {
        .test(.attribute(key, in: scopes, elements: true), test)
    }

    private static let a = span("a", in: [.span, .resource], .equal([.text("x")]))
    private static let b = span("b", in: .span, .equal([.number(.integer(5))]))
    private static let c = SpanCondition.test(.field(.status), .equal([.string("error")]))

    private static let meanings: [(text: String, meaning: TraceCondition)] = [
        ("{}", .span(.always)), (" { } ", .span(.always)),
        (#"{.a="x"}"#, .span(a)), ("{ .a = `x` }", .span(a)), (#"{ "x" = .a }"#, .span(a)),
        (#"{.a="x" && span.b=5}"#, .span(.all([a, b]))), (#"{.a="x" || span.b=5}"#, .span(.any([a, b]))),
        (#"{.a="x" || span.b=5 && status=error}"#, .span(.any([a, .all([b, c])]))),
        (#"{(.a="x" || span.b=5) && status=error}"#, .span(.all([.any([a, b]), c]))),
        (#"{!(.a="x")}"#, .span(.not(a))), (#"{!!(.a="x")}"#, .span(.not(.not(a)))),
        (#"{.a="x"} && {span.b=5}"#, .all([.span(a), .span(b)])),
        (#"{.a="x"} || {span.b=5} && {status=error}"#, .any([.span(a), .all([.span(b), .span(c)])])),
        (#"({.a="x"} || {span.b=5}) && {}"#, .all([.any([.span(a), .span(b)]), .span(.always)])),
        (
            #"{.a!="x"}"#,
            .span(.noneOf(.attribute("a", in: [.span, .resource], elements: true), .equal([.text("x")])))
        ),
        ("{.a = nil}", .span(.not(span("a", in: [.span, .resource], .exists)))),
        ("{resource.a != nil}", .span(span("a", in: .resource, .exists))),
        ("{event.n >= -1.5}", .span(span("n", in: .event, .ordered(.greaterOrEqual, .number(.double(-1.5)))))),
        ("{3 < link.n}", .span(span("n", in: .link, .ordered(.greater, .number(.integer(3)))))),
        ("{instrumentation.x = true}", .span(span("x", in: .scope, .equal([.text("true")])))),
        (#"{span."with space".b = "\"\u00e9\n"}"#, .span(span("with space.b", in: .span, .equal([.text("\"é\n")])))),
        (
            "{.http.status_code = 200}",
            .span(span("http.status_code", in: [.span, .resource], .equal([.number(.integer(200))])))
        ),
        ("{duration > 1.5s}", .span(.test(.field(.duration), .ordered(.greater, .integer(1_500_000_000))))),
        ("{100ms <= span:duration}", .span(.test(.field(.duration), .ordered(.greaterOrEqual, .integer(100_000_000))))),
        ("{kind=server}", .span(.test(.field(.kind), .equal([.string("server")])))),
        (#"{kind="Server"}"#, .span(.test(.field(.kind), .equal([.string("server")])))),
        ("{kind != unspecified}", .span(.noneOf(.field(.kind), .equal([.string("unspecified")])))),
        (#"{name="GET /"}"#, .span(.test(.field(.name), .equal([.string("GET /")])))),
        (
            #"{trace:id = "AB"}"#,
            .span(.test(.field(.traceID), .equal([.string("000000000000000000000000000000ab")])))
        ),
        (
            "{event:timeSinceStart > 50us}",
            .span(.test(.field(.eventTimeSinceStart), .ordered(.greater, .integer(50_000))))
        ),
    ]

    @Test(arguments: meanings.indices)
    func `a text means what its grammar says`(index: Int) throws {
        let (text, meaning) = Self.meanings[index]
        #expect(try TraceQLParser.parse(text) == meaning, "\(text)")
    }

    @Test func `a pattern matches the whole text`() throws {
        let pattern = try TextPattern("GET .*", wholeText: true)
        #expect(try TraceQLParser.parse(#"{name =~ "GET .*"}"#) == .span(.test(.field(.name), .matches(pattern))))
        #expect(
            try TraceQLParser.parse("{.a !~ `GET .*`}")
                == .span(.noneOf(.attribute("a", in: [.span, .resource], elements: true), .matches(pattern))))
        #expect(!pattern.pattern.matches("a GET b"))
    }

    @Test(arguments: [
        ("", 1, 1, "expected { instead of the end of the query"),
        ("{", 1, 2, "expected an attribute, a field or a value instead of the end of the query"),
        ("{.a}", 1, 4, "expected one of =, !=, <, <=, >, >=, =~ and !~ instead of }"),
        ("{.a=}", 1, 5, "expected an attribute, a field or a value instead of }"),
        ("{.a=1", 1, 6, "expected && or || or } instead of the end of the query"),
        ("{.a=1} {.b=2}", 1, 8, "expected && or || or the end of the query instead of {"),
        ("{.a=1} &&", 1, 10, "expected { instead of the end of the query"),
        ("{a=1}", 1, 2, #"unknown field "a"; an attribute has a scope or begins with a dot, .a"#),
        ("{foo.a=1}", 1, 2, #"unknown scope "foo": there are span, resource, event, link and instrumentation"#),
        ("{span.=1}", 1, 2, "expected the attribute's key behind the dot"),
        ("{event:nme=`x`}", 1, 2, #"unknown field "event:nme""#),
        ("{traceDuration>1s}", 1, 2, #""traceDuration" cannot be searched for: conditions are on spans"#),
        ("{duration>5}", 1, 11, "expected a duration such as 1.5s or 100ms"),
        ("{5>duration}", 1, 2, "expected a duration such as 1.5s or 100ms"),
        ("{duration=~`x`}", 1, 12, "expected a duration such as 1.5s or 100ms"),
        ("{.a>1s}", 1, 5, "an attribute has no unit; compare it with a number or a string"),
        ("{name=5}", 1, 7, "expected a string"),
        ("{kind=foo}", 1, 7, #"unknown field "foo"; an attribute has a scope or begins with a dot, .foo"#),
        ("{kind=`foo`}", 1, 7, "expected one of unspecified, internal, server, client, producer, consumer"),
        ("{status>error}", 1, 8, "status has no order"),
        ("{.a>true}", 1, 4, #""true" has no order"#),
        ("{.a>nil}", 1, 4, "nil can only be compared by = and !="),
        ("{.a=.b}", 1, 4, "two values of a span cannot be compared with each other"),
        ("{1=1}", 1, 3, "a comparison needs an attribute or a field of the span"),
        ("{`x`=~.a}", 1, 5, "=~ takes the pattern on its right"),
        ("{.a=~5}", 1, 6, "expected a string with a regular expression"),
        ("{trace:id=~`a`}", 1, 10, "ids can only be compared by = and !="),
        ("{.a=\"x}", 1, 5, "the string has no end"), ("{.a=`x}", 1, 5, "the string has no end"),
        (#"{.a="\x"}"#, 1, 6, #"unknown escape; there are \n, \r, \t, \u, \" and \\"#),
        (#"{.a="\ud800"}"#, 1, 6, "\\u takes the four hexadecimal digits of a character"),
        ("{.a=5x}", 1, 5, #""5x" is neither a number nor a duration such as 1.5s or 100ms"#),
        ("{.a=-}", 1, 5, "expected a number after the sign"), ("{.a^1}", 1, 4, #"unexpected character "^""#),
        ("{\n .é = ^}", 2, 7, #"unexpected character "^""#),
        (String(repeating: "(", count: 40), 1, 33, "nested more than 32 deep"),
        ("{" + String(repeating: "!", count: 40), 1, 33, "nested more than 32 deep"),
    ])
    func `a wrong text is refused where it is wrong`(text: String, line: Int, column: Int, reason: String) {
        let error = #expect(throws: TraceQLError.self) { try TraceQLParser.parse(text) }
        #expect(error?.line == line, "\(text)")
        #expect(error?.column == column, "\(text)")
        #expect(error?.reason == reason, "\(text)")
    }

    @Test func `queries have as many parts as can be searched for`() throws {
        func braces(_ count: Int) -> String { Array(repeating: "{}", count: count).joined(separator: "||") }
        #expect(try TraceQLParser.parse(braces(32)).leaves.count == 32)
        #expect(throws: TraceQLError.self) { try TraceQLParser.parse(braces(33)) }
        func tests(_ count: Int) -> String {
            "{" + Array(repeating: ".a=1", count: count).joined(separator: "||") + "}"
        }
        #expect(throws: Never.self) { try TraceQLParser.parse(tests(256)) }
        #expect(throws: TraceQLError.self) { try TraceQLParser.parse(tests(257)) }
        #expect(throws: TraceQLError.self) {
            try TraceQLParser.parse("{.a=`" + String(repeating: "x", count: 65_536) + "`}")
        }
        let error = #expect(throws: TraceQLError.self) { try TraceQLParser.parse("{.a=~`(`}") }
        #expect(error?.reason.hasPrefix("the regular expression does not compile: ") == true)
    }

    /// Any bytes: an answer or an error, and nothing else.
    @Test(arguments: 0..<4 as Range<UInt64>)
    func `damaged texts are read or refused`(seed: UInt64) {
        var random = RandomTraces(seed: seed)
        let alphabet = Array("{}()=!<>~&|.:\"`\\ \nab1-+se".utf8)
        for _ in 0..<2_000 {
            var text = Array(Self.meanings[random.below(Self.meanings.count)].text.utf8)
            for _ in 0..<(1 + random.below(4)) {
                let at = random.below(text.count + 1)
                switch random.below(3) {
                case 0: text.insert(alphabet[random.below(alphabet.count)], at: at)
                case 1: if at < text.count { text.remove(at: at) }
                default: text.insert(contentsOf: text.prefix(random.below(20)), at: at)
                }
                if text.isEmpty { text = [0x7B] }
            }
            _ = try? TraceQLParser.parse(String(decoding: text, as: UTF8.self))
        }
    }
}

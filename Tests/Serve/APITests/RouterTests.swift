import Core
import HTTP
import Observability
import Scheduling
import Testing

@testable import API

/// Rules G-7, G-8, U-1 to U-3, J-6 and L-7: which handler a request finds, and what is answered without one.
struct RouterTests {
    private static func router(origins: Router.Origins = .none) -> Router {
        let prometheus = Dialect("prometheus") { status, message, _ in
            .json(Array(#"{"status":"error","error":"\#(message)"}"#.utf8), status: status)
        }
        var first = Routes(prometheus, roots: ["/api/v1"])
        let echo: @Sendable (String) -> APIHandler = { name in
            { request in
                let parameters = request.pathParameters.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
                return .text(([name, request.tenant.name] + parameters).joined(separator: ";"))
            }
        }
        first.add([.get, .post], "/api/v1/query", echo("query"))
        first.add([.get], "/api/v1/label/{name}/values", echo("values"))
        first.add([.post], "/api/v1/write", bodyLimit: 64 << 20, cancellation: .never, echo("write"))
        let jaeger = Dialect("jaeger") { status, message, _ in
            .json(Array(#"{"data":null,"errors":[{"code":\#(status),"msg":"\#(message)"}]}"#.utf8), status: status)
        }
        var second = Routes(jaeger, roots: ["/api", "/analytics"])
        second.add([.get], "/api/services", echo("services"))
        second.add([.get], "/api/services/{service*}/operations", echo("operations"))
        second.add([.get], "/api/traces/{id}", echo("trace"))
        second.add([.get], "/api/traces/latest", echo("latest"))
        var third = Routes(.plain, roots: ["/loki"])
        third.add([.get], "/loki/api/v1/labels", echo("labels"))
        let status = StatusRoutes.make(metrics: MetricsRegistry(), version: "1", notReady: { nil })
        return Router([first, second, third, status], origins: origins)
    }

    private func request(
        _ method: HTTPMethod, _ path: String, headers: [(name: String, value: String)] = []
    ) -> HTTPRequest {
        HTTPRequest(
            method: method, path: path, segments: PercentCoding.segments(ofPath: path.utf8), parameters: [],
            headers: headers, body: [])
    }

    private func ask(_ method: HTTPMethod, _ path: String, headers: [(name: String, value: String)] = []) -> String {
        let response = Self.router().respond(to: request(method, path, headers: headers), connection: .none)
        return "\(response.status) \(String(decoding: response.body, as: UTF8.self))"
    }

    @Test(arguments: [
        ("/api/v1/query", "200 query;default"), ("/prometheus/api/v1/query", "200 query;default"),
        ("/varve/api/v1/query", "200 query;default"), ("/api/v1/query/", "200 query;default"),
        ("/api/v1/label/a%2Fb/values", "200 values;default;name=a/b"), ("/api/services", "200 services;default"),
        ("/jaeger/api/services", "200 services;default"),
        ("/api/services/a%2Fb/operations", "200 operations;default;service=a/b"),
        ("/api/services/a/b/operations", "200 operations;default;service=a/b"),
        ("/api/services/operations/operations", "200 operations;default;service=operations"),
        ("/api/services/a/operations/operations", "200 operations;default;service=a/operations"),
        ("/api/traces/latest", "200 latest;default"), ("/api/traces/ff", "200 trace;default;id=ff"),
        ("/loki/api/v1/labels", "200 labels;default"), ("/loki/loki/api/v1/labels", "200 labels;default"),
        ("/loki-ds/loki/api/v1/labels", "200 labels;default"), ("/-/healthy", "200 ok\n"), ("/ready", "200 ready\n"),
        ("/prometheus/-/ready", "200 ready\n"), ("/", "200 varve 1\n"), ("", "200 varve 1\n"), ("/metrics", "200 "),
        ("/api/v1/nonsense", #"404 {"status":"error","error":"not found: /api/v1/nonsense"}"#),
        ("/prometheus/api/v1/x", #"404 {"status":"error","error":"not found: /prometheus/api/v1/x"}"#),
        ("/api/nonsense", #"404 {"data":null,"errors":[{"code":404,"msg":"not found: /api/nonsense"}]}"#),
        ("/api/services//operations", "200 operations;default;service="),
        ("/loki/api/v1/x", "404 not found: /loki/api/v1/x\n"), ("/x", "404 not found: /x\n"),
        ("/prometheus/prometheus/api/v1/query", "404 not found: /prometheus/prometheus/api/v1/query\n"),
    ])
    func `a path finds its handler, or an answer in its dialect`(path: String, expected: String) {
        #expect(ask(.get, path) == expected)
    }

    @Test func `a wrong method is 405 with the methods that are allowed`() {
        let response = Self.router().respond(to: request(.put, "/api/v1/query"), connection: .none)
        #expect(response.status == 405)
        #expect(response.headers.contains { $0.name == "Allow" && $0.value == "GET, POST, HEAD, OPTIONS" })
        #expect(ask(.post, "/api/v1/label/x/values").hasPrefix("405 "))
        #expect(ask(.other, "/api/v1/query").hasPrefix("405 "))
        #expect(ask(.get, "/api/v1/write").hasPrefix("405 "))
    }

    @Test func `HEAD is GET, and OPTIONS is 204 everywhere`() {
        #expect(ask(.head, "/api/v1/query") == "200 query;default")
        #expect(ask(.options, "/api/v1/query") == "204 ")
        #expect(ask(.options, "/nowhere") == "204 ")
    }

    @Test(arguments: [
        ("team-1", "200 query;team-1"), ("", "200 query;default"), ("..", "400 "), ("a|b", "400 "), ("a/b", "400 "),
    ])
    func `the tenant is the header's, and a bad one is refused`(name: String, expected: String) {
        #expect(ask(.get, "/api/v1/query", headers: [("x-scope-orgid", name)]).hasPrefix(expected))
    }

    @Test func `limits follow the route`() {
        let router = Self.router()
        #expect(router.bodyLimit(for: request(.post, "/api/v1/write")) == 64 << 20)
        #expect(router.bodyLimit(for: request(.post, "/prometheus/api/v1/query")) == 16 << 20)
        #expect(router.bodyLimit(for: request(.post, "/nowhere")) == 1 << 20)
    }

    @Test(
        arguments: [
            (Router.Origins.none, "https://a.b", nil), (.any, "https://a.b", "*"),
            (.only(["https://*.example.com"]), "https://x.example.com", "https://x.example.com"),
            (.only(["https://*.example.com"]), "https://example.com", nil),
            (.only(["https://a.b"]), "https://a.b.c", nil),
        ] as [(Router.Origins, String, String?)])
    func `origins are allowed as configured`(origins: Router.Origins, origin: String, expected: String?) {
        let response = Self.router(origins: origins)
            .respond(to: request(.options, "/api/services", headers: [("Origin", origin)]), connection: .none)
        #expect(response.headers.first { $0.name == "Access-Control-Allow-Origin" }?.value == expected)
        #expect(response.headers.contains { $0.name == "Vary" } == (origins != .none))
    }

    @Test func `a shorter timeout counts, a longer one does not`() {
        let request = APIRequest(http: request(.get, "/"), limits: QueryLimits(timeout: .seconds(10)))
        #expect(throws: QueryInterruption.timedOut) { try request.limited(to: .zero).context.check() }
        #expect(request.limited(to: .seconds(20)).context === request.context)
    }
}

import HTTP
import Observability
import Testing

@testable import API

/// The pages of Jaeger's UI (J-45): which paths they answer, what is filled in, and that nothing else is given away.
struct JaegerUITests {
    private static let index = """
        <!doctype html><html><head><base href="/" data-inject-target="BASE_URL" /><script>
        function getJaegerUiConfig() {
          const DEFAULT_CONFIG = null;
          const JAEGER_CONFIG = DEFAULT_CONFIG;
          return JAEGER_CONFIG;
        }
        const JAEGER_STORAGE_CAPABILITIES=DEFAULT_STORAGE_CAPABILITIES;
        const JAEGER_BACKEND_CAPABILITIES   =  DEFAULT_BACKEND_CAPABILITIES;
        const JAEGER_VERSION = DEFAULT_VERSION;
        </script></head></html>
        """

    private static let files: [String: [UInt8]] = [
        "index.html": Array(index.utf8), "static/index-C4D9a_xY.js": Array("let a".utf8),
        "static/logo.svg": Array("<svg/>".utf8), "favicon.ico": [0, 1], "static/odd.xyz": [2],
        "static/Büro 1.css": Array("a{}".utf8),
    ]

    private let router: Router = {
        guard let ui = JaegerUI(files: files, version: "1</script>\"", archives: true) else {
            preconditionFailure("the bundle has a page")
        }
        var api = Routes(JaegerAPI.dialect, roots: ["/api"])
        api.add([.get], "/api/services") { _ in .text("services") }
        let status = StatusRoutes.make(metrics: MetricsRegistry(), version: "1", notReady: { nil })
        return Router([ui.routes, api, status], pages: ui.pages)
    }()

    private func ask(
        _ path: String, _ method: HTTPMethod = .get, headers: [(name: String, value: String)] = []
    ) -> HTTPResponse {
        router.respond(
            to: HTTPRequest(
                method: method, path: path, segments: PercentCoding.segments(ofPath: path.utf8), parameters: [],
                headers: headers, body: []), connection: .none)
    }

    @Test(arguments: [
        "/", "/index.html", "/search", "/trace/abc", "/dependencies", "/monitor", "/jaeger", "/jaeger/search",
        "/no/such.page",
    ])
    func `J-45 unknown paths are the page, whose links begin where it does`(path: String) {
        let response = ask(path)
        #expect(response.status == 200)
        #expect(response.headers.contains { $0 == ("Content-Type", "text/html; charset=utf-8") })
        #expect(response.headers.contains { $0 == ("Cache-Control", "no-cache") })
        let base = path.hasPrefix("/jaeger") ? "/jaeger/" : "/"
        #expect(response.text.contains(#"<base href="\#(base)" data-inject-target="BASE_URL" />"#))
    }

    @Test func `J-34, J-45 the page knows what the server can do`() {
        let text = ask("/search").text
        for line in [
            #"const JAEGER_CONFIG = {"archiveEnabled":true,"dependencies":{"menuEnabled":true},"deepDependencies":"#
                + #"{"menuEnabled":true},"monitor":{"menuEnabled":true}};"#,
            "return JAEGER_CONFIG;",
            #"const JAEGER_STORAGE_CAPABILITIES = {"archiveStorage":true,"metricsStorage":true};"#,
            #"const JAEGER_BACKEND_CAPABILITIES = {"archiveStorage":true,"metricsStorage":true,"#
                + #""searchWithoutServiceName":true,"aiAssistant":false};"#,
            // No text ends the script.
            #"const JAEGER_VERSION = {"gitCommit":"","gitVersion":"varve 1\u003c/script>\"","buildDate":""};"#,
        ] {
            #expect(text.contains(line), "\(line)")
        }
    }

    @Test(arguments: [
        ("/static/index-C4D9a_xY.js", "text/javascript; charset=utf-8", "public, max-age=31536000, immutable", "let a"),
        ("/jaeger/static/logo.svg", "image/svg+xml", "no-cache", "<svg/>"),
        ("/favicon.ico", "image/x-icon", "no-cache", "\0\u{1}"),
        ("/static/odd.xyz", "application/octet-stream", "no-cache", "\u{2}"),
        ("/static/B%C3%BCro%201.css", "text/css; charset=utf-8", "no-cache", "a{}"),
    ])
    func `J-45 files have their types, and tags to ask by`(path: String, type: String, caching: String, body: String)
        throws
    {
        let response = ask(path)
        #expect(response.status == 200)
        #expect(response.text == body)
        #expect(response.headers.contains { $0 == ("Content-Type", type) })
        #expect(response.headers.contains { $0 == ("Cache-Control", caching) })
        #expect(response.headers.contains { $0 == ("X-Content-Type-Options", "nosniff") })
        let tag = try #require(response.headers.first { $0.name == "ETag" }?.value)
        for known in [tag, "W/\(tag)", "\"x\", \(tag) ", "*"] {
            let again = ask(path, headers: [("If-None-Match", known)])
            #expect(again.status == 304)
            #expect(again.body.isEmpty)
        }
        #expect(ask(path, headers: [("If-None-Match", "\"x\"")]).status == 200)
    }

    @Test(arguments: [
        "/static/none.js", "/static/", "/static/../../etc/passwd", "/static/..%2f..%2fetc%2fpasswd", "/api/nonsense",
        "/jaeger/api/nonsense", "/api", "/v1/traces", "/loki/api", "/otlp/v1/logs", "/analytics/x", "/-/x",
    ])
    func `J-45 what is no file and no page is not found, and no HTML (G-8)`(path: String) {
        let response = ask(path)
        #expect(response.status == 404)
        #expect(!response.text.contains("<"))
    }

    @Test(arguments: ["/..", "/../index.html", "/%2e%2e/secret", "//etc/passwd", "/a/../../secret"])
    func `J-45 no path leads out of the bundle`(path: String) {
        // Everything that is no name of the bundle is the page.
        #expect(ask(path).text == ask("/").text || ask(path).status == 404)
    }

    @Test func `J-45 other methods and other routes are as without pages`() {
        #expect(ask("/search", .post).status == 404)
        #expect(ask("/", .post).status == 405)
        #expect(ask("/search", .options).status == 204)
        #expect(ask("/api/services").text == "services")
        #expect(ask("/ready").text == "ready\n")
        #expect(ask("/metrics").headers.contains { $0 == ("Content-Type", MetricsText.contentType) })
    }

    @Test func `a bundle without a page is none, and a page may find its base by itself`() {
        #expect(JaegerUI(files: ["a.js": []], version: "1", archives: false) == nil)
        let page = Array(#"<script>x = '<base href="' + y</script>"#.utf8)
        let ui = JaegerUI(files: ["index.html": page], version: "1", archives: false)
        let response = ui?.pages(
            HTTPRequest(
                method: .get, path: "/jaeger/search", segments: ["jaeger", "search"], parameters: [], headers: [],
                body: []))
        #expect(response?.body == page)
    }
}

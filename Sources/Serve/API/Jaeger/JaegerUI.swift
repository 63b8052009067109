internal import Authorization
private import Core
package import HTTP
private import JSON

/// The pages of Jaeger's UI, from a bundle of files that was read beforehand (rule J-45).
///
/// Only names of that bundle are looked up, so that no path leads out of it. What is no file of the bundle is the page itself,
/// which reads the path by itself; only below `static/` there are files alone.
package struct JaegerUI: Sendable {
    private struct File {
        let body: [UInt8]
        let type: String
        let tag: String
        /// The name changes with the content.
        let isFixed: Bool

        init(name: String, body: [UInt8]) {
            self.body = body
            type = JaegerUI.contentType(of: name)
            tag = JaegerUI.entityTag(body)
            isFixed = JaegerUI.hasHash(name)
        }
    }

    private let files: [String: File]
    private let page: JaegerPage

    /// - Parameters:
    ///   - files: by path in the bundle: `static/index-1a2b3c4d.js`.
    ///   - archives: whether traces can be archived.
    /// - Returns: nil if the bundle has no `index.html`.
    package init?(files: [String: [UInt8]], version: String, archives: Bool) {
        guard let page = files["index.html"] else { return nil }
        self.page = JaegerPage(page, version: version, archives: archives)
        self.files = Dictionary(
            uniqueKeysWithValues: files.filter { $0.key != "index.html" }.map { ($0, File(name: $0, body: $1)) })
    }

    package var routes: Routes {
        var routes = Routes(.plain, access: .open)
        for path in ["/", "/index.html"] { routes.add([.get], path, isQuery: false, respond) }
        return routes
    }

    /// What is answered to paths that are no other route's; nil leaves the error to the router.
    package var pages: @Sendable (HTTPRequest) -> HTTPResponse? {
        { request in
            guard request.method == .get || request.method == .head else { return nil }
            let path = Router.withoutMount(request.segments)
            if let first = path.first, Self.reserved.contains(first) { return nil }
            let name = path.joined(separator: "/")
            if let file = files[name] { return Self.response(file, to: request) }
            return path.first == "static" ? nil : page(to: request)
        }
    }

    /// Paths below these are APIs', of other versions or other ports.
    private static let reserved: Set<String> = ["api", "analytics", "loki", "otlp", "v1", "-"]

    private func respond(_ request: APIRequest) -> HTTPResponse { page(to: request.http) }

    private func page(to request: HTTPRequest) -> HTTPResponse {
        let mount = request.segments.first.flatMap { Router.isMount($0) ? "/\($0)/" : nil } ?? "/"
        let body = page.bytes(base: mount)
        return Self.response(
            body, type: "text/html; charset=utf-8", tag: Self.entityTag(body), caching: "no-cache", to: request)
    }

    private static func response(_ file: File, to request: HTTPRequest) -> HTTPResponse {
        response(
            file.body, type: file.type, tag: file.tag,
            caching: file.isFixed ? "public, max-age=31536000, immutable" : "no-cache", to: request)
    }

    private static func response(
        _ body: [UInt8], type: String, tag: String, caching: String, to request: HTTPRequest
    ) -> HTTPResponse {
        var response = HTTPResponse(
            status: 200,
            headers: [
                ("Content-Type", type), ("ETag", tag), ("Cache-Control", caching),
                ("X-Content-Type-Options", "nosniff"),
            ], body: body)
        if let known = request.header("If-None-Match"), isAmong(tag, known) {
            response.status = 304
            response.body = []
        }
        return response
    }

    /// Compression on the way makes tags weak, or not, as a proxy likes.
    private static func isAmong(_ tag: String, _ list: String) -> Bool {
        list.split(separator: ",").contains { item in
            var item = item.drop { $0 == " " }
            if item.hasPrefix("W/") { item = item.dropFirst(2) }
            while item.last == " " { item = item.dropLast() }
            return item == "*" || item == tag
        }
    }

    private static func entityTag(_ body: [UInt8]) -> String { "\"\(Hex.string(XXH3.hash(body)))\"" }

    private static func contentType(of name: String) -> String {
        let suffix = name.lastIndex(of: ".").map { name[name.index(after: $0)...].lowercased() } ?? ""
        return switch suffix {
        case "html": "text/html; charset=utf-8"
        case "js", "mjs": "text/javascript; charset=utf-8"
        case "css": "text/css; charset=utf-8"
        case "json", "map": "application/json"
        case "txt", "md": "text/plain; charset=utf-8"
        case "svg": "image/svg+xml"
        case "png": "image/png"
        case "jpg", "jpeg": "image/jpeg"
        case "gif": "image/gif"
        case "webp": "image/webp"
        case "ico": "image/x-icon"
        case "woff": "font/woff"
        case "woff2": "font/woff2"
        case "ttf": "font/ttf"
        case "wasm": "application/wasm"
        default: "application/octet-stream"
        }
    }

    /// `index-C4D9a_xY.js`, `main.8f3c21aa.chunk.css`: bundlers put eight or more characters of a hash before the suffix.
    private static func hasHash(_ name: String) -> Bool {
        let file = name.split(separator: "/").last ?? ""
        let pieces = file.split { $0 == "." || $0 == "-" }.dropFirst().dropLast()
        return pieces.contains { piece in
            piece.utf8.count >= 8 && piece.contains { $0.isNumber || $0.isUppercase }
                && piece.utf8.allSatisfy { Self.isHashByte($0) }
        }
    }

    private static func isHashByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x5F: true
        default: false
        }
    }
}

/// `index.html` with its placeholders filled in: lines such as `JAEGER_VERSION = DEFAULT_VERSION;`, and the base of all links.
private struct JaegerPage {
    /// Around the place of the base's path; without one, the page finds its base by itself.
    private let pieces: [[UInt8]]

    init(_ template: [UInt8], version: String, archives: Bool) {
        var text = String(decoding: template, as: UTF8.self)
        let storage = #""archiveStorage":\#(archives),"metricsStorage":true"#
        Self.fill(&text, "CONFIG", Self.configuration(archives: archives))
        Self.fill(&text, "STORAGE_CAPABILITIES", "{\(storage)}")
        Self.fill(
            &text, "BACKEND_CAPABILITIES", #"{\#(storage),"searchWithoutServiceName":true,"aiAssistant":false}"#)
        var json = JSONWriter()
        json.string("varve \(version)")
        Self.fill(&text, "VERSION", #"{"gitCommit":"","gitVersion":\#(json.text),"buildDate":""}"#)
        let marker = #"<base href=""#
        if let range = Self.range(of: marker + "/\"", in: text) {
            let head = text[..<range.lowerBound] + marker
            pieces = [Array(head.utf8), Array(("\"" + text[range.upperBound...]).utf8)]
        } else {
            pieces = [Array(text.utf8)]
        }
    }

    func bytes(base: String) -> [UInt8] { pieces.count == 2 ? pieces[0] + base.utf8 + pieces[1] : pieces[0] }

    private static func configuration(archives: Bool) -> String {
        #"{"archiveEnabled":\#(archives),"dependencies":{"menuEnabled":true},"deepDependencies":{"menuEnabled":true},"#
            + #""monitor":{"menuEnabled":true}}"#
    }

    /// Puts `value` where `JAEGER_X = DEFAULT_X;` stands, with any spaces around the sign.
    private static func fill(_ text: inout String, _ name: String, _ value: String) {
        let constant = "JAEGER_\(name)"
        // No text of a value may end the script.
        let value = value.replacing("<", with: "\\u003c")
        var begin = text.startIndex
        while let found = range(of: constant, in: text[begin...]) {
            begin = found.upperBound
            var rest = text[found.upperBound...].drop { $0 == " " }
            guard rest.first == "=" else { continue }
            rest = rest.dropFirst().drop { $0 == " " }
            let usual = "DEFAULT_\(name);"
            guard rest.hasPrefix(usual) else { continue }
            let end = rest.index(rest.startIndex, offsetBy: usual.count)
            text.replaceSubrange(found.lowerBound..<end, with: "\(constant) = \(value);")
            return
        }
    }

    private static func range(of word: String, in text: some StringProtocol) -> Range<String.Index>? {
        var rest = text[...]
        while let first = word.first, let place = rest.firstIndex(of: first) {
            rest = rest[place...]
            if rest.hasPrefix(word) { return place..<rest.index(place, offsetBy: word.count) }
            rest = rest.dropFirst()
        }
        return nil
    }
}

package enum HTTPMethod: String, Hashable, Sendable {
    case get = "GET"
    case head = "HEAD"
    case post = "POST"
    case put = "PUT"
    case delete = "DELETE"
    case options = "OPTIONS"
    case other = ""
}

/// A request with its whole body.
package struct HTTPRequest: Sendable {
    package var method: HTTPMethod
    /// As sent, without the query, still percent-encoded.
    package var path: String
    /// The path's segments, each percent-decoded by itself (rule G-8).
    package var segments: [String]
    /// The query's parameters, decoded, in order; for a form POST the body's parameters come first (rule G-4).
    package var parameters: [(name: String, value: String)]
    /// In order of arrival; look them up with `header(_:)`.
    package var headers: [(name: String, value: String)]
    /// As it was received: compressed if there is a `Content-Encoding`. See `decodedBody(limit:)`.
    package var body: [UInt8]
    /// Counts the body, and what it is decoded to, among the server's.
    package var memory: BodyMemory?
    /// Who sends it, as the handler has found by its head; nil if it was not asked.
    package var caller: (any RequestCaller)?

    package init(
        method: HTTPMethod, path: String, segments: [String],
        parameters: [(name: String, value: String)], headers: [(name: String, value: String)],
        body: [UInt8]
    ) {
        self.method = method
        self.path = path
        self.segments = segments
        self.parameters = parameters
        self.headers = headers
        self.body = body
    }

    /// The first header of that name, whatever its case.
    package func header(_ name: String) -> String? {
        headers.first { ASCII.equalIgnoringCase($0.name, name) }?.value
    }

    /// The first parameter of that name.
    package func parameter(_ name: String) -> String? {
        parameters.first { $0.name == name }?.value
    }

    package func parameters(named name: String) -> [String] {
        parameters.filter { $0.name == name }.map(\.value)
    }

    /// `Content-Type` in lower case and without parameters; empty if there is none.
    package var mediaType: String {
        let value = header("Content-Type") ?? ""
        return ASCII.trimmed(value.prefix { $0 != ";" }).lowercased()
    }
}

package struct HTTPResponse: Sendable {
    package var status: Int
    package var headers: [(name: String, value: String)]
    package var body: [UInt8]
    /// Takes the connection over after the reply's head, which then is a 101. See `HTTPUpgrade`.
    package var upgrade: HTTPUpgrade?

    package init(
        status: Int, headers: [(name: String, value: String)] = [], body: [UInt8] = []
    ) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    package static func json(_ body: [UInt8], status: Int = 200) -> HTTPResponse {
        HTTPResponse(status: status, headers: [("Content-Type", "application/json")], body: body)
    }

    package static func text(_ body: String, status: Int = 200) -> HTTPResponse {
        HTTPResponse(
            status: status, headers: [("Content-Type", "text/plain; charset=utf-8")],
            body: Array(body.utf8))
    }
}

/// Who sends a request, in a handler's own words.
package protocol RequestCaller: Sendable {}

/// Answers requests, from many threads at once.
package protocol HTTPHandler: Sendable {
    /// May block.
    ///
    /// - Parameter reply: called once, before the call returns or later, from any thread.
    func respond(
        to request: HTTPRequest, connection: HTTPConnectionState, reply: @escaping @Sendable (HTTPResponse) -> Void)

    /// Says at once that a request is refused before a handler is asked, in the way of its path; `request` has as much of its head as
    /// is known.
    func refuse(_ request: HTTPRequest, status: Int, _ message: String) -> HTTPResponse

    /// Looks at a request's head, before anything more of it is read.
    ///
    /// - Returns: who sends it, which comes back with the whole request.
    /// - Throws: why it is refused.
    func admit(_ head: HTTPRequest) throws(HTTPBodyError) -> (any RequestCaller)?

    /// The most bytes of body that a request may have, known at once, as received and decoded alike; `head` has no body yet.
    func bodyLimit(for head: HTTPRequest) -> Int
}

extension HTTPHandler {
    package func admit(_ head: HTTPRequest) throws(HTTPBodyError) -> (any RequestCaller)? { nil }
}

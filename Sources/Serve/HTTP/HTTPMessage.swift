package enum HTTPMethod: String, Sendable {
    case get = "GET"
    case head = "HEAD"
    case post = "POST"
    case put = "PUT"
    case delete = "DELETE"
    case options = "OPTIONS"
    case other = ""
}

/// A request with its whole body, decompressed if it was compressed.
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
    package var body: [UInt8]

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
        headers.first { $0.name.lowercased() == name.lowercased() }?.value
    }

    /// The first parameter of that name.
    package func parameter(_ name: String) -> String? {
        parameters.first { $0.name == name }?.value
    }

    package func parameters(named name: String) -> [String] {
        parameters.filter { $0.name == name }.map(\.value)
    }
}

package struct HTTPResponse: Sendable {
    package var status: Int
    package var headers: [(name: String, value: String)]
    package var body: [UInt8]

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

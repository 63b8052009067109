package import Compression

/// Why a request's body is of no use.
package enum HTTPBodyError: Error, Hashable, Sendable {
    case unsupportedEncoding(String)
    case malformed(encoding: String)
    case tooLarge(limit: Int)
    /// All bodies together would take more memory than they may.
    case overloaded
    /// Where the request ends, or for whom it is, can be understood in two ways (RFC 9112, 3.2 and 6.3).
    case ambiguous(String)
    /// The request's first line and headers are too long.
    case headTooLarge
    /// The request took too long to arrive.
    case tooSlow
    /// Who sends it may not.
    case denied(status: Int, String)

    package var status: Int {
        switch self {
        case .unsupportedEncoding: 415
        case .malformed: 400
        case .tooLarge: 413
        case .overloaded: 503
        case .ambiguous: 400
        case .headTooLarge: 431
        case .tooSlow: 408
        case .denied(let status, _): status
        }
    }

    package var message: String {
        switch self {
        case .unsupportedEncoding(let name): "unsupported Content-Encoding: \(name)"
        case .malformed(let name): "the body is not valid \(name)"
        case .tooLarge(let limit): "the body exceeds \(limit) bytes"
        case .overloaded: "too many requests are being received; try again"
        case .ambiguous(let reason): reason
        case .headTooLarge: "the request's headers are too long"
        case .tooSlow: "the request took too long to arrive"
        case .denied(_, let reason): reason
        }
    }
}

extension HTTPRequest {
    /// The one coding of the body in lower case, of all such headers, without `identity`; a list if there are several.
    package var contentCoding: String {
        let codings = headers.filter { ASCII.equalIgnoringCase($0.name, "Content-Encoding") }
            .flatMap { $0.value.split(separator: ",") }
            .map { ASCII.trimmed($0).lowercased() }
        return codings.filter { !$0.isEmpty && $0 != "identity" }.joined(separator: ", ")
    }

    /// The body without its `Content-Encoding` (rules O-3, O-7).
    package func decodedBody(limit: Int) throws(HTTPBodyError) -> [UInt8] {
        guard let coding = ContentCoding(contentCoding) else { throw .unsupportedEncoding(contentCoding) }
        return try coding.decode(body, limit: limit, memory: memory)
    }
}

extension ContentCoding {
    /// What HTTP and gRPC call it.
    package var name: String {
        switch self {
        case .identity: "identity"
        case .gzip: "gzip"
        case .zstd: "zstd"
        case .deflate: "deflate"
        case .snappy: "snappy"
        case .lz4: "lz4"
        }
    }

    /// The bytes without their coding, at most `limit` of them, which count among those of all bodies.
    package func decode(_ bytes: [UInt8], limit: Int, memory: BodyMemory?) throws(HTTPBodyError) -> [UInt8] {
        let decoded: [UInt8]
        do throws(CompressionError) {
            decoded = try decode(bytes, limit: limit)
        } catch {
            switch error {
            case .tooLarge(let limit): throw .tooLarge(limit: limit)
            case .unsupported: throw .unsupportedEncoding(name)
            case .corrupt: throw .malformed(encoding: name)
            }
        }
        guard self == .identity || memory?.reserve(decoded.count) ?? true else { throw .overloaded }
        return decoded
    }
}

/// Which content codings a client takes (rule G-6).
enum AcceptEncoding {
    /// Whether `gzip` is offered, by name or by `*`, with a weight above zero.
    static func offersGzip(_ header: String) -> Bool {
        var byName: Bool?
        var byStar = false
        for offer in header.split(separator: ",") {
            let pieces = offer.split(separator: ";", omittingEmptySubsequences: false)
            let name = ASCII.trimmed(pieces[0]).lowercased()
            let isRefused = pieces.dropFirst().contains { parameter in
                let text = ASCII.trimmed(parameter).lowercased().filter { $0 != " " }
                return text.hasPrefix("q=") && Double(text.dropFirst(2)) == 0
            }
            if name == "gzip" || name == "x-gzip" { byName = !isRefused }
            if name == "*" { byStar = !isRefused }
        }
        return byName ?? byStar
    }
}

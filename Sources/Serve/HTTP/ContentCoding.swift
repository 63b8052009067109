private import Compression
private import Synchronization

/// Why a request's body is of no use.
package enum HTTPBodyError: Error, Hashable, Sendable {
    case unsupportedEncoding(String)
    case malformed(encoding: String)
    case tooLarge(limit: Int)
    /// All bodies together would take more memory than they may.
    case overloaded
    /// Where the request ends, or for whom it is, can be understood in two ways (RFC 9112, 3.2 and 6.3).
    case ambiguous(String)

    package var status: Int {
        switch self {
        case .unsupportedEncoding: 415
        case .malformed: 400
        case .tooLarge: 413
        case .overloaded: 503
        case .ambiguous: 400
        }
    }

    package var message: String {
        switch self {
        case .unsupportedEncoding(let name): "unsupported Content-Encoding: \(name)"
        case .malformed(let name): "the body is not valid \(name)"
        case .tooLarge(let limit): "the body exceeds \(limit) bytes"
        case .overloaded: "too many requests are being received; try again"
        case .ambiguous(let reason): reason
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
        let encoding = contentCoding
        let decoded: [UInt8]
        do throws(CompressionError) {
            switch encoding {
            case "":
                guard body.count <= limit else { throw .tooLarge(limit: limit) }
                return body
            case "gzip", "x-gzip": decoded = try Gzip.decompress(body, limit: limit)
            case "deflate": decoded = try Gzip.inflate(body, limit: limit)
            case "zstd":
                decoded = try body.withUnsafeBufferPointer { bytes throws(CompressionError) in
                    try Zstd.decompress(streamed: UnsafeRawBufferPointer(bytes), limit: limit)
                }
            default: throw .unsupported
            }
        } catch {
            switch error {
            case .tooLarge(let limit): throw .tooLarge(limit: limit)
            case .unsupported: throw .unsupportedEncoding(encoding)
            case .corrupt: throw .malformed(encoding: encoding)
            }
        }
        guard memory?.reserve(decoded.count) ?? true else { throw .overloaded }
        return decoded
    }
}

/// The share of one request in the memory that all bodies may take; given back when the request is done.
package final class BodyMemory: Sendable {
    /// What all requests of a server hold together.
    final class Pool: Sendable {
        private let limit: Int
        private let used = Atomic<Int>(0)

        init(limit: Int) { self.limit = limit }

        func take(_ count: Int) -> Bool {
            if used.add(count, ordering: .relaxed).newValue <= limit { return true }
            used.subtract(count, ordering: .relaxed)
            return false
        }

        func giveBack(_ count: Int) { used.subtract(count, ordering: .relaxed) }
    }

    private let pool: Pool
    private let held = Atomic<Int>(0)

    init(pool: Pool) { self.pool = pool }

    deinit { pool.giveBack(held.load(ordering: .relaxed)) }

    func reserve(_ count: Int) -> Bool {
        guard pool.take(count) else { return false }
        held.add(count, ordering: .relaxed)
        return true
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

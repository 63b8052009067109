private import Compression

/// Compresses replies for clients that take it (rule G-6).
enum ResponseCompression {
    /// Below it the saving is less than a packet.
    private static let smallest = 1024

    static func apply(to response: inout HTTPResponse, for request: HTTPRequest) {
        let isEncoded = response.headers.contains { ASCII.equalIgnoringCase($0.name, "Content-Encoding") }
        guard response.body.count >= smallest, !isEncoded else { return }
        response.headers.append(("Vary", "Accept-Encoding"))
        guard request.method != .head, AcceptEncoding.offersGzip(request.header("Accept-Encoding") ?? "") else {
            return
        }
        let compressed = Gzip.compress(response.body, level: 1)
        guard compressed.count < response.body.count else { return }
        response.body = compressed
        response.headers.append(("Content-Encoding", "gzip"))
    }
}

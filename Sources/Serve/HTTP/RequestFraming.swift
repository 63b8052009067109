/// Whether a request says in one way only where it ends and for whom it is. A proxy in front that reads it in another way would take a
/// part of it for a request of somebody else.
enum RequestFraming {
    /// What is wrong by RFC 9112: 3.2 (one `Host`), 6.1 (no `Content-Length` beside `Transfer-Encoding`, which is `chunked`), 6.3 (one length). Equal lengths
    /// that are repeated may be taken for one; nobody sends them for a good reason.
    ///
    /// - Parameter isVersion11: HTTP/1.0 has no `Host`.
    static func fault(_ headers: [(name: String, value: String)], isVersion11: Bool) -> String? {
        func values(_ name: String) -> [String] {
            headers.filter { ASCII.equalIgnoringCase($0.name, name) }.map(\.value)
        }
        let (hosts, lengths, codings) = (values("Host"), values("Content-Length"), values("Transfer-Encoding"))
        if hosts.count > 1 { return "the request has \(hosts.count) Host headers" }
        if hosts.isEmpty, isVersion11 { return "the request has no Host header" }
        if lengths.count > 1 { return "the request has \(lengths.count) Content-Length headers" }
        if let length = lengths.first {
            guard !length.isEmpty, length.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
                return "Content-Length is no number"
            }
            if !codings.isEmpty {
                return "the request has both Content-Length and Transfer-Encoding"
            }
        }
        guard let coding = codings.first else { return nil }
        if codings.count > 1 || !ASCII.equalIgnoringCase(coding, "chunked") {
            return "the request's Transfer-Encoding is not chunked alone"
        }
        return isVersion11 ? nil : "the request has a Transfer-Encoding, which HTTP/1.0 does not"
    }
}

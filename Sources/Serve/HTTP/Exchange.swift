private import CMicroHTTPD

/// One request on its way in, and its reply: what the C library's callbacks share. Used by one thread at a time.
final class Exchange {
    /// How far the request has come.
    enum Stage {
        case head
        case body
        /// The body is read on and thrown away, since the library takes a reply only at its end.
        case refusing(HTTPBodyError)
        case answered
    }

    /// What is still read of a body that is refused, so that its sender may see the reply; then the connection is closed.
    private static let patience = 16 << 20
    /// What is reserved at most for a body of which nothing has arrived.
    private static let firstReservation = 1 << 20

    var stage = Stage.head
    private(set) var request: HTTPRequest
    private(set) var bodyLimit = 0
    private var discarded = 0
    private let memory: BodyMemory

    /// - Parameter target: the path and query as they were sent.
    init(target: UnsafePointer<CChar>, memory: BodyMemory) {
        self.memory = memory
        let bytes = UnsafeRawBufferPointer(start: target, count: varve_string_length(target))
        let mark = bytes.firstIndex(of: UInt8(ascii: "?"))
        let path = Self.path(of: bytes[..<(mark ?? bytes.endIndex)])
        let query = mark.map { bytes[($0 + 1)...] } ?? bytes[bytes.endIndex...]
        request = HTTPRequest(
            method: .other, path: String(decoding: path, as: UTF8.self),
            segments: PercentCoding.segments(ofPath: path), parameters: PercentCoding.parameters(query), headers: [],
            body: [])
        request.memory = memory
    }

    /// Takes the method and the headers, and looks whether the body will be taken.
    func readHead(
        method: UnsafePointer<CChar>, version: UnsafePointer<CChar>?, connection: OpaquePointer,
        handler: any HTTPHandler
    ) {
        request.method = HTTPMethod(rawValue: String(cString: method)) ?? .other
        let collector = Unmanaged.passUnretained(self).toOpaque()
        MHD_get_connection_values_n(connection, .HEADER_KIND, appendHeader, collector)
        bodyLimit = handler.bodyLimit(for: request)
        stage = .body
        if let reason = RequestFraming.fault(
            request.headers, isVersion11: version.map { String(cString: $0) } != "HTTP/1.0")
        {
            stage = .refusing(.ambiguous(reason))
            return
        }
        guard let length = request.header("Content-Length").flatMap({ UInt64($0) }) else { return }
        if length > UInt64(bodyLimit) {
            stage = .refusing(.tooLarge(limit: bodyLimit))
        } else {
            request.body.reserveCapacity(min(Int(length), Self.firstReservation))
        }
    }

    /// The path of a target in absolute form, as proxies are asked (RFC 9112, 3.2.2), or the target itself.
    private static func path(of target: Slice<UnsafeRawBufferPointer>) -> Slice<UnsafeRawBufferPointer> {
        let schemes = ["http://", "https://"]
        guard
            let scheme = schemes.first(where: {
                ASCII.equalIgnoringCase(String(decoding: target.prefix($0.utf8.count), as: UTF8.self), $0)
            })
        else { return target }
        let authority = target.dropFirst(scheme.utf8.count)
        return target[(authority.firstIndex(of: UInt8(ascii: "/")) ?? target.endIndex)...]
    }

    func addHeader(_ name: String, _ value: String) { request.headers.append((name, value)) }

    /// Takes a piece of the body.
    ///
    /// - Returns: whether to read on.
    func receive(_ bytes: UnsafeRawBufferPointer) -> Bool {
        if case .refusing = stage {
            discarded += bytes.count
            return discarded <= Self.patience
        }
        if bytes.count > bodyLimit - request.body.count {
            refuse(.tooLarge(limit: bodyLimit))
        } else if !memory.reserve(bytes.count) {
            refuse(.overloaded)
        } else {
            request.body.append(contentsOf: bytes)
        }
        return true
    }

    private func refuse(_ error: HTTPBodyError) {
        stage = .refusing(error)
        request.body = []
    }

    /// Adds the parameters of a form (rule G-4).
    func readForm() throws(HTTPBodyError) {
        guard request.method == .post, request.mediaType == "application/x-www-form-urlencoded" else { return }
        let form = try request.decodedBody(limit: bodyLimit)
        request.parameters = PercentCoding.parameters(form) + request.parameters
    }
}

private let appendHeader: MHD_KeyValueIteratorN = { context, _, name, nameLength, value, valueLength in
    guard let context, let name else { return .YES }
    let exchange = Unmanaged<Exchange>.fromOpaque(context).takeUnretainedValue()
    let text = UnsafeRawBufferPointer(start: value, count: value == nil ? 0 : valueLength)
    exchange.addHeader(
        String(decoding: UnsafeRawBufferPointer(start: name, count: nameLength), as: UTF8.self),
        String(decoding: text, as: UTF8.self))
    return .YES
}

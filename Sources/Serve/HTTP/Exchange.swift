/// One request on its way in: what the parser has found of it, and whether it will be taken. Only its loop's thread touches it.
final class Exchange {
    /// What is still read of a body that is refused, if its sender has said that it is no more.
    private static let patience = 16 << 20
    /// What is reserved at most for a body of which nothing has arrived.
    private static let firstReservation = 1 << 20

    private(set) var request = HTTPRequest(
        method: .other, path: "/", segments: [], parameters: [], headers: [], body: [])
    private(set) var isVersion11 = true
    private(set) var bodyLimit = 0
    /// Why the request is refused, once it is.
    private(set) var refusal: HTTPBodyError?
    private let memory: BodyMemory
    /// What is to come of the body, if that was said.
    private var left: Int?

    init(memory: BodyMemory) {
        self.memory = memory
        request.memory = memory
    }

    // MARK: The head

    func begin(method: UnsafeRawBufferPointer, target: UnsafeRawBufferPointer, isVersion11: Bool) {
        self.isVersion11 = isVersion11
        request.method = HTTPMethod(rawValue: String(decoding: method, as: UTF8.self)) ?? .other
        let mark = target.firstIndex(of: UInt8(ascii: "?"))
        let path = Self.path(of: target[..<(mark ?? target.endIndex)])
        let query = mark.map { target[($0 + 1)...] } ?? target[target.endIndex...]
        request.path = String(decoding: path, as: UTF8.self)
        request.segments = PercentCoding.segments(ofPath: path)
        request.parameters = PercentCoding.parameters(query)
    }

    func addHeader(_ name: String, _ value: String) { request.headers.append((name, value)) }

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

    /// Looks at the whole head, and whether the body will be taken.
    func judge(_ handler: any HTTPHandler) {
        bodyLimit = handler.bodyLimit(for: request)
        if let reason = RequestFraming.fault(request.headers, isVersion11: isVersion11) {
            refusal = .ambiguous(reason)
            return
        }
        do throws(HTTPBodyError) {
            request.caller = try handler.admit(request)
        } catch {
            refusal = error
            return
        }
        guard let length = request.header("Content-Length").flatMap({ UInt64($0) }) else { return }
        guard length <= UInt64(bodyLimit) else {
            refusal = .tooLarge(limit: bodyLimit)
            return
        }
        left = Int(length)
        request.body.reserveCapacity(min(Int(length), Self.firstReservation))
    }

    /// Whether the client waits to be told that its body will be taken (RFC 9110, 10.1.1).
    var expectsContinue: Bool {
        isVersion11 && ASCII.equalIgnoringCase(request.header("Expect") ?? "", "100-continue")
    }

    /// Takes headers as they stand, of a head that is malformed: a refusal is in the encoding that it names.
    func salvage(_ rest: UnsafeRawBufferPointer) {
        for line in rest.prefix(8 << 10).split(separator: UInt8(ascii: "\n")).prefix(100) {
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { continue }
            addHeader(
                ASCII.trimmed(String(decoding: line[..<colon], as: UTF8.self)),
                ASCII.trimmed(String(decoding: line[line.index(after: colon)...].filter { $0 != 13 }, as: UTF8.self)))
        }
    }

    // MARK: The body

    /// Takes a piece of the body, or forgets it all.
    func receive(_ bytes: UnsafeRawBufferPointer) {
        left = left.map { max($0 - bytes.count, 0) }
        guard refusal == nil else { return }
        if bytes.count > bodyLimit - request.body.count {
            refuse(.tooLarge(limit: bodyLimit))
        } else if !memory.reserve(bytes.count) {
            refuse(.overloaded)
        } else {
            request.body.append(contentsOf: bytes)
        }
    }

    private func refuse(_ error: HTTPBodyError) {
        refusal = error
        request.body = []
    }

    /// Whether the rest of a body that is refused is read, so that the connection can go on.
    var isReadToItsEnd: Bool { left.map { $0 <= Self.patience } ?? false }
}

extension HTTPRequest {
    /// Adds the parameters of a form (rule G-4).
    mutating func readForm(limit: Int) throws(HTTPBodyError) {
        guard method == .post, mediaType == "application/x-www-form-urlencoded" else { return }
        parameters = PercentCoding.parameters(try decodedBody(limit: limit)) + parameters
    }

    /// Without what may be large.
    package var head: HTTPRequest {
        var head = self
        head.body = []
        head.memory = nil
        return head
    }
}

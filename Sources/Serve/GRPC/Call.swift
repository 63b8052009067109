internal import Compression
internal import HTTP

/// A stream of HTTP/2: one call on its way in, and its answer on its way out. Only its loop's thread touches it.
final class Call {
    enum Stage {
        case head
        case message(MessageReader)
        /// A handler has it.
        case handled
        /// It has an answer, which may not be sent yet.
        case answered
    }

    let id: Int32
    var stage = Stage.head
    /// Whether the client has sent all that it will.
    var hasEnded = false
    /// When the message must be there, or the answer taken; nil while a handler works.
    var deadline: ContinuousClock.Instant?
    /// When the caller no longer waits.
    var expiry: ContinuousClock.Instant?
    private(set) var memory: BodyMemory?
    private(set) var coding = ContentCoding.identity
    private(set) var head = GRPCHead(path: "")
    private var caller: (any RequestCaller)?
    private var method = ""
    private var contentType = ""
    private(set) var metadataBytes = 0
    /// What is left to send of the answer's message, with its prefix.
    var output: ArraySlice<UInt8> = []
    /// The message that ends the call when the server stops; nil once it is to be sent, or if there is none.
    var farewell: [UInt8]?

    init(id: Int32, deadline: ContinuousClock.Instant) {
        self.id = id
        self.deadline = deadline
    }

    /// Has an answer: what arrived of the message is forgotten.
    func end() {
        stage = .answered
        memory = nil
        expiry = nil
    }

    /// Puts a message, with its prefix, behind what is to be sent.
    func send(_ message: [UInt8]) {
        output += [0] + withUnsafeBytes(of: UInt32(message.count).bigEndian) { Array($0) } + message
    }

    /// Takes a header; what is beyond the limit is only counted.
    func add(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, limit: Int) {
        metadataBytes += name.count + value.count + 32
        guard metadataBytes <= limit, case .head = stage else { return }
        let name = String(decoding: name, as: UTF8.self)
        let value = String(decoding: value, as: UTF8.self)
        switch name {
        case ":method": method = value
        case ":path": head.path = value
        case "content-type": contentType = value
        case _ where name.utf8.first == UInt8(ascii: ":"): break
        default: head.metadata.append((name, value))
        }
    }

    /// Why a head is no call's: an HTTP status, and what goes with it.
    struct Refusal: Error {
        var http = 200
        var status: GRPCStatus
        var reason: GRPCRefusal?
    }

    /// Looks at the whole head, and makes ready for the message.
    func open(_ handler: any GRPCHandler, metadataLimit: Int, bodies: BodyMemory.Pool) throws(Refusal) {
        guard metadataBytes <= metadataLimit else {
            let message = "a call's metadata exceed \(metadataLimit) bytes"
            throw Refusal(http: 431, status: GRPCStatus(.resourceExhausted, message), reason: .metadata)
        }
        guard method == "POST" else {
            let status = GRPCStatus(.unimplemented, "gRPC is POST; OTLP over HTTP has a port of its own")
            throw Refusal(http: 405, status: status, reason: .mediaType)
        }
        guard isGRPC else {
            let status = GRPCStatus(.invalidArgument, "content-type must be application/grpc")
            throw Refusal(http: 415, status: status, reason: .mediaType)
        }
        let limit: Int
        do throws(GRPCStatus) {
            (limit, caller) = try handler.admit(head)
        } catch {
            throw Refusal(status: error, reason: nil)
        }
        let name = head.value("grpc-encoding") ?? ""
        guard let coding = ContentCoding(name) else {
            let error = HTTPBodyError.unsupportedEncoding(String(name.prefix(100)))
            throw Refusal(status: GRPCStatus(error), reason: .body(error))
        }
        self.coding = coding
        let memory = BodyMemory(pool: bodies)
        self.memory = memory
        expiry = head.value("grpc-timeout").flatMap(CallTimeout.parse).map { .now + $0 }
        stage = .message(MessageReader(limit: limit, memory: memory))
    }

    /// `application/grpc`, alone, with `+proto`, or with parameters.
    private var isGRPC: Bool {
        let type = contentType.prefix { $0 != ";" }.lowercased()
        return ["application/grpc", "application/grpc+proto"].contains { ASCII.trimmed(type) == $0 }
    }

    /// The whole call, once its message has ended.
    func request(_ reader: consuming MessageReader) throws(MessageReader.Failure) -> GRPCRequest? {
        let (message, isCompressed) = try reader.finish()
        if isCompressed, coding == .identity { return nil }
        defer { memory = nil }
        var request = GRPCRequest(
            head: head, message: message, coding: isCompressed ? coding : .identity, memory: memory)
        request.caller = caller
        return request
    }
}

/// `grpc-timeout`: at most eight digits, and a unit.
enum CallTimeout {
    static func parse(_ text: String) -> Duration? {
        guard let unit = text.utf8.last, (2...9).contains(text.utf8.count), let count = Int64(text.dropLast()),
            count >= 0
        else { return nil }
        return switch unit {
        case UInt8(ascii: "H"): .seconds(count * 3600)
        case UInt8(ascii: "M"): .seconds(count * 60)
        case UInt8(ascii: "S"): .seconds(count)
        case UInt8(ascii: "m"): .milliseconds(count)
        case UInt8(ascii: "u"): .microseconds(count)
        case UInt8(ascii: "n"): .nanoseconds(count)
        default: nil
        }
    }
}

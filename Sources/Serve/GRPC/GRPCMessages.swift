package import Compression
package import HTTP

/// The codes of `google.rpc.Code` that this server answers with.
package enum GRPCCode: Int, Sendable {
    case ok = 0
    case invalidArgument = 3
    case deadlineExceeded = 4
    case notFound = 5
    case permissionDenied = 7
    case resourceExhausted = 8
    case unimplemented = 12
    case internalError = 13
    case unavailable = 14
    case unauthenticated = 16
}

/// What became of a call.
package struct GRPCStatus: Error, Hashable, Sendable {
    package var code: GRPCCode
    package var message: String
    /// After how many seconds the same call may do better: `google.rpc.RetryInfo`. Without it a sender does not come again, unless the
    /// code alone says that it may (rule O-31).
    package var retryAfter: Int?

    package init(_ code: GRPCCode, _ message: String = "", retryAfter: Int? = nil) {
        self.code = code
        self.message = message
        self.retryAfter = retryAfter
    }

    package static let ok = GRPCStatus(.ok)

    /// What a body that is of no use is answered with.
    package init(_ error: HTTPBodyError) {
        switch error {
        case .unsupportedEncoding(let name): self.init(.unimplemented, "unsupported grpc-encoding: \(name)")
        case .malformed, .ambiguous, .headTooLarge, .tooSlow, .denied: self.init(.invalidArgument, error.message)
        case .tooLarge: self.init(.resourceExhausted, error.message)
        case .overloaded: self.init(.unavailable, error.message, retryAfter: 1)
        }
    }
}

/// Why a call was refused before it reached its method, for counters.
package enum GRPCRefusal: Hashable, Sendable {
    /// Neither POST nor `application/grpc`.
    case mediaType
    /// More metadata than is taken.
    case metadata
    /// Not one message, as its prefix says.
    case framing
    case body(HTTPBodyError)
    /// The caller's `grpc-timeout` has passed.
    case deadline
}

/// A call before its message.
package struct GRPCHead: Sendable {
    /// `/package.Service/Method`.
    package var path: String
    /// In order of arrival, names in lower case; without HTTP's own.
    package var metadata: [(name: String, value: String)]

    package init(path: String, metadata: [(name: String, value: String)] = []) {
        self.path = path
        self.metadata = metadata
    }

    /// The first value of that name, which is in lower case.
    package func value(_ name: String) -> String? { metadata.first { $0.name == name }?.value }
}

/// A call with its one message.
package struct GRPCRequest: Sendable {
    package var head: GRPCHead
    /// As it was received.
    package var message: [UInt8]
    package var coding: ContentCoding
    /// Counts the message, and what it is decoded to, among the server's; to be kept until the call is answered.
    package var memory: BodyMemory?
    /// Who calls, as the handler has found by the head.
    package var caller: (any RequestCaller)?

    package init(head: GRPCHead, message: [UInt8], coding: ContentCoding = .identity, memory: BodyMemory? = nil) {
        self.head = head
        self.message = message
        self.coding = coding
        self.memory = memory
    }
}

package struct GRPCResponse: Hashable, Sendable {
    /// Nil unless the status is ok.
    package var message: [UInt8]?
    package var status: GRPCStatus
    /// A second message, which comes when the server stops, and ends the call; until then it stays open. Nil: it ends at once.
    package var farewell: [UInt8]?

    package init(_ message: [UInt8], farewell: [UInt8]? = nil) {
        self.message = message
        self.farewell = farewell
        status = .ok
    }

    package init(_ status: GRPCStatus) { self.status = status }
}

/// Answers calls of one message each.
package protocol GRPCHandler: Sendable {
    /// Looks at a call before its message is read, on a thread that serves many: it must not wait.
    ///
    /// - Returns: the most bytes that the message may have, as received; and who calls, which comes back with the whole call.
    func admit(_ head: GRPCHead) throws(GRPCStatus) -> (messageLimit: Int, caller: (any RequestCaller)?)

    /// Answers a call once, by `reply`, on any thread. It may wait for room, but not for the disk.
    func respond(to request: GRPCRequest, reply: @escaping @Sendable (GRPCResponse) -> Void)

    /// Notes a call that was refused.
    func note(_ refusal: GRPCRefusal)
}

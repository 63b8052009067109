package import HTTP

/// The one message of a unary call, out of pieces of any length:
///
/// ```
/// flag      1 byte   0 as it is, 1 in the coding that `grpc-encoding` names
/// length    4 bytes  big-endian
/// message   as many bytes
/// ```
///
/// The length is believed only as far as bytes have arrived.
package struct MessageReader {
    package enum Failure: Error, Hashable {
        case unknownFlag(UInt8)
        case tooLarge(limit: Int)
        /// All bodies together take too much memory.
        case overloaded
        case severalMessages
        /// The call ended within its message, or without one.
        case truncated
        case noMessage
    }

    static let prefixLength = 5
    /// What is made room for at most for a message of which nothing has arrived.
    private static let firstRoom = 1 << 20

    private let limit: Int
    private let memory: BodyMemory?
    private var prefix: (bytes: UInt64, count: Int) = (0, 0)
    private var message: [UInt8] = []
    private var length = 0

    package init(limit: Int, memory: BodyMemory?) {
        self.limit = limit
        self.memory = memory
    }

    package mutating func read(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        var rest = bytes[...]
        while prefix.count < Self.prefixLength, let byte = rest.popFirst() {
            prefix = (prefix.bytes << 8 | UInt64(byte), prefix.count + 1)
            if prefix.count == Self.prefixLength { try begin() }
        }
        guard !rest.isEmpty else { return }
        guard rest.count <= length - message.count else { throw .severalMessages }
        guard memory?.reserve(rest.count) ?? true else { throw .overloaded }
        message.append(contentsOf: rest)
    }

    private mutating func begin() throws(Failure) {
        let flag = UInt8(truncatingIfNeeded: prefix.bytes >> 32)
        guard flag <= 1 else { throw .unknownFlag(flag) }
        length = Int(prefix.bytes & 0xFFFF_FFFF)
        guard length <= limit else { throw .tooLarge(limit: limit) }
        message.reserveCapacity(min(length, Self.firstRoom))
    }

    /// The message, at the call's end.
    package consuming func finish() throws(Failure) -> (message: [UInt8], isCompressed: Bool) {
        guard prefix.count > 0 else { throw .noMessage }
        guard prefix.count == Self.prefixLength, message.count == length else { throw .truncated }
        return (message, prefix.bytes >> 32 == 1)
    }
}

extension MessageReader.Failure {
    /// By gRPC's table of statuses: what breaks the protocol is not the caller's argument.
    var status: GRPCStatus {
        switch self {
        case .unknownFlag(let flag): GRPCStatus(.internalError, "a message's flag is \(flag), not 0 or 1")
        case .tooLarge(let limit): GRPCStatus(HTTPBodyError.tooLarge(limit: limit))
        case .overloaded: GRPCStatus(HTTPBodyError.overloaded)
        case .severalMessages: GRPCStatus(.unimplemented, "a unary call has one message, and no more")
        case .truncated: GRPCStatus(.invalidArgument, "the call ended within its message")
        case .noMessage: GRPCStatus(.unimplemented, "a unary call has one message")
        }
    }

    var refusal: GRPCRefusal {
        switch self {
        case .tooLarge(let limit): .body(.tooLarge(limit: limit))
        case .overloaded: .body(.overloaded)
        default: .framing
        }
    }
}

private import CBeast

/// The parser of one request: what it finds goes to an `Exchange`, and it keeps none of it.
final class RequestParser {
    enum Progress {
        /// What was not consumed is to come again, with what follows it.
        case needsMore
        case goesOn
        /// The head is whole; whether a body follows.
        case head(hasBody: Bool)
        case done
        case malformed(String)
        case headTooLarge
    }

    private let parser: OpaquePointer
    private let exchange: Exchange

    /// - Returns: nil if there is no memory.
    init?(for exchange: Exchange, headLimit: Int) {
        guard let parser = varve_http_parser_create(Self.events, UInt32(clamping: headLimit)) else { return nil }
        self.parser = parser
        self.exchange = exchange
    }

    deinit { varve_http_parser_destroy(parser) }

    /// Of a whole head.
    var keepsAlive: Bool { varve_http_parser_keeps_alive(parser) != 0 }

    /// - Returns: how many bytes were consumed, and what came of it.
    func feed(_ bytes: UnsafeRawBufferPointer) -> (consumed: Int, progress: Progress) {
        var consumed = 0
        let context = Unmanaged.passUnretained(exchange).toOpaque()
        let progress = varve_http_parser_feed(parser, context, bytes.baseAddress, bytes.count, &consumed)
        switch UInt32(bitPattern: progress) {
        case VARVE_HTTP_NEEDS_MORE.rawValue: return (consumed, .needsMore)
        case VARVE_HTTP_GOES_ON.rawValue: return (consumed, .goesOn)
        case VARVE_HTTP_HEAD.rawValue: return (consumed, .head(hasBody: varve_http_parser_has_body(parser) != 0))
        case VARVE_HTTP_DONE.rawValue: return (consumed, .done)
        case VARVE_HTTP_HEAD_TOO_LARGE.rawValue: return (consumed, .headTooLarge)
        default: return (consumed, .malformed(String(cString: varve_http_parser_reason(parser))))
        }
    }

    /// The same for all parsers, and for ever.
    nonisolated(unsafe) private static let events: UnsafePointer<varve_http_events> = {
        let events = UnsafeMutablePointer<varve_http_events>.allocate(capacity: 1)
        events.initialize(to: varve_http_events(request: takeRequestLine, field: takeField, body: takeBody))
        return UnsafePointer(events)
    }()
}

private func exchange(_ context: UnsafeMutableRawPointer) -> Exchange {
    Unmanaged<Exchange>.fromOpaque(context).takeUnretainedValue()
}

private func takeRequestLine(
    _ context: UnsafeMutableRawPointer?, _ method: UnsafePointer<CChar>?, _ methodCount: Int,
    _ target: UnsafePointer<CChar>?, _ targetCount: Int, _ version: Int32
) {
    guard let context else { return }
    exchange(context).begin(
        method: UnsafeRawBufferPointer(start: method, count: methodCount),
        target: UnsafeRawBufferPointer(start: target, count: targetCount), isVersion11: version == 11)
}

private func takeField(
    _ context: UnsafeMutableRawPointer?, _ name: UnsafePointer<CChar>?, _ nameCount: Int,
    _ value: UnsafePointer<CChar>?, _ valueCount: Int
) {
    guard let context else { return }
    exchange(context).addHeader(
        String(decoding: UnsafeRawBufferPointer(start: name, count: nameCount), as: UTF8.self),
        String(decoding: UnsafeRawBufferPointer(start: value, count: valueCount), as: UTF8.self))
}

private func takeBody(_ context: UnsafeMutableRawPointer?, _ bytes: UnsafePointer<CChar>?, _ count: Int) {
    guard let context else { return }
    exchange(context).receive(UnsafeRawBufferPointer(start: bytes, count: count))
}

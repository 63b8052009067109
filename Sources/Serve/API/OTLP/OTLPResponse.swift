internal import HTTP
internal import Ingest
internal import JSON
internal import OTLP

/// The bodies of answers to OTLP requests, in the encoding of the request (rules O-4 to O-6).
enum OTLPResponse {
    static func success(
        _ outcome: DecodeOutcome, signal: LoggedRequest.Signal, format: LoggedRequest.Format
    ) -> HTTPResponse {
        let isPartial = !outcome.explanation.isEmpty
        switch format {
        case .protobuf:
            return response(200, message(outcome), format)
        case .json:
            var writer = JSONWriter()
            writer.beginObject()
            if isPartial {
                writer.key("partialSuccess")
                writer.beginObject()
                if outcome.rejected > 0 {
                    writer.key(rejectedKey(signal))
                    writer.string(String(outcome.rejected))
                }
                writer.key("errorMessage")
                writer.string(outcome.explanation)
                writer.endObject()
            }
            writer.endObject()
            return response(200, writer.bytes, format)
        }
    }

    private static func rejectedKey(_ signal: LoggedRequest.Signal) -> String {
        switch signal {
        case .traces: "rejectedSpans"
        case .logs: "rejectedLogRecords"
        case .metrics: "rejectedDataPoints"
        }
    }

    /// `Export…ServiceResponse { 1: partial_success { 1: rejected, 2: error_message } }`; nothing if there is nothing to say.
    static func message(_ outcome: DecodeOutcome) -> [UInt8] {
        guard !outcome.explanation.isEmpty else { return [] }
        var inner: [UInt8] = []
        if outcome.rejected > 0 {
            inner.append(1 << 3)
            append(varint: UInt64(outcome.rejected), to: &inner)
        }
        append(2, text: outcome.explanation, to: &inner)
        var message: [UInt8] = [1 << 3 | 2]
        append(varint: UInt64(inner.count), to: &message)
        return message + inner
    }

    /// What may be sent again says when.
    static func failure(_ refusal: OTLPRefusal, format: LoggedRequest.Format) -> HTTPResponse {
        let status =
            switch refusal {
            case .malformed: 400
            case .body(let error): error.status
            case .unavailable: 503
            case .throttled, .limited: 429
            case .readOnly: 403
            }
        return failure(status, refusal.message, format: format).retrying(after: refusal.retryAfter)
    }

    /// `google.rpc.Status { 1: code, 2: message }`.
    static func failure(
        _ status: Int, _ message: String, format: LoggedRequest.Format
    ) -> HTTPResponse {
        let code = rpcCode(status)
        switch format {
        case .protobuf:
            var body: [UInt8] = [1 << 3]
            append(varint: UInt64(code), to: &body)
            append(2, text: message, to: &body)
            return response(status, body, format)
        case .json:
            var writer = JSONWriter()
            writer.beginObject()
            writer.key("code")
            writer.int(Int64(code))
            writer.key("message")
            writer.string(message)
            writer.endObject()
            return response(status, writer.bytes, format)
        }
    }

    /// The number of google.rpc.Code that fits an HTTP status best.
    private static func rpcCode(_ status: Int) -> Int {
        switch status {
        case 400, 415: 3
        case 401: 16
        case 403: 7
        case 404, 405: 12
        case 413, 429: 8
        case 503: 14
        default: 13
        }
    }

    private static func response(
        _ status: Int, _ body: [UInt8], _ format: LoggedRequest.Format
    ) -> HTTPResponse {
        let type = format == .protobuf ? "application/x-protobuf" : "application/json"
        return HTTPResponse(status: status, headers: [("Content-Type", type)], body: body)
    }

    private static func append(varint value: UInt64, to bytes: inout [UInt8]) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    private static func append(_ field: UInt8, text: String, to bytes: inout [UInt8]) {
        bytes.append(field << 3 | 2)
        append(varint: UInt64(text.utf8.count), to: &bytes)
        bytes.append(contentsOf: text.utf8)
    }
}

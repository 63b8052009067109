import CNGHTTP2

/// Headers or trailers as nghttp2 takes them: made once, and valid as long as the object.
final class Fields: @unchecked Sendable {
    private let bytes: UnsafeMutablePointer<UInt8>
    private let pairs: UnsafeMutablePointer<nghttp2_nv>
    let count: Int

    /// - Parameter isKept: whether the object outlives every session, so that nothing need be copied.
    init(_ fields: [(name: String, value: String)], isKept: Bool = false) {
        count = fields.count
        let flags = isKept ? NGHTTP2_NV_FLAG_NO_COPY_NAME.rawValue | NGHTTP2_NV_FLAG_NO_COPY_VALUE.rawValue : 0
        bytes = .allocate(capacity: fields.reduce(1) { $0 + $1.name.utf8.count + $1.value.utf8.count })
        pairs = .allocate(capacity: max(count, 1))
        var end = bytes
        func put(_ text: String) -> (start: UnsafeMutablePointer<UInt8>, count: Int) {
            let start = end
            for byte in text.utf8 {
                end.initialize(to: byte)
                end += 1
            }
            return (start, end - start)
        }
        for (i, field) in fields.enumerated() {
            let (name, value) = (put(field.name), put(field.value))
            (pairs + i).initialize(
                to: nghttp2_nv(
                    name: name.start, value: value.start, namelen: name.count, valuelen: value.count,
                    flags: UInt8(flags)))
        }
    }

    deinit {
        bytes.deallocate()
        pairs.deallocate()
    }

    var first: UnsafePointer<nghttp2_nv> { UnsafePointer(pairs) }
}

/// How a status looks in trailers.
enum StatusFields {
    static let accepted = (name: "grpc-accept-encoding", value: "identity, gzip, zstd, deflate, snappy, lz4")
    static let type = (name: "content-type", value: "application/grpc")

    /// Trailers, without the status of HTTP.
    static func trailers(_ status: GRPCStatus) -> [(name: String, value: String)] {
        var fields = [(name: "grpc-status", value: String(status.code.rawValue))]
        if !status.message.isEmpty { fields.append(("grpc-message", percentEncoded(status.message))) }
        if let seconds = status.retryAfter {
            fields.append(("grpc-status-details-bin", base64(details(status, retryAfter: seconds))))
        }
        return fields
    }

    /// Space to tilde without the percent sign stand for themselves.
    static func percentEncoded(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            if (0x20...0x7E).contains(byte), byte != UInt8(ascii: "%") {
                bytes.append(byte)
            } else {
                bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// `google.rpc.Status { 1: code, 2: message, 3: details }`, the details an `Any` of `RetryInfo { 1: Duration { 1: seconds } }`.
    static func details(_ status: GRPCStatus, retryAfter seconds: Int) -> [UInt8] {
        let delay = tagged(1, Array([1 << 3] + varint(UInt64(clamping: seconds))))
        let any = tagged(1, Array("type.googleapis.com/google.rpc.RetryInfo".utf8)) + tagged(2, delay)
        return [1 << 3] + varint(UInt64(status.code.rawValue)) + tagged(2, Array(status.message.utf8)) + tagged(3, any)
    }

    private static func tagged(_ field: UInt8, _ bytes: [UInt8]) -> [UInt8] {
        [field << 3 | 2] + varint(UInt64(bytes.count)) + bytes
    }

    private static func varint(_ value: UInt64) -> [UInt8] {
        var (rest, bytes): (UInt64, [UInt8]) = (value, [])
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }

    /// RFC 4648 without padding, as gRPC's binary metadata is sent.
    static func base64(_ bytes: [UInt8]) -> String {
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let bits = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
            for i in 0...group.count { text.append(letters[bits >> (18 - 6 * i) & 63]) }
        }
        return String(decoding: text, as: UTF8.self)
    }
}

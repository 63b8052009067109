/// The codings that a request's body may have, whatever brought it.
package enum ContentCoding: Hashable, Sendable {
    case identity, gzip, zstd, deflate, snappy, lz4

    /// - Parameter name: in lower case, as HTTP and gRPC call them; nil if it is none of them.
    package init?(_ name: String) {
        switch name {
        case "", "identity": self = .identity
        case "gzip", "x-gzip": self = .gzip
        case "zstd": self = .zstd
        case "deflate": self = .deflate
        case "snappy", "x-snappy-framed": self = .snappy
        case "lz4": self = .lz4
        default: return nil
        }
    }

    /// The bytes without their coding, at most `limit` of them.
    package func decode(_ bytes: [UInt8], limit: Int) throws(CompressionError) -> [UInt8] {
        switch self {
        case .identity:
            guard bytes.count <= limit else { throw .tooLarge(limit: limit) }
            return bytes
        case .gzip: return try Gzip.decompress(bytes, limit: limit)
        case .deflate: return try Gzip.inflate(bytes, limit: limit)
        case .snappy: return try Snappy.decompress(bytes, limit: limit)
        case .lz4: return try LZ4.decompress(framed: bytes, limit: limit)
        case .zstd: return try Zstd.decompress(streamed: bytes, limit: limit)
        }
    }
}

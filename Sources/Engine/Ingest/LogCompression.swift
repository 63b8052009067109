internal import Compression

/// How bodies that come uncompressed are written to the log (docs/decisions/0070).
package enum LogCompression: String, Sendable, CaseIterable {
    case lz4, zstd, none

    /// Below it a frame saves less than a block of the disk.
    static let leastBytes = 512
    /// Faster than 1, whose frames are 8 to 15 % smaller.
    private static let zstdLevel: Int32 = -1

    /// The request as the log is to have it: its body compressed, if it is not yet, and if that makes it shorter.
    package func apply(to request: LoggedRequest) -> LoggedRequest {
        guard self != .none, request.coding == .identity, request.body.count >= Self.leastBytes else { return request }
        var compressed = request
        switch self {
        case .none: return request
        case .zstd:
            compressed.coding = .zstd
            compressed.body = unsafe request.body.withUnsafeBytes { unsafe Zstd.frame(of: $0, level: Self.zstdLevel) }
        case .lz4:
            compressed.coding = .lz4
            compressed.body = unsafe request.body.withUnsafeBytes { unsafe LZ4.frame(of: $0) }
        }
        return compressed.body.isEmpty || compressed.body.count >= request.body.count ? request : compressed
    }
}

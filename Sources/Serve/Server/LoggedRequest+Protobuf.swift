internal import Compression
package import Ingest
internal import OTLP

extension LoggedRequest {
    /// The protobuf bytes of a logged request: decompressed, and transcoded if it is JSON. It may be longer than what is taken now,
    /// since the limit may have been another when it came.
    package func protobuf() throws -> [UInt8] {
        let bytes = try contentCoding.decode(body, limit: Engine.longestBody)
        guard format == .json else { return bytes }
        return switch signal {
        case .traces: try OTLPJSON.transcode(traces: bytes)
        case .logs: try OTLPJSON.transcode(logs: bytes)
        case .metrics: try OTLPJSON.transcode(metrics: bytes)
        }
    }

    private var contentCoding: ContentCoding {
        switch coding {
        case .identity: .identity
        case .gzip: .gzip
        case .zstd: .zstd
        case .deflate: .deflate
        case .lz4: .lz4
        }
    }
}

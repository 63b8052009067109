internal import Compression
package import Ingest
internal import OTLP

extension LoggedRequest {
    /// The protobuf bytes of a logged request: decompressed, and transcoded if it is JSON. It may be longer than what is taken now,
    /// since the limit may have been another when it came.
    package func protobuf() throws -> [UInt8] {
        let bytes = try unsafe body.withUnsafeBytes { body in
            switch coding {
            case .identity: self.body
            case .gzip: try unsafe Gzip.decompress(body, limit: Engine.longestBody)
            case .zstd: try unsafe Zstd.decompress(streamed: body, limit: Engine.longestBody)
            case .deflate: try unsafe Gzip.inflate(body, limit: Engine.longestBody)
            }
        }
        guard format == .json else { return bytes }
        return switch signal {
        case .traces: try OTLPJSON.transcode(traces: bytes)
        case .logs: try OTLPJSON.transcode(logs: bytes)
        case .metrics: try OTLPJSON.transcode(metrics: bytes)
        }
    }
}

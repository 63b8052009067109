internal import HTTP
internal import Ingest
internal import Limits
internal import OTLP
package import Telemetry

/// What limits make of one request of telemetry: its bytes are charged before it is decoded, its rows before they are logged, and points
/// of series that there is no room for are taken out, so that what is logged is what is stored (docs/decisions/0062).
struct IngestAdmission: Sendable {
    private let limits: RequestLimiter
    private let bytes: Int
    private var rows = 0

    /// A request of which some points were taken out.
    struct Outcome {
        var refused = 0
        var reason = ""
        /// Its protobuf bytes without them; nil if none was.
        var rest: [UInt8]?
    }

    /// - Parameter bytes: of the body, as received.
    /// - Returns: nil if telemetry is not limited.
    init?(_ limits: RequestLimiter, bytes: Int) throws(OTLPRefusal) {
        guard limits.limitsIngest else { return nil }
        self.limits = limits
        self.bytes = bytes
        do throws(LimitRefusal) { try limits.take(bytes: bytes) } catch { throw .limited(error) }
    }

    /// - Parameter memory: what counts the hashes of series, and the request without some points, among all bodies.
    mutating func admit(
        _ protobuf: [UInt8], of signal: LoggedRequest.Signal, memory: BodyMemory?
    ) throws(OTLPRefusal) -> Outcome {
        let census: RequestCensus
        do throws(ProtobufError) {
            census = try Self.census(protobuf, signal, hashesSeries: limits.limitsSeries)
        } catch {
            throw .malformed(error)
        }
        do throws(LimitRefusal) { try limits.take(rows: census.rows) } catch { throw .limited(error) }
        rows = census.rows
        guard !census.series.isEmpty else { return Outcome() }
        try Self.reserve(census.series.count * MemoryLayout<UInt64>.size, memory)
        let verdict = limits.admit(series: census.series)
        guard let first = verdict.refusals.first else { return Outcome() }
        // Nothing would be left, and nothing is to be told of what is stored: the sender may come again.
        guard verdict.refusedCount < census.rows else { throw .limited(first) }
        try Self.reserve(protobuf.count, memory)
        do throws(ProtobufError) {
            return Outcome(
                refused: verdict.refusedCount, reason: first.reason,
                rest: try Self.leave(out: verdict.isRefused, of: protobuf))
        } catch {
            throw .malformed(error)
        }
    }

    private static func reserve(_ bytes: Int, _ memory: BodyMemory?) throws(OTLPRefusal) {
        guard memory?.reserve(bytes) ?? true else { throw .body(.overloaded) }
    }

    /// To be called if nothing of the request is stored.
    func giveBack() { limits.giveBack(bytes: bytes, rows: rows) }

    private static func census(
        _ protobuf: [UInt8], _ signal: LoggedRequest.Signal, hashesSeries: Bool
    ) throws(ProtobufError) -> RequestCensus {
        let result = unsafe protobuf.withUnsafeBytes { bytes in
            Result { () throws(ProtobufError) in
                signal == .metrics
                    ? try unsafe RequestCensus.points(of: bytes, hashesSeries: hashesSeries)
                    : try unsafe RequestCensus.items(of: bytes)
            }
        }
        return try result.get()
    }

    private static func leave(out isRefused: [Bool], of protobuf: [UInt8]) throws(ProtobufError) -> [UInt8] {
        let result = unsafe protobuf.withUnsafeBytes { bytes in
            Result { () throws(ProtobufError) in
                try unsafe RequestWithoutPoints.write(bytes, isRefused: isRefused)
            }
        }
        return try result.get()
    }
}

extension OTLPRefusal {
    /// What is said of protobuf bytes that cannot be read.
    package static func malformed(_ error: ProtobufError) -> OTLPRefusal {
        switch error {
        case .tooLarge: .malformed("the request holds more items, or larger ones, than are taken at a time")
        default: .malformed("the body is not a valid protobuf request: \(error)")
        }
    }
}

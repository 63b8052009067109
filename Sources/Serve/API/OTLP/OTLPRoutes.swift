internal import HTTP
package import Ingest
package import OTLP

/// What the OTLP routes hand requests to.
package protocol OTLPReceiver: Sendable {
    /// Stores a request whose protobuf bytes are given; returns once it is durable.
    func receive(_ request: LoggedRequest, protobuf: [UInt8]) throws(OTLPRefusal) -> DecodeOutcome
}

/// Why a request was not stored; nothing of it is.
package enum OTLPRefusal: Error, Hashable, Sendable {
    /// The body is not what it says: not to be sent again.
    case malformed(String)
    /// The disk, or full memory, will not take it now: to be sent again later.
    case unavailable(String)
    /// The tenant sends more than can be written: to be sent again later, and slower.
    case throttled(String)
    /// The server takes no telemetry: not to be sent again.
    case readOnly
}

/// OTLP over HTTP (rules O-1 to O-10): `/v1/traces`, `/v1/logs`, `/v1/metrics`.
package struct OTLPRoutes: Sendable {
    private let receiver: any OTLPReceiver
    /// The longest body, as received and decoded (rule O-7).
    private let bodyLimit: Int
    /// Nanoseconds since the epoch.
    private let now: @Sendable () -> Int64

    package init(
        receiver: any OTLPReceiver, bodyLimit: Int, now: @escaping @Sendable () -> Int64
    ) {
        self.receiver = receiver
        self.bodyLimit = bodyLimit
        self.now = now
    }

    /// What exporters that were set up for Loki or Prometheus put before OTLP's own paths.
    private static let prefixes = ["", "/otlp", "/api/v1/otlp"]

    /// Requests are never cancelled: what is on its way to the disk arrives there.
    package var routes: Routes {
        var routes = Routes(Self.dialect, roots: Self.prefixes.map { $0 + "/v1" })
        let signals: [(path: String, signal: LoggedRequest.Signal)] = [
            ("/v1/traces", .traces), ("/v1/logs", .logs), ("/v1/metrics", .metrics),
        ]
        for prefix in Self.prefixes {
            for (path, signal) in signals {
                routes.add([.post], prefix + path, bodyLimit: bodyLimit, cancellation: .never, isQuery: false) {
                    request in
                    respond(to: request, signal)
                }
            }
        }
        return routes
    }

    /// Errors are in the encoding of the request (rule O-6), JSON if that is none.
    private static let dialect = Dialect("OTLP") { status, message, request in
        OTLPResponse.failure(status, message, format: format(request) ?? .json)
    }

    private func respond(to request: APIRequest, _ signal: LoggedRequest.Signal) -> HTTPResponse {
        guard let format = Self.format(request.http) else {
            return OTLPResponse.failure(
                415, "Content-Type must be application/x-protobuf or application/json", format: .json)
        }
        let decoded: [UInt8]
        do throws(HTTPBodyError) {
            decoded = try request.http.decodedBody(limit: bodyLimit)
        } catch {
            return OTLPResponse.failure(error.status, error.message, format: format)
        }
        let logged = LoggedRequest(
            signal: signal, format: format, coding: Self.coding(request.http), tenant: request.tenant,
            received: now(), body: request.http.body)
        do {
            let protobuf = try Self.protobuf(decoded, format, signal)
            let outcome = try receiver.receive(logged, protobuf: protobuf)
            return OTLPResponse.success(outcome, signal: signal, format: format)
        } catch let error as OTLPJSONError {
            return OTLPResponse.failure(400, error.description, format: format)
        } catch OTLPRefusal.malformed(let reason) {
            return OTLPResponse.failure(400, reason, format: format)
        } catch OTLPRefusal.unavailable(let reason) {
            return OTLPResponse.failure(503, reason, format: format)
        } catch OTLPRefusal.throttled(let reason) {
            return OTLPResponse.failure(429, reason, format: format)
        } catch OTLPRefusal.readOnly {
            return OTLPResponse.failure(403, "this server answers queries only; it takes no telemetry", format: format)
        } catch {
            return OTLPResponse.failure(500, "\(error)", format: format)
        }
    }

    private static func format(_ request: HTTPRequest) -> LoggedRequest.Format? {
        switch request.mediaType {
        case "application/x-protobuf", "application/protobuf": .protobuf
        case "application/json": .json
        default: nil
        }
    }

    /// The coding of a body that was decoded, so one of those that there are.
    private static func coding(_ request: HTTPRequest) -> LoggedRequest.Coding {
        switch request.contentCoding {
        case "gzip", "x-gzip": .gzip
        case "zstd": .zstd
        case "deflate": .deflate
        default: .identity
        }
    }

    private static func protobuf(
        _ bytes: [UInt8], _ format: LoggedRequest.Format, _ signal: LoggedRequest.Signal
    ) throws(OTLPJSONError) -> [UInt8] {
        guard format == .json else { return bytes }
        return switch signal {
        case .traces: try OTLPJSON.transcode(traces: bytes)
        case .logs: try OTLPJSON.transcode(logs: bytes)
        case .metrics: try OTLPJSON.transcode(metrics: bytes)
        }
    }
}

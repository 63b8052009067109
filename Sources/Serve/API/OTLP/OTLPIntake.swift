package import Compression
package import Core
package import HTTP
package import Ingest
package import Limits
package import OTLP
package import Observability

/// What the intake hands requests to.
package protocol OTLPReceiver: Sendable {
    /// Stores a request whose protobuf bytes are given.
    ///
    /// - Parameter settled: told once, when the request is durable or why nothing of it is stored: before the call returns, or later
    ///   from a thread that must not be kept.
    func receive(
        _ request: LoggedRequest, protobuf: [UInt8],
        settled: @escaping @Sendable (Result<DecodeOutcome, OTLPRefusal>) -> Void)
}

/// Why a request was not stored; nothing of it is. Each transport says it in its own way.
package enum OTLPRefusal: Error, Hashable, Sendable {
    /// The body is not what it says: not to be sent again.
    case malformed(String)
    /// The body's coding or length.
    case body(HTTPBodyError)
    /// The disk, or full memory, will not take it now: to be sent again later.
    case unavailable(String)
    /// The tenant sends more than can be written: to be sent again later, and slower.
    case throttled(String)
    /// A limit of the tenant or of the key: to be sent again later, and slower.
    case limited(LimitRefusal)
    /// The server takes no telemetry: not to be sent again.
    case readOnly

    package var message: String {
        switch self {
        case .malformed(let reason), .unavailable(let reason), .throttled(let reason): reason
        case .body(let error): error.message
        case .limited(let refusal): refusal.message
        case .readOnly: "this server answers queries only; it takes no telemetry"
        }
    }

    /// Seconds after which the same request may be taken; nil if it is not to be sent again.
    package var retryAfter: Int? {
        switch self {
        case .unavailable, .throttled, .body(.overloaded): 1
        case .limited(let refusal): refusal.retryAfter
        case .malformed, .body, .readOnly: nil
        }
    }

    var reason: OTLPRefusalReason {
        switch self {
        case .malformed, .body(.malformed), .body(.ambiguous): .malformed
        case .body(.unsupportedEncoding): .coding
        case .body(.tooLarge): .tooLarge
        case .body(.overloaded): .overloaded
        case .body(.headTooLarge): .metadata
        case .body(.tooSlow): .deadline
        case .body(.denied): .denied
        case .unavailable: .unavailable
        case .throttled: .throttled
        case .limited: .limited
        case .readOnly: .readOnly
        }
    }
}

/// By what refusals are counted.
package enum OTLPRefusalReason: String, CaseIterable, Sendable {
    case malformed, coding, overloaded, unavailable, throttled, limited, tenant, denied, metadata, framing, deadline
    case tooLarge = "too_large"
    case mediaType = "media_type"
    case readOnly = "read_only"
    case unknownMethod = "unknown_method"
}

/// OTLP requests of one transport on their way to the receiver: decoded, judged and counted the same, whatever brought them.
package struct OTLPIntake: Sendable {
    package enum Transport: String, Sendable { case http, grpc }

    /// A request as it arrived.
    package struct Arrival: Sendable {
        package var signal: LoggedRequest.Signal
        package var format = LoggedRequest.Format.protobuf
        package var coding: ContentCoding
        package var tenant: TenantID
        /// The sender's, if keys are asked for.
        package var key: LimitedKey?
        package var body: [UInt8]
        /// Counts what the body is decoded to.
        package var memory: BodyMemory?
    }

    private struct Counters: Sendable {
        let requests, bytes: Counter

        init(_ metrics: MetricsRegistry, _ signal: String, _ transport: Transport) {
            requests = metrics.counter(
                "varve_ingest_requests_total", help: "OTLP requests that were stored.",
                labels: ["signal": signal, "transport": transport.rawValue])
            bytes = metrics.counter(
                "varve_ingest_bytes_total", help: "Bytes of OTLP bodies as received.",
                labels: ["signal": signal, "transport": transport.rawValue])
        }
    }

    private let receiver: any OTLPReceiver
    /// The longest body, as received and decoded (rule O-7).
    package let bodyLimit: Int
    /// Nanoseconds since the epoch.
    private let now: @Sendable () -> Int64
    /// Nil: nothing is limited.
    private let limiter: Limiter?
    private let traces, logs, metrics: Counters
    private let refused: [Counter]

    package init(
        _ receiver: any OTLPReceiver, by transport: Transport, bodyLimit: Int, limiter: Limiter? = nil,
        metrics registry: MetricsRegistry = MetricsRegistry(), now: @escaping @Sendable () -> Int64
    ) {
        self.receiver = receiver
        self.limiter = limiter
        self.bodyLimit = bodyLimit
        self.now = now
        traces = Counters(registry, "traces", transport)
        logs = Counters(registry, "logs", transport)
        metrics = Counters(registry, "metrics", transport)
        refused = OTLPRefusalReason.allCases.map { reason in
            registry.counter(
                "varve_ingest_refused_total", help: "OTLP requests of which nothing was stored.",
                labels: ["transport": transport.rawValue, "reason": reason.rawValue])
        }
    }

    /// Stores a request.
    ///
    /// - Parameter settled: told once, when the request is durable or why it was refused: before the call returns, or later from a
    ///   thread that must not be kept. The call itself may wait for room in memory.
    package func take(
        _ arrival: Arrival, settled: @escaping @Sendable (Result<DecodeOutcome, OTLPRefusal>) -> Void
    ) {
        let taking: Taking
        var admission: IngestAdmission?
        do throws(OTLPRefusal) {
            admission = try limiter?.limits(of: arrival.tenant, key: arrival.key).flatMap {
                (limits) throws(OTLPRefusal) in try IngestAdmission(limits, bytes: arrival.body.count)
            }
            taking = try prepare(arrival, &admission)
        } catch {
            note(error.reason)
            admission?.giveBack()
            return settled(.failure(error))
        }
        let memory = arrival.memory
        let (signal, byteCount, admitted) = (arrival.signal, arrival.body.count, admission)
        receiver.receive(taking.request, protobuf: taking.protobuf) { [self] result in
            var result = result
            switch result {
            case .success(var outcome):
                let counters = counters(signal)
                counters.requests.add()
                counters.bytes.add(byteCount)
                outcome.reject(taking.refused, taking.reason)
                result = .success(outcome)
            case .failure(let refusal):
                note(refusal.reason)
                admitted?.giveBack()
            }
            // The body is in the log's line until now.
            withExtendedLifetime(memory) { settled(result) }
        }
    }

    /// What is handed to the receiver.
    private struct Taking: Sendable {
        var request: LoggedRequest
        var protobuf: [UInt8]
        /// Data points that limits took out, and why.
        var refused = 0
        var reason = ""
    }

    private func prepare(
        _ arrival: Arrival, _ admission: inout IngestAdmission?
    ) throws(OTLPRefusal) -> Taking {
        let decoded = try decode(arrival)
        let protobuf = try self.protobuf(arrival, decoded)
        let limited = try admission?.admit(protobuf, of: arrival.signal, memory: arrival.memory)
        // The log knows fewer codings than there are.
        let coding = LoggedRequest.Coding(arrival.coding)
        var request = LoggedRequest(
            signal: arrival.signal, format: arrival.format, coding: coding ?? .identity,
            tenant: arrival.tenant, received: now(), body: coding == nil ? decoded : arrival.body)
        guard let limited, let rest = limited.rest else { return Taking(request: request, protobuf: protobuf) }
        (request.format, request.coding, request.body) = (.protobuf, .identity, rest)
        return Taking(request: request, protobuf: rest, refused: limited.refused, reason: limited.reason)
    }

    /// Counts a refusal that the transport itself decided on.
    package func note(_ reason: OTLPRefusalReason) {
        for (known, counter) in zip(OTLPRefusalReason.allCases, refused) where known == reason { counter.add() }
    }

    private func counters(_ signal: LoggedRequest.Signal) -> Counters {
        switch signal {
        case .traces: traces
        case .logs: logs
        case .metrics: metrics
        }
    }

    private func decode(_ arrival: Arrival) throws(OTLPRefusal) -> [UInt8] {
        do throws(HTTPBodyError) {
            return try arrival.coding.decode(arrival.body, limit: bodyLimit, memory: arrival.memory)
        } catch {
            throw .body(error)
        }
    }

    private func protobuf(_ arrival: Arrival, _ decoded: [UInt8]) throws(OTLPRefusal) -> [UInt8] {
        guard arrival.format == .json else { return decoded }
        do throws(OTLPJSONError) {
            return switch arrival.signal {
            case .traces: try OTLPJSON.transcode(traces: decoded)
            case .logs: try OTLPJSON.transcode(logs: decoded)
            case .metrics: try OTLPJSON.transcode(metrics: decoded)
            }
        } catch {
            throw .malformed(error.description)
        }
    }
}

extension LoggedRequest.Coding {
    init?(_ coding: ContentCoding) {
        switch coding {
        case .identity: self = .identity
        case .gzip: self = .gzip
        case .zstd: self = .zstd
        case .deflate: self = .deflate
        case .snappy, .lz4: return nil
        }
    }
}

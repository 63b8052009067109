internal import API
internal import Ingest
internal import OTLP
internal import Observability
private import Telemetry

/// Where nothing is written.
struct RefusingReceiver: OTLPReceiver {
    func receive(
        _ request: LoggedRequest, protobuf: [UInt8], settled: @Sendable (Result<DecodeOutcome, OTLPRefusal>) -> Void
    ) {
        settled(.failure(.readOnly))
    }
}

/// Requests of all transports into the engine, and their rows counted.
struct EngineReceiver: OTLPReceiver {
    private struct Counters: Sendable {
        let rows, rejected, outside, withoutIDs: Counter

        init(_ metrics: MetricsRegistry, signal: String) {
            rows = metrics.counter(
                "varve_ingest_rows_total", help: "Spans, log records and data points that were stored.",
                labels: ["signal": signal])
            rejected = metrics.counter(
                "varve_ingest_rejected_rows_total", help: "Spans, log records and data points that were refused.",
                labels: ["signal": signal])
            outside = metrics.counter(
                "varve_ingest_outside_rows_total", help: "Of the refused ones, those whose time is not accepted.",
                labels: ["signal": signal])
            withoutIDs = metrics.counter(
                "varve_ingest_rows_without_ids_total",
                help: "Log records that were stored without an ill-formed trace or span id.", labels: ["signal": signal]
            )
        }

        func add(_ outcome: DecodeOutcome) {
            rows.add(outcome.accepted)
            rejected.add(outcome.rejected)
            outside.add(outcome.outside)
            withoutIDs.add(outcome.withoutIDs)
        }
    }

    private let engine: Engine
    private let traces, logs, metrics: Counters

    init(_ engine: Engine, _ registry: MetricsRegistry) {
        self.engine = engine
        traces = Counters(registry, signal: "traces")
        logs = Counters(registry, signal: "logs")
        metrics = Counters(registry, signal: "metrics")
    }

    func receive(
        _ request: LoggedRequest, protobuf: [UInt8],
        settled: @escaping @Sendable (Result<DecodeOutcome, OTLPRefusal>) -> Void
    ) {
        let counters =
            switch request.signal {
            case .traces: traces
            case .logs: logs
            case .metrics: metrics
            }
        do {
            try engine.ingest(request, protobuf: protobuf) { result in
                if case .success(let outcome) = result { counters.add(outcome) }
                settled(result.mapError { Self.refusal($0) })
            }
        } catch {
            settled(.failure(Self.refusal(error)))
        }
    }

    private static func refusal(_ error: any Error) -> OTLPRefusal {
        switch error {
        case let error as ProtobufError: .malformed(error)
        case IngestError.unavailable(let reason): .unavailable(reason)
        case IngestError.overloaded(.server): .unavailable("too much is waiting to be written to disk")
        case IngestError.overloaded(.tenant): .throttled("more comes in than can be written to disk")
        case IngestError.tooManyParts: .throttled("too many parts are waiting to be merged")
        default: .unavailable("the server is stopping")
        }
    }
}

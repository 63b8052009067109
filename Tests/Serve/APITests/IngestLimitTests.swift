import API
import Core
import HTTP
import Ingest
import Limits
import OTLP
import Observability
import Scheduling
import Synchronization
import Testing

/// Limits on telemetry before a fake receiver: what is charged, what comes through, and what is said of the rest.
struct IngestLimitTests {
    private final class Clock: Sendable {
        let time = Atomic<Int64>(0)

        func pass(seconds: Int64) { time.add(seconds * 1_000_000_000, ordering: .relaxed) }
    }

    /// A metric `m` with a point for each value of the attribute `a`.
    private static func gauge(_ values: [String]) -> String {
        let points = values.map {
            #"{"timeUnixNano":"1","asInt":"1","attributes":[{"key":"a","value":{"stringValue":"\#($0)"}}]}"#
        }
        let metric = #"{"name":"m","gauge":{"dataPoints":[\#(points.joined(separator: ","))]}}"#
        return #"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[\#(metric)]}]}]}"#
    }

    private static func logs(_ count: Int) -> String {
        let records = [String](repeating: #"{"body":{"stringValue":"x"}}"#, count: count).joined(separator: ",")
        return #"{"resourceLogs":[{"scopeLogs":[{"logRecords":[\#(records)]}]}]}"#
    }

    private let clock = Clock()

    private func client(
        _ limits: String, _ answer: Result<DecodeOutcome, OTLPRefusal> = .success(DecodeOutcome())
    ) throws -> OTLPClient {
        let file = try LimitsFile.read(Array(("series-learning: 0s\n" + limits).utf8), path: "limits")
        return OTLPClient(answer, limiter: Limiter(file, now: { [clock] in clock.time.load(ordering: .relaxed) }))
    }

    @Test func `rows beyond the limit are 429 with the time to wait, and nothing of them is received`() throws {
        let client = try client("defaults: {rows-per-second: 2, rows-burst: 10}")
        #expect(client.post(json: Self.logs(8), "/v1/logs").status == 200)
        let refused = client.post(json: Self.logs(7), "/v1/logs")
        #expect(refused.status == 429 && refused.header("Retry-After") == "3")
        #expect(
            refused.text
                == #"{"code":8,"message":"too many spans, log records or data points come in: rows-per-second of tenant default is 2; come again in 3 s"}"#
        )
        #expect(client.receiver.all.count == 1)
        clock.pass(seconds: 3)
        #expect(client.post(json: Self.logs(7), "/v1/logs").status == 200)
    }

    @Test func `a body is refused before it is decoded`() throws {
        let client = try client("defaults: {bytes-per-second: 10B, bytes-burst: 20B}")
        // Larger than the burst: a full bucket lets it in, and the next one waits.
        #expect(client.post(json: Self.logs(1), "/v1/logs").status == 200)
        let refused = client.post(json: "no JSON at all, and far too long for what is left", "/v1/logs")
        #expect(refused.status == 429 && refused.text.contains("bytes-per-second of tenant default is 10B"))
    }

    @Test func `what is not stored is not charged`() throws {
        let broken = try client("defaults: {bytes-per-second: 10B, bytes-burst: 20B, rows-per-second: 1}")
        #expect(broken.post(json: "{", "/v1/logs").status == 400)
        #expect(broken.post(json: Self.logs(1), "/v1/logs").status == 200)
        let full = try client("defaults: {rows-per-second: 1, rows-burst: 5}", .failure(.unavailable("full")))
        for _ in 0..<5 { #expect(full.post(json: Self.logs(5), "/v1/logs").status == 503) }
    }

    @Test func `points of series beyond the limit are taken out of what is received and logged`() throws {
        var outcome = DecodeOutcome()
        outcome.accepted = 2
        let client = try client("defaults: {active-series: 2}", .success(outcome))
        #expect(client.post(json: Self.gauge(["x", "y"]), "/v1/metrics").text == "{}")
        #expect(client.receiver.all[0].request.format == .json)
        let answer = client.post(json: Self.gauge(["x", "z", "y", "w"]), "/v1/metrics")
        #expect(answer.status == 200)
        #expect(
            answer.text
                == #"{"partialSuccess":{"rejectedDataPoints":"2","errorMessage":"there are too many active time series: active-series of tenant default is 2"}}"#
        )
        let last = client.receiver.all[1]
        #expect(last.request.format == .protobuf && last.request.coding == .identity)
        #expect(last.request.body == last.protobuf)
        #expect(try last.protobuf == OTLPJSON.transcode(metrics: Array(Self.gauge(["x", "y"]).utf8)))
    }

    @Test func `a request of which nothing is left is 429`() throws {
        let client = try client("defaults: {new-series-per-second: 1, new-series-burst: 1}")
        #expect(client.post(json: Self.gauge(["x"]), "/v1/metrics").status == 200)
        let refused = client.post(json: Self.gauge(["y", "z"]), "/v1/metrics")
        #expect(refused.status == 429 && refused.header("Retry-After") == "1")
        #expect(refused.text.contains("new-series-per-second of tenant default is 1"))
        #expect(client.receiver.all.count == 1)
        #expect(client.post(json: Self.gauge(["x"]), "/v1/metrics").status == 200, "known ones go on")
    }

    @Test func `what cannot be counted is refused as what cannot be decoded`() throws {
        let client = try client("defaults: {rows-per-second: 1000}")
        let refused = client.post("/v1/metrics", type: "application/json", Array("[]".utf8))
        #expect(refused.status == 400)
        #expect(client.post("/v1/metrics", [0x0A, 0x7F]).status == 400)
        #expect(client.receiver.all.isEmpty)
    }
}

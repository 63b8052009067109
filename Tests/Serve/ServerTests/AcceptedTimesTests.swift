import Core
import Ingest
import Maintenance
import OTLP
import QueryModel
import Server
import Telemetry
import Testing
import TraceFixtures

/// Rows whose time is not accepted are refused alone, and never come back.
struct AcceptedTimesTests {
    private static let hour: Int64 = 3_600_000_000_000
    private static let now: Int64 = 1_750_000_000_000_000_000

    private func accepted(
        past: AcceptedTimes.Past, future: Int64?, retention: RetentionPolicy? = RetentionPolicy()
    ) -> AcceptedTimes {
        var accepted = AcceptedTimes()
        accepted.past = past
        accepted.future = future
        accepted.retention = retention
        return accepted
    }

    private func spans(_ offsets: [Int64]) -> [UInt8] {
        TraceRequest.protobuf(
            offsets.enumerated().map { number, offset in
                TraceSpan.make(trace: 1, span: UInt64(number + 1), start: Self.now + offset)
            })
    }

    private func request(_ item: (inout ProtobufWriter) -> Void) -> [UInt8] {
        var record = ProtobufWriter()
        item(&record)
        var scope = ProtobufWriter()
        scope.field(2, bytes: record.bytes)
        var group = ProtobufWriter()
        group.field(2, bytes: scope.bytes)
        var request = ProtobufWriter()
        request.field(1, bytes: group.bytes)
        return request.bytes
    }

    private func log(time: Int64, observed: Int64 = 0) -> [UInt8] {
        request { record in
            if time != 0 { record.field(1, fixed64: UInt64(time)) }
            if observed != 0 { record.field(11, fixed64: UInt64(observed)) }
        }
    }

    private func point(time: Int64) -> [UInt8] {
        request { metric in
            var point = ProtobufWriter()
            point.field(3, fixed64: UInt64(time))
            point.field(4, fixed64: 0)
            var gauge = ProtobufWriter()
            gauge.field(1, bytes: point.bytes)
            metric.field(1, bytes: [109])
            metric.field(5, bytes: gauge.bytes)
        }
    }

    @Test func `spans outside are refused with their number and the reason, also in a replay with other settings`()
        throws
    {
        let directory = EngineDirectory()
        let engine = try directory.open { $0.accepted = accepted(past: .within(Self.hour), future: Self.hour) }
        defer { engine.close() }
        let offsets = [0, -Self.hour, -Self.hour - 1, Self.hour, Self.hour + 1, -1000 * Self.hour]
        let outcome = try engine.send(.traces, spans(offsets), received: Self.now)
        #expect(outcome.accepted == 3 && outcome.rejected == 3 && outcome.outside == 3)
        #expect(
            outcome.explanation
                == "a span's start 2025-06-15T14:06:39.999999999Z is not between 2025-06-15T14:06:40Z and 2025-06-15T16:06:40Z"
        )
        #expect(try engine.spanIDs() == [1, 2, 4])
        // Nothing accepted, nothing stored.
        #expect(try engine.send(.traces, spans([-2 * Self.hour]), received: Self.now).outside == 1)
        for past in [AcceptedTimes.Past.all, .within(1)] {
            let crashed = try directory.crashed()
            let again = try crashed.open { $0.accepted = accepted(past: past, future: nil) }
            defer { again.close() }
            #expect(try again.spanIDs() == [1, 2, 4], "\(past)")
        }
    }

    @Test func `records are judged by the time that they are stored with, and those without one are taken`() throws {
        let directory = EngineDirectory()
        let engine = try directory.open { $0.accepted = accepted(past: .within(Self.hour), future: Self.hour) }
        defer { engine.close() }
        let old = Self.now - 2 * Self.hour
        for (body, outside) in [
            (log(time: Self.now), 0), (log(time: old), 1), (log(time: 0, observed: old), 1),
            (log(time: Self.now, observed: old), 0), (log(time: 0), 0),
        ] {
            #expect(try engine.send(.logs, body, received: Self.now).outside == outside)
        }
        #expect(try engine.times(.logs) == [Self.now, Self.now, Self.now])
        for (time, outside) in [(Self.now, 0), (old, 1), (Int64(0), 1), (Self.now + 2 * Self.hour, 1)] {
            #expect(try engine.send(.metrics, point(time: time), received: Self.now).outside == outside)
        }
        #expect(try engine.times(.metrics) == [Self.now])
    }

    @Test func `the past is as long as the table keeps rows, by the longest rule of the tenant`() throws {
        let acme = try #require(TenantID("acme"))
        var policy = RetentionPolicy()
        policy.rules = [
            RetentionRule(timeToLive: 2 * Self.hour),
            RetentionRule(tenant: acme, service: Array("gold".utf8), timeToLive: 9 * Self.hour),
        ]
        let directory = EngineDirectory()
        let engine = try directory.open { $0.accepted = accepted(past: .retention, future: nil, retention: policy) }
        defer { engine.close() }
        #expect(try engine.send(.traces, spans([-Self.hour, -3 * Self.hour]), received: Self.now).outside == 1)
        #expect(
            try engine.send(.traces, spans([-3 * Self.hour, -10 * Self.hour]), tenant: acme, received: Self.now).outside
                == 1)
        let open = try EngineDirectory().open { $0.accepted = accepted(past: .retention, future: nil, retention: nil) }
        defer { open.close() }
        #expect(try open.send(.traces, spans([1 - Self.now]), received: Self.now).accepted == 1)
    }

    @Test func `one request with times all over makes no more parts than the window has partitions`() throws {
        let directory = EngineDirectory()
        let engine = try directory.open { $0.accepted = accepted(past: .within(3 * Self.hour), future: Self.hour) }
        defer { engine.close() }
        let offsets = (0..<4000 as Range<Int64>).map { ($0 - 2000) * Self.hour }
        let outcome = try engine.send(.traces, spans(offsets), received: Self.now)
        #expect(outcome.accepted == 5 && outcome.outside == 3995)
        try engine.flush()
        #expect(engine.partCount == 5)
    }
}

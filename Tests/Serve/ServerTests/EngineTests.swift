import Core
import Foundation
import Ingest
import OTLP
import Observability
import QueryModel
import Scheduling
import Server
import Telemetry
import Testing
import TraceFixtures

/// The engine of a data directory: what it takes, and what is there after closing, crashing and opening again.
struct EngineTests {
    private let signals: [LoggedRequest.Signal] = [.traces, .logs, .metrics]

    private func send(_ engine: Engine, _ times: [Int64], _ tenant: TenantID = .default) throws {
        try engine.send(.traces, Body.traces(times.map(UInt64.init)), tenant: tenant)
        try engine.send(.logs, Body.logs(times), tenant: tenant)
        try engine.send(.metrics, Body.metrics(times), tenant: tenant)
    }

    private func expect(
        _ times: [Int64], in engine: Engine, _ tenant: TenantID = .default,
        _ location: SourceLocation = #_sourceLocation
    ) throws {
        #expect(try engine.spanIDs(tenant) == times.map(UInt64.init), sourceLocation: location)
        #expect(try engine.times(.logs, tenant) == times, sourceLocation: location)
        #expect(try engine.times(.metrics, tenant) == times, sourceLocation: location)
    }

    @Test(arguments: Durability.allCases)
    func `what was taken is there at once, and after closing and opening`(durability: Durability) throws {
        let directory = EngineDirectory()
        try directory.withEngine(durability) { (engine) throws in
            try send(engine, [1, 2])
            try expect([1, 2], in: engine)
            try engine.flush()
            try expect([1, 2], in: engine)
            try send(engine, [3])
            try expect([1, 2, 3], in: engine)
        }
        for round in 0..<3 as Range<Int64> {
            try directory.withEngine(durability) { (engine) throws in
                let known = Array(1..<(4 + round))
                try expect(known, in: engine)
                try send(engine, [4 + round])
                try expect(known + [4 + round], in: engine)
            }
        }
        #expect(directory.logged.isEmpty)
    }

    @Test(arguments: [Durability.fsync, .written])
    func `after a crash what was acknowledged is there, once (invariant 10)`(durability: Durability) throws {
        let directory = EngineDirectory()
        try directory.withEngine(durability) { (engine) throws in
            try send(engine, [1, 2])
            let unflushed = try directory.crashed()
            try engine.flush()
            let flushed = try directory.crashed()
            try send(engine, [3])
            let mixed = try directory.crashed()
            for (crashed, times) in [(unflushed, [1, 2]), (flushed, [1, 2]), (mixed, [1, 2, 3])] as [(_, [Int64])] {
                try crashed.withEngine(durability) { try expect(times, in: $0) }
                // Opening again finds what the first recovery has flushed.
                try crashed.withEngine(durability) { (engine) throws in
                    try expect(times, in: engine)
                    try send(engine, [9])
                    try expect(times + [9], in: engine)
                }
                #expect(crashed.logged.isEmpty)
            }
        }
    }

    @Test(arguments: LogCompression.allCases)
    func `bodies that the log compressed are there after a crash`(compression: LogCompression) throws {
        let directory = EngineDirectory()
        let ids = (1...300).map { UInt64($0) }
        let engine = try directory.open { $0.logCompression = compression }
        let body = Body.traces(ids)
        try engine.send(.traces, body)
        let written = engine.written[0].logged.value
        #expect(compression == .none ? written > body.count : written < body.count / 2)
        let crashed = try directory.crashed()
        engine.close()
        // The setting may be another by then.
        let found = try crashed.withEngine { try $0.spanIDs() }
        #expect(found == ids)
    }

    @Test func `in memory mode a crash shows nothing twice, and opening goes on`() throws {
        let directory = EngineDirectory()
        try directory.withEngine(.memory) { (engine) throws in
            try send(engine, [1])
            try engine.flush()
            try send(engine, [2])
            let crashed = try directory.crashed()
            try crashed.withEngine(.memory) { (engine) throws in
                let ids = try engine.spanIDs()
                #expect(ids == [1] || ids == [1, 2])
                try send(engine, [3])
                #expect(try engine.spanIDs() == ids + [3])
            }
            #expect(try crashed.withEngine(.memory) { try $0.spanIDs().last } == 3)
        }
    }

    @Test func `a crash of the engine that replays loses nothing either`() throws {
        let directory = EngineDirectory()
        try directory.withEngine { (engine) throws in
            try send(engine, [1])
            var crashed = try directory.crashed()
            for time in 2..<5 as Range<Int64> {
                let next = try crashed.withEngine { (engine) throws in
                    try send(engine, [time])
                    return try crashed.crashed()
                }
                crashed = next
            }
            try crashed.withEngine { try expect([1, 2, 3, 4], in: $0) }
        }
    }

    @Test(
        arguments: [.identity, .gzip, .zstd, .deflate] as [LoggedRequest.Coding],
        [
            .protobuf, .json,
        ] as [LoggedRequest.Format])
    func `bodies are replayed as they came, in every coding and format`(
        coding: LoggedRequest.Coding, format: LoggedRequest.Format
    ) throws {
        let directory = EngineDirectory()
        try directory.withEngine { (engine) throws in
            let body = format == .json ? Body.json([5, 6]) : Body.traces([5, 6])
            try engine.send(.traces, Body.packed(body, coding), format: format, coding: coding)
            try engine.send(.logs, Body.packed(Body.logs([8]), coding), coding: coding)
            #expect(try engine.spanIDs() == [5, 6])
            let crashed = try directory.crashed()
            try crashed.withEngine { (engine) throws in
                #expect(try engine.spanIDs() == [5, 6])
                #expect(try engine.times(.logs) == [8])
            }
            #expect(crashed.logged.isEmpty)
        }
    }

    @Test func `a record without a time keeps that of its arrival through a replay`() throws {
        let directory = EngineDirectory()
        try directory.withEngine { (engine) throws in
            try engine.send(.logs, Body.logs([0, 3]), received: 12_345)
            #expect(try engine.times(.logs) == [3, 12_345])
            #expect(try directory.crashed().withEngine { try $0.times(.logs) } == [3, 12_345])
        }
    }

    @Test func `tenants are apart, in memory, in parts and through a replay`() throws {
        let directory = EngineDirectory()
        let acme = try #require(TenantID("acme"))
        let nobody = try #require(TenantID("nobody"))
        try directory.withEngine { (engine) throws in
            try send(engine, [1])
            try send(engine, [2], acme)
            let check: (Engine) throws -> Void = { engine in
                try expect([1], in: engine)
                try expect([2], in: engine, acme)
                try expect([], in: engine, nobody)
            }
            try check(engine)
            try directory.crashed().withEngine { try check($0) }
            try engine.flush()
            try check(engine)
            try directory.crashed().withEngine { try check($0) }
        }
        try directory.withEngine { (engine) throws in
            try send(engine, [3], acme)
            try expect([1], in: engine)
            try expect([2, 3], in: engine, acme)
        }
    }

    @Test func `a body that is no protobuf is refused whole, and not logged`() throws {
        let directory = EngineDirectory()
        try directory.withEngine { (engine) throws in
            let broken = Body.traces([1, 2]) + [0x0A, 0x7F]
            for signal in signals {
                #expect(throws: ProtobufError.self) { try engine.send(signal, broken) }
            }
            try expect([], in: engine)
            try send(engine, [4])
            try expect([4], in: engine)
            let crashed = try directory.crashed()
            try crashed.withEngine { try expect([4], in: $0) }
            #expect(crashed.logged.isEmpty)
        }
    }

    @Test func `spans that cannot be are rejected alone, and again in a replay`() throws {
        let directory = EngineDirectory()
        try directory.withEngine { (engine) throws in
            let spans = [3, 0, 4].map { TraceSpan.make(trace: 1, span: $0) }
            let outcome = try engine.send(.traces, TraceRequest.protobuf(spans))
            #expect(outcome.accepted == 2 && outcome.rejected == 1)
            #expect(outcome.message == "a span's trace_id and span_id must not be all zeros")
            #expect(try engine.send(.traces, TraceRequest.protobuf([spans[1]])).rejected == 1)
            #expect(try engine.send(.traces, []).accepted == 0)
            #expect(try directory.crashed().withEngine { try $0.spanIDs() } == [3, 4])
        }
    }

    @Test func `requests of many threads are all stored once`() throws {
        let directory = EngineDirectory()
        let expected = (1...80 as ClosedRange<UInt64>).map { $0 }
        try directory.withEngine(.fsync) { (engine) throws in
            let threads = (0..<8 as Range<UInt64>).map { thread in
                WorkerThread {
                    for number in 0..<10 as Range<UInt64> {
                        _ = try? engine.send(.traces, Body.traces([thread * 10 + number + 1]))
                        if number == 5 { try? engine.flush() }
                    }
                }
            }
            for thread in threads { thread.join() }
            #expect(try engine.spanIDs() == expected)
            #expect(try directory.crashed().withEngine { try $0.spanIDs() } == expected)
        }
        #expect(try directory.withEngine { try $0.spanIDs() } == expected)
    }

    @Test func `a reader sees what was acknowledged, once, while rows move from memory to parts (invariant 8)`() throws
    {
        let directory = EngineDirectory()
        try directory.withEngine { (engine) throws in
            let writer = WorkerThread {
                for id in 1...60 as ClosedRange<UInt64> {
                    _ = try? engine.send(.traces, Body.traces([id]))
                    if id % 7 == 0 { try? engine.flush() }
                }
            }
            var last = 0
            while last < 60 {
                let ids = try engine.spanIDs()
                #expect(ids.count >= last && ids == (0..<ids.count).map { UInt64($0) + 1 })
                last = ids.count
            }
            writer.join()
        }
    }

    @Test func `an engine that is closed takes nothing more`() throws {
        let directory = EngineDirectory()
        let engine = try directory.open()
        try send(engine, [1])
        engine.close()
        #expect(throws: IngestError.closed) { try engine.send(.traces, Body.traces([2])) }
        #expect(try engine.spanIDs() == [1])
        #expect(engine.memtableBytes >= 0 && engine.partCount == 3 && engine.partBytes > 0)
    }

    @Test func `segments of the log go once their rows are in parts`() throws {
        let directory = EngineDirectory()
        for time in 1...4 as ClosedRange<Int64> { try directory.withEngine { try send($0, [time]) } }
        // They go one advance later than they could, and one catalog is kept in case the next is damaged.
        try directory.withEngine { engine in
            try engine.flush()
            try send(engine, [5])
            try engine.flush()
        }
        #expect(try directory.files("wal").count == 1)
        #expect(try directory.files().filter { $0.hasPrefix("catalog-") }.count == 2)
    }
}

import Foundation
import Ingest
import Maintenance
import Server
import Testing

/// Requests wait when parts pile up, and go on when merges have caught up.
struct BackPressureTests {
    @Test func `a tenant with too many new parts is refused before anything is stored, and others are not`() throws {
        let directory = EngineDirectory()
        let engine = try directory.open { $0.flush.newParts = 3 }
        defer { engine.close() }
        for time in 1...4 as ClosedRange<Int64> {
            _ = try engine.send(.logs, Body.logs([time]))
            try engine.flush()
        }
        #expect(throws: IngestError.tooManyParts) { try engine.send(.logs, Body.logs([5])) }
        #expect(try engine.times(.logs) == [1, 2, 3, 4])
        // Other tables take more.
        _ = try engine.send(.traces, Body.traces([1]))
    }

    @Test func `once parts are merged, requests are taken again`() throws {
        let directory = EngineDirectory()
        func limit(_ configuration: inout EngineConfiguration) { configuration.flush.newParts = 3 }
        do {
            let engine = try directory.open(.written, limit)
            defer { engine.close() }
            for time in 1...4 as ClosedRange<Int64> {
                _ = try engine.send(.logs, Body.logs([time]))
                try engine.flush()
            }
            #expect(throws: IngestError.tooManyParts) { try engine.send(.logs, Body.logs([5])) }
        }
        let engine = try directory.open(.written) { configuration in
            limit(&configuration)
            var policy = MaintenanceWorker.Policy()
            policy.merge?.newParts = 2
            policy.merge?.mostNewParts = 2
            policy.retention = nil
            policy.pause = .milliseconds(5)
            configuration.maintenance = policy
        }
        defer { engine.close() }
        let end = ContinuousClock.now + .seconds(20)
        while engine.partCount > 1, ContinuousClock.now < end { Thread.sleep(forTimeInterval: 0.01) }
        _ = try engine.send(.logs, Body.logs([5]))
        #expect(try engine.times(.logs) == [1, 2, 3, 4, 5])
    }
}

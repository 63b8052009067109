import EngineFixtures
import Foundation
import Ingest
import Randomness
import Simulation
import Storage
import Testing

/// The engine over a disk that loses power, fills up and fails. The numbers are the invariants at the head of
/// `Sources/Engine/Storage/Catalog.swift`.
struct SimulationTests {
    private let tables: TestTables

    init() throws { tables = try TestTables() }

    private struct Fault: Error, CustomStringConvertible {
        let description: String
    }

    /// Sends, flushes, asks, crashes and kills at random.
    private func run(seed: UInt64, steps: Int, faults: Bool) throws {
        let disk = SimulatedFileSystem(seed: seed)
        var random = SeededRandom(seed: seed &* 7919)
        var naive = NaiveStore()
        var engine: SimulatedEngine? = try SimulatedEngine(on: disk, tables)
        func check(_ when: String) throws {
            guard let engine, let fault = try naive.fault(in: engine) else { return }
            throw Fault(description: "seed \(seed), \(when): \(fault)")
        }
        for step in 0..<steps {
            if faults, random.oneIn(6) { planFault(of: disk, &random) }
            if faults, random.oneIn(12) { disk.setFull(random.oneIn(2)) }
            switch random.below(20) {
            case 0, 1:
                // The engine does not start on a full disk.
                disk.setFull(false)
                let isKill = random.oneIn(3) && !disk.isDown
                if isKill { disk.kill() } else { disk.crash() }
                // Only ends its threads: its files are of no use any more.
                engine?.close()
                engine = nil
                naive.endLife()
                engine = try restart(on: disk, &random, faults: faults)
                disk.setPlan(nil)
                if !disk.isDown { try check("step \(step), after \(isKill ? "a kill" : "a crash")") }
            case 2, 3, 4:
                // Nothing is due: then only the log is released.
                try? engine?.worker.flushNow(all: !random.oneIn(3))
                if !disk.isDown { try check("step \(step), after a flush") }
            case 6:
                try? engine?.worker.seal(all: true)
                if !disk.isDown { try check("step \(step), after rows were sealed") }
            case 5:
                if !disk.isDown { try check("step \(step)") }
            default:
                guard let engine else { continue }
                _ = naive.send(naive.rows(1 + random.below(4), &random), to: engine)
                if engine.log.hasFailed { engine.worker.recoverLog() }
            }
        }
        disk.setFull(false)
        disk.crash()
        engine?.close()
        engine = nil
        naive.endLife()
        engine = try SimulatedEngine(on: disk, tables)
        try check("at the end")
        try engine?.worker.flushNow(all: true)
        try check("after the last flush")
        if let engine {
            let isSent = naive.send(naive.rows(1, &random), to: engine)
            #expect(isSent, "seed \(seed): service does not resume")
        }
        engine?.close()
    }

    /// Starts until it works: the power may go again meanwhile.
    private func restart(
        on disk: SimulatedFileSystem, _ random: inout SeededRandom, faults: Bool
    ) throws -> SimulatedEngine {
        while true {
            if faults, random.oneIn(3) {
                disk.setPlan(.crash(at: disk.operationCount + 1 + random.below(10)))
            }
            do {
                return try SimulatedEngine(on: disk, tables)
            } catch {
                guard disk.isDown else { throw error }
                disk.crash()
            }
        }
    }

    private func planFault(of disk: SimulatedFileSystem, _ random: inout SeededRandom) {
        let at = disk.operationCount + 1 + random.below(12)
        disk.setPlan(
            random.oneIn(2)
                ? .crash(at: at) : .fail(at: at, code: random.pick([EIO, ENOSPC]), count: 1 + random.below(6)))
    }

    /// Seeds from 1 on; `VARVE_SIMULATION_SEEDS=1000...1999` runs others.
    private static func seeds(_ count: UInt64) -> ClosedRange<UInt64> {
        let asked = ProcessInfo.processInfo.environment["VARVE_SIMULATION_SEEDS"] ?? ""
        let bounds = asked.components(separatedBy: "...").compactMap { UInt64($0) }
        return bounds.count == 2 && bounds[0] <= bounds[1] ? bounds[0]...bounds[1] : 1...count
    }

    @Test(arguments: seeds(30))
    func `1, 2, 3, 10: acknowledged rows survive every crash, once`(seed: UInt64) throws {
        try run(seed: seed, steps: 60, faults: false)
    }

    @Test(arguments: seeds(60))
    func `10: nothing refused is shown, nothing acknowledged is lost, whatever the disk refuses`(seed: UInt64) throws {
        try run(seed: seed, steps: 60, faults: true)
    }

    @Test(arguments: seeds(20)) func `written means that a kill loses nothing`(seed: UInt64) throws {
        let disk = SimulatedFileSystem(seed: seed)
        var random = SeededRandom(seed: seed)
        var naive = NaiveStore()
        for life in 1...5 {
            let engine = try SimulatedEngine(on: disk, tables, durability: .written)
            if let fault = try naive.fault(in: engine) { Issue.record("seed \(seed), life \(life): \(fault)") }
            for _ in 0..<random.below(12) {
                let isSent = naive.send(naive.rows(1 + random.below(4), &random), to: engine)
                #expect(isSent)
                if random.oneIn(4) { try engine.worker.flushNow(all: random.oneIn(2)) }
            }
            disk.kill()
            engine.close()
        }
    }

    /// A fixed scenario: two tenants, two signals, flushes, an end and a beginning.
    private func scenario(_ disk: SimulatedFileSystem, _ naive: inout NaiveStore, seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        for _ in 0..<2 {
            naive.endLife()
            let engine = try SimulatedEngine(on: disk, tables)
            defer { engine.close() }
            for _ in 0..<2 {
                for _ in 0..<3 {
                    _ = naive.send(naive.rows(3, &random), to: engine)
                    if engine.log.hasFailed { engine.worker.recoverLog() }
                    try? engine.worker.seal(all: true)
                }
                try? engine.worker.flushNow(all: false)
                try? engine.worker.flushNow(all: true)
            }
            _ = naive.send(naive.rows(2, &random), to: engine)
        }
    }

    /// How many operations the scenario has.
    private func operationCount() throws -> Int {
        let disk = SimulatedFileSystem(seed: 0)
        var naive = NaiveStore()
        try scenario(disk, &naive, seed: 3)
        return disk.operationCount
    }

    @Test func `10: the power may go at any operation`() throws {
        let count = try operationCount()
        #expect(count > 60)
        for operation in 1...count {
            for seed in 1...2 as ClosedRange<UInt64> {
                let disk = SimulatedFileSystem(seed: UInt64(operation) * 10 + seed)
                var naive = NaiveStore()
                disk.setPlan(.crash(at: operation))
                try? scenario(disk, &naive, seed: 3)
                try recover(disk, &naive, "power gone at operation \(operation), seed \(seed)")
            }
        }
    }

    @Test(arguments: [EIO, ENOSPC], [1, 4])
    func `10: any operation may fail`(code: Int32, times: Int) throws {
        for operation in 1...(try operationCount()) {
            let disk = SimulatedFileSystem(seed: UInt64(operation))
            var naive = NaiveStore()
            disk.setPlan(.fail(at: operation, code: code, count: times))
            try? scenario(disk, &naive, seed: 3)
            try recover(disk, &naive, "operation \(operation) failed")
        }
    }

    /// Crashes, starts again, and looks; then works on, crashes and looks once more.
    private func recover(_ disk: SimulatedFileSystem, _ naive: inout NaiveStore, _ what: String) throws {
        var random = SeededRandom(seed: 77)
        for round in 1...2 {
            disk.crash()
            naive.endLife()
            let engine = try SimulatedEngine(on: disk, tables)
            if let fault = try naive.fault(in: engine) { Issue.record("\(what), round \(round): \(fault)") }
            let isSent = naive.send(naive.rows(2, &random), to: engine)
            #expect(isSent, "\(what): service does not resume")
            try engine.worker.flushNow(all: true)
            if let fault = try naive.fault(in: engine) { Issue.record("\(what), round \(round), flushed: \(fault)") }
            engine.close()
        }
    }
}

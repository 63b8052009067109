import Core
package import EngineFixtures
import Files
import Glibc
import Ingest
import Maintenance
import Randomness
import Storage

/// What was done in simulations, and what was wrong.
package struct SimulationReport: Sendable {
    package var seeds = 0
    package var steps = 0
    /// Operations of disks that changed something.
    package var operations = 0
    /// Powers lost and processes killed in random runs.
    package var crashes = 0
    /// Operations of the fixed scenario at which the power went or the disk refused.
    package var crashPoints = 0
    package var merges = 0
    package var rollups = 0
    package var dropped = 0
    package var queries = 0
    /// Rows that were found and compared with the model's.
    package var rows = 0
    /// How often records of the catalog, or all of it, were lost.
    package var losses = 0
    package var violations: [String] = []

    package init() {}

    package mutating func add(_ other: SimulationReport) {
        seeds += other.seeds
        steps += other.steps
        operations += other.operations
        crashes += other.crashes
        crashPoints += other.crashPoints
        merges += other.merges
        rollups += other.rollups
        dropped += other.dropped
        queries += other.queries
        rows += other.rows
        losses += other.losses
        violations += other.violations
    }
}

/// The real engine (store, log, memtables, flush, merges, retention, scans) over a disk that loses power, fills up, fails and rots,
/// against `ModelStore`. All that happens follows from the seed. After each step the invariants at the head of
/// `Sources/Engine/Storage/Catalog.swift` are checked: see `SimulationChecks`.
package struct Simulation {
    struct Violation: Error, CustomStringConvertible {
        let description: String
    }

    let tables: TestTables
    let disk: SimulatedFileSystem
    var random: SeededRandom
    var model = ModelStore()
    var engine: SimulatedEngine?
    var checks = SimulationChecks()
    package var report = SimulationReport()
    /// Retention failed in this life.
    private var mayDropAtStart = false

    package init(_ tables: TestTables, seed: UInt64) {
        self.tables = tables
        disk = SimulatedFileSystem(seed: seed)
        random = SeededRandom(seed: seed &* 7919 &+ 1)
    }

    /// Runs random steps.
    package static func run(_ tables: TestTables, seed: UInt64, steps: Int) -> SimulationReport {
        var simulation = Simulation(tables, seed: seed)
        simulation.report.seeds = 1
        do {
            try simulation.run(steps: steps)
        } catch {
            simulation.report.violations.append("seed \(seed), step \(simulation.report.steps): \(error)")
        }
        return simulation.end()
    }

    private mutating func end() -> SimulationReport {
        engine?.close()
        engine = nil
        report.operations = disk.operationCount
        report.rows += checks.rows
        report.queries += checks.queries
        return report
    }

    private mutating func run(steps: Int) throws {
        engine = try SimulatedEngine(on: disk, tables)
        for _ in 0..<steps {
            report.steps += 1
            if random.oneIn(6) { planFault() }
            if random.oneIn(15) { disk.setFull(random.oneIn(2)) }
            switch random.below(26) {
            case 0, 1: try crash()
            case 2: try rot()
            case 3, 4: try? engine?.worker.flushNow(all: !random.oneIn(3))
            case 5: try? engine?.worker.seal(all: true)
            case 6, 7: merge()
            case 14: rollUp()
            case 8: try retain()
            case 9: model.day += random.below(2)
            case 10: if let engine, !disk.isDown { checks.hold(engine, &random) }
            case 11, 12, 13: if let engine, !disk.isDown { try checks.query(engine, model, &random) }
            default: send(1 + random.below(4))
            }
            try check()
        }
        disk.setFull(false)
        try crash()
        try engine?.worker.flushNow(all: true)
        rollUp()
        merge()
        try retain()
        try check()
        guard send(1) else { throw Violation(description: "service does not resume") }
        try check()
    }

    // MARK: Steps

    @discardableResult
    mutating func send(_ count: Int) -> Bool {
        guard let engine else { return false }
        let rows = model.makeRows(count, &random)
        let isAcknowledged = (try? engine.ingest(rows)) != nil
        model.note(rows, isAcknowledged: isAcknowledged)
        if engine.log.hasFailed { engine.worker.recoverLog() }
        return isAcknowledged
    }

    mutating func merge() {
        guard let engine else { return }
        let now = Timestamp(nanoseconds: model.now + Int64(report.steps) * 1000)
        var count = 0
        while count < 8, engine.merges.runOnce(now: now) { count += 1 }
        report.merges += count
    }

    mutating func rollUp() {
        guard let engine else { return }
        let now = Timestamp(nanoseconds: model.now + Int64(report.steps) * 1000)
        var count = 0
        while count < 4, engine.merges.rollUpOnce(now: now) { count += 1 }
        report.rollups += count
    }

    mutating func retain() throws {
        guard let engine else { return }
        let now = Timestamp(nanoseconds: model.now)
        let planned = engine.retention.retentionPlan(now: now).reduce(0) { $0 + $1.rowCount }
        _ = engine.retention.runOnce(now: now)
        // A record that could not be written may be on the disk all the same, and is found at the next start.
        if !engine.retention.retentionPlan(now: now).isEmpty { mayDropAtStart = true }
        report.dropped += planned
        checks.mayBeDropped = true
    }

    private mutating func planFault() {
        let at = disk.operationCount + 1 + random.below(16)
        disk.setPlan(
            random.oneIn(2)
                ? .crash(at: at) : .fail(at: at, code: random.pick([EIO, ENOSPC]), count: 1 + random.below(6)))
    }

    /// Ends the process or the power, and starts again.
    mutating func crash() throws {
        // The engine does not start on a full disk.
        disk.setFull(false)
        if random.oneIn(3), !disk.isDown { disk.kill() } else { disk.crash() }
        try start()
    }

    /// Starts until it works: the power may go again meanwhile.
    private mutating func start(faults: Bool = true) throws {
        report.crashes += 1
        checks.letGo()
        // Only ends its threads: its files are of no use any more.
        engine?.close()
        engine = nil
        model.endLife()
        while true {
            if faults, random.oneIn(3) { disk.setPlan(.crash(at: disk.operationCount + 1 + random.below(12))) }
            do {
                engine = try SimulatedEngine(on: disk, tables)
                break
            } catch {
                guard disk.isDown else { throw error }
                disk.crash()
            }
        }
        disk.setPlan(nil)
        if disk.isDown {
            disk.crash()
            return try start(faults: false)
        }
        if mayDropAtStart {
            checks.mayBeDropped = true
            mayDropAtStart = false
        }
        try engine.map { try checks.afterStart($0, disk) }
    }

    /// Bits of a catalog, or of a part's footer, flip while the process is down, or catalogs are lost. That of catalogs costs no
    /// row and shows none twice; that of the part costs its rows until the bit flips back.
    private mutating func rot() throws {
        guard !disk.isDown else { return }
        disk.setFull(false)
        if random.oneIn(2) { return try loseCatalogs() }
        disk.setPlan(nil)
        try? engine?.worker.flushNow(all: true)
        checks.letGo()
        engine?.close()
        engine = nil
        disk.kill()
        let parts = disk.files.filter {
            $0.hasPrefix("/data/parts/") && $0.hasSuffix(".vp") && (disk.bytes(of: $0)?.count ?? 0) > 40
        }
        if parts.isEmpty { return try start(faults: false) }
        let path = random.pick(parts)
        let at = (disk.bytes(of: path)?.count ?? 0) - 1 - random.below(40)
        disk.edit(path) { $0[at] ^= 4 }
        engine = try SimulatedEngine(on: disk, tables)
        for handle in engine?.store.allParts.values.joined() ?? [:].values.joined() { _ = try? handle.part() }
        let aside = engine?.store.allParts.values.joined().filter(\.isSetAside) ?? []
        let isVisible = engine?.store.allParts.values.joined().contains { $0.path == path } ?? false
        guard aside.map(\.path) == (isVisible ? [path] : []) else {
            throw Violation(description: "\(path) is damaged, and \(aside.map(\.path)) is set aside")
        }
        engine?.close()
        engine = nil
        disk.kill()
        if disk.bytes(of: path) != nil { disk.edit(path) { $0[at] ^= 4 } }
        try start(faults: false)
    }

    private mutating func loseCatalogs() throws {
        if random.oneIn(2) {
            disk.setPlan(nil)
            try? engine?.worker.flushNow(all: true)
        }
        // From here on nothing is removed any more: inputs of merges stay.
        if random.oneIn(3) { disk.setPlan(.crash(at: disk.operationCount + 1)) }
        checks.letGo()
        engine?.close()
        engine = nil
        if random.oneIn(3) { disk.crash() } else { disk.kill() }
        report.losses += 1
        model.loseRecords()
        let catalogs = disk.files.filter { $0.hasPrefix("/data/catalog-") || $0 == "/data/CURRENT" }
        switch random.below(4) {
        case 0:
            let keepsCurrent = random.oneIn(2)
            for path in catalogs where path != "/data/CURRENT" || !keepsCurrent { try disk.remove(path) }
            try disk.syncDirectory("/data")
        case 1 where catalogs.count > 1:
            try disk.remove(random.pick(catalogs))
            try disk.syncDirectory("/data")
        default:
            for _ in 0...random.below(3) {
                let path = random.pick(catalogs)
                let at = random.below(max(1, disk.bytes(of: path)?.count ?? 0))
                // The version is what a newer Varve would change: it is never guessed at.
                if !(8..<12).contains(at) || path == "/data/CURRENT" {
                    disk.edit(path) { $0[at] ^= UInt8(1 << (at % 8)) }
                }
            }
        }
        try start(faults: false)
    }

    // MARK: Checks

    private mutating func check() throws {
        guard let engine, !disk.isDown else { return }
        try checks.afterStep(engine, disk, &model)
    }

    // MARK: Every operation

    /// A fixed scenario of two tenants and two signals, with flushes, merges, retention, an end and a beginning.
    private mutating func scenario() throws {
        for _ in 0..<2 {
            engine = try SimulatedEngine(on: disk, tables)
            for round in 0..<3 {
                send(3)
                try? engine?.worker.seal(all: true)
                for _ in 0..<2 { send(3) }
                try? engine?.worker.flushNow(all: round > 0)
                try? engine?.worker.flushNow(all: true)
                rollUp()
                merge()
                model.day += 1
                try retain()
            }
            send(2)
            engine?.close()
            checks.letGo()
            engine = nil
            model.endLife()
            disk.kill(keepingPlan: true)
        }
    }

    /// How many operations the scenario has.
    package static func scenarioLength(_ tables: TestTables) throws -> Int {
        var simulation = Simulation(tables, seed: 0)
        simulation.random = SeededRandom(seed: 3)
        try simulation.scenario()
        return simulation.disk.operationCount
    }

    /// Runs the scenario, with something that happens at one of its operations; then starts again, looks, works on, and does so once
    /// more.
    package static func run(
        _ tables: TestTables, seed: UInt64, _ plan: SimulatedFileSystem.Plan, _ what: String
    ) -> SimulationReport {
        var simulation = Simulation(tables, seed: seed)
        simulation.random = SeededRandom(seed: 3)
        simulation.report.crashPoints = 1
        simulation.disk.setPlan(plan)
        do {
            try? simulation.scenario()
            for _ in 1...2 {
                simulation.disk.crash()
                simulation.checks.mayBeDropped = true
                try simulation.start(faults: false)
                try simulation.check()
                guard simulation.send(2) else { throw Violation(description: "service does not resume") }
                try simulation.engine?.worker.flushNow(all: true)
                simulation.merge()
                try simulation.check()
            }
        } catch {
            simulation.report.violations.append("\(what), seed \(seed): \(error)")
        }
        return simulation.end()
    }
}

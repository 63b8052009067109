import EngineFixtures
import Foundation
import Simulation

/// `varve-simulate [SEEDS] [--from SEED] [--minutes N] [--steps N]`: random runs, then the fixed scenario with the power gone, and the
/// disk refusing, at each of its operations; `tools/simulate` builds and runs it.
@main
enum VarveSimulate {
    struct Arguments {
        var seeds = 100
        var from = UInt64.random(in: 1...999_999_999)
        var minutes: Double?
        var steps = 80
    }

    static func main() throws {
        guard let arguments = parse(Array(CommandLine.arguments.dropFirst())) else {
            FileHandle.standardError.write(
                Data("usage: tools/simulate [SEEDS] [--from SEED] [--minutes N] [--steps N]\n".utf8))
            exit(2)
        }
        let tables = try TestTables()
        let end = arguments.minutes.map { Date().addingTimeInterval($0 * 60) }
        var report = SimulationReport()
        var seed = arguments.from
        print("simulate: seeds from \(seed) on, \(arguments.steps) steps each")
        while end.map({ Date() < $0 }) ?? (report.seeds < arguments.seeds) {
            let one = Simulation.run(tables, seed: seed, steps: arguments.steps)
            for violation in one.violations { print("VIOLATION \(violation)") }
            report.add(one)
            seed += 1
        }
        try runEveryOperation(tables, seed: arguments.from, &report)
        show(report)
        exit(report.violations.isEmpty ? 0 : 1)
    }

    private static func runEveryOperation(
        _ tables: TestTables, seed: UInt64, _ report: inout SimulationReport
    ) throws {
        let length = try Simulation.scenarioLength(tables)
        for operation in 1...length {
            let plans: [(SimulatedFileSystem.Plan, String)] = [
                (.crash(at: operation), "power gone at operation \(operation)"),
                (.fail(at: operation, code: EIO, count: 1), "operation \(operation) failed"),
                (.fail(at: operation, code: ENOSPC, count: 4), "no space from operation \(operation) on"),
            ]
            for (plan, what) in plans {
                let one = Simulation.run(tables, seed: seed &+ UInt64(operation), plan, what)
                for violation in one.violations { print("VIOLATION \(violation)") }
                report.add(one)
            }
        }
    }

    private static func show(_ report: SimulationReport) {
        let columns: [(String, Int)] = [
            ("seeds", report.seeds), ("steps", report.steps), ("disk operations", report.operations),
            ("crashes", report.crashes), ("crash points", report.crashPoints), ("merges", report.merges),
            ("rollups", report.rollups),
            ("rows dropped", report.dropped), ("queries", report.queries), ("rows checked", report.rows),
            ("catalogs damaged or lost", report.losses), ("violations", report.violations.count),
        ]
        print("| " + columns.map(\.0).joined(separator: " | ") + " |")
        print("|" + String(repeating: "---|", count: columns.count))
        print("| " + columns.map { grouped($0.1) }.joined(separator: " | ") + " |")
    }

    private static func grouped(_ number: Int) -> String {
        let digits = Array(String(number))
        return digits.indices.map { i in
            (i > 0 && (digits.count - i) % 3 == 0 ? "," : "") + String(digits[i])
        }.joined()
    }

    private static func parse(_ words: [String]) -> Arguments? {
        var arguments = Arguments()
        var rest = words[...]
        while let word = rest.popFirst() {
            switch word {
            case "--from":
                guard let seed = rest.popFirst().flatMap({ UInt64($0) }) else { return nil }
                arguments.from = seed
            case "--minutes":
                guard let minutes = rest.popFirst().flatMap({ Double($0) }), minutes > 0 else { return nil }
                arguments.minutes = minutes
            case "--steps":
                guard let steps = rest.popFirst().flatMap({ Int($0) }), steps > 0 else { return nil }
                arguments.steps = steps
            default:
                guard let seeds = Int(word), seeds > 0 else { return nil }
                arguments.seeds = seeds
            }
        }
        return arguments
    }
}

import EngineFixtures
import Files
import Foundation
import Simulation
import Testing

/// A short run of what `tools/simulate` does at length.
struct ModelSimulationTests {
    private let tables: TestTables

    init() throws { tables = try TestTables() }

    @Test(arguments: 1...3 as ClosedRange<UInt64>)
    func `1 to 8, 10: the engine shows what the model has, whatever happens`(seed: UInt64) {
        let report = Simulation.run(tables, seed: seed, steps: 40)
        #expect(report.violations == [])
        #expect(report.rows > 0)
    }

    @Test func `10: the power may go during merges and retention, too`() throws {
        let length = try Simulation.scenarioLength(tables)
        #expect(length > 150)
        for operation in stride(from: 1, through: length, by: 37) {
            let report = Simulation.run(
                tables, seed: UInt64(operation), .crash(at: operation), "power gone at operation \(operation)")
            #expect(report.violations == [])
        }
    }
}

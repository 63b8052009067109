import Core
import EngineFixtures
import Files
import Ingest
import Simulation
import Storage
import Testing

/// Many tables of tenants that are flushed together. The numbers are the invariants of `Catalog`.
struct FlushRoundTests {
    private let disk = SimulatedFileSystem(seed: 1)
    private let tables: TestTables

    init() throws { tables = try TestTables() }

    private func tenant(_ number: Int) throws -> TenantID { try #require(TenantID("tenant-\(number)")) }

    private func ingest(_ count: Int, into engine: SimulatedEngine, from first: Int = 0) throws {
        for number in first..<(first + count) {
            try engine.ingest([SentRow(tenant: tenant(number), isSpan: false, number: number, day: 0)])
        }
    }

    private var catalogBytes: Int {
        disk.files.filter { $0.contains("/catalog-") }.reduce(0) { $0 + (disk.bytes(of: $1)?.count ?? 0) }
    }

    @Test func `10: tenants share a record of the catalog, and each has its rows`() throws {
        let engine = try SimulatedEngine(on: disk, tables)
        try ingest(1, into: engine)
        let begin = catalogBytes
        try engine.worker.flushNow(all: true)
        let one = catalogBytes - begin
        try ingest(60, into: engine, from: 1)
        try engine.worker.seal(all: true)
        let (operations, before) = (disk.operationCount, catalogBytes)
        try engine.worker.flushNow(all: false)
        // A file's creation, its bytes and two syncs each, and a few for all.
        #expect(disk.operationCount - operations <= 60 * 5 + 20)
        // One record has its head once, and says once how far the others were flushed before.
        #expect(catalogBytes - before < 60 * (one + 20))
        engine.close()
        disk.crash()
        let again = try SimulatedEngine(on: disk, tables)
        for number in 0..<61 {
            let row = SentRow(tenant: try tenant(number), isSpan: false, number: number, day: 0)
            #expect(try again.rows(of: tenant(number)) == [row: 1], "tenant \(number)")
        }
        again.close()
    }

    @Test func `10: wherever a round fails or the power goes, each row is there once`() throws {
        for at in 1...70 {
            for isCrash in [false, true] {
                let disk = SimulatedFileSystem(seed: UInt64(at))
                let engine = try SimulatedEngine(on: disk, tables)
                try ingest(6, into: engine)
                try engine.worker.seal(all: true)
                let operation = disk.operationCount + at
                disk.setPlan(isCrash ? .crash(at: operation) : .fail(at: operation, code: 5, count: 1))
                _ = try? engine.worker.flushNow(all: true)
                disk.setPlan(nil)
                if !isCrash {
                    try engine.worker.flushNow(all: true)
                    #expect(engine.worker.memtableBytes == 0)
                }
                engine.close()
                disk.crash()
                let again = try SimulatedEngine(on: disk, tables)
                for number in 0..<6 {
                    let row = SentRow(tenant: try tenant(number), isSpan: false, number: number, day: 0)
                    #expect(try again.rows(of: tenant(number)) == [row: 1], "operation \(at), \(isCrash), \(number)")
                }
                again.close()
            }
        }
    }
}

import Columns
import Core
import EngineFixtures
import Files
import Glibc
import OTLP
import Storage
import TableSchema
import Telemetry
import Testing

/// The store's parts: what makes them visible, how long their files live. The numbers are the invariants of `Catalog`.
struct StoreTests {
    private let tables: TestTables
    private let disk = SimulatedFileSystem(seed: 1)
    private let key: TenantTable

    init() throws {
        tables = try TestTables()
        key = TenantTable(tenant: .default, table: tables.logs.definition.id)
    }

    private func open() throws -> Store {
        try Store(directory: "/data", tables: tables.catalog, fileSystem: disk)
    }

    private func batch(seed: UInt64) throws -> ColumnBatch {
        var style = OTLPGenerator.Style()
        style.hasRejects = false
        var generator = OTLPGenerator(seed: seed, style: style)
        var builder = LogBuilder(tables.logs)
        for _ in 0..<3 {
            let request = generator.logs()
            _ = try request.withUnsafeBytes { try LogDecoder.decode($0, received: 1, into: &builder) }
        }
        return builder.snapshot(rows: builder.rowCount)
    }

    private func parts(on disk: SimulatedFileSystem) -> [String] { disk.files.filter { $0.hasSuffix(".vp") } }

    /// All rows of the parts, as they come.
    private func rows(_ handles: [PartHandle]) throws -> [[Cell]] {
        try handles.flatMap { try $0.part().naiveRows() }
    }

    @Test func `2: only a record of the catalog makes a part visible`() throws {
        var store: Store? = try open()
        let records = try #require(try store?.writeParts(batch(seed: 1), of: key, zstdLevel: 1))
        #expect(store?.parts(key, in: .everything).isEmpty == true)
        #expect(parts(on: disk).count == records.count && !records.isEmpty)
        // At the next open they are garbage.
        store = nil
        let again = try open()
        #expect(again.parts(key, in: .everything).isEmpty && parts(on: disk).isEmpty)
        #expect(again.tenants.isEmpty)
    }

    @Test func `1: a part keeps its bytes, and its number is not used again`() throws {
        var store: Store? = try open()
        let first = try #require(try store?.writeParts(batch(seed: 1), of: key, zstdLevel: 1))
        try store?.commit(CatalogEdit(added: first))
        let before = parts(on: disk).map { disk.bytes(of: $0) }
        let second = try #require(try store?.writeParts(batch(seed: 2), of: key, zstdLevel: 1))
        try store?.commit(CatalogEdit(added: second, removed: [first[0].id]))
        store = nil
        store = try open()
        let third = try #require(try store?.writeParts(batch(seed: 3), of: key, zstdLevel: 1))
        let ids = (first + second + third).map(\.id)
        #expect(Set(ids).count == ids.count)
        let kept = Set(parts(on: disk).map { disk.bytes(of: $0) })
        #expect(before.dropFirst().allSatisfy { kept.contains($0) } || first.count == 1)
    }

    @Test func `6: a part's file lives as long as a snapshot holds it, and no longer`() throws {
        let store = try open()
        let batch = try batch(seed: 1)
        let records = try store.writeParts(batch, of: key, zstdLevel: 1)
        try store.commit(CatalogEdit(added: records))
        var held: [PartHandle] = store.parts(key, in: .everything)
        try store.commit(CatalogEdit(removed: records.map(\.id)))
        #expect(store.parts(key, in: .everything).isEmpty)
        #expect(parts(on: disk).count == records.count)
        // They are opened only now.
        #expect(try rows(held).count == batch.rowCount)
        held = []
        #expect(parts(on: disk).isEmpty)
    }

    @Test func `8: a snapshot has the same rows whatever replaces its parts`() throws {
        let store = try open()
        let records = try store.writeParts(batch(seed: 4), of: key, zstdLevel: 1)
        try store.commit(CatalogEdit(added: records))
        let held = store.parts(key, in: .everything)
        let expected = try rows(held)
        for seed in 5...8 as ClosedRange<UInt64> {
            let next = try store.writeParts(batch(seed: seed), of: key, zstdLevel: 1)
            let old = store.parts(key, in: .everything).map(\.record.id)
            try store.commit(CatalogEdit(added: next, removed: old))
            #expect(try rows(held) == expected)
        }
    }

    @Test func `parts are found by the times of their rows`() throws {
        let store = try open()
        let records = try store.writeParts(batch(seed: 9), of: key, zstdLevel: 1)
        try store.commit(CatalogEdit(added: records))
        for record in records {
            let first = Timestamp(nanoseconds: record.leastTime)
            let last = Timestamp(nanoseconds: record.greatestTime)
            func ids(_ start: Timestamp, _ end: Timestamp) -> [PartID] {
                store.parts(key, in: TimeRange(start: start, end: end)).map(\.record.id)
            }
            #expect(ids(first, first.advanced(by: 1)).contains(record.id))
            #expect(ids(last, last.advanced(by: 1)).contains(record.id))
            #expect(!ids(.min, first).contains(record.id))
            #expect(!ids(last.advanced(by: 1), .max).contains(record.id))
        }
        let other = TenantTable(tenant: try #require(TenantID("other")), table: key.table)
        #expect(store.parts(other, in: .everything).isEmpty)
    }

    @Test func `a directory is open once`() throws {
        var store: Store? = try open()
        #expect(throws: StorageError.directoryInUse("/data")) { try open() }
        _ = store
        store = nil
        _ = try open()
    }

    @Test(arguments: [EIO, ENOSPC])
    func `3: a flush that the disk refuses leaves no part behind, and can be tried again`(code: Int32) throws {
        let store = try open()
        let batch = try batch(seed: 2)
        let count = try store.writeParts(batch, of: key, zstdLevel: 1).count
        // Those were not committed, and stay until the next open.
        let before = parts(on: disk).count
        for operation in 1...(3 * count) {
            disk.setPlan(.fail(at: disk.operationCount + operation, code: code, count: 1))
            #expect(throws: StorageError.self) { try store.writeParts(batch, of: key, zstdLevel: 1) }
            #expect(parts(on: disk).count == before, "operation \(operation)")
        }
        disk.setPlan(nil)
        let records = try store.writeParts(batch, of: key, zstdLevel: 1)
        try store.commit(CatalogEdit(added: records))
        #expect(try rows(store.parts(key, in: .everything)).count == batch.rowCount)
    }
}

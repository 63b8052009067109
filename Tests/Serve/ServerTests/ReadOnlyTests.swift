import Columns
import Core
import Files
import Foundation
import Ingest
import Observability
import QueryModel
import Readers
import Scheduling
import Server
import Storage
import TableSchema
import Telemetry
import Testing

/// A directory is read by a process that writes nothing.
struct ReadOnlyTests {
    /// With rows in parts, of all signals and two tenants, and others in the log alone.
    private func filled() throws -> EngineDirectory {
        let directory = EngineDirectory()
        let engine = try directory.open()
        let other = try #require(TenantID("other"))
        for tenant in [TenantID.default, other] {
            try engine.send(.traces, Body.traces([1, 2, 3]), tenant: tenant)
            try engine.send(.logs, Body.logs([10, 20, Body.hour * 30]), tenant: tenant)
        }
        try engine.flush()
        try engine.send(.traces, Body.traces([4, 5]))
        try engine.send(.logs, Body.logs([40, 50]))
        let copy = try directory.crashed()
        engine.close()
        return copy
    }

    private func open(_ directory: EngineDirectory) throws -> ReadOnlyEngine {
        try ReadOnlyEngine(
            dataDirectory: directory.path, parts: OpenParts.Limits(), fileSystem: PosixFileSystem(),
            report: Log(level: .info) { _ in })
    }

    /// Every file and folder: bytes, permissions, and when it was changed.
    private func state(_ directory: EngineDirectory) throws -> [String: String] {
        var found: [String: String] = [:]
        let names = try FileManager.default.subpathsOfDirectory(atPath: directory.path) + [""]
        for name in names {
            let path = directory.path + "/" + name
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            let bytes = FileManager.default.contents(atPath: path)?.base64EncodedString() ?? ""
            found[name] =
                "\(attributes[.posixPermissions] ?? "") \(attributes[.modificationDate] ?? "") \(bytes)"
        }
        return found
    }

    private func times(_ source: any SnapshotSource, _ tenant: TenantID = .default) throws -> [Int64] {
        let snapshot = source.snapshot(tenant, in: .everything)
        let time = try #require(snapshot.table.ordinal(of: snapshot.table.partitionColumn))
        var times: [Int64] = []
        var scan = Scan(
            snapshot, ScanRequest(range: .everything, columns: [time]), context: QueryContext(tenant: tenant))
        try scan.run { (block: ScanBlock) throws(ScanError) in
            guard case .integers(let values)? = block.batch.columns[time] else { return false }
            times += block.rows.map { values[Int($0)] }
            return true
        }
        return times.sorted()
    }

    @Test func `what is in parts and what only the log has is read, and not a byte is changed`() throws {
        let directory = try filled()
        let before = try state(directory)
        do {
            let engine = try open(directory)
            let other = try #require(TenantID("other"))
            #expect(try times(engine.sources.logs) == [10, 20, 40, 50, Body.hour * 30])
            #expect(try times(engine.sources.logs, other) == [10, 20, Body.hour * 30])
            #expect(try times(engine.sources.metrics) == [])
            let reader = TraceReader(table: engine.sources.bindings.spans, spans: engine.sources.spans)
            var ids: [UInt64] = []
            try reader.scan(TraceQuery(range: .everything, limit: .max), context: QueryContext(tenant: .default)) {
                ids += $0.map(\.spanID.word)
                return true
            }
            #expect(ids.sorted() == [1, 2, 3, 4, 5])
        }
        #expect(try state(directory) == before)
        // And a server finds it as it was.
        let found = try directory.withEngine { try $0.times(.logs) }
        #expect(found == [10, 20, 40, 50, Body.hour * 30])
    }

    @Test func `a torn catalog is read as far as it goes, and left as it is`() throws {
        let directory = try filled()
        let bytes = try PosixFileSystem().contents(of: directory.path + "/CURRENT", limit: 99)
        let current = String(decoding: bytes, as: UTF8.self)
        let path = directory.path + "/" + current.trimmingCharacters(in: .newlines)
        let log = try FileHandle(forUpdating: URL(fileURLWithPath: path))
        try log.truncate(atOffset: try log.seekToEnd() - 3)
        try log.close()
        let before = try state(directory)
        do {
            let engine = try open(directory)
            // The part of the last record is found by its file, or its rows in the log: none twice.
            #expect(try times(engine.sources.logs) == [10, 20, 40, 50, Body.hour * 30])
        }
        #expect(try state(directory) == before)
    }

    @Test func `one who writes is kept out while others read, and the other way round`() throws {
        let directory = try filled()
        do {
            let engine = try directory.open()
            #expect(throws: EngineError.self) { try self.open(directory) }
            engine.close()
        }
        let first = try open(directory)
        let second = try open(directory)
        #expect(first.partCount == second.partCount)
        #expect(throws: EngineError.self) { try directory.open() }
        withExtendedLifetime((first, second)) {}
    }

    @Test func `a folder that is none of Varve's is refused, and stays empty`() throws {
        let directory = EngineDirectory()
        #expect(throws: EngineError.self) { try self.open(directory) }
        try FileManager.default.createDirectory(atPath: directory.path, withIntermediateDirectories: true)
        #expect(throws: EngineError.self) { try self.open(directory) }
        #expect(try directory.files().isEmpty)
    }
}

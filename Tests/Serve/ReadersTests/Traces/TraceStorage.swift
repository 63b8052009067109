import Core
import Files
import Foundation
import Ingest
import OTLP
import QueryModel
import Readers
import Scheduling
import Schema
import Storage
import TableSchema
import Telemetry
import TraceFixtures

/// `otel_traces` in a folder of its own: log, memtables, parts and the reader over them.
final class TraceStorage {
    /// Where spans are when they are read.
    enum State: String, CaseIterable, Sendable { case memory, parts, mixed }

    struct Missing: Error {}

    let directory: String
    let table: SpanTable
    let spans: BufferedTable<SpanBuilder>
    let reader: TraceReader
    let tables: TableCatalog
    let store: Store
    private let log: WriteAheadLog
    private let worker: FlushWorker
    private let thread: WorkerThread

    init() throws {
        directory = NSTemporaryDirectory() + "varve-traces-\(UUID().uuidString)"
        let tables = try TableCatalog.parse(files: Schema.files, lock: Schema.lock)
        guard let definition = tables.table(named: "otel_traces") else { throw Missing() }
        let table = try SpanTable(definition)
        self.tables = tables
        store = try Store(directory: directory, tables: tables, fileSystem: PosixFileSystem())
        log = WriteAheadLog(
            directory: directory + "/wal", fileSystem: PosixFileSystem(), durability: .memory, flushed: 0)
        spans = BufferedTable(
            definition, store: store, log: log, limits: FlushLimits(age: .seconds(3600)),
            makeBuilder: { SpanBuilder(table) })
        self.table = table
        reader = TraceReader(table: table, spans: spans)
        worker = FlushWorker(tables: [spans], log: log) { _ in }
        thread = worker.start()
        try log.start(report: { _, _ in }, replay: { _ in })
    }

    /// A storage that holds the spans, sent in some requests.
    convenience init(_ sent: [TraceSpan], _ state: State, requests: Int = 5) throws {
        try self.init()
        for number in 0..<requests {
            let part = sent.indices.filter { $0 % requests == number }.map { sent[$0] }
            try send(part)
            if state == .mixed, number < requests - 1, number % 2 == 1 { try flush() }
        }
        if state == .parts { try flush() }
    }

    deinit {
        worker.stop()
        thread.join()
        log.close()
        try? FileManager.default.removeItem(atPath: directory)
    }

    @discardableResult
    func send(_ sent: [TraceSpan], tenant: TenantID = .default) throws -> DecodeOutcome {
        try send(protobuf: TraceRequest.protobuf(sent), tenant: tenant)
    }

    @discardableResult
    func send(protobuf body: [UInt8], tenant: TenantID = .default) throws -> DecodeOutcome {
        let request = LoggedRequest(
            signal: .traces, format: .protobuf, coding: .identity, tenant: tenant, received: 0, body: body)
        var outcome = DecodeOutcome()
        _ = try spans.ingest(request) { builder in
            outcome = try body.withUnsafeBytes { try TraceDecoder.decode($0, into: &builder) }
            return outcome.accepted > 0
        }
        return outcome
    }

    func flush() throws { try worker.flushAll() }

    /// Makes parts in memory of what has come.
    func seal() throws { try worker.seal(all: true) }

    /// The files of all parts.
    var partPaths: [String] {
        let root = directory + "/parts"
        let names = FileManager.default.enumerator(atPath: root)?.compactMap { $0 as? String } ?? []
        return names.filter { $0.hasSuffix(".vp") }.map { root + "/" + $0 }
    }
}

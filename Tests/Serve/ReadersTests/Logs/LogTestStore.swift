import Core
import Files
import Foundation
import Ingest
import OTLP
import Readers
import Scheduling
import Schema
import Storage
import TableSchema
import Telemetry

/// A log record as a client sends it.
struct SentLog: Equatable {
    var resource: [Attribute] = []
    var resourceDropped: UInt32 = 0
    var scopeName = ""
    var scopeVersion = ""
    var scopeAttributes: [Attribute] = []
    var scopeDropped: UInt32 = 0
    var time: Int64 = 0
    var observed: Int64 = 0
    var severityNumber: Int32 = 0
    var severityText = ""
    /// Nil if the record has no body at all.
    var body: AttributeValue?
    var attributes: [Attribute] = []
    var dropped: UInt32 = 0
    var flags: UInt32 = 0
    var traceID = TraceID(high: 0, low: 0)
    var spanID = SpanID(word: 0)
    var eventName = ""

    /// An `ExportLogsServiceRequest` with one resource and scope for each record.
    static func request(_ records: [SentLog]) -> [UInt8] {
        var request = ProtobufWriter()
        for record in records { request.field(1, bytes: record.resourceLogs) }
        return request.bytes
    }

    private var resourceLogs: [UInt8] {
        var resource = ProtobufWriter()
        for attribute in self.resource { resource.field(1, bytes: Self.keyValue(attribute)) }
        if resourceDropped != 0 { resource.field(2, varint: UInt64(resourceDropped)) }
        var scope = ProtobufWriter()
        if !scopeName.isEmpty { scope.field(1, bytes: Array(scopeName.utf8)) }
        if !scopeVersion.isEmpty { scope.field(2, bytes: Array(scopeVersion.utf8)) }
        for attribute in scopeAttributes { scope.field(3, bytes: Self.keyValue(attribute)) }
        if scopeDropped != 0 { scope.field(4, varint: UInt64(scopeDropped)) }
        var scopeLogs = ProtobufWriter()
        scopeLogs.field(1, bytes: scope.bytes)
        scopeLogs.field(2, bytes: record)
        var resourceLogs = ProtobufWriter()
        resourceLogs.field(1, bytes: resource.bytes)
        resourceLogs.field(2, bytes: scopeLogs.bytes)
        return resourceLogs.bytes
    }

    private var record: [UInt8] {
        var record = ProtobufWriter()
        if time != 0 { record.field(1, fixed64: UInt64(time)) }
        if severityNumber != 0 { record.field(2, varint: UInt64(severityNumber)) }
        if !severityText.isEmpty { record.field(3, bytes: Array(severityText.utf8)) }
        if let body { record.field(5, bytes: Self.anyValue(body)) }
        for attribute in attributes { record.field(6, bytes: Self.keyValue(attribute)) }
        if dropped != 0 { record.field(7, varint: UInt64(dropped)) }
        if flags != 0 {
            record.varint(8 << 3 | 5)
            withUnsafeBytes(of: flags.littleEndian) { record.bytes.append(contentsOf: $0) }
        }
        if !traceID.isZero { record.field(9, bytes: Self.bigEndian(traceID.high) + Self.bigEndian(traceID.low)) }
        if !spanID.isZero { record.field(10, bytes: Self.bigEndian(spanID.word)) }
        if observed != 0 { record.field(11, fixed64: UInt64(observed)) }
        if !eventName.isEmpty { record.field(12, bytes: Array(eventName.utf8)) }
        return record.bytes
    }

    private static func bigEndian(_ word: UInt64) -> [UInt8] { withUnsafeBytes(of: word.bigEndian) { Array($0) } }

    private static func keyValue(_ attribute: Attribute) -> [UInt8] {
        var pair = ProtobufWriter()
        pair.field(1, bytes: Array(attribute.key.utf8))
        pair.field(2, bytes: anyValue(attribute.value))
        return pair.bytes
    }

    private static func anyValue(_ value: AttributeValue) -> [UInt8] {
        var message = ProtobufWriter()
        switch value {
        case .empty: break
        case .string(let text): message.field(1, bytes: Array(text.utf8))
        case .bool(let flag): message.field(2, varint: flag ? 1 : 0)
        case .int(let integer): message.field(3, varint: UInt64(bitPattern: integer))
        case .double(let double):
            message.varint(4 << 3 | 1)
            withUnsafeBytes(of: double.bitPattern.littleEndian) { message.bytes.append(contentsOf: $0) }
        case .bytes(let bytes): message.field(7, bytes: bytes)
        case .array(let values):
            var list = ProtobufWriter()
            for value in values { list.field(1, bytes: anyValue(value)) }
            message.field(5, bytes: list.bytes)
        case .map(let members):
            var map = ProtobufWriter()
            for member in members { map.field(1, bytes: keyValue(member)) }
            message.field(6, bytes: map.bytes)
        }
        return message.bytes
    }
}

/// A store of logs in a directory of its own.
final class LogTestStore {
    let reader: Readers.LogReader
    private let table: LogTable
    private let logs: BufferedTable<LogBuilder>
    private let log: WriteAheadLog
    private let worker: FlushWorker
    private let thread: WorkerThread
    let directory: String
    let store: Store
    /// The time of receipt that requests are ingested with.
    var received: Int64 = 1

    /// - Parameter countsView: whether the reader may answer from the view of counts.
    init(rules: LogLabelRules = .standard, countsView: Bool = false) throws {
        directory = NSTemporaryDirectory() + "varve-logs-" + UUID().uuidString
        let tables = try TableCatalog.parse(files: Schema.files, lock: Schema.lock)
        guard let definition = tables.table(named: "otel_logs") else {
            preconditionFailure("Schema/ declares otel_logs")
        }
        let table = try LogTable(definition)
        self.table = table
        let fileSystem = PosixFileSystem()
        store = try Store(directory: directory, tables: tables, fileSystem: fileSystem)
        log = WriteAheadLog(
            directory: directory + "/wal", fileSystem: fileSystem, durability: .written, flushed: 0)
        logs = BufferedTable(
            table.definition, store: store, log: log, limits: FlushLimits(age: .seconds(3600)),
            makeBuilder: { LogBuilder(table) })
        worker = FlushWorker(tables: [logs], log: log) { error in Swift.print("flush failed: \(error)") }
        thread = worker.start()
        try log.start(report: { _, _ in }, replay: { _ in })
        reader = Readers.LogReader(
            table: table, logs: logs, rules: rules, counts: countsView ? try LogCountsView(tables) : nil)
    }

    deinit {
        worker.stop()
        thread.join()
        log.close()
        try? FileManager.default.removeItem(atPath: directory)
    }

    func ingest(_ records: [SentLog], tenant: TenantID = .default) throws {
        let body = SentLog.request(records)
        let request = LoggedRequest(
            signal: .logs, format: .protobuf, coding: .identity, tenant: tenant, received: received, body: body)
        _ = try logs.ingest(request) { builder in
            try body.withUnsafeBytes { try LogDecoder.decode($0, received: received, into: &builder) }.accepted > 0
        }
    }

    func flush() throws { try worker.flushAll() }

    var partCount: Int { logs.snapshot(.default, in: .everything).parts.count }
}

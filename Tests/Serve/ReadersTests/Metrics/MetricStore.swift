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
import Testing

/// The metrics table of a real store in a folder of its own, and a reader over it.
final class MetricStore {
    let reader: MetricReader
    private let table: MetricTable
    private let metrics: BufferedTable<MetricBuilder>
    private let log: WriteAheadLog
    private let worker: FlushWorker
    private let thread: WorkerThread
    let directory: String

    /// - Parameter copying: a folder whose files the store begins with.
    init(
        _ translation: MetricTranslation = MetricTranslation(), directoryBytes: Int = 256 << 20, copying: String? = nil
    ) throws {
        directory = NSTemporaryDirectory() + "varve-metrics-\(UUID().uuidString)"
        if let copying { try FileManager.default.copyItem(atPath: copying, toPath: directory) }
        let files = PosixFileSystem()
        let tables = try TableCatalog.parse(files: Schema.files, lock: Schema.lock)
        let table = try MetricTable(#require(tables.table(named: "otel_metrics")))
        let store = try Store(directory: directory, tables: tables, fileSystem: files)
        log = WriteAheadLog(
            directory: directory + "/wal", fileSystem: files, durability: .memory, flushed: 0)
        metrics = BufferedTable(
            table.definition, store: store, log: log, limits: FlushLimits(age: .seconds(3600)),
            makeBuilder: { MetricBuilder(table) })
        worker = FlushWorker(tables: [metrics], log: log) { error in print("flush failed: \(error)") }
        thread = worker.start()
        try log.start(report: { _, _ in }, replay: { _ in })
        self.table = table
        reader = MetricReader(
            table: table, metrics: metrics, translation: translation, directoryBytes: directoryBytes)
    }

    deinit {
        worker.stop()
        thread.join()
        log.close()
        try? FileManager.default.removeItem(atPath: directory)
    }

    func ingest(_ points: [MetricRequest.Point], tenant: TenantID = .default) throws {
        let body = MetricRequest.bytes(points)
        let request = LoggedRequest(
            signal: .metrics, format: .protobuf, coding: .identity, tenant: tenant, received: 0, body: body)
        _ = try metrics.ingest(request) { builder in
            try body.withUnsafeBytes { try MetricDecoder.decode($0, into: &builder) }.accepted > 0
        }
    }

    func flush() throws { try worker.flushAll() }

    /// The files of parts, oldest first.
    var partFiles: [String] {
        let names = FileManager.default.subpaths(atPath: directory) ?? []
        func number(_ path: String) -> Int { Int((path as NSString).lastPathComponent.dropLast(3)) ?? 0 }
        return names.filter { $0.hasSuffix(".vp") }.sorted { number($0) < number($1) }.map { directory + "/" + $0 }
    }

    /// Another reader of the same points.
    func reader(on pool: QueryPool) -> MetricReader { MetricReader(table: table, metrics: metrics, pool: pool) }

    func context(_ tenant: TenantID = .default, byteLimit: Int = 1 << 30) -> QueryContext {
        QueryContext(tenant: tenant, byteLimit: byteLimit)
    }

    /// Sorted by labels.
    func series(_ matchers: [LabelMatcher], in range: TimeRange = .everything) throws -> [SampleSeries] {
        try reader.series(matching: matchers, in: range, context: context()).sorted { $0.labels < $1.labels }
    }
}

/// The matchers of `name{…}`.
func selector(_ name: String, _ others: LabelMatcher...) throws -> [LabelMatcher] {
    try [LabelMatcher("__name__", .equal, name)] + others
}

func attributes(_ pairs: KeyValuePairs<String, String>) -> [Attribute] {
    pairs.map { Attribute(key: $0.key, value: .string($0.value)) }
}

func labels(_ pairs: KeyValuePairs<String, String>) -> Labels { Labels(pairs.map { Label($0.key, $0.value) }) }

/// 2026-03-05 12:00:00 UTC plus seconds, in nanoseconds.
func second(_ seconds: Double) -> Int64 { 1_772_712_000_000_000_000 + Int64(seconds * 1e9) }

func between(_ start: Int64, _ end: Int64) -> TimeRange {
    TimeRange(start: Timestamp(nanoseconds: start), end: Timestamp(nanoseconds: end))
}

extension SampleSeries {
    /// Equal also where values are NaN.
    func isIdentical(to other: SampleSeries) -> Bool {
        labels == other.labels && timestamps == other.timestamps
            && values.map(\.bitPattern) == other.values.map(\.bitPattern)
            && histograms.map(\.bits) == other.histograms.map(\.bits)
    }
}

extension NativeHistogram {
    var bits: [UInt64] {
        let header = [count, sum, zeroThreshold, zeroCount].map(\.bitPattern)
        let places = [schema, positiveOffset, negativeOffset, isStale ? 1 : 0].map { UInt64(bitPattern: Int64($0)) }
        return header + places + (positive + [.nan] + negative).map(\.bitPattern)
    }
}

internal import Columns
package import Core
package import Files
package import Ingest
package import Maintenance
package import OTLP
package import Observability
package import Scheduling
package import Storage
package import TableSchema
package import Telemetry

/// How the engine of one data directory is run.
package struct EngineConfiguration: Sendable {
    package var dataDirectory: String
    package var durability = Durability.fsync
    package var logCompression = LogCompression.none
    package var flush = FlushLimits()
    /// What merges parts and drops old ones; nil leaves them as they are.
    package var maintenance: MaintenanceWorker.Policy?
    package var parts = OpenParts.Limits()
    /// Which times rows may have when they come.
    package var accepted = AcceptedTimes()
    /// The time of day, for maintenance.
    package var clock: @Sendable () -> Timestamp = { .min }
    /// What is done as the disk fills; nil writes on until it is full.
    package var space: DiskSpace.Limits?
    /// While it is full, nothing is taken.
    package var memory = MemoryLedger()
    /// Bytes of rows that are not in parts on the disk.
    package var memtableBytes = 768 << 20

    package init(dataDirectory: String) { self.dataDirectory = dataDirectory }
}

/// Why the engine does not start.
package struct EngineError: Error, CustomStringConvertible {
    package let description: String
}

/// The store of one data directory, open: tables, log and flush worker, and the way of a request into them.
package final class Engine: Sendable {
    package let bindings: TableBindings
    package let spans: BufferedTable<SpanBuilder>
    package let logs: BufferedTable<LogBuilder>
    package let metrics: BufferedTable<MetricBuilder>
    package var tables: TableCatalog { bindings.tables }
    package var spanTable: SpanTable { bindings.spans }
    package var logTable: LogTable { bindings.logs }
    package var metricTable: MetricTable { bindings.metrics }
    /// The processor time that rows take, by kind of work.
    package let times = WorkTimes()
    private let store: Store
    private let log: WriteAheadLog
    private let worker: FlushWorker
    private let flushThreads: [WorkerThread]
    /// Nil: not watched.
    package let space: DiskSpace?
    private let ledger: MemoryLedger
    private let maintenance: (worker: MaintenanceWorker, threads: [WorkerThread])?
    /// No setting lets longer requests in.
    package static let longestBody = 1 << 30
    private let accepted: AcceptedTimes
    /// Points are smaller than spans and records, and each part of theirs repeats the series: so many times as many bytes are sealed
    /// together (docs/decisions/0045).
    private static let metricShare = 2

    /// Opens the directory, replays the log, and starts to flush.
    package init(
        _ configuration: EngineConfiguration, fileSystem: any FileSystem, report: Log
    ) throws(EngineError) {
        accepted = configuration.accepted
        do {
            bindings = try TableBindings()
            store = try Store(
                directory: configuration.dataDirectory, tables: bindings.tables, fileSystem: fileSystem, times: times,
                damage: Self.damageLog(report), cache: OpenParts(configuration.parts))
            let space = Self.diskSpace(configuration, fileSystem, report)
            self.space = space
            log = WriteAheadLog(
                directory: configuration.dataDirectory + "/wal", fileSystem: fileSystem,
                durability: configuration.durability, compression: configuration.logCompression,
                flushed: store.flushedPositions.values.max() ?? 0,
                quarantine: Quarantine(directory: configuration.dataDirectory, fileSystem: fileSystem), times: times)
            let (spanTable, logTable, metricTable) = (bindings.spans, bindings.logs, bindings.metrics)
            let ledger = configuration.memory
            self.ledger = ledger
            let memory = MemtableMemory(limit: configuration.memtableBytes, isTight: { ledger.isTight })
            ledger.add("memtables", bytes: { memory.usedBytes })
            var metricLimits = configuration.flush
            metricLimits.bytes *= Self.metricShare
            spans = BufferedTable(
                spanTable.definition, store: store, log: log, limits: configuration.flush, memory: memory,
                makeBuilder: { SpanBuilder(spanTable) })
            logs = BufferedTable(
                logTable.definition, store: store, log: log, limits: configuration.flush, memory: memory,
                makeBuilder: { LogBuilder(logTable) })
            metrics = BufferedTable(
                metricTable.definition, store: store, log: log, limits: metricLimits, memory: memory,
                makeBuilder: { MetricBuilder(metricTable) })
            worker = FlushWorker(tables: [spans, logs, metrics], log: log, space: space) { error in
                report.error("a flush failed; it will be tried again", ["error": .string("\(error)")])
            }
            flushThreads = [worker.start(), worker.startSealing()]
            maintenance = Self.maintain(store, configuration, space, report)
            let flushed = store.flushedPositions
            do throws(FileError) {
                try log.start(
                    wasFlushed: { record in record.position <= flushed[self.key(of: record.request)] ?? 0 },
                    report: { segment, scan in Self.report(segment, scan, store.damage, report) },
                    replay: { record in replay(record, report) })
            } catch {
                stopThreads()
                throw error
            }
        } catch {
            throw EngineError(description: "\(error)")
        }
    }

    private static func maintain(
        _ store: Store, _ configuration: EngineConfiguration, _ space: DiskSpace?, _ report: Log
    ) -> (worker: MaintenanceWorker, threads: [WorkerThread])? {
        configuration.maintenance.map { policy in
            let worker = MaintenanceWorker(
                store, policy: policy, clock: configuration.clock,
                progress: { event in Self.report(event, store.tables, report) },
                report: { error in
                    report.error("maintenance failed; it will be tried again", ["error": .string("\(error)")])
                    if error.isOutOfSpace { space?.useReserve() }
                })
            return (worker, worker.start())
        }
    }

    private static func report(_ event: MaintenanceEvent, _ tables: TableCatalog, _ report: Log) {
        func name(_ table: TableID) -> Log.Value { .string(tables.table(id: table)?.name ?? "\(table.number)") }
        switch event {
        case .merged(let plan, let outcome, let duration):
            report.debug(
                "parts were merged",
                [
                    "table": name(plan.partition.table), "tenant": .string(plan.partition.tenant.name),
                    "partition": .int(Int(plan.partition.start / 1_000_000_000)), "parts": .int(outcome.inputs.count),
                    "rows": .int(outcome.output?.rowCount ?? 0), "copied": .int(outcome.copiedRows),
                    "dropped": .int(outcome.droppedRows), "level": .int(Int(plan.level)),
                    "read": .int(Int(outcome.bytesRead)), "written": .int(Int(outcome.bytesWritten)),
                    "memory": .int(outcome.memory), "seconds": .double(duration / .seconds(1)),
                ])
        case .rolledUp(let plan, let outcome, let duration):
            report.debug(
                "parts were aggregated into views",
                [
                    "table": name(plan.source.table), "tenant": .string(plan.source.tenant.name),
                    "parts": .int(plan.parts.count), "rows": .int(outcome.rows),
                    "added": .int(outcome.added.reduce(0) { $0 + $1.rowCount }),
                    "seconds": .double(duration / .seconds(1)),
                ])
        case .repaired(let repairing):
            report.warning(
                "rows are lost: a part was written anew without its damaged blocks",
                [
                    "table": name(repairing.part.table), "tenant": .string(repairing.part.tenant.name),
                    "partition": .int(Int(repairing.part.partition / 1_000_000_000)),
                    "part": .int(Int(repairing.part.id.number)), "blocks": .int(repairing.lostBlocks),
                    "rows": .int(repairing.lostRows), "reason": .string(repairing.reason),
                    "quarantine": .string(repairing.quarantined),
                ])
        case .dropped(let plan):
            report.info(
                plan.reason == .age ? "a partition has expired and was dropped" : "a partition was dropped for space",
                [
                    "table": name(plan.partition.table), "tenant": .string(plan.partition.tenant.name),
                    "partition": .int(Int(plan.partition.start / 1_000_000_000)), "parts": .int(plan.parts.count),
                    "rows": .int(plan.rowCount), "bytes": .int(Int(plan.byteCount)),
                ])
        }
    }

    private static func report(_ event: DiskSpace.Event, _ report: Log) {
        switch event {
        case .state(.plenty, let free): report.info("there is space on the disk", ["free": .int(Int(free))])
        case .state(.low, let free):
            report.warning("the disk is nearly full: parts are not merged", ["free": .int(Int(free))])
        case .state(.full, let free):
            report.error("the disk is full: no data is taken until there is space", ["free": .int(Int(free))])
        case .reserveUsed: report.error("a write found no space: the reserve is used")
        case .reserveRestored: report.info("the reserve is set aside again")
        case .noReserve(let error):
            report.warning(
                "there is no room for the reserve",
                ["error": .string(error.map { "\($0)" } ?? "the disk is nearly full")])
        }
    }

    static func damageLog(_ report: Log) -> DamageLog {
        DamageLog { damage in
            report.warning(
                "stored data is damaged; everything else is served",
                ["kind": .string(damage.kind.rawValue), "damage": .string("\(damage)")])
        }
    }

    private static func diskSpace(
        _ configuration: EngineConfiguration, _ fileSystem: any FileSystem, _ log: Log
    ) -> DiskSpace? {
        configuration.space.map { limits in
            DiskSpace(directory: configuration.dataDirectory, fileSystem: fileSystem, limits: limits) { event in
                report(event, log)
            }
        }
    }

    static func report(_ segment: String, _ scan: SegmentScan, _ damage: DamageLog, _ report: Log) {
        if scan.tornBytes > 0 {
            report.info(
                "the log ends in a record that was not written whole",
                ["segment": .string(segment), "bytes": .int(Int(scan.tornBytes))])
        }
        if scan.skippedRecords > 0 {
            let reason = "\(scan.skippedRecords) places with \(scan.skippedBytes) bytes cannot be read"
            damage.note(Damage(.log, segment, reason))
        }
    }

    private func key(of request: LoggedRequest) -> TenantTable {
        TenantTable(tenant: request.tenant, table: bindings.table(of: request.signal).id)
    }

    private func replay(_ record: ReplayedRequest, _ report: Log) {
        while true {
            do {
                if try replay(record) { worker.wake() }
                return
            } catch IngestError.overloaded(_) {
                // Flushing is slow: nothing else waits for it at start.
                worker.wake()
            } catch {
                // It was never acknowledged: a body that cannot be decoded is answered with 400.
                report.warning("a logged request cannot be decoded", ["error": .string("\(error)")])
                return
            }
        }
    }

    private func replay(_ record: ReplayedRequest) throws -> Bool {
        let times = record.request.times ?? .min ... .max
        return switch record.request.signal {
        case .traces:
            try spans.replay(record) { builder in
                try unsafe record.request.protobuf().withUnsafeBytes {
                    try unsafe TraceDecoder.decode($0, accepting: times, into: &builder)
                }.accepted > 0
            }
        case .logs:
            try logs.replay(record) { builder in
                try unsafe record.request.protobuf().withUnsafeBytes {
                    try unsafe LogDecoder.decode(
                        $0, received: record.request.received, accepting: times, into: &builder)
                }.accepted > 0
            }
        case .metrics:
            try metrics.replay(record) { builder in
                try unsafe record.request.protobuf().withUnsafeBytes {
                    try unsafe MetricDecoder.decode($0, accepting: times, into: &builder)
                }.accepted > 0
            }
        }
    }

    /// Stores a request, whose protobuf bytes are given, and returns once it is durable (invariant 10).
    package func ingest(_ request: LoggedRequest, protobuf: [UInt8]) throws -> DecodeOutcome {
        let settled = Monitor<Result<DecodeOutcome, IngestError>?>(nil)
        try ingest(request, protobuf: protobuf) { result in settled.notifying { $0 = result } }
        let result = settled.wait { $0 }
        if log.hasFailed { worker.recoverLog() }
        return try (result ?? .failure(.closed)).get()
    }

    /// Decodes a request, whose protobuf bytes are given, and returns before it is durable.
    ///
    /// - Parameter settled: told once, unless the call throws, when the request is durable, or why it will never be: before the call
    ///   returns, or from the log's own thread, which must not be kept.
    package func ingest(
        _ request: LoggedRequest, protobuf: [UInt8],
        settled: @escaping @Sendable (Result<DecodeOutcome, IngestError>) -> Void
    ) throws {
        do throws(DiskSpace.Full) { try space?.admit() } catch { throw IngestError.unavailable(error.description) }
        do throws(MemoryLedger.Full) { try ledger.admit() } catch { throw IngestError.unavailable(error.description) }
        var request = request
        if let table = tables.table(id: key(of: request).table) {
            request.times = accepted.range(received: request.received, tenant: request.tenant, table: table)
        }
        let (window, received) = (request.times ?? .min ... .max, request.received)
        let isDue =
            switch request.signal {
            case .traces:
                try unsafe ingest(request, protobuf, into: spans, settled) { body, builder in
                    try unsafe TraceDecoder.decode(body, accepting: window, into: &builder)
                }
            case .logs:
                try unsafe ingest(request, protobuf, into: logs, settled) { body, builder in
                    try unsafe LogDecoder.decode(body, received: received, accepting: window, into: &builder)
                }
            case .metrics:
                try unsafe ingest(request, protobuf, into: metrics, settled) { body, builder in
                    try unsafe MetricDecoder.decode(body, accepting: window, into: &builder)
                }
            }
        if isDue { worker.wake() }
    }

    private func ingest<Builder: BatchBuilder & ~Copyable>(
        _ request: LoggedRequest, _ protobuf: [UInt8], into table: BufferedTable<Builder>,
        _ settled: @escaping @Sendable (Result<DecodeOutcome, IngestError>) -> Void,
        decode: (UnsafeRawBufferPointer, inout Builder) throws -> DecodeOutcome
    ) throws -> Bool {
        // What was decoded is known before anybody is told that it is durable.
        let decoded = Monitor(DecodeOutcome())
        return try table.ingest(request) { builder in
            let outcome = try times.measure(.decode) {
                try unsafe protobuf.withUnsafeBytes { try unsafe decode($0, &builder) }
            }
            decoded.withLock { $0 = outcome }
            return outcome.accepted > 0
        } settled: { [worker] isDurable in
            guard isDurable else {
                worker.wakeAfterFailure()
                return settled(.failure(.notLogged))
            }
            settled(.success(decoded.withLock { $0 }))
        }
    }

    /// What readers ask for rows.
    package var sources: QuerySources {
        QuerySources(bindings: bindings, spans: spans, logs: logs, metrics: metrics)
    }

    /// Bytes of memory in memtables.
    package var memtableBytes: Int { worker.memtableBytes }

    package var partCount: Int { store.allParts.values.reduce(0) { $0 + $1.count } }

    package var partBytes: Int64 {
        store.allParts.values.joined().reduce(0) { $0 + $1.record.byteCount }
    }

    /// The parts that are open for queries.
    package var partCache: OpenParts { store.cache }

    /// Flushes every memtable to parts.
    package func flush() throws { try worker.flushAll() }

    /// Flushes, and ends the engine's threads.
    package func close() {
        stopThreads()
        log.close()
    }

    private func stopThreads() {
        maintenance?.worker.stop()
        worker.stop()
        for thread in flushThreads { thread.join() }
        for thread in maintenance?.threads ?? [] { thread.join() }
    }

    /// Bytes that were logged and flushed since the start, by table.
    package var written: [(table: TableDefinition, logged: Counter, flushed: Counter)] {
        [
            (spans.table, spans.loggedBytes, spans.flushedBytes), (logs.table, logs.loggedBytes, logs.flushedBytes),
            (metrics.table, metrics.loggedBytes, metrics.flushedBytes),
        ]
    }

    /// Those that have rows in parts.
    package var tenants: Set<TenantID> { store.tenants }

    /// The number of parts of a table.
    package func partCount(of table: TableID) -> Int {
        store.allParts.reduce(0) { $1.key.table == table ? $0 + $1.value.count : $0 }
    }

    /// Places that were found damaged since the start.
    package func damageCount(_ kind: Damage.Kind) -> Int { store.damage.count(kind) }

    /// Grows when rows are gone, or found to be lost, whatever their time.
    package var removals: Int {
        let lost = Damage.Kind.allCases.reduce(0) { $0 + damageCount($1) }
        guard let maintenance = maintenanceStatistics else { return lost }
        return lost + maintenance.total(\.droppedRows) + maintenance.total(\.lostRows)
    }

    /// What maintenance did; nil if it is off.
    package var maintenanceStatistics: MaintenanceStatistics? { maintenance?.worker.statistics }
}

internal import API
private import Archive
internal import Authorization
internal import Columns
internal import Core
private import Files
internal import GRPC
private import Glibc
internal import HTTP
internal import Ingest
internal import Limits
private import LogQL
private import Maintenance
internal import OTLP
internal import Observability
private import Readers
internal import Scheduling
private import Settings
private import Storage
private import TableSchema
private import Telemetry
private import TraceSearch

/// What is behind the ports: the engine, or the parts of a directory that is read alone, the readers over their tables, and the
/// routes of every dialect.
struct Composition {
    let otlpRoutes: [Routes]
    let otlpServices: OTLPServices
    let connections = ConnectionStatistics()
    let metrics = MetricsRegistry()
    /// Empty: what is an administrator's is among the routes of queries.
    let adminRoutes: [Routes]
    let queryRoutes: [Routes]
    /// What is answered to paths that are no API's: the pages of Jaeger's UI, if there are any.
    let pages: @Sendable (HTTPRequest) -> HTTPResponse?
    /// What all queries share.
    let admission: QueryAdmission
    /// Nil: nothing is written.
    private let engine: Engine?
    private let viewKeeper: ViewKeeper?
    let memory: MemoryBudget
    private let memoryKeeper: MemoryKeeper
    let access: AccessControl

    init(_ configuration: Configuration, log: Log) throws(EngineError) {
        let memory = MemoryBudget(configuration, log)
        self.memory = memory
        let fileSystem = PosixFileSystem()
        let ui = try Self.ui(configuration, fileSystem)
        if let ui { pages = ui.pages } else { pages = { _ in nil } }
        admission = Self.admission(configuration, memory)
        access = try Self.access(configuration, fileSystem, metrics, log)
        let sources: QuerySources
        let receiver: any OTLPReceiver
        let flush: @Sendable () throws -> Void
        let partCache: OpenParts
        if configuration.isReadOnly {
            let reading = try ReadOnlyEngine(
                dataDirectory: configuration.dataDirectory, parts: Self.parts(configuration, memory),
                fileSystem: fileSystem, report: log)
            engine = nil
            sources = reading.sources
            receiver = RefusingReceiver()
            flush = {}
            Self.register(reading, in: metrics)
            partCache = reading.partCache
        } else {
            let writing = try Engine(Self.engine(configuration, memory), fileSystem: fileSystem, report: log)
            engine = writing
            Self.warn(configuration, writing, log)
            sources = writing.sources
            receiver = EngineReceiver(writing, metrics)
            flush = { try writing.flush() }
            Self.register(writing, in: metrics)
            partCache = writing.partCache
        }
        Self.register(admission, partCache, in: metrics)
        let metrics = metrics
        func status(_ metrics: MetricsRegistry?) -> Routes {
            StatusRoutes.make(metrics: metrics, version: Version.current, notReady: { nil })
        }
        let isApart = configuration.listenAdmin != nil
        let publicStatus = status(isApart ? nil : metrics)
        let limiter = access.limiter
        func intake(_ by: OTLPIntake.Transport) -> OTLPIntake {
            OTLPIntake(
                receiver, by: by, bodyLimit: memory.body, limiter: limiter, metrics: metrics, now: Self.nanoseconds)
        }
        otlpRoutes = [OTLPRoutes(intake(.http)).routes, publicStatus]
        otlpServices = OTLPServices(intake(.grpc), authorizer: access.authorizer)
        connections.register(in: metrics, hasAdmin: isApart)
        let disk: any FileSystem = configuration.isReadOnly ? ReadOnlyFileSystem(fileSystem) : fileSystem
        let archive = try Self.archive(configuration, disk, metrics)
        let views = try Self.views(sources)
        viewKeeper = engine == nil ? nil : ViewKeeper(views)
        let results = KeptResults(configuration, memory, engine, metrics)
        let queries = Self.queries(
            sources, try Self.lines(sources), views, results, archive, memory.ledger, configuration, metrics)
        let routes = (ui.map { [$0.routes] } ?? []) + queries
        let administration = AdministrationRoutes.make(flush: flush, limiter: limiter)
        queryRoutes = routes + (isApart ? [publicStatus] : [administration, publicStatus])
        memoryKeeper = memory.watch(admission, partCache, metrics)
        adminRoutes = isApart ? [administration, status(metrics)] : []
    }

    private static func admission(_ configuration: Configuration, _ memory: MemoryBudget) -> QueryAdmission {
        QueryAdmission(
            QueryAdmission.Limits(
                running: queryConcurrency(configuration), wait: .nanoseconds(configuration.queryQueueWait)),
            memory: QueryMemory(limit: memory.queries, ledger: memory.ledger))
    }

    private static func access(
        _ configuration: Configuration, _ fileSystem: any ReadableFiles, _ metrics: MetricsRegistry, _ log: Log
    ) throws(EngineError) -> AccessControl {
        do throws(ConfigurationProblem) {
            let clocks = AccessControl.Clocks(now: now, steady: { nanoseconds(CLOCK_MONOTONIC) })
            return try AccessControl(configuration, fileSystem, metrics, clocks, log: log)
        } catch {
            throw EngineError(description: "\(error)")
        }
    }

    private static func views(_ sources: QuerySources) throws(EngineError) -> SpanViewReader {
        let traces = TraceReader(table: sources.bindings.spans, spans: sources.spans)
        do throws(BindingError) {
            return try SpanViewReader(traces, tables: sources.bindings.tables)
        } catch {
            throw EngineError(description: "\(error)")
        }
    }

    private static func lines(_ sources: QuerySources) throws(EngineError) -> Readers.LogReader {
        do throws(BindingError) {
            return Readers.LogReader(
                table: sources.bindings.logs, logs: sources.logs, counts: try LogCountsView(sources.bindings.tables))
        } catch {
            throw EngineError(description: "\(error)")
        }
    }

    /// The routes of every query API, over readers that know no more than where rows come from.
    private static func queries(
        _ sources: QuerySources, _ lines: Readers.LogReader, _ views: SpanViewReader, _ results: KeptResults,
        _ archive: ArchivedTraces?, _ ledger: MemoryLedger, _ configuration: Configuration, _ metrics: MetricsRegistry
    ) -> [Routes] {
        let tables = sources.bindings
        let series = MetricReader(table: tables.metrics, metrics: sources.metrics)
        register(series, in: metrics)
        ledger.add("series", bytes: { series.indexByteCount })
        let statistics = results.statistics(views)
        let search = TraceSearch(source: views.spans, archive: archive)
        return [
            JaegerAPI(
                search: search, dependencies: views, statistics: statistics, archive: archive, now: now
            ).routes,
            JaegerV3API(search: search).routes,
            PrometheusAPI(source: series, cache: results.metrics, facts: facts(configuration), now: now).routes,
            LokiAPI(engine: LogQLEngine(source: lines, cache: results.logs), now: now).routes,
            RecordAPI(search: search, records: RecordReader(logs: lines, metrics: series)).routes,
            AttributeAPI(source: views.spans).routes,
            ServiceAPI(statistics: statistics, dependencies: views, now: now).routes,
        ]
    }

    private static func parts(_ configuration: Configuration, _ memory: MemoryBudget) -> OpenParts.Limits {
        OpenParts.Limits(files: configuration.openParts, bytes: memory.parts)
    }

    private static func engine(_ configuration: Configuration, _ memory: MemoryBudget) -> EngineConfiguration {
        var engine = EngineConfiguration(dataDirectory: configuration.dataDirectory)
        engine.durability = configuration.durability
        engine.logCompression = configuration.logCompression
        engine.flush.bytes = memory.flush
        engine.flush.age = .nanoseconds(configuration.flushAge)
        engine.maintenance = maintenance(configuration)
        engine.maintenance?.limits.memory = memory.merge
        if configuration.merges { engine.flush.newParts = configuration.newPartLimit }
        engine.accepted = accepted(configuration)
        engine.clock = now
        engine.space = DiskSpace.Limits(
            reserve: configuration.diskReserve.map { Int64($0) }, low: configuration.diskLow.map { Int64($0) },
            full: configuration.diskFull.map { Int64($0) })
        engine.parts = parts(configuration, memory)
        engine.memory = memory.ledger
        engine.memtableBytes = memory.memtables
        return engine
    }

    private static func ui(
        _ configuration: Configuration, _ fileSystem: any FileSystem
    ) throws(EngineError) -> JaegerUI? {
        guard let folder = configuration.jaegerUI else { return nil }
        return try JaegerBundle.load(folder, archives: configuration.archiveBytes > 0, fileSystem: fileSystem)
    }

    /// To be opened behind the engine, which holds the directory's lock.
    private static func archive(
        _ configuration: Configuration, _ fileSystem: any FileSystem, _ metrics: MetricsRegistry
    ) throws(EngineError) -> ArchivedTraces? {
        guard configuration.archiveBytes > 0 else { return nil }
        var limits = TraceFiles.Limits()
        limits.files = configuration.archiveTraces
        limits.bytes = Int64(configuration.archiveBytes)
        let files: TraceFiles
        do throws(FileError) {
            files = try TraceFiles(directory: configuration.dataDirectory, fileSystem: fileSystem, limits: limits)
        } catch {
            throw EngineError(description: "\(error)")
        }
        metrics.computed("varve_archived_traces", help: "Traces that are archived.") { Double(files.count) }
        metrics.computed("varve_archive_bytes", help: "Bytes of archived traces.") { Double(files.bytes) }
        return ArchivedTraces(files)
    }

    /// Makes durable what is in memory; no request comes any more.
    func close() {
        viewKeeper?.stop()
        memoryKeeper.stop()
        engine?.close()
    }

    /// How many queries run at a time.
    private static func queryConcurrency(_ configuration: Configuration) -> Int {
        guard configuration.queryConcurrency == 0 else { return configuration.queryConcurrency }
        return max(4, 2 * sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    }

    private static func maintenance(_ configuration: Configuration) -> MaintenanceWorker.Policy? {
        guard configuration.merges || configuration.drops || configuration.rollsUp else { return nil }
        var policy = MaintenanceWorker.Policy()
        policy.merge?.newParts = max(2, configuration.mergeParts)
        policy.merge?.newBlocks = 2 * configuration.mergeParts
        policy.merge?.mostNewParts = 6 * configuration.mergeParts
        policy.merge?.leastAlone = 128 << 10
        policy.merge?.closingDelay = configuration.mergeFinalAfter
        policy.busyTime = min(policy.busyTime, configuration.mergeFinalAfter)
        policy.pause = .nanoseconds(configuration.mergePause)
        policy.restTime = 10_000_000_000
        policy.threads = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)) / 2)
        policy.retention?.rules = configuration.retentionRules
        policy.retention?.byteLimit = configuration.retentionBytes.map { Int64($0) }
        if !configuration.merges { policy.merge = nil }
        if !configuration.drops { policy.retention = nil }
        policy.rollup?.pause = .nanoseconds(configuration.rollupPause)
        policy.rollup?.leastRows = 4096
        policy.rollup?.settling = configuration.rollupSettle
        policy.rollup?.quietTime = min(configuration.rollupSettle, 60_000_000_000)
        if !configuration.rollsUp { policy.rollup = nil }
        policy.limits.reserve = configuration.diskLow.map { Int64($0) }
        return policy
    }

    private static func accepted(_ configuration: Configuration) -> AcceptedTimes {
        var accepted = AcceptedTimes()
        accepted.past = configuration.acceptedPast
        accepted.future = configuration.acceptedFuture
        accepted.retention = maintenance(configuration)?.retention
        return accepted
    }

    /// A rule for a tenant that has sent nothing may be a mistake, or ahead of its time.
    private static func warn(_ configuration: Configuration, _ engine: Engine, _ log: Log) {
        let known = engine.tenants
        for tenant in Set(configuration.retentionRules.compactMap(\.tenant)).subtracting(known) {
            log.warning("a rule of retention names a tenant that has no data", ["tenant": .string(tenant.name)])
        }
    }

    private static func nanoseconds() -> Int64 { nanoseconds(CLOCK_REALTIME) }

    private static func nanoseconds(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        unsafe clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    private static func now() -> Timestamp { Timestamp(nanoseconds: nanoseconds()) }

    private static func facts(_ configuration: Configuration) -> ServerFacts {
        let settings = Setting.all.map { ($0.key, $0.show(configuration)) }
        return ServerFacts(
            version: Version.current, startTime: now(),
            configuration: settings.map { "\($0): \"\($1)\"\n" }.joined(),
            flags: Dictionary(settings, uniquingKeysWith: { first, _ in first }), retention: "30d",
            processorCount: sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    }

    private static func register(
        _ admission: QueryAdmission, _ parts: OpenParts, in metrics: MetricsRegistry
    ) {
        metrics.computed("varve_queries_running", help: "Queries that run.") { Double(admission.running) }
        metrics.computed("varve_queries_waiting", help: "Queries that wait for their turn.") {
            Double(admission.waiting)
        }
        metrics.computed(
            "varve_queries_refused_total", help: "Queries that were refused because too many others ran.",
            monotonic: true
        ) { Double(admission.refused.value) }
        metrics.computed("varve_query_memory_bytes", help: "Memory that queries hold.") {
            Double(admission.memory.usedBytes)
        }
        metrics.computed("varve_open_parts", help: "Parts that are open for queries.") {
            Double(parts.openParts)
        }
        metrics.computed("varve_part_cache_bytes", help: "Memory of open parts and of their dictionaries.") {
            Double(parts.usedBytes)
        }
    }

    private static func register(_ engine: ReadOnlyEngine, in metrics: MetricsRegistry) {
        registerParts(
            metrics, count: { engine.partCount }, bytes: { engine.partBytes }, damage: { engine.damageCount($0) })
    }

    private static func registerParts(
        _ metrics: MetricsRegistry, count: @escaping @Sendable () -> Int, bytes: @escaping @Sendable () -> Int64,
        damage: @escaping @Sendable (Damage.Kind) -> Int
    ) {
        metrics.computed("varve_parts", help: "Parts of all tables and tenants.") { Double(count()) }
        metrics.computed("varve_part_bytes", help: "Bytes of all parts.") { Double(bytes()) }
        for kind in Damage.Kind.allCases {
            metrics.computed(
                "varve_damage_total", help: "Places in stored data that were found damaged since the start.",
                labels: ["kind": kind.rawValue], monotonic: true
            ) { Double(damage(kind)) }
        }
    }

    private static func register(_ series: MetricReader, in metrics: MetricsRegistry) {
        metrics.computed("varve_series_index_bytes", help: "Memory of series and of the index of their labels.") {
            Double(series.indexByteCount)
        }
    }

    private static func register(_ engine: Engine, in metrics: MetricsRegistry) {
        metrics.computed("varve_memtable_bytes", help: "Memory of rows that are not in parts yet.") {
            Double(engine.memtableBytes)
        }
        registerParts(
            metrics, count: { engine.partCount }, bytes: { engine.partBytes }, damage: { engine.damageCount($0) })
        for kind in WorkTimes.Kind.allCases {
            metrics.computed(
                "varve_work_cpu_seconds_total", help: "Processor time of what is done with rows.",
                labels: ["work": kind.rawValue], monotonic: true
            ) { engine.times.seconds(kind) }
        }
        for (table, logged, flushed) in engine.written {
            func count(_ name: String, _ help: String, _ value: @escaping @Sendable () -> Int) {
                metrics.computed(name, help: help, labels: ["table": table.name], monotonic: true) { Double(value()) }
            }
            count("varve_wal_written_bytes_total", "Bytes written to the write-ahead log.") { logged.value }
            count("varve_flush_written_bytes_total", "Bytes of parts that flushes wrote.") { flushed.value }
            metrics.computed("varve_table_parts", help: "Parts of the table.", labels: ["table": table.name]) {
                Double(engine.partCount(of: table.id))
            }
            guard let merges = engine.maintenanceStatistics?.tables[table.id] else { continue }
            count("varve_merges_total", "Merges of parts.") { merges.merges.value }
            count("varve_merge_rows_total", "Rows that merges wrote.") { merges.rows.value }
            count("varve_merge_copied_rows_total", "Of these, rows of copied blocks.") { merges.copiedRows.value }
            count("varve_merge_read_bytes_total", "Bytes of parts that were merged.") { merges.bytesRead.value }
            count("varve_merge_written_bytes_total", "Bytes of parts that merges wrote.") { merges.bytesWritten.value }
            count("varve_dropped_rows_total", "Rows that retention dropped.") { merges.droppedRows.value }
            count("varve_lost_rows_total", "Rows of blocks in quarantine.") { merges.lostRows.value }
        }
        if let space = engine.space {
            metrics.computed("varve_disk_free_bytes", help: "Free space of the disk, without the reserve.") {
                Double(space.free)
            }
            metrics.computed("varve_disk_reserve_bytes", help: "Bytes of the disk that are set aside.") {
                Double(space.reserved)
            }
            metrics.computed("varve_disk_state", help: "0 plenty of space, 1 merges stop, 2 ingest stops, too.") {
                Double(space.state.rawValue)
            }
        }
        if let maintenance = engine.maintenanceStatistics { register(maintenance, in: metrics) }
    }

    private static func register(_ maintenance: MaintenanceStatistics, in metrics: MetricsRegistry) {
        func count(_ name: String, _ help: String, _ counter: Counter) {
            metrics.computed(name, help: help, monotonic: true) { Double(counter.value) }
        }
        count("varve_merge_failures_total", "Merges that failed.", maintenance.failures)
        count("varve_dropped_partitions_total", "Partitions that retention dropped.", maintenance.droppedPartitions)
        count("varve_dropped_bytes_total", "Bytes of partitions that retention dropped.", maintenance.droppedBytes)
        metrics.computed("varve_merges_running", help: "Merges under way.") { Double(maintenance.running.value) }
        count("varve_rollup_rows_total", "Rows that were aggregated into views.", maintenance.rolledUpRows)
        metrics.computed("varve_rollup_pending_rows", help: "Rows that are in no view and could be.") {
            Double(maintenance.pendingRollupRows.value)
        }
        metrics.computed("varve_merge_pending_bytes", help: "Bytes of parts that are to be merged.") {
            Double(maintenance.pendingBytes.value)
        }
    }
}

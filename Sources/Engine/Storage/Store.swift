package import Columns
package import Core
package import Files
package import Observability
package import Parts
private import Synchronization
package import TableSchema

/// The parts of all tables and tenants in one directory, and the catalog that says which they are.
///
/// ```
/// LOCK   CURRENT   catalog-000001   wal/   parts/<tenant>/<table>/<partition>/<id>.vp
/// ```
package final class Store: Sendable {
    package let directory: String
    package let tables: TableCatalog
    package let fileSystem: any FileSystem
    /// What flushes and merges take.
    package let times: WorkTimes
    /// The parts that are open for queries.
    package let cache: OpenParts
    /// Nil only if the directory is read, and has no lock.
    private let lock: (any FileLock)?
    private let contents: Mutex<Contents>
    /// The parts by tenant and table, swapped as a whole, so that a reader never waits for a write to the disk.
    private let visible: Mutex<Visible>
    /// What was found damaged since the store was opened.
    package let damage: DamageLog

    private struct Contents: ~Copyable {
        var catalog: Catalog
    }

    private struct Visible {
        var parts: [TenantTable: [PartHandle]] = [:]
        /// Without parts that are in no view.
        var rolledUp: [PartID: ViewSet] = [:]
        var version: UInt64 = 0

        /// What the catalog says, oldest parts first, with a look at whether each has its file.
        init(
            _ state: CatalogState, of tables: TableCatalog, _ handle: (PartRecord, TableDefinition) -> PartHandle
        ) {
            rolledUp = state.rolledUp
            for record in state.parts.values.sorted(by: { $0.id < $1.id }) {
                guard let table = tables.table(id: record.table) else { continue }
                let handle = handle(record, table)
                handle.checkFile()
                parts[TenantTable(tenant: record.tenant, table: record.table), default: []].append(handle)
            }
        }

        func parts(_ key: TenantTable, in range: TimeRange) -> [PartHandle] {
            (parts[key] ?? []).filter {
                range.overlaps(
                    first: Timestamp(nanoseconds: $0.record.leastTime),
                    last: Timestamp(nanoseconds: $0.record.greatestTime))
            }
        }
    }

    /// Opens or creates the store, and removes files that no record names. Damage does not keep it from being opened.
    package init(
        directory: String, tables: TableCatalog, fileSystem: any FileSystem, times: WorkTimes = WorkTimes(),
        damage: DamageLog = DamageLog(), cache: OpenParts = OpenParts()
    ) throws(StorageError) {
        self.times = times
        self.damage = damage
        self.directory = directory
        self.tables = tables
        self.fileSystem = fileSystem
        self.cache = cache
        do throws(FileError) {
            try fileSystem.createDirectory(directory)
            lock = try fileSystem.lock(directory + "/LOCK")
            DiskSpace.makeRoom(in: directory, fileSystem)
            try fileSystem.createDirectory(directory + "/parts")
        } catch {
            throw error.isLocked ? .directoryInUse(directory) : .file(error)
        }
        var catalog = try Catalog(directory: directory, fileSystem: fileSystem) { (state, loss) throws(StorageError) in
            try CatalogRecovery.adoptFiles(
                into: &state, loss, directory: directory, tables: tables, fileSystem: fileSystem, damage: damage)
        }
        visible = Mutex(
            Visible(catalog.state, of: tables) { (record, table) in
                PartHandle(
                    record, table: table, path: Self.path(record, table, directory), fileSystem: fileSystem,
                    damage: damage, cache: cache)
            })
        // Parts of a table that only a newer Varve knows are kept by their numbers.
        var named = Set<String>()
        for record in catalog.state.parts.values {
            let path = tables.table(id: record.table).map { Self.path(record, $0, directory) }
            named.insert(path ?? "\(record.id.number).vp")
        }
        // Where records were lost, what is left out is kept all the same.
        let quarantine = catalog.hasLostRecords ? Quarantine(directory: directory, fileSystem: fileSystem) : nil
        var greatest: UInt64 = 0
        Self.removeGarbage(
            in: directory + "/parts", keeping: named, quarantine, fileSystem, depth: 0, greatest: &greatest)
        // The power may bring back what was removed: no other part may have its number then.
        catalog.skipNumbers(through: greatest)
        contents = Mutex(Contents(catalog: catalog))
    }

    /// Opens the store of a directory for reading: not a byte of it is changed. Nobody may write to it meanwhile; others may read it.
    package init(
        reading directory: String, tables: TableCatalog, fileSystem: any FileSystem, damage: DamageLog = DamageLog(),
        cache: OpenParts = OpenParts()
    ) throws(StorageError) {
        let fileSystem = ReadOnlyFileSystem(fileSystem)
        times = WorkTimes()
        self.damage = damage
        self.directory = directory
        self.tables = tables
        self.fileSystem = fileSystem
        self.cache = cache
        do throws(FileError) {
            // A copy may lack the lock, but not what says that it is a data directory.
            let hasLock = try fileSystem.exists(directory + "/LOCK")
            let hasParts = try fileSystem.exists(directory + "/parts")
            let hasCatalog = try fileSystem.exists(directory + "/CURRENT")
            guard hasLock || hasCatalog || hasParts else { throw .notFound(directory + "/CURRENT") }
            lock = hasLock ? try fileSystem.lockShared(directory + "/LOCK") : nil
        } catch {
            throw error.isLocked ? .directoryInUse(directory) : .file(error)
        }
        let catalog = try Catalog(reading: directory, fileSystem: fileSystem) {
            (state, loss) throws(StorageError) in
            try CatalogRecovery.adoptFiles(
                into: &state, loss, directory: directory, tables: tables, fileSystem: fileSystem, damage: damage,
                isReading: true)
        }
        visible = Mutex(
            Visible(catalog.state, of: tables) { (record, table) in
                PartHandle(
                    record, table: table, path: Self.path(record, table, directory), fileSystem: fileSystem,
                    damage: damage, cache: cache)
            })
        contents = Mutex(Contents(catalog: catalog))
    }

    /// Removes files that no record names (invariant 2).
    ///
    /// - Parameter greatest: becomes the greatest number that such a file has.
    private static func removeGarbage(
        in folder: String, keeping named: Set<String>, _ quarantine: Quarantine?, _ fileSystem: any FileSystem,
        depth: Int, greatest: inout UInt64
    ) {
        guard depth < 4, let entries = try? fileSystem.list(folder) else { return }
        for entry in entries {
            let path = folder + "/" + entry.name
            switch entry.kind {
            case .directory:
                removeGarbage(
                    in: path, keeping: named, quarantine, fileSystem, depth: depth + 1, greatest: &greatest)
            case .file:
                guard entry.name.hasSuffix(".vp"), !named.contains(entry.name), !named.contains(path) else { continue }
                greatest = max(greatest, UInt64(entry.name.dropLast(3)) ?? 0)
                if let quarantine {
                    _ = try? quarantine.move(path, reason: "records of the catalog were lost, and it is no part")
                } else {
                    try? fileSystem.remove(path)
                }
            case .other: break
            }
        }
    }

    /// Where a part's file is.
    package static func path(
        _ record: PartRecord, _ table: TableDefinition, _ directory: String
    ) -> String {
        folder(record.tenant, table, record.partition, directory) + "/\(record.id.number).vp"
    }

    private static func folder(
        _ tenant: TenantID, _ table: TableDefinition, _ partition: Int64, _ directory: String
    ) -> String {
        "\(directory)/parts/\(tenant.name)/\(table.name)/\(PartitionName.text(partition))"
    }

    /// The log position up to which a tenant's rows of a table are in parts.
    package func flushedPosition(_ key: TenantTable) -> UInt64 {
        contents.withLock { $0.catalog.state.flushed[key] ?? 0 }
    }

    package var flushedPositions: [TenantTable: UInt64] {
        contents.withLock { $0.catalog.state.flushed }
    }

    /// The parts of a tenant's table whose rows may lie in `range`, oldest first. Their files live as long as the handles.
    package func parts(_ key: TenantTable, in range: TimeRange) -> [PartHandle] {
        visible.withLock { $0.parts(key, in: range) }
    }

    /// The parts of a view and of its source at one point in time.
    ///
    /// - Parameters:
    ///   - range: of the source's partition column.
    ///   - viewRange: of the view's.
    package func parts(
        _ source: TenantTable, in range: TimeRange, view: TableDefinition, viewRange: TimeRange
    ) -> ViewSnapshot {
        visible.withLock { visible in
            let parts = visible.parts(source, in: range)
            let pending = parts.filter { !(visible.rolledUp[$0.record.id]?.contains(view.id) ?? false) }
            guard let table = tables.table(id: source.table) else { preconditionFailure("no such table") }
            let viewParts = visible.parts(TenantTable(tenant: source.tenant, table: view.id), in: viewRange)
            return ViewSnapshot(
                source: TableSnapshot(table: table, memory: [], parts: parts),
                pending: TableSnapshot(table: table, memory: [], parts: pending),
                view: TableSnapshot(table: view, memory: [], parts: viewParts))
        }
    }

    /// Every part, by tenant and table.
    package var allParts: [TenantTable: [PartHandle]] { visible.withLock { $0.parts } }

    /// Every part and which views have its rows, at one point in time.
    package var partsAndViews: (parts: [PartHandle], rolledUp: [PartID: ViewSet]) {
        visible.withLock { (Array($0.parts.values.joined()), $0.rolledUp) }
    }

    /// The same of one tenant's tables, or of one table.
    package func partsAndViews(
        of tenant: TenantID, _ table: TableID? = nil
    ) -> (parts: [PartHandle], rolledUp: [PartID: ViewSet]) {
        visible.withLock { visible in
            let ids = table.map { [$0] } ?? tables.tables.map(\.id)
            let parts = ids.flatMap { visible.parts[TenantTable(tenant: tenant, table: $0)] ?? [] }
            return (parts, visible.rolledUp)
        }
    }

    /// Another number after each change of what there is.
    package var version: UInt64 { visible.withLock { $0.version } }

    /// Which views have the rows of parts, of those that are in any.
    package var rolledUp: [PartID: ViewSet] { visible.withLock { $0.rolledUp } }

    package var tenants: Set<TenantID> { visible.withLock { Set($0.parts.keys.map(\.tenant)) } }

    /// Sorts the batch and writes its rows as parts of level 0, one per partition, durable but not yet visible.
    ///
    /// - Parameters:
    ///   - positions: of the log, which the rows come from: all that it has of the table since the last flush.
    ///   - origin: where rows that are not of the log come from.
    ///   - times: what the work is counted to; nil: the store's.
    package func writeParts(
        _ batch: ColumnBatch, of key: TenantTable, zstdLevel: Int32, positions: ClosedRange<UInt64>? = nil,
        origin: PartOrigin? = nil, times: WorkTimes? = nil
    ) throws(StorageError) -> [PartRecord] {
        let times = times ?? self.times
        guard let table = tables.table(id: key.table) else { preconditionFailure("no such table") }
        var records: [PartRecord] = []
        let partitions = times.measure(.sort) { RowOrder.partitions(of: batch, table: table) }
        let flushed = flushedPosition(key)
        let flush = (partitions.isEmpty ? nil : positions).map { positions in
            PartOrigin.flushed(
                FlushOrigin(
                    previous: min(flushed, positions.lowerBound - 1), first: positions.lowerBound,
                    last: positions.upperBound, parts: partitions.count))
        }
        for rows in partitions {
            do throws(PartWriteError<FileError>) {
                let record = try writePart(of: key, partition: rows.partition, level: 0) {
                    (file) throws(FileError) in
                    try PartWriter.write(
                        batch, rows, table: table, zstdLevel: zstdLevel, origin: flush ?? origin, work: times, to: file)
                }
                records.append(record)
            } catch {
                discard(records)
                switch error {
                case .storage(let error): throw error
                case .body(let error): throw .file(error)
                }
            }
        }
        return records
    }

    /// A number for a part that will be added.
    func takePartID() -> PartID { contents.withLock { $0.catalog.takePartID() } }

    /// Writes one part, durable but not yet visible; if `body` throws, nothing is left of it.
    ///
    /// - Parameter body: writes the part's bytes to the file, and syncs it.
    package func writePart<Failure>(
        of key: TenantTable, partition: Int64, level: UInt8,
        _ body: (any ObjectWriter) throws(Failure) -> PartSummary
    ) throws(PartWriteError<Failure>) -> PartRecord {
        guard let table = tables.table(id: key.table) else { preconditionFailure("no such table") }
        let id = takePartID()
        let path = Self.folder(key.tenant, table, partition, directory) + "/\(id.number).vp"
        let summary: PartSummary
        do throws(PutError<Failure>) {
            summary = try fileSystem.put(path, body)
        } catch {
            switch error {
            case .file(let error): throw .storage(.file(error))
            case .body(let error): throw .body(error)
            }
        }
        precondition(summary.partition == partition, "a part's rows are of its partition")
        return PartRecord(
            id: id, tenant: key.tenant, table: key.table, partition: partition, level: level,
            rowCount: summary.rowCount, byteCount: summary.byteCount, leastTime: summary.leastTime,
            greatestTime: summary.greatestTime)
    }

    /// Removes the folder of a partition that has no more parts.
    ///
    /// - Returns: false if a file is in it yet.
    package func removeFolder(tenant: TenantID, table: TableID, _ partition: Int64) -> Bool {
        guard let table = tables.table(id: table) else { return true }
        return (try? fileSystem.removeDirectory(Self.folder(tenant, table, partition, directory))) != nil
    }

    /// Opens a part's file apart from its handle: what is read of it is not kept for queries.
    package func open(_ record: PartRecord) throws(StorageError) -> Part {
        guard let table = tables.table(id: record.table) else { preconditionFailure("no such table") }
        let path = Self.path(record, table, directory)
        return try PartHandle(record, table: table, path: path, fileSystem: fileSystem, damage: damage).part()
    }

    /// Removes files of parts that will not be committed.
    package func discard(_ records: [PartRecord]) {
        for record in records {
            guard let table = tables.table(id: record.table) else { continue }
            try? fileSystem.remove(Self.path(record, table, directory))
        }
    }

    /// Writes the edit to the catalog, and then makes it visible while `publishing` runs: a caller that must change something
    /// of its own at the same time does so there, calling the given closure once. If it fails, files of added parts are
    /// removed, unless the record may be on the disk: then they stay until the next open can tell.
    package func commit(
        _ edit: CatalogEdit, publishing: (() -> Void) -> Void = { $0() }
    ) throws(StorageError) {
        let removed = try append(edit, sealed: [])
        publishing { self.publish(edit, removed) }
    }

    /// Writes the edit to the catalog.
    ///
    /// - Parameter sealed: handles of added parts that there are already.
    /// - Returns: the tables of removed parts.
    @discardableResult
    func append(_ edit: CatalogEdit, sealed: [PartHandle]) throws(StorageError) -> Set<TenantTable> {
        var failure: StorageError?
        let removed = contents.withLock { contents in
            let removed = edit.removed.compactMap { id in
                contents.catalog.state.parts[id].map { TenantTable(tenant: $0.tenant, table: $0.table) }
            }
            do throws(StorageError) {
                try contents.catalog.append(edit)
            } catch {
                failure = error
                let doubtful = contents.catalog.doubtful
                discard(edit.added.filter { !doubtful.contains($0.id) })
                for handle in sealed where !doubtful.contains(handle.record.id) { handle.image?.forgetFile() }
            }
            return Set(removed)
        }
        if let failure { throw failure }
        return removed
    }

    /// Shows parts that were added.
    func show(_ handles: [PartHandle]) {
        visible.withLock { visible in
            visible.version += 1
            for handle in handles {
                let key = TenantTable(tenant: handle.record.tenant, table: handle.record.table)
                visible.parts[key, default: []].append(handle)
            }
        }
    }

    private func publish(_ edit: CatalogEdit, _ removedFrom: Set<TenantTable>) {
        let handles = edit.added.compactMap { record in
            tables.table(id: record.table).map {
                PartHandle(
                    record, table: $0, path: Self.path(record, $0, directory), fileSystem: fileSystem, damage: damage,
                    cache: cache)
            }
        }
        let removed = Set(edit.removed)
        // Let go of behind the lock: the last reference removes the file, and readers do not wait for that.
        var released: [PartHandle] = []
        visible.withLock { visible in
            visible.version += 1
            for id in removed { visible.rolledUp[id] = nil }
            for (id, views) in edit.rolledUp { visible.rolledUp[id, default: ViewSet()].formUnion(views) }
            for key in removedFrom {
                visible.parts[key]?.removeAll { handle in
                    guard removed.contains(handle.record.id) else { return false }
                    handle.removeFileAtEnd()
                    released.append(handle)
                    return true
                }
            }
            for handle in handles {
                let key = TenantTable(tenant: handle.record.tenant, table: handle.record.table)
                visible.parts[key, default: []].append(handle)
            }
        }
    }
}

/// The names of partitions' folders: `20261121T14`, in UTC.
enum PartitionName {
    static func text(_ start: Int64) -> String {
        let hours = start / 3_600_000_000_000 - (start % 3_600_000_000_000 < 0 ? 1 : 0)
        let days = hours / 24 - (hours % 24 < 0 ? 1 : 0)
        let day = CivilDay(daysSinceEpoch: Int(days))
        return pad(day.year, 4) + pad(day.month, 2) + pad(day.dayOfMonth, 2) + "T" + pad(Int(hours - days * 24), 2)
    }

    private static func pad(_ value: Int, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}

/// Why a part was not written.
package enum PartWriteError<Failure: Error>: Error {
    /// What wrote its bytes failed.
    case body(Failure)
    case storage(StorageError)
}

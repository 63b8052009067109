internal import Columns
package import Core
package import Files
internal import Ingest
package import Storage
package import TableSchema

/// A part that the catalog names.
package struct StoredPart: Sendable {
    package var record: PartRecord
    /// Nil for a table that only a newer Varve knows.
    package var table: TableDefinition?
    package var path: String
}

/// Which parts a command is about; nil means all.
package struct PartSelection: Sendable {
    package var table: TableID?
    package var tenant: TenantID?
    /// Rows or partitions that have a time in this range.
    package var range: TimeRange?
    package var part: PartID?

    package init() {}

    package func contains(_ record: PartRecord) -> Bool {
        (table ?? record.table) == record.table && (tenant ?? record.tenant) == record.tenant
            && (part ?? record.id) == record.id
    }
}

/// A data directory that no server holds, for as long as this lives: what its catalog says, and nothing changed.
///
/// Nothing is written, so it may be a copy on a disk that cannot be written to; then there is no lock to take, and none needed.
package struct DataDirectory: Sendable {
    package let path: String
    package let tables: TableCatalog
    package let fileSystem: any FileSystem
    package let catalog: CatalogReading
    /// By table, tenant, partition and number.
    package let parts: [StoredPart]
    private let lock: (any FileLock)?

    /// - Parameter needsCatalog: whether it is an error if there is no catalog at all; otherwise it counts as damaged.
    package init(
        _ path: String, tables: TableCatalog, fileSystem: any FileSystem, needsCatalog: Bool = true
    ) throws(OfflineError) {
        self.path = path
        self.tables = tables
        self.fileSystem = fileSystem
        let found: CatalogReading?
        do throws(FileError) {
            guard try fileSystem.exists(path) else { throw FileError(.open, path, code: 0) }
            // Taking a lock makes a file: not in a folder that is something else.
            let names = Set(try fileSystem.list(path).map(\.name))
            guard names.contains("CURRENT") || names.contains("parts") || names.contains("LOCK") else {
                throw FileError(.list, path, code: 0)
            }
            lock = try Self.lock(path, fileSystem)
            var reading = try CatalogReading.read(directory: path, fileSystem: fileSystem)
            if reading == nil, !needsCatalog, try fileSystem.exists(path + "/parts") {
                reading = CatalogReading(missingIn: path)
            }
            found = reading
        } catch {
            if error.isLocked { throw .inUse(path) }
            guard error.isEndOfFile else { throw .file(error) }
            throw error.operation == .open ? .missing(path) : .notADataDirectory(path)
        }
        guard let found else { throw .notADataDirectory(path) }
        catalog = found
        if let version = catalog.unknownVersion {
            throw .unsupported(path: catalog.damage.last?.path ?? path, version: version)
        }
        parts = catalog.parts.values.map { record in
            let table = tables.table(id: record.table)
            return StoredPart(
                record: record, table: table, path: table.map { Store.path(record, $0, path) } ?? "")
        }.sorted { left, right in
            (left.record.table, left.record.tenant, left.record.partition, left.record.id)
                < (right.record.table, right.record.tenant, right.record.partition, right.record.id)
        }
    }

    /// Lets servers in; to be called before a `Store` is opened by the same process.
    package func unlock() { lock?.unlock() }

    private static func lock(_ path: String, _ fileSystem: any FileLocks) throws(FileError) -> (any FileLock)? {
        do throws(FileError) {
            return try fileSystem.lock(path + "/LOCK")
        } catch {
            if error.isReadOnly { return nil }
            throw error
        }
    }

    /// - Throws: if the catalog is not whole, so that what it says may lack something.
    package func requireWholeCatalog() throws(OfflineError) {
        guard let damage = catalog.damage.first else { return }
        throw .damagedCatalog(path: damage.path, offset: damage.offset, reason: damage.reason)
    }

    /// How many requests for a table are in the log alone; zero if the log cannot be read.
    package func waitingRequests(of table: TableDefinition, tenant: TenantID?) -> Int {
        let signals: [LoggedRequest.Signal: String] = [
            .traces: "otel_traces", .logs: "otel_logs", .metrics: "otel_metrics",
        ]
        var waiting = 0
        _ = try? LogInspection.segments(of: path, fileSystem: fileSystem) { _, record in
            let key = TenantTable(tenant: record.request.tenant, table: table.id)
            guard signals[record.request.signal] == table.name, (tenant ?? key.tenant) == key.tenant,
                record.position > catalog.flushed[key] ?? 0
            else { return }
            waiting += 1
        }
        return waiting
    }
}

package import Columns
internal import Core
internal import Files
internal import Observability
internal import Parts
internal import Scheduling
internal import TableSchema

/// Parts that are in memory before they are on the disk. A sealed part has its number, its record and all its bytes; who reads it does
/// so through its handle like any other. Flushing writes these bytes to its file and makes the handle, the same one, the store's: what
/// queries have kept of the part stays good.
extension Store {
    /// The positions of a table's log that rows come from.
    package struct FlushedPositions: Sendable {
        /// Up to which the table's rows are in parts when these are written.
        package var previous: UInt64
        package var first: UInt64
        package var last: UInt64

        package init(previous: UInt64, first: UInt64, last: UInt64) {
            self.previous = previous
            self.first = first
            self.last = last
        }
    }

    /// Sorts the batch and encodes its rows as parts of level 0, one per partition, in memory.
    package func seal(
        _ batch: ColumnBatch, of key: TenantTable, zstdLevel: Int32, _ positions: FlushedPositions
    ) throws(StorageError) -> [PartHandle] {
        guard let table = tables.table(id: key.table) else { preconditionFailure("no such table") }
        let partitions = times.measure(.sort) { RowOrder.partitions(of: batch, table: table) }
        guard !partitions.isEmpty else { return [] }
        let origin = PartOrigin.flushed(
            FlushOrigin(
                previous: min(positions.previous, positions.first - 1), first: positions.first, last: positions.last,
                parts: partitions.count))
        var handles: [PartHandle] = []
        for rows in partitions {
            let id = takePartID()
            let image = MemoryFile(path: "sealed part \(id.number)")
            let summary: PartSummary
            do throws(FileError) {
                summary = try PartWriter.write(
                    batch, rows, table: table, zstdLevel: zstdLevel, origin: origin, work: times, to: image)
            } catch {
                throw .file(error)
            }
            let record = PartRecord(
                id: id, tenant: key.tenant, table: key.table, partition: rows.partition, level: 0,
                rowCount: summary.rowCount, byteCount: summary.byteCount, leastTime: summary.leastTime,
                greatestTime: summary.greatestTime)
            handles.append(try handle(of: record, table, SealedFile(image.bytes, path: image.path)))
        }
        return handles
    }

    private func handle(
        of record: PartRecord, _ table: TableDefinition, _ file: SealedFile
    ) throws(StorageError) -> PartHandle {
        do throws(PartError) {
            let part = try Part(file, table: table, dictionaries: cache.dictionaries, pages: cache.pages) { [cache] in
                cache.update($0)
            }
            return PartHandle(
                record, table: table, path: Self.path(record, table, directory), fileSystem: fileSystem, damage: damage,
                cache: cache, sealed: (file, part))
        } catch {
            throw .part(path: file.path, error)
        }
    }

    /// Sealed parts of one tenant's table.
    package struct SealedParts: Sendable {
        package var key: TenantTable
        package var parts: [PartHandle]
        /// Every row of the table that the log has up to it is in parts when these are.
        package var last: UInt64

        package init(key: TenantTable, parts: [PartHandle], last: UInt64) {
            self.key = key
            self.parts = parts
            self.last = last
        }
    }

    /// Writes sealed parts to their files as they are, and adds them to the store by one record of the catalog. What was written stays
    /// so if that fails, and is not written again by the next attempt.
    ///
    /// - Parameters:
    ///   - all: of different tables of tenants.
    ///   - publishing: as of `commit`, for each of `all`.
    package func flush(
        _ all: [SealedParts], publishing: (_ index: Int, _ publish: () -> Void) -> Void
    ) throws(StorageError) {
        let handles = all.flatMap(\.parts)
        do throws(FileError) { try write(handles) } catch { throw .file(error) }
        let flushed = Dictionary(uniqueKeysWithValues: all.map { ($0.key, $0.last) })
        let edit = CatalogEdit(added: handles.map(\.record), flushed: flushed)
        try append(edit, sealed: handles)
        for (index, sealed) in all.enumerated() { publishing(index) { show(sealed.parts) } }
        for handle in handles { handle.leaveMemory() }
    }

    private func write(_ handles: [PartHandle]) throws(FileError) {
        var objects: [WholeObject] = []
        var images: [SealedFile] = []
        for handle in handles {
            guard let image = handle.image, let bytes = image.unwrittenBytes else { continue }
            // One that an earlier attempt left, and could not remove.
            if try fileSystem.exists(handle.path) { try fileSystem.remove(handle.path) }
            objects.append(WholeObject(path: handle.path, bytes: bytes))
            images.append(image)
        }
        try fileSystem.put(objects)
        for (object, image) in zip(objects, images) { image.noteWritten(to: object.path, fileSystem) }
    }
}

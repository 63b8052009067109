package import Columns
internal import Files
package import Parts
private import Synchronization
package import TableSchema

/// A part that a snapshot holds: its file lives at least as long (invariant 6). It is opened when it is first read, and closed
/// again when the cache has no room for it and nobody reads it.
package final class PartHandle: Sendable {
    package let record: PartRecord
    package let table: TableDefinition
    package let path: String
    private let fileSystem: any ObjectStore
    let damage: DamageLog
    private let cache: OpenParts?
    /// The bytes of a part that was made in memory.
    let image: SealedFile?
    private let opened: Mutex<Part?>
    /// Since the cache last looked.
    private let wasUsed = Atomic<Bool>(false)
    /// Why the part cannot be opened, once that is known for good.
    private let failure = Mutex<PartError?>(nil)
    private let isRemoved = Atomic<Bool>(false)

    /// - Parameters:
    ///   - cache: nil keeps the part open as long as the handle lives.
    ///   - sealed: of a part whose bytes are in memory.
    init(
        _ record: PartRecord, table: TableDefinition, path: String, fileSystem: any ObjectStore,
        damage: DamageLog = DamageLog(), cache: OpenParts? = nil, sealed: (image: SealedFile, part: Part)? = nil
    ) {
        image = sealed?.image
        opened = Mutex(sealed?.part)
        self.damage = damage
        self.record = record
        self.table = table
        self.path = path
        self.fileSystem = fileSystem
        self.cache = cache
    }

    deinit {
        if isRemoved.load(ordering: .relaxed) { try? fileSystem.remove(path) }
        if let part = opened.withLock({ $0 }) { cache?.forget(part) }
    }

    /// Bytes of memory that the part takes as long as it is not on the disk.
    package var memoryBytes: Int { image.map { $0.memoryBytes + (opened.withLock { $0?.heldBytes } ?? 0) } ?? 0 }

    /// The part is on the disk: its bytes in memory go, and it stays open like any other.
    func leaveMemory() {
        image?.leaveMemory()
        if let part = opened.withLock({ $0 }) { cache?.insert(self, part) }
    }

    /// To be called once no new snapshot can get the handle.
    func removeFileAtEnd() { isRemoved.store(true, ordering: .relaxed) }

    /// Whether the part is known to be one that cannot be opened: it keeps its place in the catalog and its file, and is left out
    /// of what is served and merged.
    package var isSetAside: Bool { failure.withLock { $0 != nil } }

    /// Sees whether the file is there and as long as it was written; its footer is checked when the part is first opened.
    func checkFile() {
        do throws(FileError) {
            guard try fileSystem.size(of: path) != record.byteCount else { return }
            setAside(.truncated)
        } catch {
            if error.isNotFound { setAside(.file(operation: error.operation.rawValue, errno: error.code)) }
        }
    }

    private func setAside(_ error: PartError) {
        failure.withLock { $0 = error }
        damage.note(Damage(.part, path, "\(error)", rowCount: record.rowCount))
    }

    package func part() throws(StorageError) -> Part {
        if let error = failure.withLock({ $0 }) { throw .part(path: path, error) }
        wasUsed.store(true, ordering: .relaxed)
        let result: Result<(part: Part, isNew: Bool), StorageError> = opened.withLock { opened in
            if let opened { return .success((opened, false)) }
            do throws(PartError) {
                let part = try open()
                opened = part
                return .success((part, true))
            } catch {
                if error.isDamage { setAside(error) }
                return .failure(.part(path: path, error))
            }
        }
        let (part, isNew) = try result.get()
        if isNew { cache?.insert(self, part) }
        return part
    }

    /// Lets go of the part unless it was asked for since the last call.
    ///
    /// - Returns: the part, if there was one to let go of.
    func closeIfIdle() -> Part? {
        if wasUsed.exchange(false, ordering: .relaxed) { return nil }
        return opened.withLock { opened in
            defer { opened = nil }
            return opened
        }
    }

    /// Opens the file once more: what is read of it is not kept for queries, and goes with the part.
    package func openApart() throws(StorageError) -> Part {
        if let error = failure.withLock({ $0 }) { throw .part(path: path, error) }
        do throws(PartError) {
            return try open(isShared: false)
        } catch {
            if error.isDamage { setAside(error) }
            throw .part(path: path, error)
        }
    }

    private func open(isShared: Bool = true) throws(PartError) -> Part {
        let file: any ReadableFile
        do throws(FileError) {
            file = try fileSystem.open(path)
        } catch {
            throw .file(operation: error.operation.rawValue, errno: error.code)
        }
        let cache = isShared ? cache : nil
        let part = try Part(file, table: table, dictionaries: cache?.dictionaries, pages: cache?.pages) { [cache] in
            cache?.update($0)
        }
        // A footer does not name its tenant: what the catalog knows of the part stands for that.
        guard part.rowCount == record.rowCount, part.partition == record.partition,
            part.leastTime == record.leastTime, part.greatestTime == record.greatestTime
        else {
            throw .corruptFooter("it is not the part that the catalog names")
        }
        return part
    }
}

/// A view and its source at one point in time: the view's rows and those that are pending are, together, all rows of the source, each once
/// (invariant 9). With a join it is not rows but hours that the view knows or does not.
package struct ViewSnapshot: Sendable {
    package var source: TableSnapshot
    /// Of the source, what is not in the view: rows in memory, and parts.
    package var pending: TableSnapshot
    package var view: TableSnapshot

    package init(source: TableSnapshot, pending: TableSnapshot, view: TableSnapshot) {
        self.source = source
        self.pending = pending
        self.view = view
    }
}

/// The rows of one tenant's table at one point in time: those in memory and those in parts, none twice.
package struct TableSnapshot: Sendable {
    package let table: TableDefinition
    package let memory: [ColumnBatch]
    /// What is known of the rows in memory, by batch; fewer if nothing is.
    package let memoryIndexes: [MemoryIndex]
    package let parts: [PartHandle]

    package init(
        table: TableDefinition, memory: [ColumnBatch], memoryIndexes: [MemoryIndex] = [], parts: [PartHandle]
    ) {
        self.table = table
        self.memory = memory
        self.memoryIndexes = memoryIndexes
        self.parts = parts
    }
}

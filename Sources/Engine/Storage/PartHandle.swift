package import Columns
internal import Files
package import Parts
private import Synchronization
package import TableSchema

/// A part that a snapshot holds: its file lives at least as long (invariant 6). It is opened when it is first read.
package final class PartHandle: Sendable {
    package let record: PartRecord
    package let table: TableDefinition
    package let path: String
    private let fileSystem: any FileSystem
    let damage: DamageLog
    private let opened = Mutex<Part?>(nil)
    /// Why the part cannot be opened, once that is known for good.
    private let failure = Mutex<PartError?>(nil)
    private let isRemoved = Atomic<Bool>(false)

    init(
        _ record: PartRecord, table: TableDefinition, path: String, fileSystem: any FileSystem,
        damage: DamageLog = DamageLog()
    ) {
        self.damage = damage
        self.record = record
        self.table = table
        self.path = path
        self.fileSystem = fileSystem
    }

    deinit {
        if isRemoved.load(ordering: .relaxed) { try? fileSystem.remove(path) }
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
        let result: Result<Part, StorageError> = opened.withLock { opened in
            if let opened { return .success(opened) }
            do throws(PartError) {
                let part = try open()
                opened = part
                return .success(part)
            } catch {
                if error.isDamage { setAside(error) }
                return .failure(.part(path: path, error))
            }
        }
        return try result.get()
    }

    private func open() throws(PartError) -> Part {
        let file: any File
        do throws(FileError) {
            file = try fileSystem.open(path, .read)
        } catch {
            throw .file(operation: error.operation.rawValue, errno: error.code)
        }
        let part = try Part(file, table: table)
        // A footer does not name its tenant: what the catalog knows of the part stands for that.
        guard part.rowCount == record.rowCount, part.partition == record.partition,
            part.leastTime == record.leastTime, part.greatestTime == record.greatestTime
        else {
            throw .corruptFooter("it is not the part that the catalog names")
        }
        return part
    }
}

/// The rows of one tenant's table at one moment: those in memory and those in parts, none twice.
package struct TableSnapshot: Sendable {
    package let table: TableDefinition
    package let memory: [ColumnBatch]
    package let parts: [PartHandle]

    package init(table: TableDefinition, memory: [ColumnBatch], parts: [PartHandle]) {
        self.table = table
        self.memory = memory
        self.parts = parts
    }
}

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
    private let opened = Mutex<Part?>(nil)
    private let isRemoved = Atomic<Bool>(false)

    init(_ record: PartRecord, table: TableDefinition, path: String, fileSystem: any FileSystem) {
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

    package func part() throws(StorageError) -> Part {
        let result: Result<Part, StorageError> = opened.withLock { opened in
            if let opened { return .success(opened) }
            do throws(PartError) {
                let part = try open()
                opened = part
                return .success(part)
            } catch {
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
        guard part.rowCount == record.rowCount, part.partition == record.partition else {
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

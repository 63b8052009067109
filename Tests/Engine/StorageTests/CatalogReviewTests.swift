import Core
import Files
import Schema
import Synchronization
import TableSchema
import Testing

@testable import Storage

/// What a catalog and a store do when the disk fails them (invariants 2, 3 and 10).
struct CatalogReviewTests {
    private let directory: String
    private let disk = FailingFileSystem()

    init() throws {
        directory = "/tmp/varve-catalog-review-\(UInt64.random(in: 0 ... .max))"
        try disk.createDirectory(directory)
    }

    private func edit(_ parts: ClosedRange<UInt64>, table: UInt16 = 1) -> CatalogEdit {
        CatalogEdit(
            added: parts.map {
                PartRecord(
                    id: PartID(number: $0), tenant: .default, table: TableID(number: table), partition: 0, level: 0,
                    rowCount: 1, byteCount: 1, leastTime: 0, greatestTime: 0)
            })
    }

    private func reopened() throws -> CatalogState {
        disk.refuse([])
        return try Catalog(directory: directory, fileSystem: disk).state
    }

    @Test func `an edit after one that the disk refused is found at the next open`() throws {
        var catalog = try Catalog(directory: directory, fileSystem: disk)
        try catalog.append(edit(1...1))
        disk.refuse([.write, .open], leaving: 30)
        #expect(throws: StorageError.self) { try catalog.append(edit(2...2)) }
        let mayBeThere = !catalog.doubtful.isEmpty
        #expect(mayBeThere)
        disk.refuse([])
        try catalog.append(edit(3...3))
        #expect(try reopened().parts.keys.map(\.number).sorted() == [1, 3])
    }

    @Test func `a failed edit is known not to be there once a new log could be begun`() throws {
        var catalog = try Catalog(directory: directory, fileSystem: disk)
        disk.refuse([.sync], times: 1)
        #expect(throws: StorageError.self) { try catalog.append(edit(1...1)) }
        let mayBeThere = !catalog.doubtful.isEmpty
        #expect(!mayBeThere)
        #expect(try reopened().parts.isEmpty)
    }

    @Test(arguments: [FileError.Operation.open, .rename, .syncDirectory])
    func `an edit that is on the disk succeeds though its log cannot be replaced`(
        operation: FileError.Operation
    ) throws {
        var catalog = try Catalog(directory: directory, fileSystem: disk)
        disk.refuse([operation])
        // More than 4 MiB, so that the log is due to be replaced.
        try catalog.append(edit(1...60_000))
        disk.refuse([])
        try catalog.append(edit(60_001...60_001))
        #expect(try reopened().parts.count == 60_001)
    }

    @Test func `parts of a table that is not known are kept`() throws {
        do {
            var catalog = try Catalog(directory: directory, fileSystem: disk)
            try catalog.append(edit(7...7, table: 60_000))
        }
        let folder = directory + "/parts/default/newer/19700101T00"
        try disk.createDirectory(folder)
        for name in ["7.vp", "8.vp"] { _ = try disk.open(folder + "/" + name, .create) }
        let tables = try TableCatalog.parse(files: Schema.files, lock: Schema.lock)
        _ = try Store(directory: directory, tables: tables, fileSystem: disk)
        #expect(try disk.list(folder).map(\.name) == ["7.vp"])
    }
}

/// The operating system's files, of which some operations can be made to fail.
final class FailingFileSystem: FileSystem {
    struct Refusal: Sendable {
        var operations: Set<FileError.Operation> = []
        var times = Int.max
        /// Bytes of an append that is refused which are written all the same.
        var leaving = 0
    }

    private let system = PosixFileSystem()
    private let refusal = Mutex(Refusal())

    func refuse(_ operations: Set<FileError.Operation>, times: Int = .max, leaving: Int = 0) {
        refusal.withLock { $0 = Refusal(operations: operations, times: times, leaving: leaving) }
    }

    var bytesLeft: Int { refusal.withLock { $0.leaving } }

    func check(_ operation: FileError.Operation, _ path: String) throws(FileError) {
        let isRefused = refusal.withLock { refusal in
            guard refusal.operations.contains(operation), refusal.times > 0 else { return false }
            refusal.times -= 1
            return true
        }
        if isRefused { throw FileError(operation, path, code: 5) }
    }

    func open(_ path: String) throws(FileError) -> any ReadableFile { try system.open(path) }

    func open(_ path: String, _ mode: OpenMode) throws(FileError) -> any File {
        try check(.open, path)
        return FailingFile(try system.open(path, mode), self)
    }

    func syncDirectory(_ path: String) throws(FileError) {
        try check(.syncDirectory, path)
        try system.syncDirectory(path)
    }

    func rename(_ path: String, to destination: String) throws(FileError) {
        try check(.rename, path)
        try system.rename(path, to: destination)
    }

    func createDirectory(_ path: String) throws(FileError) { try system.createDirectory(path) }
    func list(_ directory: String) throws(FileError) -> [DirectoryEntry] { try system.list(directory) }
    func remove(_ path: String) throws(FileError) { try system.remove(path) }
    func removeDirectory(_ path: String) throws(FileError) { try system.removeDirectory(path) }
    func exists(_ path: String) throws(FileError) -> Bool { try system.exists(path) }
    func size(of path: String) throws(FileError) -> Int64 { try system.size(of: path) }
    func freeSpace(at path: String) throws(FileError) -> Int64 { try system.freeSpace(at: path) }
    func totalSpace(at path: String) throws(FileError) -> Int64 { try system.totalSpace(at: path) }
    func lock(_ path: String) throws(FileError) -> any FileLock { try system.lock(path) }
    func lockShared(_ path: String) throws(FileError) -> any FileLock { try system.lockShared(path) }
}

private final class FailingFile: File {
    private let file: any File
    private let disk: FailingFileSystem

    init(_ file: any File, _ disk: FailingFileSystem) {
        self.file = file
        self.disk = disk
    }

    var path: String { file.path }

    func sync() throws(FileError) {
        try disk.check(.sync, path)
        try file.sync()
    }

    func append(_ buffers: [UnsafeRawBufferPointer]) throws(FileError) {
        do throws(FileError) {
            try disk.check(.write, path)
        } catch {
            if let first = buffers.first { try file.append([.init(rebasing: first.prefix(disk.bytesLeft))]) }
            throw error
        }
        try file.append(buffers)
    }

    func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int {
        try file.read(at: offset, into: buffer)
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(FileError) {
        try file.write(bytes, at: offset)
    }

    func size() throws(FileError) -> Int64 { try file.size() }
    func truncate(to size: Int64) throws(FileError) { try file.truncate(to: size) }
    func close() { file.close() }
}

/// A file system through which nothing can be changed: whatever would fails as on a disk that is mounted for reading.
package struct ReadOnlyFileSystem: FileSystem {
    private let base: any FileSystem

    package init(_ base: any FileSystem) { self.base = base }

    package func open(_ path: String) throws(FileError) -> any ReadableFile { try base.open(path) }

    package func open(_ path: String, _ mode: OpenMode) throws(FileError) -> any File { throw .readOnly(path, .open) }

    package func list(_ directory: String) throws(FileError) -> [DirectoryEntry] { try base.list(directory) }
    package func exists(_ path: String) throws(FileError) -> Bool { try base.exists(path) }
    package func size(of path: String) throws(FileError) -> Int64 { try base.size(of: path) }
    package func freeSpace(at path: String) throws(FileError) -> Int64 { try base.freeSpace(at: path) }
    package func totalSpace(at path: String) throws(FileError) -> Int64 { try base.totalSpace(at: path) }
    package func lockShared(_ path: String) throws(FileError) -> any FileLock { try base.lockShared(path) }

    package func lock(_ path: String) throws(FileError) -> any FileLock { throw .readOnly(path, .lock) }

    package func createDirectory(_ path: String) throws(FileError) {
        throw .readOnly(path, .createDirectory)
    }

    package func syncDirectory(_ path: String) throws(FileError) {
        throw .readOnly(path, .syncDirectory)
    }

    package func rename(_ path: String, to destination: String) throws(FileError) {
        throw .readOnly(path, .rename)
    }

    package func remove(_ path: String) throws(FileError) { throw .readOnly(path, .remove) }
    package func removeDirectory(_ path: String) throws(FileError) { throw .readOnly(path, .remove) }
}

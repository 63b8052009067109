/// The only door to the disk, so that a simulation can stand in for the operating system: all that a data directory needs. Whoever
/// needs less asks for less: `ReadableFiles`, `ObjectStore`, `AppendableFiles`, `FileLocks`.
///
/// Paths are taken as they are: absolute, or relative to the working directory. What is durable when:
/// - a file's bytes and size after `File.sync`;
/// - a file's name, its renaming and its removal after `syncDirectory` of the folder that holds it.
package protocol FileSystem: ObjectStore, AppendableFiles, FileLocks {
    /// Removes a file's name; those who hold it open go on reading.
    func remove(_ path: String) throws(FileError)
    /// Removes an empty folder.
    func removeDirectory(_ path: String) throws(FileError)
    /// Bytes that a process without privileges may still write at `path`.
    func freeSpace(at path: String) throws(FileError) -> Int64
    /// Bytes that the file system at `path` has, free or not.
    func totalSpace(at path: String) throws(FileError) -> Int64
}

/// Files that are read, and nothing more: who has only this changes no byte.
package protocol ReadableFiles: Sendable {
    /// Opens a file that exists.
    func open(_ path: String) throws(FileError) -> any ReadableFile
    /// The names in a folder, without `.` and `..`, sorted.
    func list(_ directory: String) throws(FileError) -> [DirectoryEntry]
    func exists(_ path: String) throws(FileError) -> Bool
    func size(of path: String) throws(FileError) -> Int64
}

/// Files that are written once, read by ranges, listed and removed: the shape of an object store.
package protocol ObjectStore: ReadableFiles {
    /// Creates a file, and the folders above it, with what `body` writes and then syncs. It is durable under its name when the call
    /// returns; if anything throws, nothing is left of it.
    ///
    /// - Throws: an error if there is such a file.
    func put<Result, Failure>(
        _ path: String, _ body: (any ObjectWriter) throws(Failure) -> Result
    ) throws(PutError<Failure>) -> Result

    /// Creates files with these bytes, and the folders above them. All are durable under their names when the call returns; if it throws,
    /// nothing is left of them.
    ///
    /// - Throws: an error if there is such a file.
    func put(_ objects: [WholeObject]) throws(FileError)

    /// Removes a file's name; those who hold it open go on reading.
    func remove(_ path: String) throws(FileError)
}

/// A file with all its bytes.
package struct WholeObject: Sendable {
    package let path: String
    package let bytes: [UInt8]

    package init(path: String, bytes: [UInt8]) {
        self.path = path
        self.bytes = bytes
    }
}

package enum PutError<Failure: Error>: Error {
    case file(FileError)
    /// What the caller's own code threw.
    case body(Failure)
}

/// What a log needs: files that grow, are cut and replace each other, and names that are durable when it says so.
package protocol AppendableFiles: ReadableFiles {
    func open(_ path: String, _ mode: OpenMode) throws(FileError) -> any File

    /// Creates the folder and those above it, and makes the new names durable; it may exist already.
    func createDirectory(_ path: String) throws(FileError)
    /// Makes the names in a folder durable.
    func syncDirectory(_ path: String) throws(FileError)

    /// Replaces what stands at `destination`, at one point in time; durable once the folder that held the name is synced.
    func rename(_ path: String, to destination: String) throws(FileError)
    /// Removes a file's name; those who hold it open go on reading.
    func remove(_ path: String) throws(FileError)
}

package protocol FileLocks: Sendable {
    /// Takes the exclusive lock of a file, which is created if need be; held until `unlock`, or until the last reference goes.
    ///
    /// - Throws: an error that `isLocked` if another process or object holds it; never waits.
    func lock(_ path: String) throws(FileError) -> any FileLock
    /// Takes a file's lock together with others who do no more than read; the file must exist, and is not changed.
    ///
    /// - Throws: an error that `isLocked` if somebody holds it alone; never waits.
    func lockShared(_ path: String) throws(FileError) -> any FileLock
}

package enum OpenMode: Hashable, Sendable {
    /// Created if it does not exist; `append` writes at its end.
    case append
    /// Must not exist; for reading and writing.
    case create
    /// Must exist; for reading and writing.
    case update
}

package struct DirectoryEntry: Hashable, Sendable {
    package enum Kind: Hashable, Sendable { case file, directory, other }

    package var name: String
    package var kind: Kind

    package init(name: String, kind: Kind) {
        self.name = name
        self.kind = kind
    }
}

package protocol FileLock: AnyObject, Sendable {
    func unlock()
}

extension ReadableFiles {
    /// The whole content of a file that is known to be small.
    ///
    /// - Throws: `EFBIG` if it is larger than `limit`.
    package func contents(of path: String, limit: Int) throws(FileError) -> [UInt8] {
        let file = try open(path)
        defer { file.close() }
        let size = try file.size()
        guard size <= limit else { throw FileError.tooLarge(path) }
        return try file.readUpTo(Int(size), at: 0)
    }
}

extension ObjectStore where Self: AppendableFiles {
    package func put(_ objects: [WholeObject]) throws(FileError) { try putEach(objects) }

    /// One after the other.
    func putEach(_ objects: [WholeObject]) throws(FileError) {
        for (index, object) in objects.enumerated() {
            do throws(PutError<FileError>) {
                try put(object.path) { (writer) throws(FileError) in
                    try writer.append(object.bytes)
                    try writer.sync()
                }
            } catch {
                for earlier in objects[..<index] { try? remove(earlier.path) }
                switch error {
                case .file(let error), .body(let error): throw error
                }
            }
        }
    }

    package func put<Result, Failure>(
        _ path: String, _ body: (any ObjectWriter) throws(Failure) -> Result
    ) throws(PutError<Failure>) -> Result {
        let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        let file: any File
        do throws(FileError) {
            try createDirectory(folder)
            file = try open(path, .create)
        } catch {
            throw .file(error)
        }
        defer { file.close() }
        let result: Result
        do throws(Failure) {
            result = try body(file)
        } catch {
            try? remove(path)
            throw .body(error)
        }
        do throws(FileError) {
            try syncDirectory(folder)
        } catch {
            try? remove(path)
            throw .file(error)
        }
        return result
    }
}

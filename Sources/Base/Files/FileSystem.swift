/// The only door to the disk, so that a simulation can stand in for the operating system.
///
/// Paths are taken as they are: absolute, or relative to the working directory. What is durable when:
/// - a file's bytes and size after `File.sync`;
/// - a file's name, its renaming and its removal after `syncDirectory` of the folder that holds it.
package protocol FileSystem: Sendable {
    func open(_ path: String, _ mode: OpenMode) throws(FileError) -> any File

    /// Creates the folder and those above it, and makes the new names durable; it may exist already.
    func createDirectory(_ path: String) throws(FileError)
    /// The names in a folder, without `.` and `..`, sorted.
    func list(_ directory: String) throws(FileError) -> [DirectoryEntry]
    /// Makes the names in a folder durable.
    func syncDirectory(_ path: String) throws(FileError)

    /// Replaces what stands at `destination`, at one point in time; durable once the folder that held the name is synced.
    func rename(_ path: String, to destination: String) throws(FileError)
    /// Removes a file's name; those who hold it open go on reading.
    func remove(_ path: String) throws(FileError)
    /// Removes an empty folder.
    func removeDirectory(_ path: String) throws(FileError)

    func exists(_ path: String) throws(FileError) -> Bool
    func size(of path: String) throws(FileError) -> Int64
    /// Bytes that a process without privileges may still write at `path`.
    func freeSpace(at path: String) throws(FileError) -> Int64

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
    /// Must exist; reading only.
    case read
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

/// An open file. Reads may run at once with each other and with one writer; it is closed when its last reference goes, or before.
package protocol File: AnyObject, Sendable {
    var path: String { get }

    /// Reads as many bytes as there are, up to `buffer.count`; fewer only at the end of the file.
    func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int

    /// Writes the buffers one after the other at the file's end. After an error a part of them may be there.
    func append(_ buffers: [UnsafeRawBufferPointer]) throws(FileError)

    /// Writes at `offset`; a gap before it reads as zeros.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(FileError)

    func size() throws(FileError) -> Int64
    func truncate(to size: Int64) throws(FileError)
    /// Makes the file `size` bytes long at least, and takes the space for that from the disk at once.
    func allocate(_ size: Int64) throws(FileError)
    /// Makes the file's bytes and size durable.
    func sync() throws(FileError)
    /// To be called when nobody uses the file any more; a second call does nothing.
    func close()
}

extension File {
    package func allocate(_ size: Int64) throws(FileError) {
        let zeros = [UInt8](repeating: 0, count: 1 << 16)
        var length = try self.size()
        while length < size {
            let count = Int(min(size - length, Int64(zeros.count)))
            try append(Array(zeros[..<count]))
            length += Int64(count)
        }
    }

    /// Fills `buffer`.
    ///
    /// - Throws: `FileError.endOfFile` if the file ends before.
    package func readExactly(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
        guard try read(at: offset, into: buffer) == buffer.count else { throw .endOfFile(path) }
    }

    /// - Throws: `FileError.endOfFile` if the file ends before.
    package func readExactly(at offset: Int64, count: Int) throws(FileError) -> [UInt8] {
        let bytes = try readUpTo(count, at: offset)
        guard bytes.count == count else { throw .endOfFile(path) }
        return bytes
    }

    /// At most `count` bytes; fewer at the end of the file.
    package func readUpTo(_ count: Int, at offset: Int64) throws(FileError) -> [UInt8] {
        var failure: FileError?
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            do throws(FileError) {
                let room = UnsafeMutableRawBufferPointer(start: buffer.baseAddress, count: count)
                filled = try read(at: offset, into: room)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }

    package func append(_ bytes: [UInt8]) throws(FileError) {
        var failure: FileError?
        bytes.withUnsafeBytes { buffer in
            do throws(FileError) { try append([buffer]) } catch { failure = error }
        }
        if let failure { throw failure }
    }
}

extension FileSystem {
    /// The whole content of a file that is known to be small.
    ///
    /// - Throws: `EFBIG` if it is larger than `limit`.
    package func contents(of path: String, limit: Int) throws(FileError) -> [UInt8] {
        let file = try open(path, .read)
        defer { file.close() }
        let size = try file.size()
        guard size <= limit else { throw FileError.tooLarge(path) }
        return try file.readUpTo(Int(size), at: 0)
    }
}

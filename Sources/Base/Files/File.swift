/// A file that is open for reading. Reads may run at once with each other and with one writer; it is closed when its last reference
/// goes, or before.
package protocol ReadableFile: AnyObject, Sendable {
    var path: String { get }

    /// Reads as many bytes as there are, up to `buffer.count`; fewer only at the end of the file.
    func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int

    func size() throws(FileError) -> Int64
    /// To be called when nobody uses the file any more; a second call does nothing.
    func close()
}

/// What makes an object's bytes, from the first to the last.
package protocol ObjectWriter: AnyObject, Sendable {
    /// Writes the buffers one after the other at the object's end. After an error a part of them may be there.
    func append(_ buffers: [UnsafeRawBufferPointer]) throws(FileError)
    /// Makes the bytes durable; to be called once, at their end.
    func sync() throws(FileError)
}

/// A file that is open for reading and writing.
package protocol File: ReadableFile, ObjectWriter {
    /// Writes at `offset`; a gap before it reads as zeros.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(FileError)

    func truncate(to size: Int64) throws(FileError)
    /// Makes the file `size` bytes long at least, and takes the space for that from the disk at once.
    func allocate(_ size: Int64) throws(FileError)
    /// Makes the file's bytes and size durable.
    func sync() throws(FileError)
}

extension ReadableFile {
    /// Fills `buffer`.
    ///
    /// - Throws: `FileError.endOfFile` if the file ends before.
    package func readExactly(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
        guard try unsafe read(at: offset, into: buffer) == buffer.count else { throw .endOfFile(path) }
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
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            do throws(FileError) {
                let room = unsafe UnsafeMutableRawBufferPointer(start: buffer.baseAddress, count: count)
                filled = try unsafe read(at: offset, into: room)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }
}

extension ObjectWriter {
    package func append(_ bytes: [UInt8]) throws(FileError) {
        var failure: FileError?
        unsafe bytes.withUnsafeBytes { buffer in
            do throws(FileError) { try unsafe append([buffer]) } catch { failure = error }
        }
        if let failure { throw failure }
    }
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
}

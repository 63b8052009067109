private import Synchronization

/// A file without a name on any disk: its bytes are in memory, and go with it.
package final class MemoryFile: ReadableFile, ObjectWriter {
    package let path: String
    private let contents = Mutex<[UInt8]>([])

    /// - Parameter path: what errors call it.
    package init(path: String) { self.path = path }

    package var bytes: [UInt8] { contents.withLock { $0 } }

    package func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int {
        let bytes = bytes
        guard offset >= 0, offset < Int64(bytes.count) else { return 0 }
        let start = Int(offset)
        let count = min(buffer.count, bytes.count - start)
        unsafe bytes.withUnsafeBytes {
            unsafe buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[start..<(start + count)]))
        }
        return count
    }

    package func append(_ buffers: [UnsafeRawBufferPointer]) throws(FileError) {
        contents.withLock { bytes in
            unsafe buffers.forEach { unsafe bytes.append(contentsOf: $0) }
        }
    }

    package func size() throws(FileError) -> Int64 { contents.withLock { Int64($0.count) } }

    package func sync() throws(FileError) {}
    package func close() {}
}

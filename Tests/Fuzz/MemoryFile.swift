import Files

/// A file in memory.
final class MemoryFile: ReadableFile, ObjectWriter, @unchecked Sendable {
    private(set) var bytes: [UInt8]

    init(_ bytes: [UInt8] = []) { self.bytes = bytes }

    var path: String { "memory" }

    func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int {
        guard offset >= 0, offset < Int64(bytes.count) else { return 0 }
        let count = min(buffer.count, bytes.count - Int(offset))
        buffer.copyBytes(from: bytes[Int(offset)..<(Int(offset) + count)])
        return count
    }

    func append(_ buffers: [UnsafeRawBufferPointer]) throws(FileError) {
        for buffer in buffers { bytes.append(contentsOf: buffer) }
    }

    func size() throws(FileError) -> Int64 { Int64(bytes.count) }
    func sync() throws(FileError) {}
    func close() {}
}

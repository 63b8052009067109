internal import Files
private import Synchronization

/// The bytes of a part: in memory, later in a file as well, and at last in the file alone.
final class SealedFile: ReadableFile {
    private struct State {
        var bytes: [UInt8]
        var file: (any ReadableFile)?
        var isInMemory = true
    }

    let path: String
    private let length: Int
    private let state: Mutex<State>

    init(_ bytes: [UInt8], path: String) {
        self.path = path
        length = bytes.count
        state = Mutex(State(bytes: bytes))
    }

    /// Bytes of memory that it takes.
    var memoryBytes: Int { state.withLock { $0.bytes.count } }

    /// Nil once they are in a file.
    var unwrittenBytes: [UInt8]? { state.withLock { $0.file == nil ? $0.bytes : nil } }

    /// All bytes are on the disk, in a file that stays open for reading.
    func noteWritten(to file: any ReadableFile) { state.withLock { $0.file = file } }

    /// The file was removed again.
    func forgetFile() {
        let file = state.withLock { state in
            defer { state.file = nil }
            return state.file
        }
        file?.close()
    }

    /// From now on the file is read.
    func leaveMemory() {
        state.withLock { state in
            guard state.file != nil else { return }
            state.isInMemory = false
            state.bytes = []
        }
    }

    // MARK: ReadableFile

    func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int {
        let (bytes, file) = state.withLock { ($0.isInMemory ? $0.bytes : nil, $0.file) }
        guard let bytes else {
            guard let file else { throw .endOfFile(path) }
            return try unsafe file.read(at: offset, into: buffer)
        }
        guard offset >= 0, offset < Int64(bytes.count) else { return 0 }
        let start = Int(offset)
        let count = min(buffer.count, bytes.count - start)
        unsafe bytes.withUnsafeBytes {
            unsafe buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[start..<(start + count)]))
        }
        return count
    }

    func size() throws(FileError) -> Int64 { Int64(length) }

    func close() {
        let file = state.withLock { $0.file }
        file?.close()
    }
}

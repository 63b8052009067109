internal import Files
private import Synchronization

/// The bytes of a part: in memory, later in a file as well, and at last in the file alone, which is opened when it is first read.
final class SealedFile: ReadableFile {
    private struct State {
        var bytes: [UInt8]
        var written: (path: String, fileSystem: any ObjectStore)?
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

    deinit { state.withLock { $0.file }?.close() }

    /// Bytes of memory that it takes.
    var memoryBytes: Int { state.withLock { $0.bytes.count } }

    /// Nil once they are in a file.
    var unwrittenBytes: [UInt8]? { state.withLock { $0.written == nil ? $0.bytes : nil } }

    /// All bytes are on the disk.
    func noteWritten(to path: String, _ fileSystem: any ObjectStore) {
        state.withLock { $0.written = (path, fileSystem) }
    }

    /// The file was removed again.
    func forgetFile() { state.withLock { $0.written = nil } }

    /// From now on the file is read.
    func leaveMemory() {
        state.withLock { state in
            guard state.written != nil else { return }
            state.isInMemory = false
            state.bytes = []
        }
    }

    // MARK: ReadableFile

    /// The bytes, or the file that has them.
    private func content() throws(FileError) -> (bytes: [UInt8]?, file: (any ReadableFile)?) {
        let result: Result<(bytes: [UInt8]?, file: (any ReadableFile)?), FileError> = state.withLock { state in
            if state.isInMemory { return .success((state.bytes, nil)) }
            if let file = state.file { return .success((nil, file)) }
            guard let (path, fileSystem) = state.written else { return .failure(.endOfFile(path)) }
            do throws(FileError) {
                let file = try fileSystem.open(path)
                state.file = file
                return .success((nil, file))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int {
        let (bytes, file) = try content()
        guard let bytes else { return try unsafe file?.read(at: offset, into: buffer) ?? 0 }
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
        let file = state.withLock { state in
            defer { state.file = nil }
            return state.file
        }
        file?.close()
    }
}

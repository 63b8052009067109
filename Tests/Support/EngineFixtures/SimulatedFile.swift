import Files
import Glibc
import Randomness
import Synchronization

/// An open file of the simulated disk.
final class SimulatedFile: File {
    let path: String
    private let inode: Int
    private let life: Int
    private let fileSystem: SimulatedFileSystem
    private let isOpen = Atomic<Bool>(true)

    init(path: String, inode: Int, life: Int, fileSystem: SimulatedFileSystem) {
        self.path = path
        self.inode = inode
        self.life = life
        self.fileSystem = fileSystem
    }

    func close() { isOpen.store(false, ordering: .relaxed) }

    /// Runs `body` on the file's bytes.
    private func use<Value>(
        _ operation: FileError.Operation, counts: Bool,
        adding count: Int = 0,
        _ body: (inout SimulatedFileSystem.Inode, inout SeededRandom, FileError?) -> Result<Value, FileError>
    ) throws(FileError) -> Value {
        let result: Result<Value, FileError> = fileSystem.state.withLock { state in
            guard isOpen.load(ordering: .relaxed) else { return .failure(FileError(operation, path, code: EBADF)) }
            guard state.life == life, !state.isDown else { return .failure(FileError(operation, path, code: EIO)) }
            var failure = counts ? state.begin(operation, path) : nil
            if failure == nil, count > state.room { failure = FileError(operation, path, code: ENOSPC) }
            // A file whose name is gone lives as long as it is open; only its bytes at the time of removal are kept here.
            guard var file = state.inodes[inode] else { return .failure(FileError(operation, path, code: EIO)) }
            let result = body(&file, &state.random, failure)
            state.inodes[inode] = file
            return result
        }
        return try result.get()
    }

    func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int {
        try use(.read, counts: false) { file, _, _ in
            guard offset >= 0, offset < Int64(file.bytes.count) else { return .success(0) }
            let count = min(buffer.count, file.bytes.count - Int(offset))
            buffer.copyBytes(from: file.bytes[Int(offset)..<(Int(offset) + count)])
            return .success(count)
        }
    }

    func append(_ buffers: [UnsafeRawBufferPointer]) throws(FileError) {
        let all = buffers.flatMap { Array($0) }
        try use(.write, counts: true, adding: all.count) { file, random, failure -> Result<Void, FileError> in
            guard let failure else {
                file.bytes += all
                return .success(())
            }
            // A write that fails may have written some.
            file.bytes += all.prefix(random.below(all.count + 1))
            return .failure(failure)
        }
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(FileError) {
        try use(.write, counts: true) { file, _, failure -> Result<Void, FileError> in
            if let failure { return .failure(failure) }
            let end = Int(offset) + bytes.count
            if end > file.bytes.count { file.bytes += [UInt8](repeating: 0, count: end - file.bytes.count) }
            file.bytes.replaceSubrange(Int(offset)..<end, with: bytes)
            return .success(())
        }
    }

    func size() throws(FileError) -> Int64 {
        try use(.size, counts: false) { file, _, _ in .success(Int64(file.bytes.count)) }
    }

    func truncate(to size: Int64) throws(FileError) {
        try use(.truncate, counts: true) { file, _, failure -> Result<Void, FileError> in
            if let failure { return .failure(failure) }
            file.bytes = Array(file.bytes.prefix(Int(size)))
            return .success(())
        }
    }

    func sync() throws(FileError) {
        try use(.sync, counts: true) { file, random, failure -> Result<Void, FileError> in
            if let failure {
                if random.oneIn(2), file.bytes.count > file.durable.count {
                    file.lost.append(file.durable.count..<file.bytes.count)
                }
                return .failure(failure)
            }
            file.durable = file.bytes
            for range in file.lost where range.upperBound <= file.durable.count {
                for i in range { file.durable[i] = 0 }
            }
            return .success(())
        }
    }
}

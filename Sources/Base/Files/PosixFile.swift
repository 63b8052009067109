private import Glibc
private import Synchronization

/// A file descriptor, closed once.
private final class Descriptor: Sendable {
    private let number: Atomic<Int32>

    init(_ number: Int32) { self.number = Atomic(number) }

    deinit { close() }

    /// -1, which every call refuses with EBADF, once it is closed.
    var current: Int32 { number.load(ordering: .relaxed) }

    func close() {
        let open = number.exchange(-1, ordering: .relaxed)
        if open >= 0 { Glibc.close(open) }
    }
}

/// A file of the operating system.
final class PosixFile: File {
    let path: String
    private let descriptor: Descriptor

    init(path: String, descriptor: Int32) {
        self.path = path
        self.descriptor = Descriptor(descriptor)
    }

    func close() { descriptor.close() }

    func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int {
        guard let base = buffer.baseAddress else { return 0 }
        guard offset >= 0 else { throw FileError(.read, path, code: EINVAL) }
        var done = 0
        while done < buffer.count {
            let (position, overflow) = offset.addingReportingOverflow(Int64(done))
            guard !overflow else { throw FileError(.read, path, code: EOVERFLOW) }
            let count = retried { unsafe pread(descriptor.current, base + done, buffer.count - done, off_t(position)) }
            guard count >= 0 else { throw FileError(.read, path, code: errno) }
            if count == 0 { break }
            done += count
        }
        return done
    }

    func append(_ buffers: [UnsafeRawBufferPointer]) throws(FileError) {
        let end = lseek(descriptor.current, 0, SEEK_END)
        guard end >= 0 else { throw FileError(.write, path, code: errno) }
        var vectors = unsafe buffers.compactMap { buffer in
            unsafe buffer.isEmpty
                ? nil : iovec(iov_base: UnsafeMutableRawPointer(mutating: buffer.baseAddress), iov_len: buffer.count)
        }
        var next = 0
        while unsafe next < vectors.count {
            let count = unsafe vectors.withUnsafeMutableBufferPointer { pending in
                // The kernel takes at most 1024 buffers a call.
                retried {
                    unsafe writev(
                        descriptor.current, pending.baseAddress.map { unsafe $0 + next },
                        Int32(min(pending.count - next, 1024)))
                }
            }
            guard count >= 0 else { throw FileError(.write, path, code: errno) }
            var written = count
            while unsafe next < vectors.count, unsafe written >= vectors[next].iov_len {
                unsafe written -= vectors[next].iov_len
                next += 1
            }
            if written > 0 {
                unsafe vectors[next].iov_base = unsafe vectors[next].iov_base + written
                unsafe vectors[next].iov_len -= written
            }
        }
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(FileError) {
        guard let base = bytes.baseAddress else { return }
        guard offset >= 0, offset.addingReportingOverflow(Int64(bytes.count)).overflow == false else {
            throw FileError(.write, path, code: EINVAL)
        }
        var done = 0
        while done < bytes.count {
            let count = retried {
                unsafe pwrite(descriptor.current, base + done, bytes.count - done, off_t(offset + Int64(done)))
            }
            guard count >= 0 else { throw FileError(.write, path, code: errno) }
            done += count
        }
    }

    func size() throws(FileError) -> Int64 {
        var status = stat()
        guard unsafe fstat(descriptor.current, &status) == 0 else { throw FileError(.size, path, code: errno) }
        return Int64(status.st_size)
    }

    func truncate(to size: Int64) throws(FileError) {
        guard retried({ Int(ftruncate(descriptor.current, off_t(size))) }) == 0 else {
            throw FileError(.truncate, path, code: errno)
        }
    }

    func allocate(_ size: Int64) throws(FileError) {
        var code = EINTR
        while code == EINTR { code = posix_fallocate(descriptor.current, 0, off_t(size)) }
        guard code == 0 else { throw FileError(.write, path, code: code) }
    }

    func sync() throws(FileError) {
        guard retried({ Int(fdatasync(descriptor.current)) }) == 0 else { throw FileError(.sync, path, code: errno) }
    }
}

/// A lock that ends with its descriptor.
final class PosixLock: FileLock {
    private let descriptor: Descriptor

    init(descriptor: Int32) { self.descriptor = Descriptor(descriptor) }

    func unlock() { descriptor.close() }
}

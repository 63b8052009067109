private import Glibc

/// The operating system's files. Every call that a signal interrupts is made again, and partial reads and writes go on.
package struct PosixFileSystem: FileSystem {
    package init() {}

    package func open(_ path: String) throws(FileError) -> any ReadableFile {
        PosixFile(path: path, descriptor: try Self.descriptor(path, flags: O_RDONLY, operation: .open))
    }

    package func open(_ path: String, _ mode: OpenMode) throws(FileError) -> any File {
        PosixFile(path: path, descriptor: try Self.descriptor(path, flags: mode.flags, operation: .open))
    }

    static func descriptor(
        _ path: String, flags: Int32, operation: FileError.Operation
    ) throws(FileError) -> Int32 {
        let result = retried { unsafe Int(Glibc.open(path, flags | O_CLOEXEC, 0o644)) }
        guard result >= 0 else { throw FileError(operation, path, code: errno) }
        return Int32(result)
    }

    // MARK: Folders

    package func createDirectory(_ path: String) throws(FileError) {
        if unsafe mkdir(path, 0o755) == 0 { return try syncParent(of: path) }
        switch errno {
        case EEXIST:
            guard try status(path, .createDirectory)?.kind == .directory else {
                throw FileError(.createDirectory, path, code: ENOTDIR)
            }
        case ENOENT:
            guard let parent = Self.parent(of: path) else { throw FileError(.createDirectory, path, code: ENOENT) }
            try createDirectory(parent)
            guard unsafe mkdir(path, 0o755) == 0 || errno == EEXIST else {
                throw FileError(.createDirectory, path, code: errno)
            }
            try syncParent(of: path)
        case let code:
            throw FileError(.createDirectory, path, code: code)
        }
    }

    private func syncParent(of path: String) throws(FileError) { try syncDirectory(Self.parent(of: path) ?? ".") }

    /// The path without its last component; nil if there is only one.
    static func parent(of path: String) -> String? {
        var end = path.utf8.endIndex
        let slash = UInt8(ascii: "/")
        func drop(while condition: (UInt8) -> Bool) {
            while end > path.utf8.startIndex, condition(path.utf8[path.utf8.index(before: end)]) {
                end = path.utf8.index(before: end)
            }
        }
        drop { $0 == slash }
        drop { $0 != slash }
        if end == path.utf8.startIndex { return nil }
        drop { $0 == slash }
        return end == path.utf8.startIndex ? "/" : String(path[..<end])
    }

    package func list(_ directory: String) throws(FileError) -> [DirectoryEntry] {
        guard let stream = unsafe opendir(directory) else { throw FileError(.list, directory, code: errno) }
        defer { unsafe closedir(stream) }
        var entries: [DirectoryEntry] = []
        while true {
            errno = 0
            guard let entry = unsafe readdir(stream) else {
                guard errno == 0 else { throw FileError(.list, directory, code: errno) }
                return entries.sorted { $0.name < $1.name }
            }
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) {
                unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard name != ".", name != ".." else { continue }
            // Some file systems leave the kind out; an entry may be gone by the time it is asked for.
            switch unsafe Int(entry.pointee.d_type) {
            case Int(DT_REG): entries.append(DirectoryEntry(name: name, kind: .file))
            case Int(DT_DIR): entries.append(DirectoryEntry(name: name, kind: .directory))
            case Int(DT_UNKNOWN):
                if let status = try status("\(directory)/\(name)", .list) {
                    entries.append(DirectoryEntry(name: name, kind: status.kind))
                }
            default: entries.append(DirectoryEntry(name: name, kind: .other))
            }
        }
    }

    package func syncDirectory(_ path: String) throws(FileError) {
        let descriptor = try Self.descriptor(path, flags: O_RDONLY | O_DIRECTORY, operation: .syncDirectory)
        defer { Glibc.close(descriptor) }
        guard retried({ Int(fsync(descriptor)) }) == 0 else { throw FileError(.syncDirectory, path, code: errno) }
    }

    // MARK: Names

    package func rename(_ path: String, to destination: String) throws(FileError) {
        guard unsafe Glibc.rename(path, destination) == 0 else { throw FileError(.rename, path, code: errno) }
    }

    package func remove(_ path: String) throws(FileError) {
        guard unsafe unlink(path) == 0 else { throw FileError(.remove, path, code: errno) }
    }

    package func removeDirectory(_ path: String) throws(FileError) {
        guard unsafe rmdir(path) == 0 else { throw FileError(.remove, path, code: errno) }
    }

    package func exists(_ path: String) throws(FileError) -> Bool { try status(path, .size) != nil }

    package func size(of path: String) throws(FileError) -> Int64 {
        guard let status = try status(path, .size) else { throw FileError(.size, path, code: ENOENT) }
        return status.size
    }

    private func status(
        _ path: String, _ operation: FileError.Operation
    ) throws(FileError) -> (size: Int64, kind: DirectoryEntry.Kind)? {
        var status = stat()
        // An entry of a list is the link itself, not what it leads to.
        guard unsafe (operation == .list ? lstat(path, &status) : stat(path, &status)) == 0 else {
            if errno == ENOENT { return nil }
            throw FileError(operation, path, code: errno)
        }
        let kind: DirectoryEntry.Kind =
            switch status.st_mode & S_IFMT {
            case S_IFREG: .file
            case S_IFDIR: .directory
            default: .other
            }
        return (Int64(status.st_size), kind)
    }

    package func freeSpace(at path: String) throws(FileError) -> Int64 {
        try space(at: path) { UInt64($0.f_bavail) }
    }

    package func totalSpace(at path: String) throws(FileError) -> Int64 {
        try space(at: path) { UInt64($0.f_blocks) }
    }

    private func space(at path: String, _ blocks: (statvfs) -> UInt64) throws(FileError) -> Int64 {
        var status = statvfs()
        guard retried({ unsafe Int(statvfs(path, &status)) }) == 0 else {
            throw FileError(.freeSpace, path, code: errno)
        }
        let (bytes, overflow) = blocks(status).multipliedReportingOverflow(by: UInt64(status.f_frsize))
        return overflow ? .max : Int64(clamping: bytes)
    }

    package func lock(_ path: String) throws(FileError) -> any FileLock {
        try lock(path, flags: O_RDWR | O_CREAT, LOCK_EX)
    }

    package func lockShared(_ path: String) throws(FileError) -> any FileLock {
        try lock(path, flags: O_RDONLY, LOCK_SH)
    }

    private func lock(_ path: String, flags: Int32, _ kind: Int32) throws(FileError) -> any FileLock {
        let descriptor = try Self.descriptor(path, flags: flags, operation: .lock)
        guard retried({ Int(flock(descriptor, kind | LOCK_NB)) }) == 0 else {
            let code = errno
            Glibc.close(descriptor)
            throw FileError(.lock, path, code: code)
        }
        return PosixLock(descriptor: descriptor)
    }
}

extension OpenMode {
    fileprivate var flags: Int32 {
        switch self {
        case .append: O_RDWR | O_CREAT | O_APPEND
        case .create: O_RDWR | O_CREAT | O_EXCL
        case .update: O_RDWR
        }
    }
}

/// Calls again what a signal interrupted.
@inline(__always)
func retried(_ call: () -> Int) -> Int {
    while true {
        let result = call()
        if result >= 0 || errno != EINTR { return result }
    }
}

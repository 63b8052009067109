private import Glibc

/// What the operating system refused: the operation, the path and the error number.
package struct FileError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Operation: String, Hashable, Sendable {
        case open, read, write, truncate, sync, size, rename, remove, list, lock
        case createDirectory = "create directory"
        case syncDirectory = "sync directory"
        case freeSpace = "free space"
    }

    package var operation: Operation
    package var path: String
    /// `errno`'s value; zero if a file ended early.
    package var code: Int32

    package init(_ operation: Operation, _ path: String, code: Int32) {
        self.operation = operation
        self.path = path
        self.code = code
    }

    /// A file ended before as many bytes as it must have.
    package static func endOfFile(_ path: String) -> FileError { FileError(.read, path, code: 0) }

    /// A file that only a newer Varve understands.
    package static func newerFormat(_ path: String) -> FileError { FileError(.read, path, code: ENOTSUP) }

    package static func notFound(_ path: String) -> FileError { FileError(.open, path, code: ENOENT) }

    /// Nothing can be written.
    package static func readOnly(_ path: String, _ operation: Operation = .write) -> FileError {
        FileError(operation, path, code: EROFS)
    }

    package var isEndOfFile: Bool { code == 0 }
    package var isNotFound: Bool { code == ENOENT }
    package var alreadyExists: Bool { code == EEXIST }
    /// No space, or no quota, is left: worth trying again later.
    package var isOutOfSpace: Bool { code == ENOSPC || code == EDQUOT }
    /// The file system cannot be written to.
    package var isReadOnly: Bool { code == EROFS }
    /// Somebody else holds the lock.
    package var isLocked: Bool { operation == .lock && code == EWOULDBLOCK }

    package var description: String {
        if code == ENOTSUP, operation == .read {
            return
                "\(path) was written by a newer Varve: start that one, and end it properly before this one is started again"
        }
        let reason = unsafe code == 0 ? "unexpected end of file" : String(cString: strerror(code))
        return "cannot \(operation.rawValue) \(path): \(reason)"
    }
}

extension FileError {
    static func tooLarge(_ path: String) -> FileError { FileError(.read, path, code: EFBIG) }
}

package import Files
package import Parts

/// Why stored data could not be opened, read or changed.
package enum StorageError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Another process holds the directory.
    case directoryInUse(String)
    /// A catalog that contradicts itself or was damaged; nothing is changed.
    case corruptCatalog(path: String, offset: Int64, reason: String)
    /// A catalog written by a newer Varve.
    case unsupportedCatalog(path: String, version: UInt32)
    case part(path: String, PartError)
    case file(FileError)

    /// Whether it may go once there is space.
    package var isOutOfSpace: Bool {
        switch self {
        case .file(let error): error.isOutOfSpace
        case .directoryInUse, .corruptCatalog, .unsupportedCatalog, .part: false
        }
    }

    package var description: String {
        switch self {
        case .directoryInUse(let path):
            "\(path) is in use by another process"
        case .corruptCatalog(let path, let offset, let reason):
            "the catalog \(path) is damaged at byte \(offset): \(reason)"
        case .unsupportedCatalog(let path, let version):
            "the catalog \(path) has version \(version), of a newer Varve: start that one"
        case .part(let path, let error): "the part \(path) cannot be read: \(error)"
        case .file(let error): error.description
        }
    }
}

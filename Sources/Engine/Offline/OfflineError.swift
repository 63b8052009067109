package import Files
package import Maintenance
internal import Parts
package import Storage

/// Why work on a directory that no server holds could not be done, and what to do about it.
package enum OfflineError: Error, Sendable, CustomStringConvertible {
    case missing(String)
    case notADataDirectory(String)
    case inUse(String)
    /// The directory, or something in it, was written by a newer Varve.
    case unsupported(path: String, version: UInt32)
    /// What was asked for needs a catalog without damage.
    case damagedCatalog(path: String, offset: Int64, reason: String)
    case damagedLog(path: String)
    /// A name that the directory does not have.
    case unknown(String)
    case noSpace(needed: Int64, free: Int64)
    case merge(PartitionKey, MergeError)
    case storage(StorageError)
    case file(FileError)
    /// The user asked to stop; what was done until then is done.
    case interrupted

    package var description: String {
        switch self {
        case .missing(let path): "\(path) does not exist"
        case .notADataDirectory(let path):
            "\(path) is no data directory: it has no catalog. If it had one, repair makes it anew from the parts"
        case .inUse(let path):
            "\(path) is held by a running server. Stop the server first, or work on a copy of the directory"
        case .unsupported(let path, let version):
            "\(path) has version \(version), which this varve-compact does not know. Use the one of the Varve that wrote it"
        case .damagedCatalog(let path, let offset, let reason):
            "the catalog \(path) is damaged at byte \(offset): \(reason). Run varve-compact repair first"
        case .damagedLog(let path): "the log \(path) is damaged. Run varve-compact repair first"
        case .unknown(let name): name
        case .noSpace(let needed, let free):
            "\(needed) bytes of disk are needed, and \(free) are free. Make room, or work on a copy on another disk"
        case .merge(let partition, .unreadable(let id, let error)):
            "part \(id.number) of tenant \(partition.tenant) cannot be read: \(error.reason). Run varve-compact repair first"
        case .merge(_, let error): "\(error)"
        case .storage(let error): "\(error)"
        case .file(let error): "\(error)"
        case .interrupted: "interrupted; what was done until then is kept, and the same command goes on from there"
        }
    }
}

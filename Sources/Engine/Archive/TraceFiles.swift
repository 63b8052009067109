internal import Compression
package import Core
package import Files
internal import Synchronization

/// Documents that are kept for ever, one file each: `archive/<tenant>/<trace id>.trace` in a data directory.
///
/// A file is written under another name, synced, and renamed, so that under its own it is whole or not there. What is read again is
/// checked by its sum. How many there are, and of what size, is known from the folder's lists when it is opened, and bounded; nothing
/// but an operator removes any.
package final class TraceFiles: Sendable {
    package struct Limits: Sendable {
        /// Files and bytes of all tenants.
        package var files = 100_000
        package var bytes: Int64 = 1 << 30
        /// Of a document before it is compressed.
        package var documentBytes = 64 << 20

        package init() {}
    }

    package enum Failure: Error, Hashable, Sendable {
        /// The document is larger than one may be.
        case tooLarge(bytes: Int, limit: Int)
        /// There is no room for one more.
        case full(String)
        /// The file is not as it was written; the payload says which and how.
        case damaged(String)
        case file(FileError)
    }

    private struct Key: Hashable {
        let tenant: TenantID
        let trace: TraceID
    }

    private struct Index {
        var sizes: [Key: Int64] = [:]
        var bytes: Int64 = 0
    }

    private let folder: String
    private let fileSystem: any AppendableFiles
    private let limits: Limits
    private let index: Mutex<Index>
    /// Held by the one that writes, so that readers need not wait for the disk.
    private let writer = Mutex<Void>(())

    private static let suffix = ".trace"
    private static let unfinished = ".unfinished"

    /// Finds what is there, and removes what was not finished. A folder that does not exist is made with the first file.
    ///
    /// - Parameter directory: the data directory, which nobody else has open.
    package init(directory: String, fileSystem: any AppendableFiles, limits: Limits = Limits()) throws(FileError) {
        folder = directory + "/archive"
        self.fileSystem = fileSystem
        self.limits = limits
        var found = Index()
        if try fileSystem.exists(folder) {
            for entry in try fileSystem.list(folder) where entry.kind == .directory {
                guard let tenant = TenantID(entry.name) else { continue }
                try Self.find(tenant, in: folder + "/" + entry.name, fileSystem, &found)
            }
        }
        index = Mutex(found)
    }

    private static func find(
        _ tenant: TenantID, in folder: String, _ fileSystem: any AppendableFiles, _ found: inout Index
    ) throws(FileError) {
        for entry in try fileSystem.list(folder) where entry.kind == .file {
            let path = folder + "/" + entry.name
            if entry.name.hasSuffix(unfinished) {
                // Where nothing can be written it stays, and is no document.
                do throws(FileError) { try fileSystem.remove(path) } catch  where error.isReadOnly {}
            } else if entry.name.hasSuffix(suffix), let trace = TraceID(hex: entry.name.dropLast(suffix.count)) {
                let size = try fileSystem.size(of: path)
                found.sizes[Key(tenant: tenant, trace: trace)] = size
                found.bytes += size
            }
        }
    }

    package var count: Int { index.withLock { $0.sizes.count } }
    package var bytes: Int64 { index.withLock { $0.bytes } }

    package func contains(_ trace: TraceID, tenant: TenantID) -> Bool {
        index.withLock { $0.sizes[Key(tenant: tenant, trace: trace)] != nil }
    }

    private func path(_ key: Key) -> String { "\(folder)/\(key.tenant.name)/\(key.trace.hex)\(Self.suffix)" }

    // MARK: Writing

    /// Keeps a document, durably once this returns, in the place of one that is there already.
    package func keep(_ document: [UInt8], of trace: TraceID, tenant: TenantID) throws(Failure) {
        guard document.count <= limits.documentBytes else {
            throw .tooLarge(bytes: document.count, limit: limits.documentBytes)
        }
        let key = Key(tenant: tenant, trace: trace)
        let file = TraceFile.bytes(of: document)
        let result: Result<Void, Failure> = writer.withLock { _ in
            do throws(Failure) {
                try checkRoom(for: key, bytes: Int64(file.count))
                do throws(FileError) { try write(file, key) } catch { throw .file(error) }
                return .success(())
            } catch {
                return .failure(error)
            }
        }
        try result.get()
    }

    private func checkRoom(for key: Key, bytes: Int64) throws(Failure) {
        let (files, used, old) = index.withLock { ($0.sizes.count, $0.bytes, $0.sizes[key]) }
        guard old != nil || files < limits.files else {
            throw .full("the archive holds \(files) traces, as many as it may")
        }
        guard used - (old ?? 0) + bytes <= limits.bytes else {
            throw .full(
                "the archive holds \(used) bytes, and has no room for \(bytes) more: \(limits.bytes) are the most")
        }
    }

    private func write(_ bytes: [UInt8], _ key: Key) throws(FileError) {
        let path = path(key)
        let unfinished = path + Self.unfinished
        let folder = "\(folder)/\(key.tenant.name)"
        try fileSystem.createDirectory(folder)
        do throws(FileError) {
            if try fileSystem.exists(unfinished) { try fileSystem.remove(unfinished) }
            let file = try fileSystem.open(unfinished, .create)
            defer { file.close() }
            try file.append(bytes)
            try file.sync()
            try fileSystem.rename(unfinished, to: path)
        } catch {
            // What cannot be removed now is when the folder is opened next.
            try? fileSystem.remove(unfinished)
            throw error
        }
        // Whole from here on, whether or not the name is durable.
        index.withLock { index in
            index.bytes += Int64(bytes.count) - (index.sizes.updateValue(Int64(bytes.count), forKey: key) ?? 0)
        }
        try fileSystem.syncDirectory(folder)
    }

    // MARK: Reading

    /// - Returns: nil if the trace is not archived.
    package func document(of trace: TraceID, tenant: TenantID) throws(Failure) -> [UInt8]? {
        let key = Key(tenant: tenant, trace: trace)
        guard contains(trace, tenant: tenant) else { return nil }
        let path = path(key)
        let bytes: [UInt8]
        do throws(FileError) {
            bytes = try fileSystem.contents(of: path, limit: TraceFile.longest(document: limits.documentBytes))
        } catch {
            throw .file(error)
        }
        guard let document = TraceFile.document(in: bytes, limit: limits.documentBytes) else { throw .damaged(path) }
        return document
    }
}

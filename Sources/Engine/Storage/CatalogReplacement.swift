package import Files
internal import TableSchema

/// Writes a catalog anew, for a directory whose own was damaged.
package enum CatalogReplacement {
    /// Writes a log that says what is given and nothing else, and makes it the current one. Older logs stay until the next open.
    package static func write(
        _ parts: [PartRecord], rolledUp: [PartID: ViewSet] = [:], flushed: [TenantTable: UInt64], nextPart: UInt64,
        directory: String, fileSystem: any AppendableFiles
    ) throws(StorageError) {
        var state = CatalogState()
        if let contradiction = state.apply(CatalogEdit(added: parts, rolledUp: rolledUp, flushed: flushed)) {
            preconditionFailure(contradiction)
        }
        state.nextPart = max(state.nextPart, nextPart)
        let last: UInt64
        do throws(FileError) {
            last = try fileSystem.list(directory).compactMap { CatalogLog.number(of: $0.name) }.max() ?? 0
        } catch {
            throw .file(error)
        }
        _ = try Catalog.begin(last + 1, state, directory, fileSystem)
    }
}

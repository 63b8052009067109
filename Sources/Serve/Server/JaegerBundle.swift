internal import API
internal import Files

/// Reads the built UI of Jaeger from its folder, once, when the server starts.
///
/// Links are left out, so that nothing outside the folder is served; a folder that was changed is read at the next start.
enum JaegerBundle {
    /// Ten times what the UI has.
    private static let mostFiles = 5_000
    private static let mostBytes: Int64 = 256 << 20
    private static let mostDepth = 16

    static func load(_ folder: String, archives: Bool, fileSystem: any ReadableFiles) throws(EngineError) -> JaegerUI {
        var files: [String: [UInt8]] = [:]
        var bytes: Int64 = 0
        do throws(FileError) {
            try add(folder, prefix: "", depth: 0, fileSystem, to: &files, &bytes)
        } catch {
            throw EngineError(description: "jaeger-ui: \(error)")
        }
        guard files.count <= mostFiles, bytes <= mostBytes else {
            throw EngineError(
                description: "jaeger-ui: \(folder) has more than \(mostFiles) files or \(mostBytes) bytes")
        }
        guard let pages = JaegerUI(files: files, version: Version.current, archives: archives) else {
            throw EngineError(description: "jaeger-ui: there is no index.html in \(folder)")
        }
        return pages
    }

    private static func add(
        _ folder: String, prefix: String, depth: Int, _ fileSystem: any ReadableFiles,
        to files: inout [String: [UInt8]],
        _ bytes: inout Int64
    ) throws(FileError) {
        guard depth <= mostDepth else { return }
        for entry in try fileSystem.list(folder) {
            let path = folder + "/" + entry.name
            switch entry.kind {
            case .directory:
                try add(path, prefix: prefix + entry.name + "/", depth: depth + 1, fileSystem, to: &files, &bytes)
            case .file:
                bytes += try fileSystem.size(of: path)
                // Told by the caller.
                guard files.count <= mostFiles, bytes <= mostBytes else { return }
                files[prefix + entry.name] = try fileSystem.contents(of: path, limit: Int(mostBytes))
            case .other: break
            }
        }
    }
}

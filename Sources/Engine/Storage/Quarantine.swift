package import Files

/// The folder `quarantine` of a data directory: bytes that could not be read as they were written, each with a note of what they
/// were. Nothing in it is ever read again by the engine, and it may be removed at any time.
package struct Quarantine: Sendable {
    private let directory: String
    private let fileSystem: any AppendableFiles

    package init(directory: String, fileSystem: any AppendableFiles) {
        self.directory = directory
        self.fileSystem = fileSystem
    }

    private var folder: String { directory + "/quarantine" }

    /// Moves a file there, whole.
    ///
    /// - Returns: where it is now.
    package func move(_ path: String, reason: String) throws(FileError) -> String {
        let destination = try place(for: name(path))
        try fileSystem.rename(path, to: destination)
        try fileSystem.syncDirectory(Self.parent(path))
        try fileSystem.syncDirectory(folder)
        try note(destination, "file: \(path)\nreason: \(reason)\n")
        return destination
    }

    /// Copies a range of a file there.
    package func copy(
        _ file: any ReadableFile, _ range: Range<Int64>, reason: String
    ) throws(FileError) -> String {
        try copy(file, [range], reason: reason)
    }

    /// Copies ranges of a file there, one behind the other into one file.
    package func copy(
        _ file: any ReadableFile, _ ranges: [Range<Int64>], reason: String
    ) throws(FileError) -> String {
        let destination = try place(for: name(file.path) + "@\(ranges.first?.lowerBound ?? 0)")
        let copy = try fileSystem.open(destination, .create)
        defer { copy.close() }
        for range in ranges {
            var offset = range.lowerBound
            while offset < range.upperBound {
                let bytes = try file.readUpTo(Int(min(1 << 20, range.upperBound - offset)), at: offset)
                guard !bytes.isEmpty else { break }
                try copy.append(bytes)
                offset += Int64(bytes.count)
            }
        }
        try copy.sync()
        try fileSystem.syncDirectory(folder)
        let places = ranges.map { "\($0.lowerBound)..<\($0.upperBound)" }.joined(separator: ", ")
        try note(destination, "file: \(file.path)\nbytes: \(places)\nreason: \(reason)\n")
        return destination
    }

    /// A name there that is free.
    private func place(for name: String) throws(FileError) -> String {
        try fileSystem.createDirectory(folder)
        var path = "\(folder)/\(name)"
        var number = 1
        while try fileSystem.exists(path) {
            number += 1
            path = "\(folder)/\(name).\(number)"
        }
        return path
    }

    private func note(_ path: String, _ text: String) throws(FileError) {
        let file = try fileSystem.open(path + ".txt", .append)
        defer { file.close() }
        try file.append(Array(text.utf8))
        try file.sync()
        try fileSystem.syncDirectory(folder)
    }

    /// A path inside the data directory as one name.
    private func name(_ path: String) -> String {
        let inside = path.hasPrefix(directory + "/") ? path.dropFirst(directory.count + 1) : path[...]
        return String(inside.map { $0 == "/" ? "-" : $0 })
    }

    private static func parent(_ path: String) -> String {
        path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    }
}

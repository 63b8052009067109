import Foundation

/// A CSV file of results that is kept with the project; a line for every run.
struct History {
    let path: String
    let columns: [String]

    /// Appends a line, after a header if the file is new.
    func append(_ values: [String: String]) throws(BenchError) {
        if let slash = path.lastIndex(of: "/") { try FileTree.makeDirectory(String(path[..<slash])) }
        var text = ""
        if FileTree.exists(path), try !FileTree.read(path).isEmpty {
            try widen()
        } else {
            text = columns.joined(separator: ",") + "\n"
        }
        text += columns.map { Self.cell(values[$0] ?? "") }.joined(separator: ",") + "\n"
        try FileTree.write(Array(text.utf8), to: path, append: true)
    }

    /// Columns are only ever added at the end: lines that were written before have empty cells there.
    private func widen() throws(BenchError) {
        var lines = String(decoding: try FileTree.read(path), as: UTF8.self).split(separator: "\n").map(String.init)
        let old = lines.first?.split(separator: ",").map(String.init) ?? []
        guard old != columns else { return }
        guard columns.starts(with: old) else { throw .corpus("\(path) has other columns than this program writes") }
        lines[0] = columns.joined(separator: ",")
        let added = String(repeating: ",", count: columns.count - old.count)
        for i in lines.indices.dropFirst() { lines[i] += added }
        try FileTree.write(Array((lines.joined(separator: "\n") + "\n").utf8), to: path)
    }

    private static func cell(_ value: String) -> String {
        guard value.contains(where: { ",\"\n".contains($0) }) else { return value }
        return "\"" + value.map { $0 == "\"" ? "\"\"" : String($0) }.joined() + "\""
    }

    /// The commit that is checked out, with `+` if the tree has changes; empty outside of a repository.
    static func commit() -> String {
        let commit = output(of: "git rev-parse --short=10 HEAD 2>/dev/null")
        guard !commit.isEmpty else { return "" }
        return commit + (output(of: "git status --porcelain --untracked-files=no 2>/dev/null").isEmpty ? "" : "+")
    }

    private static func output(of command: String) -> String {
        guard let pipe = popen(command, "r") else { return "" }
        defer { pclose(pipe) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 256)
        while case let count = fread(&piece, 1, piece.count, pipe), count > 0 { bytes += piece[..<count] }
        return String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }
}

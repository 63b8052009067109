import Glibc

/// Files and folders, as far as a benchmark needs them.
enum FileTree {
    static func makeDirectory(_ path: String) throws(BenchError) {
        var prefix = path.hasPrefix("/") ? "/" : ""
        for component in path.split(separator: "/") {
            prefix += prefix.isEmpty || prefix.hasSuffix("/") ? String(component) : "/\(component)"
            if mkdir(prefix, 0o755) != 0, errno != EEXIST { throw .file(prefix, errno: errno) }
        }
    }

    static func write(_ bytes: [UInt8], to path: String, append: Bool = false) throws(BenchError) {
        let descriptor = open(path, O_WRONLY | O_CREAT | (append ? O_APPEND : O_TRUNC), 0o644)
        guard descriptor >= 0 else { throw .file(path, errno: errno) }
        defer { close(descriptor) }
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.write(
                    descriptor, UnsafeRawBufferPointer(rebasing: $0[written...]).baseAddress, $0.count - written)
            }
            guard count > 0 else { throw .file(path, errno: errno) }
            written += count
        }
    }

    static func read(_ path: String) throws(BenchError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY)
        guard descriptor >= 0 else { throw .file(path, errno: errno) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = Glibc.read(descriptor, &piece, piece.count)
            guard count >= 0 else { throw .file(path, errno: errno) }
            if count == 0 { return bytes }
            bytes.append(contentsOf: piece[..<count])
        }
    }

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// The names in a folder, without `.` and `..`; empty if it is none.
    static func names(in directory: String) -> [String] {
        guard let handle = opendir(directory) else { return [] }
        defer { closedir(handle) }
        var names: [String] = []
        while let entry = readdir(handle) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Every file below `directory`: its path from there, and its size.
    static func files(below directory: String, prefix: String = "") -> [(path: String, bytes: Int)] {
        var found: [(path: String, bytes: Int)] = []
        for name in names(in: directory) {
            var status = stat()
            guard lstat("\(directory)/\(name)", &status) == 0 else { continue }
            if status.st_mode & S_IFMT == S_IFDIR {
                found += files(below: "\(directory)/\(name)", prefix: "\(prefix)\(name)/")
            } else {
                found.append((prefix + name, Int(status.st_size)))
            }
        }
        return found
    }

    /// Copies the files below one folder into another.
    static func copyTree(_ source: String, to target: String) throws(BenchError) {
        for file in files(below: source) {
            let path = "\(target)/\(file.path)"
            if let slash = path.lastIndex(of: "/") { try makeDirectory(String(path[..<slash])) }
            let input = open("\(source)/\(file.path)", O_RDONLY)
            guard input >= 0 else { throw .file("\(source)/\(file.path)", errno: errno) }
            defer { close(input) }
            try write([], to: path)
            var piece = [UInt8](repeating: 0, count: 1 << 20)
            while true {
                let count = Glibc.read(input, &piece, piece.count)
                guard count >= 0 else { throw .file("\(source)/\(file.path)", errno: errno) }
                if count == 0 { break }
                try write(Array(piece[..<count]), to: path, append: true)
            }
        }
    }

    /// Removes a folder that this program has made.
    static func removeTree(_ directory: String) {
        for name in names(in: directory) {
            let path = "\(directory)/\(name)"
            var status = stat()
            guard lstat(path, &status) == 0 else { continue }
            if status.st_mode & S_IFMT == S_IFDIR { removeTree(path) } else { unlink(path) }
        }
        rmdir(directory)
    }

    static func makeTemporaryDirectory() throws(BenchError) -> String {
        let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(base)/varve-bench-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw .file(base, errno: errno) }
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// Monotonic seconds.
enum Clock {
    static func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }

    static func sleep(seconds: Double) { usleep(useconds_t(seconds * 1e6)) }

    /// The date and time in UTC, to the second.
    static func stamp() -> String {
        var now = time(nil)
        var parts = tm()
        gmtime_r(&now, &parts)
        func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
        return
            "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))T\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))Z"
    }
}

private import CLinux
private import Glibc

/// What the system says of memory.
enum MachineMemory {
    /// Bytes that the process has resident; nil if that cannot be told.
    static func resident() -> Int? {
        // proc(5): the second number of statm, in pages.
        guard let fields = text("/proc/self/statm", limit: 256)?.split(separator: " "), fields.count > 1 else {
            return nil
        }
        return Int(fields[1]).map { $0 * pageBytes }
    }

    /// Gives back what was freed and kept.
    static func release() { varve_release_memory() }

    /// Bytes of the machine, or of the control group that the process is in, if that is allowed less.
    static func available() -> Int {
        let machine = sysconf(Int32(_SC_PHYS_PAGES)) * pageBytes
        return min(machine, groupLimit() ?? machine)
    }

    private static var pageBytes: Int { sysconf(Int32(_SC_PAGESIZE)) }

    /// The least limit of the process's control groups; nil if there is none (cgroups(7)).
    private static func groupLimit() -> Int? {
        let groups = text("/proc/self/cgroup", limit: 64 << 10) ?? ""
        var least: Int?
        for line in groups.split(separator: "\n") {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            let isUnified = fields[1].isEmpty
            guard isUnified || fields[1].split(separator: ",").contains("memory") else { continue }
            let (root, file) =
                isUnified ? ("/sys/fs/cgroup", "memory.max") : ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            // A group has the limits of those that it is in. Inside a container its own path may be seen as the root.
            var names = fields[2].split(separator: "/")
            while true {
                let path = ([root] + names.map(String.init) + [file]).joined(separator: "/")
                if let limit = text(path, limit: 64).flatMap({ Int($0.trimmed) }) { least = min(least ?? limit, limit) }
                if names.popLast() == nil { break }
            }
        }
        return least
    }

    /// A small file of the system's.
    private static func text(_ path: String, limit: Int) -> String? {
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: limit)
        let count = unsafe bytes.withUnsafeMutableBytes { unsafe read(file, $0.baseAddress, $0.count) }
        return count > 0 ? String(decoding: bytes.prefix(count), as: UTF8.self) : nil
    }
}

extension String {
    fileprivate var trimmed: Substring { self[...].prefix { $0.isNumber } }
}

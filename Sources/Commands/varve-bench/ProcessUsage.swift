import Glibc

/// What the kernel says of another process.
struct ProcessUsage {
    /// User and system time of all its threads, in seconds.
    var cpuSeconds: Double
    /// The most memory that was ever resident.
    var peakResidentBytes: Int

    init?(pid: pid_t) {
        guard let stat = try? FileTree.read("/proc/\(pid)/stat"),
            let status = try? FileTree.read("/proc/\(pid)/status"),
            let name = stat.lastIndex(of: UInt8(ascii: ")"))
        else { return nil }
        let fields = String(decoding: stat[(name + 2)...], as: UTF8.self).split(separator: " ")
        // Fields 14 and 15 of proc(5); the state after the name is field 3.
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else { return nil }
        cpuSeconds = (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
        peakResidentBytes = 0
        for line in String(decoding: status, as: UTF8.self).split(separator: "\n") where line.hasPrefix("VmHWM:") {
            peakResidentBytes = (Int(line.split(whereSeparator: { !$0.isNumber }).first ?? "") ?? 0) * 1_024
        }
    }

    /// Lets the most memory that was resident begin anew with what is resident now (proc(5), clear_refs).
    static func resetPeak(of pid: pid_t) {
        // Where that is not allowed, the figure is of the process's whole life.
        try? FileTree.write(Array("5".utf8), to: "/proc/\(pid)/clear_refs")
    }
}

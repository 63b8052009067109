import Corpus
import Foundation
import Synchronization

/// `tenants`: many tenants that send one log record and one span each, and what a server of its own takes until it is at rest.
struct TenantsCommand {
    static let options: Set<String> = ["count", "connections", "binary", "data-dir", "history", "quiet"]

    private let count: Int
    private let connections: Int
    private let binary: String
    private let dataDirectory: String?
    private let history: String
    /// Seconds without work after which the server counts as at rest.
    private let quiet: Int

    /// Processor time of a second in which nothing was done but to look for work.
    private static let idleShare = 0.02
    /// The server's `flush-age`, and some.
    private static let flushAge = 33.0
    private static let patience = 240.0

    init(_ arguments: Arguments) throws(BenchError) {
        count = try arguments.int("count", default: 3_000, in: 1...1_000_000)
        connections = try arguments.int("connections", default: 8, in: 1...256)
        binary = arguments.text("binary") ?? ".build/release/varve"
        dataDirectory = arguments.text("data-dir")
        history = arguments.text("history") ?? "Benchmarks/history/tenants.csv"
        quiet = try arguments.int("quiet", default: 12, in: 2...600)
    }

    func run() throws(BenchError) {
        let calibration = Calibration.gigabytesPerSecond()
        let directory: String
        if let dataDirectory { directory = dataDirectory } else { directory = try FileTree.makeTemporaryDirectory() }
        defer { if dataDirectory == nil { FileTree.removeTree(directory) } }
        var server = try ServerProcess(binary: binary, dataDirectory: directory, extra: [])
        let idle = try usage(server)
        let begun = Clock.now()
        try TenantSender(count: count, at: server.otlp).run(connections: connections)
        let loaded = Clock.now()
        let sent = try usage(server)
        try waitForRest(server)
        let rested = Clock.now()
        let rest = try usage(server)
        let disk = DiskUsage(of: directory)
        let files = FileTree.files(below: directory + "/parts").count
        try server.stop()
        let (restart, restartCPU) = try restart(directory)
        let rows = try PartInventory(binary: binary, dataDirectory: directory).tables
            .filter { ["otel_logs", "otel_traces"].contains($0.name) }.reduce(0) { $0 + $1.rows }
        guard rows == 2 * count else { throw .server("\(rows) rows are in parts, of \(2 * count)") }
        let values = [
            ("load_s", Console.decimal(loaded - begun, 2)),
            ("load_cpu_s", Console.decimal(sent.cpuSeconds - idle.cpuSeconds, 2)),
            ("rest_s", Console.decimal(rested - loaded - Double(quiet), 1)),
            ("rest_cpu_s", Console.decimal(rest.cpuSeconds - sent.cpuSeconds, 2)),
            ("cpu_s", Console.decimal(rest.cpuSeconds - idle.cpuSeconds, 2)),
            ("files", String(files)), ("part_bytes", String(disk.parts)), ("log_bytes", String(disk.log)),
            ("other_bytes", String(disk.other)),
            ("peak_rss_mb", Console.decimal(Double(rest.peakResidentBytes) / 1e6, 1)),
            ("restart_s", Console.decimal(restart, 2)), ("restart_cpu_s", Console.decimal(restartCPU, 2)),
        ]
        Console.table(["tenants", String(count)], values.map { [$0.0, $0.1] })
        let row = Dictionary(uniqueKeysWithValues: values).merging([
            "date": Clock.stamp(), "commit": History.commit(), "tenants": String(count),
            "connections": String(connections), "xxh3_gb_per_s": Console.decimal(calibration, 2),
        ]) { first, _ in first }
        try History(
            path: history,
            columns: ["date", "commit", "tenants", "connections"] + values.map(\.0) + ["xxh3_gb_per_s"]
        ).append(row)
    }

    private func usage(_ server: borrowing ServerProcess) throws(BenchError) -> ProcessUsage {
        guard let usage = ProcessUsage(pid: server.pid) else { throw .server("the server is gone") }
        return usage
    }

    /// Waits until what came last is old enough to be in parts, and then nothing took time for a while.
    private func waitForRest(_ server: borrowing ServerProcess) throws(BenchError) {
        let begun = Clock.now()
        var last = try usage(server).cpuSeconds
        var since = Clock.now()
        while Clock.now() - since < Double(quiet), Clock.now() - begun < Self.patience {
            Clock.sleep(seconds: 1)
            let now = try usage(server).cpuSeconds
            if now - last > Self.idleShare || Clock.now() - begun < Self.flushAge { since = Clock.now() }
            last = now
        }
    }

    /// Starts the server again: seconds until it is ready, and its processor time until then.
    private func restart(_ directory: String) throws(BenchError) -> (seconds: Double, cpuSeconds: Double) {
        let begun = Clock.now()
        var server = try ServerProcess(binary: binary, dataDirectory: directory, extra: [])
        let seconds = Clock.now() - begun
        let cpu = try usage(server).cpuSeconds
        try server.stop()
        return (seconds, cpu)
    }
}

/// Sends for each tenant a record and a span of now, over several connections.
private final class TenantSender: Sendable {
    private let count: Int
    private let address: HTTPConnection.Address
    private let next = Atomic<Int>(0)
    private let errors = Mutex<[String]>([])

    init(count: Int, at address: HTTPConnection.Address) {
        self.count = count
        self.address = address
    }

    func run(connections: Int) throws(BenchError) {
        let finished = DispatchGroup()
        for _ in 0..<connections {
            finished.enter()
            Thread { [self] in
                do throws(BenchError) { try work() } catch { errors.withLock { $0.append(error.message) } }
                finished.leave()
            }.start()
        }
        finished.wait()
        if let error = errors.withLock({ $0.first }) { throw .server(error) }
    }

    private func work() throws(BenchError) {
        var connection = HTTPConnection(address)
        let now = UInt64(Date().timeIntervalSince1970) * 1_000_000_000
        while true {
            let tenant = next.add(1, ordering: .relaxed).oldValue
            guard tenant < count else { return }
            for (target, body) in [("/v1/logs", Self.log(now)), ("/v1/traces", Self.trace(now, tenant))] {
                let response = try connection.post(
                    target, contentType: "application/x-protobuf", body, tenant: "tenant-\(tenant)")
                guard response.status == 200 else { throw .server("HTTP \(response.status) \(response.text)") }
            }
        }
    }

    /// A request of one item, under a resource with a name.
    private static func request(_ item: (inout ProtobufWriter) -> Void) -> [UInt8] {
        var request = ProtobufWriter()
        request.message(1) { group in
            group.message(1) { resource in
                resource.message(1) { attribute in
                    attribute.string(1, "service.name")
                    attribute.message(2) { $0.string(1, "checkout") }
                }
            }
            group.message(2) { scope in scope.message(2) { item(&$0) } }
        }
        return request.bytes
    }

    private static func log(_ now: UInt64) -> [UInt8] {
        request { record in
            record.fixed64(1, now)
            record.uint(2, 9)
            record.message(5) { $0.string(1, "order 4711 was placed") }
        }
    }

    private static func trace(_ now: UInt64, _ number: Int) -> [UInt8] {
        request { span in
            span.id(1, high: now, low: UInt64(number + 1))
            span.id(2, UInt64(number + 1))
            span.string(5, "POST /orders")
            span.uint(6, 2)
            span.fixed64(7, now)
            span.fixed64(8, now + 2_000_000)
        }
    }
}

import Foundation
import QueryModel

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// A Prometheus of its own for one test: a free port of 127.0.0.1, a folder that goes with it, ended by its process id.
final class PeerPrometheus {
    struct Refusal: Error, CustomStringConvertible {
        let description: String
    }

    private let process = Process()
    private let folder: URL
    private let port: Int

    static let isInstalled = executable("prometheus") != nil && executable("promtool") != nil

    private static func executable(_ name: String) -> URL? {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin"
        return path.split(separator: ":").map { URL(filePath: String($0)).appending(path: name) }
            .first { FileManager.default.isExecutableFile(atPath: $0.path) }
    }

    init(holding series: [SampleSeries]) async throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "varve-peer-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        port = try Self.freePort()
        let configuration = folder.appending(path: "prometheus.yml")
        try "global: {scrape_interval: 1m, evaluation_interval: 1m}\n".write(
            to: configuration, atomically: true, encoding: .utf8)
        let data = folder.appending(path: "data")
        if !series.isEmpty { try Self.writeBlocks(of: series, folder: folder, into: data) }
        process.executableURL = Self.executable("prometheus")
        process.arguments = [
            "--config.file=\(configuration.path)", "--storage.tsdb.path=\(data.path)",
            "--storage.tsdb.retention.time=100y",
            "--web.listen-address=127.0.0.1:\(port)", "--log.level=error",
        ]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        try await waitUntilReady()
    }

    func stop() {
        process.terminate()
        process.waitUntilExit()
        try? FileManager.default.removeItem(at: folder)
    }

    private static func freePort() throws -> Int {
        let handle = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(handle) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(handle, $0, length) == 0 && getsockname(handle, $0, &length) == 0
            }
        }
        guard bound else { throw Refusal(description: "no free port") }
        return Int(UInt16(bigEndian: address.sin_port))
    }

    /// OpenMetrics wants all samples of a family together.
    private static func writeBlocks(of series: [SampleSeries], folder: URL, into data: URL) throws {
        var text = ""
        for one in series.sorted(by: { $0.labels.metricName < $1.labels.metricName }) {
            let labels = one.labels.withoutMetricName.pairs.map { "\($0.name)=\"\($0.value)\"" }.joined(separator: ",")
            for (time, value) in zip(one.timestamps, one.values) {
                let seconds = "\(time / 1000).\(String(time % 1000 + 1000).dropFirst())"
                let number = value.isNaN ? "NaN" : "\(value)"
                text += "\(one.labels.metricName){\(labels)} \(number) \(seconds)\n"
            }
        }
        let file = folder.appending(path: "series.om")
        try (text + "# EOF\n").write(to: file, atomically: true, encoding: .utf8)
        let promtool = Process()
        promtool.executableURL = executable("promtool")
        promtool.arguments = ["tsdb", "create-blocks-from", "openmetrics", file.path, data.path]
        promtool.standardOutput = FileHandle.nullDevice
        let errors = Pipe()
        promtool.standardError = errors
        try promtool.run()
        let message = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        promtool.waitUntilExit()
        guard promtool.terminationStatus == 0 else { throw Refusal(description: message) }
    }

    private func waitUntilReady() async throws {
        for _ in 0..<300 {
            if let (_, response) = try? await URLSession.shared.data(from: try url("/-/ready", [])),
                (response as? HTTPURLResponse)?.statusCode == 200
            {
                return
            }
            try await Task.sleep(for: .milliseconds(100))
        }
        stop()
        throw Refusal(description: "Prometheus did not become ready")
    }

    private func url(_ path: String, _ parameters: [(String, String)]) throws -> URL {
        var allowed = CharacterSet.alphanumerics
        allowed.insert(charactersIn: "-._~")
        let query = parameters.map { name, value in
            "\(name)=\(value.addingPercentEncoding(withAllowedCharacters: allowed) ?? "")"
        }.joined(separator: "&")
        guard let url = URL(string: "http://127.0.0.1:\(port)\(path)?\(query)") else {
            throw Refusal(description: "no address")
        }
        return url
    }

    /// The values of each series by time in milliseconds.
    func answer(
        _ query: String, over grid: TimeGrid
    ) async throws -> Result<[Labels: [Int64: Double]], Refusal> {
        func seconds(_ milliseconds: Int64) -> String { "\(Double(milliseconds) / 1000)" }
        let url =
            grid.count == 1
            ? try url("/api/v1/query", [("query", query), ("time", seconds(grid.start))])
            : try url(
                "/api/v1/query_range",
                [
                    ("query", query), ("start", seconds(grid.start)), ("end", seconds(grid.end)),
                    ("step", seconds(grid.step)),
                ])
        let (body, _) = try await URLSession.shared.data(from: url)
        guard let root = try JSONSerialization.jsonObject(with: body) as? [String: Any] else {
            throw Refusal(description: "no object")
        }
        guard let data = root["data"] as? [String: Any] else {
            return .failure(Refusal(description: root["error"] as? String ?? "no message"))
        }
        if data["resultType"] as? String == "scalar" {
            return .success([.empty: Dictionary([Self.point(data["result"])], uniquingKeysWith: { $1 })])
        }
        var result: [Labels: [Int64: Double]] = [:]
        for case let one as [String: Any] in data["result"] as? [Any] ?? [] {
            let labels = Labels((one["metric"] as? [String: String] ?? [:]).map { Label($0.key, $0.value) })
            let points = one["values"] as? [Any] ?? [one["value"] as Any]
            result[labels] = Dictionary(points.map(Self.point), uniquingKeysWith: { $1 })
        }
        return .success(result)
    }

    private static func point(_ value: Any?) -> (Int64, Double) {
        guard let pair = value as? [Any], pair.count == 2, let time = pair[0] as? Double,
            let text = pair[1] as? String, let number = Double(text)
        else { return (-1, .nan) }
        return (Int64((time * 1000).rounded()), number)
    }
}

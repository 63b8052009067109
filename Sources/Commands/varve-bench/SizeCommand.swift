import Foundation

/// `size`: bytes per row by column, as `varve parts --json` counts them.
struct SizeCommand {
    static let options: Set<String> = ["data-dir", "binary", "history"]

    private let dataDirectory: String
    private let binary: String
    private let history: String

    init(_ arguments: Arguments) throws(BenchError) {
        dataDirectory = try arguments.required("data-dir")
        binary = arguments.text("binary") ?? ".build/release/varve"
        history = arguments.text("history") ?? "Benchmarks/history/size.csv"
    }

    func run() throws(BenchError) {
        let history = History(
            path: history,
            columns: ["date", "commit", "data_dir", "table", "parts", "rows", "column", "bytes", "bytes_per_row"])
        let stamp = Clock.stamp()
        let commit = History.commit()
        for table in try PartInventory(binary: binary, dataDirectory: dataDirectory).tables {
            print(
                "\(table.name): \(Console.grouped(table.rows)) rows in \(table.parts) parts, \(Console.grouped(table.bytes)) bytes"
            )
            let sized = table.columns.sorted { ($0.value, $1.key) > ($1.value, $0.key) }
            let all = sized + [("total", table.bytes)]
            let rows = Double(max(table.rows, 1))
            Console.table(
                ["column", "bytes", "bytes/row", "share"],
                all.map { name, bytes in
                    [
                        name, Console.grouped(bytes), Console.decimal(Double(bytes) / rows, 3),
                        Console.decimal(100 * Double(bytes) / Double(max(table.bytes, 1)), 1) + " %",
                    ]
                })
            print("")
            for (name, bytes) in all {
                try history.append([
                    "date": stamp, "commit": commit, "data_dir": dataDirectory, "table": table.name,
                    "parts": String(table.parts), "rows": String(table.rows), "column": name, "bytes": String(bytes),
                    "bytes_per_row": Console.decimal(Double(bytes) / rows, 3),
                ])
            }
        }
    }
}

/// The parts of a data directory, which `varve parts --json` lists line by line, summed up by table.
struct PartInventory {
    struct Table {
        var name: String
        var parts = 0
        var rows = 0
        /// All of the parts' files, so more than the columns: footers, skip indexes, dictionaries.
        var bytes = 0
        var columns: [String: Int] = [:]
    }

    private(set) var tables: [Table] = []

    init(binary: String, dataDirectory: String) throws(BenchError) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: binary)
        process.arguments = ["parts", "--data-dir", dataDirectory, "--json"]
        let output = Pipe()
        process.standardOutput = output
        do { try process.run() } catch { throw .server("\(binary): \(error)") }
        let bytes = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw .server("\(binary) parts ended with status \(process.terminationStatus)")
        }
        var byName: [String: Table] = [:]
        for line in bytes.split(separator: 0x0A) {
            guard let part = try? JSONSerialization.jsonObject(with: line) as? [String: Any],
                let name = part["table"] as? String, let rows = part["rows"] as? Int, let size = part["bytes"] as? Int
            else { throw .server("\(binary) parts --json: a line that is no part") }
            var table = byName[name] ?? Table(name: name)
            table.parts += 1
            table.rows += rows
            table.bytes += size
            for column in part["columns"] as? [[String: Any]] ?? [] {
                guard let path = column["path"] as? String, let size = column["bytes"] as? Int else {
                    throw .server("\(binary) parts --json: a column without path or bytes")
                }
                table.columns[path, default: 0] += size
            }
            byName[name] = table
        }
        tables = byName.values.sorted { $0.name < $1.name }
    }
}

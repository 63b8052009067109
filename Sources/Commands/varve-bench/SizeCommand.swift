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

/// The parts of a data directory, summed up by table.
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
        guard let root = try? JSONSerialization.jsonObject(with: bytes) else {
            throw .server("\(binary) parts --json printed no JSON")
        }
        let parts = (root as? [String: Any])?["parts"] as? [[String: Any]] ?? root as? [[String: Any]]
        guard let parts else { throw .server("\(binary) parts --json: no list of parts") }
        var byName: [String: Table] = [:]
        for part in parts {
            guard let name = part["table"] as? String, let rows = part["rows"] as? Int else {
                throw .server("\(binary) parts --json: a part without table or rows")
            }
            var table = byName[name] ?? Table(name: name)
            table.parts += 1
            table.rows += rows
            let columns = part["columns"] as? [String: Int] ?? [:]
            table.bytes += part["bytes"] as? Int ?? columns.values.reduce(0, +)
            table.columns.merge(columns, uniquingKeysWith: +)
            byName[name] = table
        }
        tables = byName.values.sorted { $0.name < $1.name }
    }
}

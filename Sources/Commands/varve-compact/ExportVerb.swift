internal import Core
internal import Export
internal import Files
internal import Glibc
internal import Offline
internal import TableSchema

/// `export`: rows as text.
enum ExportVerb: Verb {
    static let name = "export"
    static let summary = "write rows of a table and time range as JSON Lines or CSV"
    static let synopsis =
        "DIR --table TABLE [--tenant TENANT] [--from TIME] [--to TIME] [--format jsonl|csv] [--columns a,b] [--where c=v] [-o FILE]"
    static let notes = """
        Rows come partition by partition, and part by part inside of one. Times are RFC 3339 to the nanosecond, ids hexadecimal
        (null for none), attributes JSON objects, bytes base64. A row names its tenant unless --tenant does.
        Rows that are in the log and not in a part yet are not there: start and stop the server to have them written.
        A block that is damaged is left out and named on standard error; the exit status is 1 then.
        """
    static let options = [
        Options.Definition(name: "table", value: "TABLE", help: "the table, as otel_traces"), Selection.tenant,
        Options.Definition(
            name: "from", value: "TIME", help: "the first time, as 2026-11-21 or 2026-11-21T14:30:00Z"),
        Options.Definition(name: "to", value: "TIME", help: "the time after the last"),
        Options.Definition(name: "format", value: "FORMAT", help: "jsonl (default) or csv"),
        Options.Definition(
            name: "columns", value: "NAMES", help: "only these columns, with commas between, in this order"),
        Options.Definition(
            name: "where", value: "COLUMN=VALUE", help: "only such rows; attributes.KEY=VALUE too; all of several hold",
            mayRepeat: true),
        Options.Definition(name: "output", value: "FILE", help: "a new file, instead of standard output", short: "-o"),
        Options.Definition(name: "force", help: "the file of --output may exist, and is replaced"),
    ]

    static func run(_ options: Options) throws -> ExitStatus {
        Interrupt.install()
        let request = try request(options, Selection.tables())
        let directory = try Selection.open(options)
        try directory.requireWholeCatalog()
        warnOfLog(directory, request)
        let bar = ProgressBar("export")
        defer { bar.clear() }
        let target = try options.text("output").map { try ExportFile($0, mayReplace: options.has("force")) }
        var output = StandardOutput(descriptor: target?.descriptor ?? 1)
        do {
            let summary = try RowExporter.run(
                directory, request,
                report: { finding in
                    bar.clear()
                    Console.error("varve-compact: \(finding.text)\n")
                }, progress: { try bar.show($0) }, write: { try output.write($0) })
            try output.flush()
            try target?.finish()
            bar.clear()
            if target != nil { Console.error("\(Console.grouped(summary.rows)) rows\n") }
            return summary.damagedBlocks > 0 ? .damage : .done
        } catch {
            target?.abandon()
            if error is ReaderHasGone, let target {
                throw OfflineError.file(FileError(.write, target.path, code: errno))
            }
            throw error
        }
    }

    private static func request(_ options: Options, _ tables: TableCatalog) throws -> ExportRequest {
        guard let name = options.text("table") else {
            throw UsageError("--table is needed: \(tables.tables.map(\.name).joined(separator: ", "))")
        }
        let table = try Selection.table(name, tables)
        var request = ExportRequest(table: table)
        request.tenant = try Selection.read(options, tables).tenant
        request.withTenant = request.tenant == nil
        let (start, end) = (try options.time("from") ?? .min, try options.time("to") ?? .max)
        guard start < end else { throw UsageError("--from is not before --to") }
        request.range = TimeRange(start: start, end: end)
        if let text = options.text("format") {
            guard let format = ExportRequest.Format(rawValue: text) else {
                throw UsageError("--format: \"\(text)\" is neither jsonl nor csv")
            }
            request.format = format
        }
        if let text = options.text("columns") {
            request.columns = try text.split(separator: ",").map { name in
                let name = String(name)
                guard let ordinal = table.columns.firstIndex(where: { $0.name == name }) else {
                    let names = table.columns.map(\.name)
                    throw UsageError(
                        "\(table.name) has no column \"\(name)\"\(Suggestion.question(name, among: names))")
                }
                return ordinal
            }
            guard !request.columns.isEmpty else { throw UsageError("--columns names no column") }
        }
        for text in options.texts("where") {
            do throws(ConditionError) {
                request.conditions.append(try RowCondition(text, table: table))
            } catch {
                throw UsageError("--where: \(error.message)")
            }
        }
        return request
    }

    private static func warnOfLog(_ directory: DataDirectory, _ request: ExportRequest) {
        let waiting = directory.waitingRequests(of: request.table, tenant: request.tenant)
        guard waiting > 0 else { return }
        Console.error(
            "varve-compact: \(Console.grouped(waiting)) requests are in the log and not in parts yet, and are left out; start "
                + "and stop the server to have them written\n")
    }
}

/// A file that has its name only once it is whole.
final class ExportFile {
    let path: String
    let descriptor: Int32
    private var partial: String { path + ".partial" }

    init(_ path: String, mayReplace: Bool) throws {
        self.path = path
        guard unsafe mayReplace || access(path, F_OK) != 0 else {
            throw UsageError("\(path) exists; --force replaces it")
        }
        descriptor = unsafe open(path + ".partial", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw OfflineError.file(FileError(.open, path + ".partial", code: errno)) }
    }

    func finish() throws(OfflineError) {
        guard fsync(descriptor) == 0 else { throw .file(FileError(.sync, partial, code: errno)) }
        guard unsafe rename(partial, path) == 0 else { throw .file(FileError(.rename, partial, code: errno)) }
        close(descriptor)
    }

    func abandon() {
        close(descriptor)
        unsafe unlink(partial)
    }
}

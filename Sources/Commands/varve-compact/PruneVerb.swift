internal import Core
internal import Files
internal import JSON
internal import Maintenance
internal import Offline
internal import Settings
internal import Storage
internal import TableSchema

/// `prune`: drops what is too old.
enum PruneVerb: Verb {
    static let name = "prune"
    static let summary = "drop the rows that have expired, as a server with the same settings would"
    static let synopsis = "DIR [--config FILE] [--dry-run] [--json]"
    static let notes = """
        A line for each partition that goes, and for each part that is written anew without the rows of some services. The times
        to live are those of Schema/, which varve schema prints, unless the settings retention, retention-rules and
        retention-size of FILE say otherwise; flags and variables that a server is given are not known here. With --dry-run
        nothing is changed. The bytes of a part's rows are an estimate: their share of the part's.
        """
    static let options = [
        Options.Definition(name: "config", value: "FILE", help: "the server's file of settings"),
        Options.Definition(name: "dry-run", help: "only say what would go"),
        Options.Definition(name: "json", help: "one JSON object a line"),
    ]

    /// The most bytes that a file of settings may have.
    private static let fileLimit = 1 << 20

    static func run(_ options: Options) throws -> ExitStatus {
        Interrupt.install()
        let settings = try options.text("config").map { try read($0) } ?? RetentionSettings()
        let directory = try Selection.open(options)
        try directory.requireWholeCatalog()
        var output = StandardOutput()
        guard settings.isOn else {
            if !options.has("json") { try output.write("retention is off in these settings: nothing goes\n") }
            try output.flush()
            return .done
        }
        let bar = ProgressBar("prune")
        defer { bar.clear() }
        let pruning = try Pruning(directory, policy: settings.policy, now: Console.timeOfDay()) {
            (progress) throws(OfflineError) in try bar.show(progress)
        }
        bar.clear()
        let tables = directory.tables
        let asJSON = options.has("json")
        for plan in pruning.partitions { try output.write(asJSON ? json(plan, tables) : text(plan, tables)) }
        for part in pruning.parts { try output.write(asJSON ? json(part, tables) : text(part, tables)) }
        if !options.has("dry-run"), !pruning.isEmpty {
            try pruning.carryOut(directory.openStore()) { (progress) throws(OfflineError) in try bar.show(progress) }
            bar.clear()
        }
        if !asJSON { try output.write(summary(pruning, isDryRun: options.has("dry-run"))) }
        try output.flush()
        return .done
    }

    /// - Throws: if anything is wrong in the file: rows are not dropped by half of the rules.
    private static func read(_ path: String) throws -> RetentionSettings {
        let bytes: [UInt8]
        do throws(FileError) {
            bytes = try PosixFileSystem().contents(of: path, limit: fileLimit)
        } catch {
            throw UsageError("--config: \(error)")
        }
        let (settings, problems) = RetentionSettings.read(bytes, path: path, tables: try Selection.tables())
        if !problems.isEmpty {
            throw UsageError("--config: " + problems.map(\.description).joined(separator: "\n"))
        }
        return settings
    }

    private static func summary(_ pruning: Pruning, isDryRun: Bool) -> String {
        var text = "\(pruning.partitions.count) partitions"
        if !pruning.parts.isEmpty { text += " and rows of \(pruning.parts.count) parts" }
        text += isDryRun ? " would go: " : " went: "
        text += "\(Console.grouped(pruning.rowCount)) rows, \(pruning.parts.isEmpty ? "" : "about ")"
        return text + "\(Console.size(pruning.byteCount))\n"
    }

    private static func name(_ table: TableID, _ tables: TableCatalog) -> String {
        tables.table(id: table)?.name ?? "table \(table.number)"
    }

    private static func reason(_ plan: RetentionPlan) -> String {
        switch plan.reason {
        case .age: "age"
        case .size: "size"
        }
    }

    private static func text(_ plan: RetentionPlan, _ tables: TableCatalog) -> [UInt8] {
        let table = name(plan.partition.table, tables)
        var text = "\(table)  tenant \(plan.partition.tenant)  partition \(PartText.time(plan.partition.start))  "
        text += "\(plan.parts.count) parts  \(Console.grouped(plan.rowCount)) rows  \(Console.size(plan.byteCount))  "
        return Array("\(text)(\(reason(plan)))\n".utf8)
    }

    private static func json(_ plan: RetentionPlan, _ tables: TableCatalog) -> [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        json.key("kind")
        json.string("partition")
        json.key("table")
        json.string(name(plan.partition.table, tables))
        json.key("tenant")
        json.string(plan.partition.tenant.name)
        json.key("partition")
        json.string(PartText.time(plan.partition.start))
        json.key("parts")
        json.int(plan.parts.count)
        json.key("rows")
        json.int(plan.rowCount)
        json.key("bytes")
        json.int(plan.byteCount)
        json.key("reason")
        json.string(reason(plan))
        json.endObject()
        json.newline()
        return json.bytes
    }

    private static func text(_ pruning: PartialPruning, _ tables: TableCatalog) -> [UInt8] {
        let part = pruning.plan.part
        var text = "\(name(part.table, tables))  tenant \(part.tenant)  partition \(PartText.time(part.partition))  "
        text +=
            "part \(part.id.number)  \(Console.grouped(pruning.rowCount)) of \(Console.grouped(part.rowCount)) rows  "
        return Array("\(text)about \(Console.size(pruning.byteCount))  (service)\n".utf8)
    }

    private static func json(_ pruning: PartialPruning, _ tables: TableCatalog) -> [UInt8] {
        let part = pruning.plan.part
        var json = JSONWriter()
        json.beginObject()
        json.key("kind")
        json.string("part")
        json.key("table")
        json.string(name(part.table, tables))
        json.key("tenant")
        json.string(part.tenant.name)
        json.key("partition")
        json.string(PartText.time(part.partition))
        json.key("part")
        json.uint(part.id.number)
        json.key("rows")
        json.int(pruning.rowCount)
        json.key("bytes")
        json.int(pruning.byteCount)
        json.key("reason")
        json.string("service")
        json.endObject()
        json.newline()
        return json.bytes
    }
}

internal import Core
internal import JSON
internal import Maintenance
internal import Offline
internal import Storage
internal import TableSchema

/// `prune`: drops what is too old.
enum PruneVerb: Verb {
    static let name = "prune"
    static let summary = "drop partitions of which every row is older than its table's time to live"
    static let synopsis = "DIR [--dry-run] [--json]"
    static let notes = """
        A line for each partition that goes; with --dry-run nothing is changed. The times to live are those of Schema/, which
        varve schema prints.
        """
    static let options = [
        Options.Definition(name: "dry-run", help: "only say what would go"),
        Options.Definition(name: "json", help: "one JSON object a line"),
    ]

    static func run(_ options: Options) throws -> ExitStatus {
        let directory = try Selection.open(options)
        try directory.requireWholeCatalog()
        let plans = RetentionPlanner.plan(
            parts: directory.parts.map(\.record), tables: directory.tables, now: Console.timeOfDay(),
            policy: RetentionPolicy())
        var output = StandardOutput()
        for plan in plans {
            try output.write(options.has("json") ? json(plan, directory.tables) : text(plan, directory.tables))
        }
        if !options.has("dry-run"), !plans.isEmpty {
            let store = try directory.openStore()
            let known = Set(store.allParts.values.joined().map(\.record.id))
            do throws(StorageError) {
                try store.commit(CatalogEdit(removed: plans.flatMap { $0.parts.map(\.id) }.filter(known.contains)))
            } catch {
                throw OfflineError.storage(error)
            }
        }
        if !options.has("json") {
            let verb = options.has("dry-run") ? "would go" : "went"
            let rows = plans.reduce(0) { $0 + $1.rowCount }
            let bytes = plans.reduce(0) { $0 + $1.byteCount }
            try output.write(
                "\(plans.count) partitions \(verb): \(Console.grouped(rows)) rows, \(Console.size(bytes))\n".utf8.map {
                    $0
                })
        }
        try output.flush()
        return .done
    }

    private static func reason(_ plan: RetentionPlan) -> String {
        switch plan.reason {
        case .age: "age"
        case .size: "size"
        }
    }

    private static func text(_ plan: RetentionPlan, _ tables: TableCatalog) -> [UInt8] {
        let table = tables.table(id: plan.partition.table)?.name ?? "table \(plan.partition.table.number)"
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
        json.string(tables.table(id: plan.partition.table)?.name ?? "table \(plan.partition.table.number)")
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
}

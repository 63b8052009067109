internal import Core
internal import Files
internal import Offline
internal import Schema
internal import Storage
internal import TableSchema

/// Options that say which parts a verb is about.
enum Selection {
    static let table = Options.Definition(name: "table", value: "TABLE", help: "only this table, as otel_traces")
    static let tenant = Options.Definition(name: "tenant", value: "TENANT", help: "only this tenant")
    static let partition = Options.Definition(
        name: "partition", value: "FROM[..TO]",
        help: "only partitions with a time in this range, as 2026-11-20..2026-11-22")
    static let part = Options.Definition(name: "part", value: "ID", help: "only the part of this number")

    /// The tables that this Varve knows.
    static func tables() throws -> TableCatalog { try TableCatalog.parse(files: Schema.files, lock: Schema.lock) }

    static func open(_ options: Options) throws -> DataDirectory {
        try DataDirectory(options.directory(), tables: tables(), fileSystem: PosixFileSystem())
    }

    /// The directory, and what of it is chosen; a wrong command line is found before the directory is looked for.
    static func openAndRead(_ options: Options) throws -> (DataDirectory, PartSelection) {
        let selection = try read(options, tables())
        return (try open(options), selection)
    }

    static func read(_ options: Options, _ tables: TableCatalog) throws(UsageError) -> PartSelection {
        var selection = PartSelection()
        if let name = options.text("table") { selection.table = try table(name, tables).id }
        if let name = options.text("tenant") {
            guard let tenant = TenantID(name) else { throw UsageError("--tenant: \"\(name)\" is no tenant's name") }
            selection.tenant = tenant
        }
        if let number = try options.integer("part", in: 1...Int.max) { selection.part = PartID(number: UInt64(number)) }
        if let text = options.text("partition") { selection.range = try range(text) }
        return selection
    }

    static func table(_ name: String, _ tables: TableCatalog) throws(UsageError) -> TableDefinition {
        if let table = tables.table(named: name) { return table }
        let names = tables.tables.map(\.name)
        throw UsageError(
            "there is no table \"\(name)\"\(Suggestion.question(name, among: names)) They are \(names.joined(separator: ", "))"
        )
    }

    /// `FROM..TO`, without `TO` itself, or one timestamp; either end may be left out.
    private static func range(_ text: String) throws(UsageError) -> TimeRange {
        let wrong = UsageError(
            "--partition: \"\(text)\" is no range; it looks like 2026-11-21T14:00:00Z or 2026-11-20..2026-11-22")
        guard let dots = text.firstRange(of: "..") else {
            guard let time = CalendarTime.parse(text) else { throw wrong }
            return TimeRange(start: time, end: time.advanced(by: 1))
        }
        let (first, last) = (String(text[..<dots.lowerBound]), String(text[dots.upperBound...]))
        guard let start = first.isEmpty ? .min : CalendarTime.parse(first),
            let end = last.isEmpty ? .max : CalendarTime.parse(last), start < end
        else { throw wrong }
        return TimeRange(start: start, end: end)
    }
}

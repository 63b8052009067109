internal import JSON
internal import Offline
internal import TableSchema

/// `verify`: reads everything and says what is wrong.
enum VerifyVerb: Verb {
    static let name = "verify"
    static let summary = "check every byte: pages, footers, dictionaries, indexes, the catalog and the log"
    static let synopsis = "DIR [--table TABLE] [--tenant TENANT] [--part ID] [--json]"
    static let notes = """
        Nothing is changed. A line for each thing found goes to standard output; with --json, an object (docs/OPERATING.md,
        "Offline"). Notes are no damage: what a crash left at the end of a log, files that the next start removes.
        The exit status is 1 if there is damage; varve-compact repair takes it out.
        """
    static let options = [
        Selection.table, Selection.tenant, Selection.part,
        Options.Definition(name: "json", help: "one JSON object a line"),
    ]

    static func run(_ options: Options) throws -> ExitStatus {
        Interrupt.install()
        let (directory, selection) = try Selection.openAndRead(options)
        let asJSON = options.has("json")
        let bar = ProgressBar("verify")
        defer { bar.clear() }
        var hasReader = true
        let summary = try DirectoryVerifier.verify(
            directory, selection: selection,
            report: { finding in
                bar.clear()
                let line =
                    asJSON ? FindingText.json(finding) : Array("\(finding.severity.rawValue): \(finding.text)\n".utf8)
                if hasReader { hasReader = Console.write(line, to: 1) }
            },
            progress: { (progress) throws(OfflineError) in try bar.show(progress) })
        bar.clear()
        var output = StandardOutput()
        try output.write(asJSON ? json(summary) : Array(text(summary, directory.path).utf8))
        try output.flush()
        return summary.isClean ? .done : .damage
    }

    private static func text(_ summary: VerificationSummary, _ path: String) -> String {
        var text = "\(Console.grouped(summary.parts)) parts, \(Console.grouped(summary.rows)) rows, "
        text += "\(Console.size(summary.bytes)); \(summary.logSegments) segments of the log, "
        text += "\(Console.grouped(summary.logRecords)) records\n"
        if summary.isClean { return text + "no damage\n" }
        return text + "\(summary.damage) damaged places, in \(summary.damagedParts) parts and elsewhere. "
            + "varve-compact repair \(path) takes out what is damaged and keeps the rest\n"
    }

    private static func json(_ summary: VerificationSummary) -> [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        json.key("kind")
        json.string("summary")
        json.key("clean")
        json.bool(summary.isClean)
        for (key, value) in [
            ("parts", Int64(summary.parts)), ("damaged_parts", Int64(summary.damagedParts)),
            ("rows", Int64(summary.rows)), ("bytes", summary.bytes), ("log_segments", Int64(summary.logSegments)),
            ("log_records", Int64(summary.logRecords)), ("damage", Int64(summary.damage)),
            ("notes", Int64(summary.notes)),
        ] {
            json.key(key)
            json.int(value)
        }
        json.endObject()
        json.newline()
        return json.bytes
    }
}

/// A finding as a line.
enum FindingText {
    static func json(_ finding: Finding) -> [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        json.key("kind")
        json.string(finding.severity.rawValue)
        json.key("path")
        json.string(finding.path)
        if let part = finding.part { PartText.identity(part, to: &json) }
        if let block = finding.block {
            json.key("block")
            json.int(block)
        }
        if let column = finding.column {
            json.key("column")
            json.string(column)
        }
        if let offset = finding.offset {
            json.key("offset")
            json.int(offset)
        }
        json.key("reason")
        json.string(finding.reason)
        json.endObject()
        json.newline()
        return json.bytes
    }
}

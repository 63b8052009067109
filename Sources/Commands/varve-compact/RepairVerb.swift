internal import Core
internal import Files
internal import JSON
internal import Offline
internal import Storage

/// `repair`: takes out what is damaged.
enum RepairVerb: Verb {
    static let name = "repair"
    static let summary = "take out what is damaged, keep the rest, and say what was lost"
    static let synopsis = "DIR [--dry-run] [--json]"
    static let notes = """
        Parts are written anew without their damaged blocks, dictionary pages and indexes; a damaged catalog is made anew from
        what is left of it and from the parts; damaged ranges of the log are cut out. What was there before is kept in
        DIR/quarantine, each file with a note. It may be interrupted and started again. --dry-run changes nothing.
        The exit status is 1 if rows were lost, or would be.
        """
    static let options = [
        Options.Definition(name: "dry-run", help: "only say what would be done"),
        Options.Definition(name: "json", help: "one JSON object a line"),
    ]

    static func run(_ options: Options) throws -> ExitStatus {
        Interrupt.install()
        let asJSON = options.has("json")
        let isDryRun = options.has("dry-run")
        let bar = ProgressBar("repair")
        defer { bar.clear() }
        var hasReader = true
        let path = try options.directory()
        let summary = try DirectoryRepair.run(
            path, tables: Selection.tables(), fileSystem: PosixFileSystem(), isDryRun: isDryRun,
            report: { action in
                bar.clear()
                let line = asJSON ? json(action) : Array(text(action).utf8)
                if hasReader { hasReader = Console.write(line, to: 1) }
            },
            progress: { (progress) throws(OfflineError) in try bar.show(progress) })
        bar.clear()
        var output = StandardOutput()
        try output.write(asJSON ? json(summary) : Array(text(summary, path, isDryRun: isDryRun).utf8))
        try output.flush()
        return summary.lostRows > 0 || summary.lostLogBytes > 0 || summary.leftAlone > 0 ? .damage : .done
    }

    private static func text(_ action: RepairAction) -> String {
        let what =
            switch action.kind {
            case .rewrite: "written anew"
            case .drop: "taken out"
            case .forget: "forgotten"
            case .adopt: "taken in"
            case .leaveOut: "left out"
            case .catalog: "catalog"
            case .log: "log"
            case .leaveAlone: "left alone"
            }
        var text = "\(what): \(action.path)"
        if let part = action.part {
            text += "  (\(PartText.table(part)), tenant \(part.record.tenant), "
            text += "partition \(PartText.time(part.record.partition)))"
        }
        text += "\n    why: \(action.reason)\n"
        text += "    lost: \(action.loss ?? "nothing")\n"
        if let place = action.quarantine { text += "    kept in: \(place)\n" }
        return text
    }

    private static func text(_ summary: RepairSummary, _ path: String, isDryRun: Bool) -> String {
        if summary.actions == 0, summary.leftAlone == 0 { return "nothing to repair\n" }
        var text = isDryRun ? "would be lost: " : "lost: "
        text += summary.lostRows > 0 ? "\(Console.grouped(summary.lostRows)) rows" : "no rows"
        if summary.lostLogBytes > 0 { text += ", \(Console.size(summary.lostLogBytes)) of the log" }
        text += "\n"
        if summary.leftAlone > 0 { text += "\(summary.leftAlone) files were left alone; a newer Varve may know them\n" }
        return text
            + (isDryRun ? "nothing was changed\n" : "varve-compact verify \(path) says whether all is well now\n")
    }

    private static func json(_ action: RepairAction) -> [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        json.key("kind")
        json.string("action")
        json.key("action")
        json.string(action.kind.rawValue)
        json.key("path")
        json.string(action.path)
        if let part = action.part { PartText.identity(part, to: &json) }
        json.key("reason")
        json.string(action.reason)
        json.key("lost_rows")
        json.int(action.lostRows)
        json.key("lost_blocks")
        json.int(action.lostBlocks)
        json.key("lost_log_bytes")
        json.int(action.lostBytes)
        if let times = action.lostTimes, action.lostRows > 0 {
            json.key("lost_from")
            json.string(CalendarTime.text(Timestamp(nanoseconds: times.lowerBound)))
            json.key("lost_to")
            json.string(CalendarTime.text(Timestamp(nanoseconds: times.upperBound)))
        }
        if let place = action.quarantine {
            json.key("quarantine")
            json.string(place)
        }
        json.endObject()
        json.newline()
        return json.bytes
    }

    private static func json(_ summary: RepairSummary) -> [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        json.key("kind")
        json.string("summary")
        json.key("actions")
        json.int(summary.actions)
        json.key("lost_rows")
        json.int(summary.lostRows)
        json.key("lost_log_bytes")
        json.int(summary.lostLogBytes)
        json.key("left_alone")
        json.int(summary.leftAlone)
        json.endObject()
        json.newline()
        return json.bytes
    }
}

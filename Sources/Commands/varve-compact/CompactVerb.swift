internal import Offline

/// `compact`: the last merge, now.
enum CompactVerb: Verb {
    static let name = "compact"
    static let summary = "merge the parts of each chosen partition into one, better compressed"
    static let synopsis = "DIR [--table TABLE] [--tenant TENANT] [--partition FROM..TO] [--zstd-level N] [--again]"
    static let notes = """
        Each merge is made visible at one point in time: it may be interrupted at any time (Ctrl-C gives up the merge that is under way;
        kill -9 is safe), and the same command goes on from there. A merge needs as much free disk as its inputs.
        """
    static let options = [
        Selection.table, Selection.tenant, Selection.partition,
        Options.Definition(name: "zstd-level", value: "N", help: "how hard to compress, 1 to 19 (6)"),
        Options.Definition(name: "again", help: "also write partitions anew that have had their last merge"),
    ]

    static func run(_ options: Options) throws -> ExitStatus {
        Interrupt.install()
        var work = Compaction.Options()
        work.again = options.has("again")
        if let level = try options.integer("zstd-level", in: 1...19) { work.zstdLevel = Int32(level) }
        let (directory, selection) = try Selection.openAndRead(options)
        work.selection = selection
        let store = try directory.openStore()
        let bar = ProgressBar("compact")
        defer { bar.clear() }
        let summary = try Compaction.run(store, work) { (progress) throws(OfflineError) in try bar.show(progress) }
        bar.clear()
        var output = StandardOutput()
        try output.write(text(summary))
        try output.flush()
        return .done
    }

    private static func text(_ summary: CompactionSummary) -> String {
        guard summary.merges > 0 else { return "nothing to merge\n" }
        var text = "\(Console.grouped(summary.inputParts)) parts became \(Console.grouped(summary.outputParts)) in "
        text += "\(Console.grouped(summary.partitions)) partitions: \(Console.grouped(summary.rows)) rows, "
        text += "\(Console.size(summary.inputBytes)) became \(Console.size(summary.outputBytes))\n"
        if summary.tooLarge > 0 { text += "\(summary.tooLarge) parts are too large to be merged with others\n" }
        return text
    }
}

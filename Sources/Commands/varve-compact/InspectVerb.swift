internal import Columns
internal import Core
internal import Files
internal import Ingest
internal import JSON
internal import Offline
internal import Parts
internal import Storage
internal import TableSchema

/// `inspect`: what is there.
enum InspectVerb: Verb {
    static let name = "inspect"
    static let summary = "list tables, partitions and parts, and the columns and indexes inside parts"
    static let synopsis = "DIR [--table TABLE] [--tenant TENANT] [--partition FROM..TO] [--part ID] [--json]"
    static let notes = """
        Without --part, a line for each partition and part; with it, also the part's columns: their codecs (how many pages have
        which, and which compression), values, bytes before and after compression, and the least and greatest value.
        --json prints one object a line, with the columns of every part; docs/OPERATING.md, "Offline", lists its members.
        """
    static let options = [
        Selection.table, Selection.tenant, Selection.partition, Selection.part,
        Options.Definition(name: "json", help: "one JSON object a line"),
    ]

    static func run(_ options: Options) throws -> ExitStatus {
        let (directory, selection) = try Selection.openAndRead(options)
        let parts = directory.parts.filter { part in
            guard let range = selection.range, let table = part.table else { return selection.contains(part.record) }
            return selection.contains(part.record)
                && range.overlaps(partitionAt: part.record.partition, unit: table.partitionUnit)
        }
        if let id = selection.part, parts.isEmpty {
            throw OfflineError.unknown(
                "there is no part \(id.number) in \(directory.path); varve-compact inspect lists them")
        }
        let segments: [LogSegment]
        do throws(FileError) {
            segments = try LogInspection.segments(of: directory.path, fileSystem: directory.fileSystem)
        } catch {
            throw OfflineError.file(error)
        }
        var output = StandardOutput()
        let status =
            options.has("json")
            ? try printJSON(directory, parts, segments, to: &output)
            : try printText(directory, parts, segments, withColumns: selection.part != nil, to: &output)
        try output.flush()
        return status
    }

    private static func sizes(_ part: StoredPart, _ directory: DataDirectory) -> Result<
        (Part, [StoredSize]), OfflineError
    > {
        guard let table = part.table else { return .failure(.unknown("only a newer Varve knows the table")) }
        do {
            let file = try directory.fileSystem.open(part.path)
            let opened = try Part(file, table: table)
            return .success((opened, opened.storedSizes(fileLength: try file.size())))
        } catch {
            let reason = (error as? PartError)?.reason ?? "\(error)"
            return .failure(.unknown("\(part.path): \(reason). varve-compact verify says more"))
        }
    }

    // MARK: Text

    private static func printText(
        _ directory: DataDirectory, _ parts: [StoredPart], _ segments: [LogSegment], withColumns: Bool,
        to output: inout StandardOutput
    ) throws -> ExitStatus {
        var status = ExitStatus.done
        try output.write("\(directory.path)\n")
        for damage in directory.catalog.damage {
            try output.write("catalog damaged: \(damage.path), byte \(damage.offset): \(damage.reason)\n")
            status = .damage
        }
        var heading = ""
        for (index, part) in parts.enumerated() {
            let title = "\(PartText.table(part))  tenant \(part.record.tenant)"
            if title != heading {
                heading = title
                let own = parts.filter {
                    $0.record.table == part.record.table && $0.record.tenant == part.record.tenant
                }
                try output.write("\n\(title)  \(totals(own))\n")
            }
            if index == 0 || parts[index - 1].record.partition != part.record.partition
                || parts[index - 1].record.table != part.record.table
                || parts[index - 1].record.tenant != part.record.tenant
            {
                let own = parts.filter {
                    $0.record.table == part.record.table && $0.record.tenant == part.record.tenant
                        && $0.record.partition == part.record.partition
                }
                try output.write("  partition \(PartText.time(part.record.partition))  \(totals(own))\n")
            }
            try output.write(line(part))
            guard withColumns else { continue }
            switch sizes(part, directory) {
            case .success(let (opened, sizes)): try output.write(columns(opened, sizes))
            case .failure(let error):
                Console.error("varve-compact: \(error)\n")
                status = .damage
            }
        }
        for segment in segments {
            try output.write(
                "\nlog  \(segment.path)  \(Console.size(segment.byteCount))  \(Console.grouped(segment.records)) requests\n"
            )
        }
        return status
    }

    private static func totals(_ parts: [StoredPart]) -> String {
        let rows = parts.reduce(0) { $0 + $1.record.rowCount }
        let bytes = parts.reduce(0) { $0 &+ $1.record.byteCount }
        let count = parts.count == 1 ? "1 part" : "\(Console.grouped(parts.count)) parts"
        return "\(count)  \(Console.grouped(rows)) rows  \(Console.size(bytes))"
    }

    private static func line(_ part: StoredPart) -> String {
        let record = part.record
        return "    part \(record.id.number)  level \(record.level)  \(Console.grouped(record.rowCount)) rows  "
            + "\(Console.size(record.byteCount))  \(PartText.time(record.leastTime)) to \(PartText.time(record.greatestTime))\n"
    }

    private static func columns(_ part: Part, _ sizes: [StoredSize]) -> String {
        var text = "      \(part.blockCount) blocks in \(part.groupCount) row groups\n"
        text +=
            "      \(Options.padded("", 40))\(right("values", 13))\(right("raw", 12))\(right("stored", 12))  codecs\n"
        for size in sizes {
            var line = "      \(Options.padded(size.path, 40))\(right(Console.grouped(size.values), 13))"
            line += "\(right(Console.size(Int64(size.rawBytes)), 12))\(right(Console.size(Int64(size.bytes)), 12))  "
            line += PartText.encodings(size)
            if let zone = size.zone { line += "  from \(zone.lowerBound) to \(zone.upperBound)" }
            text += line + "\n"
        }
        return text
    }

    private static func right(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(1, width - text.count)) + text
    }

    // MARK: JSON

    private static func printJSON(
        _ directory: DataDirectory, _ parts: [StoredPart], _ segments: [LogSegment], to output: inout StandardOutput
    ) throws -> ExitStatus {
        var status = ExitStatus.done
        var json = JSONWriter()
        json.beginObject()
        json.key("kind")
        json.string("directory")
        json.key("path")
        json.string(directory.path)
        json.key("parts")
        json.int(parts.count)
        json.key("rows")
        json.int(parts.reduce(0) { $0 + $1.record.rowCount })
        json.key("bytes")
        json.int(parts.reduce(0) { $0 &+ $1.record.byteCount })
        json.key("log_requests")
        json.int(segments.reduce(0) { $0 + $1.records })
        json.key("log_bytes")
        json.int(segments.reduce(0) { $0 + $1.byteCount })
        json.endObject()
        json.newline()
        for damage in directory.catalog.damage {
            status = .damage
            try output.write(json.bytes)
            json.removeAll()
            try output.write(FindingText.json(Finding(.damage, damage.path, offset: damage.offset, damage.reason)))
        }
        for part in parts {
            switch sizes(part, directory) {
            case .success(let (opened, sizes)): write(part, opened, sizes, to: &json)
            case .failure(let error):
                status = .damage
                try output.write(json.bytes)
                json.removeAll()
                try output.write(FindingText.json(Finding(.damage, part.path, part: part, "\(error)")))
            }
            try output.write(json.bytes)
            json.removeAll()
        }
        try output.write(json.bytes)
        return status
    }

    private static func write(_ part: StoredPart, _ opened: Part, _ sizes: [StoredSize], to json: inout JSONWriter) {
        let record = part.record
        json.beginObject()
        json.key("kind")
        json.string("part")
        json.key("path")
        json.string(part.path)
        PartText.identity(part, to: &json)
        for (key, value) in [
            ("level", Int64(record.level)), ("rows", Int64(record.rowCount)), ("bytes", record.byteCount),
            ("blocks", Int64(opened.blockCount)), ("row_groups", Int64(opened.groupCount)),
        ] {
            json.key(key)
            json.int(value)
        }
        json.key("least_time")
        json.string(PartText.time(record.leastTime))
        json.key("greatest_time")
        json.string(PartText.time(record.greatestTime))
        json.key("schema")
        json.string(Hex.string(opened.fingerprint))
        for (key, kinds) in [
            ("columns", [StoredSize.Kind.column, .dictionary]), ("indexes", [.index]), ("footer", [.footer]),
        ] {
            json.key(key)
            json.beginArray()
            for size in sizes where kinds.contains(size.kind) { write(size, to: &json) }
            json.endArray()
        }
        json.endObject()
        json.newline()
    }

    private static func write(_ size: StoredSize, to json: inout JSONWriter) {
        json.beginObject()
        json.key("path")
        json.string(size.path)
        json.key("pages")
        json.int(size.pages)
        json.key("values")
        json.int(size.values)
        json.key("raw_bytes")
        json.int(size.rawBytes)
        json.key("stored_bytes")
        json.int(size.bytes)
        json.key("encodings")
        json.beginObject()
        for (number, count) in size.encodings.sorted(by: { $0.key < $1.key }) {
            json.key(PartText.encoding(number))
            json.int(count)
        }
        json.endObject()
        json.key("compressions")
        json.beginObject()
        for (number, count) in size.compressions.sorted(by: { $0.key < $1.key }) {
            json.key(PartText.compression(number))
            json.int(count)
        }
        json.endObject()
        if let zone = size.zone {
            json.key("least")
            json.int(zone.lowerBound)
            json.key("greatest")
            json.int(zone.upperBound)
        }
        json.endObject()
    }
}

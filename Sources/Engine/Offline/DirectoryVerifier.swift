internal import Columns
internal import Files
internal import Ingest
internal import Parts
internal import Storage
internal import TableSchema

/// What a verification looked at, and what it found.
package struct VerificationSummary: Sendable {
    package var parts = 0
    package var damagedParts = 0
    package var rows = 0
    package var bytes: Int64 = 0
    package var logSegments = 0
    package var logRecords = 0
    package var damage = 0
    package var notes = 0

    package var isClean: Bool { damage == 0 }
}

/// Checks a whole data directory: the catalog, every part that it names, files that it does not name, and the log.
///
/// It goes by the invariants at the head of the catalog's file: 1 and 3 for the catalog, 2 for the files, 5 and 7 and the order of
/// rows inside the parts (`PartVerifier`), 10 for the log and for where rows come from (`PartOrigin`). Invariants 4, 6, 8 and 9 are about what happens over time, which a
/// directory at rest does not show.
package struct DirectoryVerifier {
    private let directory: DataDirectory
    private let report: (Finding) -> Void
    private let progress: (WorkProgress) throws(OfflineError) -> Void
    private var summary = VerificationSummary()
    private var done = WorkProgress()
    /// By partition: what the parts say of where their rows come from.
    private var sources: [PartitionPlace: [(part: StoredPart, sources: PartSources)]] = [:]

    /// - Parameters:
    ///   - report: gets each finding when it is found.
    ///   - progress: is told now and then how far the work has come; throws to end it.
    package static func verify(
        _ directory: DataDirectory, selection: PartSelection = PartSelection(), report: @escaping (Finding) -> Void,
        progress: @escaping (WorkProgress) throws(OfflineError) -> Void = { (_) throws(OfflineError) in }
    ) throws(OfflineError) -> VerificationSummary {
        var verifier = DirectoryVerifier(directory, report, progress)
        try verifier.run(selection)
        return verifier.summary
    }

    private init(
        _ directory: DataDirectory, _ report: @escaping (Finding) -> Void,
        _ progress: @escaping (WorkProgress) throws(OfflineError) -> Void
    ) {
        self.directory = directory
        self.report = report
        self.progress = progress
    }

    private mutating func run(_ selection: PartSelection) throws(OfflineError) {
        checkCatalog()
        let parts = directory.parts.filter { selection.contains($0.record) }
        done.allBytes = parts.reduce(0) { $0 &+ $1.record.byteCount }
        done.allRows = parts.reduce(0) { $0 + $1.record.rowCount }
        for part in parts { try check(part) }
        checkOrigins()
        do throws(FileError) {
            try checkFiles()
            try checkLog()
        } catch {
            throw .file(error)
        }
    }

    private mutating func add(_ finding: Finding) {
        if finding.severity == .damage { summary.damage += 1 } else { summary.notes += 1 }
        report(finding)
    }

    // MARK: The catalog

    private mutating func checkCatalog() {
        for damage in directory.catalog.damage {
            add(Finding(.damage, damage.path, offset: damage.offset, damage.reason))
        }
        if directory.catalog.tornBytes > 0, let path = directory.catalog.path {
            let bytes = directory.catalog.tornBytes
            add(Finding(.note, path, "\(bytes) bytes at the end are no whole record: what was written when power went"))
        }
    }

    // MARK: Parts

    private mutating func check(_ part: StoredPart) throws(OfflineError) {
        let base = done
        defer {
            done.doneBytes = base.doneBytes &+ part.record.byteCount
            done.doneRows = base.doneRows + part.record.rowCount
        }
        summary.parts += 1
        summary.rows += part.record.rowCount
        summary.bytes &+= part.record.byteCount
        guard let table = part.table else {
            let path = "\(directory.path)/parts"
            return add(
                Finding(
                    .note, path, part: part,
                    "part \(part.record.id.number) is of table \(part.record.table.number), which only a newer Varve knows"
                ))
        }
        var isStopped = false
        var read: Int64 = 0
        let (opened, found) = PartCheck.open(part, table, directory.fileSystem) { bytes in
            read += Int64(bytes)
            var now = base
            now.doneBytes &+= min(read, part.record.byteCount)
            now.doneRows +=
                part.record.byteCount > 0
                ? Int(Double(part.record.rowCount) * min(1, Double(read) / Double(part.record.byteCount))) : 0
            do throws(OfflineError) { try progress(now) } catch { isStopped = true }
        }
        if isStopped { throw .interrupted }
        if let opened {
            let sources = opened.sources(number: part.record.id.number)
            self.sources[PartitionPlace(part), default: []].append((part, sources))
        }
        if !found.isClean { summary.damagedParts += 1 }
        for damage in found.damage { add(Finding(damage, of: part)) }
        if found.omitted > 0 { add(Finding(.damage, part.path, part: part, "and \(found.omitted) more")) }
    }

    /// Compares where the rows of parts come from with each other and with the catalog.
    private mutating func checkOrigins() {
        for (_, parts) in sources.sorted(by: { $0.key < $1.key }) {
            for (index, (part, sources)) in parts.enumerated() {
                let record = part.record
                if let other = parts[..<index].first(where: { !$0.sources.isDisjoint(with: sources) }) {
                    let number = other.part.record.id.number
                    add(
                        Finding(
                            .damage, part.path, part: part, "its origin says that part \(number) has some of its rows"))
                }
                let flushed = directory.catalog.flushed[TenantTable(tenant: record.tenant, table: record.table)] ?? 0
                if let last = sources.own.positions.last?.upperBound, last > flushed {
                    add(
                        Finding(
                            .damage, part.path, part: part,
                            "its origin is the log up to position \(last), and the catalog says up to \(flushed)"))
                }
                if let number = sources.own.parts.last, number >= directory.catalog.nextPart {
                    add(Finding(.damage, part.path, part: part, "its origin is part \(number), which there never was"))
                }
            }
        }
    }

    // MARK: Files

    /// Looks for files that no record names (invariant 2), which the next start removes.
    private mutating func checkFiles() throws(FileError) {
        let named = Set(directory.parts.map(\.path))
        for file in try PartFiles.find(directory.path, directory.fileSystem) where !named.contains(file.path) {
            let isAway = file.number.map { directory.catalog.parts[PartID(number: $0)] != nil } ?? false
            add(
                Finding(
                    .note, file.path,
                    isAway
                        ? "the part of that number is in another folder"
                        : "no record names it; the next start removes it"
                ))
        }
    }

    // MARK: The log

    private mutating func checkLog() throws(FileError) {
        let segments = try LogInspection.segments(of: directory.path, fileSystem: directory.fileSystem)
        var last: UInt64 = 0
        for segment in segments {
            summary.logSegments += 1
            summary.logRecords += segment.records
            if let version = segment.unknownVersion {
                add(
                    Finding(
                        .damage, segment.path, offset: 8, "it has version \(version), which this Varve does not know"))
                continue
            }
            for bytes in segment.scan.skipped {
                let length = bytes.upperBound - bytes.lowerBound
                add(Finding(.damage, segment.path, offset: bytes.lowerBound, "\(length) bytes are no record"))
            }
            let more = segment.scan.skippedRecords - segment.scan.skipped.count
            if more > 0 { add(Finding(.damage, segment.path, "and \(more) more")) }
            if segment.scan.tornBytes > 0 {
                add(
                    Finding(
                        .note, segment.path, offset: segment.byteCount - segment.scan.tornBytes,
                        "\(segment.scan.tornBytes) bytes at the end are no whole record: what was written when power went"
                    ))
            }
            if segment.isDisordered || (segment.positions.map { $0.lowerBound <= last } ?? false) {
                add(Finding(.damage, segment.path, "positions do not ascend"))
            }
            last = max(last, segment.positions?.upperBound ?? 0)
        }
    }
}

extension Finding {
    init(_ damage: PartDamage, of part: StoredPart) {
        var block: Int?
        if case .block(let number) = damage.place { block = number }
        self.init(.damage, part.path, part: part, block: block, column: damage.path, damage.reason)
    }
}

/// Checks one part, and that it is the one that the catalog names.
enum PartCheck {
    static func run(
        _ part: StoredPart, _ table: TableDefinition, _ fileSystem: any ReadableFiles,
        progress: (Int) -> Void = { _ in }
    ) -> PartReport {
        open(part, table, fileSystem, progress: progress).report
    }

    static func open(
        _ part: StoredPart, _ table: TableDefinition, _ fileSystem: any ReadableFiles,
        progress: (Int) -> Void = { _ in }
    ) -> (part: Part?, report: PartReport) {
        let file: any ReadableFile
        let size: Int64
        do throws(FileError) {
            file = try fileSystem.open(part.path)
            size = try file.size()
        } catch {
            var report = PartReport()
            report.add(PartDamage(.part, nil, error.isNotFound ? "the file is missing" : "\(error)"))
            return (nil, report)
        }
        var (opened, report) = PartVerifier.verify(file, table: table, progress: progress)
        guard let opened else { return (nil, report) }
        let record = part.record
        if size != record.byteCount {
            report.add(PartDamage(.record, nil, "it has \(size) bytes, and the catalog says \(record.byteCount)"))
        }
        if opened.rowCount != record.rowCount {
            report.add(
                PartDamage(.part, nil, "it has \(opened.rowCount) rows, and the catalog says \(record.rowCount)"))
        }
        if opened.partition != record.partition {
            report.add(PartDamage(.part, nil, "it is of another partition than the catalog says"))
        }
        if opened.leastTime != record.leastTime || opened.greatestTime != record.greatestTime {
            report.add(PartDamage(.record, nil, "its times are not those that the catalog says"))
        }
        return (opened, report)
    }
}

/// The files below `parts/`, whatever the catalog says.
enum PartFiles {
    struct Entry {
        var path: String
        /// Nil if the name is no part's.
        var number: UInt64?
        /// The folders between `parts` and the file.
        var folders: [String]
    }

    static func find(_ directory: String, _ fileSystem: any ReadableFiles) throws(FileError) -> [Entry] {
        guard try fileSystem.exists(directory + "/parts") else { return [] }
        var entries: [Entry] = []
        try add(directory + "/parts", [], fileSystem, &entries)
        return entries
    }

    private static func add(
        _ folder: String, _ folders: [String], _ fileSystem: any ReadableFiles, _ entries: inout [Entry]
    ) throws(FileError) {
        guard folders.count <= 8 else { return }
        for entry in try fileSystem.list(folder) {
            let path = folder + "/" + entry.name
            switch entry.kind {
            case .directory: try add(path, folders + [entry.name], fileSystem, &entries)
            case .file, .other:
                let number = entry.name.hasSuffix(".vp") ? UInt64(entry.name.dropLast(3)) : nil
                entries.append(Entry(path: path, number: number.flatMap { $0 < 1 << 62 ? $0 : nil }, folders: folders))
            }
        }
    }
}

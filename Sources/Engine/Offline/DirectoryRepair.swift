internal import Columns
internal import Core
package import Files
internal import Ingest
internal import Parts
internal import Storage
package import TableSchema

/// Takes out of a directory what is damaged, keeps the rest, and says what was lost.
///
/// 1. A damaged catalog is written anew (`CatalogRepair`).
/// 2. Segments of the log are written anew without their damage, in their place.
/// 3. Every part is verified. One with damage is written anew without the blocks, dictionary pages and indexes that are damaged
///    (`PartSalvage`), and replaced by one record of the catalog, as in a merge; of one that has nothing left, only the record
///    goes.
///
/// Before anything is replaced, what was there is in `quarantine/`, synced. So a repair may end at any time: the next one goes
/// on. What a dry run reports is what a repair does.
package struct DirectoryRepair {
    private let directory: DataDirectory
    private let quarantine: Quarantine
    private let isDryRun: Bool
    private let report: (RepairAction) -> Void
    private let progress: (WorkProgress) throws(OfflineError) -> Void
    private var summary = RepairSummary()

    package static func run(
        _ path: String, tables: TableCatalog, fileSystem: any FileSystem, isDryRun: Bool,
        report: @escaping (RepairAction) -> Void,
        progress: @escaping (WorkProgress) throws(OfflineError) -> Void = { (_) throws(OfflineError) in }
    ) throws(OfflineError) -> RepairSummary {
        let directory = try DataDirectory(path, tables: tables, fileSystem: fileSystem, needsCatalog: false)
        var repair = DirectoryRepair(
            directory: directory, quarantine: Quarantine(directory: path, fileSystem: fileSystem),
            isDryRun: isDryRun, report: report, progress: progress)
        try repair.run()
        return repair.summary
    }

    private init(
        directory: DataDirectory, quarantine: Quarantine, isDryRun: Bool, report: @escaping (RepairAction) -> Void,
        progress: @escaping (WorkProgress) throws(OfflineError) -> Void
    ) {
        self.directory = directory
        self.quarantine = quarantine
        self.isDryRun = isDryRun
        self.report = report
        self.progress = progress
    }

    private var fileSystem: any FileSystem { directory.fileSystem }

    private mutating func run() throws(OfflineError) {
        var parts = directory.parts
        do throws(FileError) {
            let segments = try LogInspection.segments(of: directory.path, fileSystem: fileSystem)
            for segment in segments {
                if let version = segment.unknownVersion {
                    add(
                        RepairAction(
                            .leaveAlone, segment.path, "it has version \(version), which this Varve does not know"))
                }
            }
            if !directory.catalog.damage.isEmpty {
                let plan: CatalogRepair.Plan
                switch Result(catching: { () throws(OfflineError) in try CatalogRepair.plan(directory, segments) }) {
                case .success(let made): plan = made
                case .failure(.file(let error)): throw error
                case .failure: return
                }
                parts = plan.kept
                try replaceCatalog(plan)
            }
            for segment in segments where segment.scan.skippedRecords > 0 { try repair(segment) }
        } catch {
            throw .file(error)
        }
        try repair(parts)
    }

    private mutating func add(_ action: RepairAction) {
        if action.kind == .leaveAlone { summary.leftAlone += 1 } else { summary.actions += 1 }
        summary.lostRows += action.lostRows
        summary.lostLogBytes += action.lostBytes
        report(action)
    }

    // MARK: The catalog

    private mutating func replaceCatalog(_ plan: CatalogRepair.Plan) throws(FileError) {
        for action in plan.actions { add(action) }
        for var action in plan.moves {
            if !isDryRun { action.quarantine = try quarantine.move(action.path, reason: note(action)) }
            add(action)
        }
        let damage = directory.catalog.damage[0]
        var action = RepairAction(
            .catalog, damage.path,
            "damaged at byte \(damage.offset): \(damage.reason); written anew with "
                + "\(plan.kept.count) parts")
        if !isDryRun {
            let next = try nextPart(plan)
            do throws(StorageError) {
                try CatalogReplacement.write(
                    plan.kept.map(\.record), rolledUp: plan.rolledUp, flushed: plan.flushed, nextPart: next,
                    directory: directory.path, fileSystem: fileSystem)
            } catch {
                guard case .file(let error) = error else { preconditionFailure("a log is written, not read") }
                throw error
            }
            // `CURRENT` names the new log by now; the others are of no more use.
            for path in Set(directory.catalog.damage.map(\.path)).sorted() where !path.hasSuffix("/CURRENT") {
                guard try fileSystem.exists(path) else { continue }
                action.quarantine = try quarantine.move(path, reason: note(action))
            }
        }
        add(action)
    }

    /// Above every number that was ever given, as far as that can be known.
    private func nextPart(_ plan: CatalogRepair.Plan) throws(FileError) -> UInt64 {
        let files = try PartFiles.find(directory.path, fileSystem).compactMap(\.number)
        let greatest = max(files.max() ?? 0, plan.kept.map(\.record.id.number).max() ?? 0)
        return max(directory.catalog.nextPart, greatest + 1)
    }

    // MARK: The log

    private mutating func repair(_ segment: LogSegment) throws(FileError) {
        var action = RepairAction(
            .log, segment.path, "\(segment.scan.skippedRecords) places are damaged; written anew without them")
        action.lostBytes = segment.scan.skippedBytes
        if !isDryRun {
            action.quarantine = try keep(segment.path, action)
            var rest = segment
            while rest.scan.skippedRecords > 0 {
                try LogSalvage.rewrite(rest, fileSystem: fileSystem)
                let again = try LogInspection.segments(of: directory.path, fileSystem: fileSystem)
                guard let next = again.first(where: { $0.number == segment.number }),
                    next.scan.skippedRecords < rest.scan.skippedRecords
                else { break }
                rest = next
            }
        }
        add(action)
    }

    // MARK: Parts

    private mutating func repair(_ parts: [StoredPart]) throws(OfflineError) {
        var done = WorkProgress()
        done.allBytes = parts.reduce(0) { $0 &+ $1.record.byteCount }
        done.allRows = parts.reduce(0) { $0 + $1.record.rowCount }
        var damaged: [StoredPart] = []
        for part in parts {
            try progress(done)
            if let table = part.table {
                if !PartCheck.run(part, table, fileSystem).isClean { damaged.append(part) }
            } else {
                add(RepairAction(.leaveAlone, part.path, part: part, "only a newer Varve knows its table"))
            }
            done.doneBytes &+= part.record.byteCount
            done.doneRows += part.record.rowCount
        }
        guard !damaged.isEmpty || !isDryRun else { return }
        var store: Store?
        if !isDryRun {
            directory.unlock()
            do throws(StorageError) {
                store = try Store(directory: directory.path, tables: directory.tables, fileSystem: fileSystem)
            } catch {
                if case .directoryInUse = error { throw .inUse(directory.path) }
                throw .storage(error)
            }
        }
        // The store repairs a torn catalog by itself: what has no file may be gone from it by now.
        let known = store.map { Set($0.allParts.values.joined().map(\.record.id)) }
        for part in damaged {
            try progress(done)
            guard let table = part.table else { continue }
            if known?.contains(part.record.id) ?? true {
                try repair(part, table, store)
            } else {
                var action = RepairAction(.forget, part.path, part: part, "the file is missing")
                action.lostRows = part.record.rowCount
                action.lostTimes = part.record.times
                add(action)
            }
        }
    }

    private mutating func repair(_ part: StoredPart, _ table: TableDefinition, _ store: Store?) throws(OfflineError) {
        let (opened, found) = PartCheck.open(part, table, fileSystem)
        let reasons = found.damage.prefix(3).map { Finding($0, of: part) }.map { finding in
            [finding.block.map { "block \($0)" }, finding.column, finding.reason].compactMap { $0 }.joined(
                separator: ", ")
        }
        let more = found.damage.count + found.omitted - reasons.count
        let reason = reasons.joined(separator: "; ") + (more > 0 ? "; and \(more) more" : "")
        if found.isUnsupported {
            return add(RepairAction(.leaveAlone, part.path, part: part, reason))
        }
        var action = RepairAction(.drop, part.path, part: part, reason)
        guard let opened, PartSalvage.keeps(opened, found).rows > 0 else {
            action.lostRows = part.record.rowCount
            action.lostTimes = part.record.times
            action.lostBlocks = opened?.blockCount ?? 0
            if let store { try drop(part, store, &action) }
            return add(action)
        }
        action.kind = .rewrite
        let loss = PartLoss(opened, found)
        action.lostBlocks = loss.blocks.count
        action.lostRows = loss.rowCount
        action.lostTimes = loss.times
        if let store { try rewrite(part, opened, found, store, &action) }
        add(action)
    }

    /// Why something is in quarantine, and what was lost with it.
    private func note(_ action: RepairAction) -> String {
        var note = action.reason
        if let part = action.part, let table = part.table {
            note += "\nwhat: part \(part.record.id.number) of \(table.name), tenant \(part.record.tenant), partition "
            note += CalendarTime.shortText(Timestamp(nanoseconds: part.record.partition))
        }
        return note + "\nlost: \(action.loss ?? "nothing")"
    }

    /// Copies a file that will be replaced.
    private func keep(_ path: String, _ action: RepairAction) throws(FileError) -> String {
        let file = try fileSystem.open(path)
        defer { file.close() }
        return try quarantine.copy(file, 0..<file.size(), reason: note(action))
    }

    private func drop(_ part: StoredPart, _ store: Store, _ action: inout RepairAction) throws(OfflineError) {
        do throws(FileError) {
            if try fileSystem.exists(part.path) {
                action.quarantine = try quarantine.move(part.path, reason: note(action))
            } else {
                action.kind = .forget
            }
        } catch {
            throw .file(error)
        }
        try commit(CatalogEdit(removed: [part.record.id]), store)
    }

    private func rewrite(
        _ part: StoredPart, _ opened: Part, _ found: PartReport, _ store: Store, _ action: inout RepairAction
    ) throws(OfflineError) {
        let key = TenantTable(tenant: part.record.tenant, table: part.record.table)
        do throws(FileError) {
            let needed = 2 * part.record.byteCount
            let free = try fileSystem.freeSpace(at: directory.path)
            guard free > needed else { throw FileError(.write, part.path, code: Self.noSpace) }
            action.quarantine = try keep(part.path, action)
        } catch {
            throw .file(error)
        }
        let record: PartRecord
        do throws(PartWriteError<SalvageError>) {
            record = try store.writePart(of: key, partition: part.record.partition, level: part.record.level) {
                (file) throws(SalvageError) in
                try PartSalvage.write(
                    opened, without: found,
                    origin: .repaired(
                        level: part.record.level, opened.sources(number: part.record.id.number)), to: file)
            }
        } catch {
            switch error {
            case .storage(let error): throw .storage(error)
            case .body(.file(let error)): throw .file(error)
            case .body(.part(let error)): throw .storage(.part(path: part.path, error))
            }
        }
        let views = store.rolledUp[part.record.id] ?? ViewSet()
        try commit(CatalogEdit(added: [record], removed: [part.record.id], rolledUp: [record.id: views]), store)
    }

    private static let noSpace: Int32 = 28

    private func commit(_ edit: CatalogEdit, _ store: Store) throws(OfflineError) {
        do throws(StorageError) { try store.commit(edit) } catch { throw .storage(error) }
    }
}

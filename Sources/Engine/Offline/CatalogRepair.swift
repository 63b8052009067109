internal import Columns
internal import Core
internal import Files
internal import Ingest
internal import Parts
internal import Storage
internal import TableSchema

/// Decides which parts a directory has whose catalog is damaged: those that the rest of it names, and of the others those whose
/// rows are nowhere else.
///
/// A file that no record names is one of three: what a damaged record added; what a flush or merge had not committed when the
/// process died; or the input of a merge that was not removed yet. Parts say where their rows come from, and `PartResolution`
/// decides. About those of version 1, which do not, their rows decide, partition by partition:
///
/// 1. If its rows are in parts that are kept, it is left out: it was merged into them, or they into it and the merge was not
///    committed.
/// 2. If it holds all rows of some that are kept and none of the others, it takes their place: the record of that merge is what
///    was damaged, and other inputs may be gone.
/// 3. If it shares rows with others in another way, it is left out.
/// 4. If it shares none, it came from a flush. It is left out if the log still has all that was not flushed at the last record
///    that is whole, and the file is younger than that record: then the next start reads its rows from there. Otherwise it is
///    taken in.
///
/// What is left out goes to quarantine, so a wrong decision loses nothing for good.
struct CatalogRepair {
    private struct Candidate {
        var part: StoredPart
        var contents: PartContents
    }

    struct Plan {
        var kept: [StoredPart] = []
        /// Files to be moved to quarantine.
        var moves: [RepairAction] = []
        var actions: [RepairAction] = []
        /// Which views have the rows of parts.
        var rolledUp: [PartID: ViewSet] = [:]
        /// Up to where the log is in parts.
        var flushed: [TenantTable: UInt64] = [:]
    }

    /// A file that no record names.
    private struct Stranger {
        var part: StoredPart
        var origin: PartOrigin?
    }

    private let directory: DataDirectory
    private let segments: [LogSegment]
    private var plan = Plan()

    static func plan(_ directory: DataDirectory, _ segments: [LogSegment]) throws(OfflineError) -> Plan {
        var repair = CatalogRepair(directory, segments)
        do throws(FileError) { try repair.run() } catch { throw .file(error) }
        return repair.plan
    }

    private init(_ directory: DataDirectory, _ segments: [LogSegment]) {
        self.directory = directory
        self.segments = segments
        plan.flushed = directory.catalog.flushed
        plan.rolledUp = directory.catalog.rolledUp
    }

    private mutating func run() throws(FileError) {
        let files = try PartFiles.find(directory.path, directory.fileSystem)
        let paths = Set(files.map(\.path))
        var partitions: [PartitionPlace: [StoredPart]] = [:]
        var candidates: [PartResolution.Candidate] = []
        for part in directory.parts {
            guard let table = part.table else {
                plan.kept.append(part)
                continue
            }
            if paths.contains(part.path) {
                // One that cannot be read is dealt with like any other damage.
                if let file = try? directory.fileSystem.open(part.path), let read = try? Part(file, table: table) {
                    candidates.append(PartResolution.Candidate(part.record, read.origin, isNamed: true))
                } else {
                    partitions[PartitionPlace(part), default: []].append(part)
                }
            } else {
                var action = RepairAction(
                    .forget, part.path, part: part,
                    "the damaged catalog names it, and it is not there: a record that is lost replaced it, or it is lost"
                )
                action.lostRows = part.record.rowCount
                action.lostTimes = part.record.times
                plan.actions.append(action)
            }
        }
        var strangers: [PartitionPlace: [StoredPart]] = [:]
        var known = Dictionary(directory.parts.map { ($0.record.id, $0) }, uniquingKeysWith: { first, _ in first })
        let named = Set(directory.parts.map(\.path))
        for file in files where !named.contains(file.path) && file.path.hasSuffix(".vp") {
            guard let stranger = try stranger(file) else { continue }
            let part = stranger.part
            if let origin = stranger.origin {
                known[part.record.id] = part
                candidates.append(PartResolution.Candidate(part.record, origin, isNamed: false))
            } else {
                strangers[PartitionPlace(part), default: []].append(part)
            }
        }
        for part in resolve(candidates, known) { partitions[PartitionPlace(part), default: []].append(part) }
        for (place, parts) in partitions where strangers[place] == nil { plan.kept += parts }
        for (place, parts) in strangers.sorted(by: { $0.key < $1.key }) {
            decide(partitions[place] ?? [], parts.sorted { $0.record.id > $1.record.id })
        }
        plan.kept.sort { $0.record.id < $1.record.id }
        let kept = Set(plan.kept.map(\.record.id))
        plan.rolledUp = plan.rolledUp.filter { kept.contains($0.key) }
    }

    /// Decides about parts that say where their rows come from.
    private mutating func resolve(
        _ candidates: [PartResolution.Candidate], _ known: [PartID: StoredPart]
    ) -> [StoredPart] {
        let fileSystem = directory.fileSystem
        let resolution = PartResolution(
            candidates, flushed: directory.catalog.flushed,
            logStart: LogSegmentHeader.firstPosition(in: directory.path, fileSystem), marks: directory.catalog.rolledUp
        ) { record in
            guard let part = known[record.id], let table = part.table else { return false }
            return PartCheck.run(part, table, fileSystem).isClean
        }
        plan.flushed = resolution.flushed
        for (id, views) in PartResolution.marks(resolution.kept, candidates, directory.tables) {
            plan.rolledUp[id, default: ViewSet()].formUnion(views)
        }
        for (record, reason) in resolution.left {
            guard let part = known[record.id] else { continue }
            plan.moves.append(RepairAction(.leaveOut, part.path, part: part, reason))
        }
        return resolution.kept.compactMap { record in
            guard let part = known[record.id] else { return nil }
            if directory.catalog.parts[record.id] == nil {
                plan.actions.append(RepairAction(.adopt, part.path, part: part, "its rows are nowhere else"))
            }
            return part
        }
    }

    /// What a file that no record names says of itself; nil if it is no part that one could take in.
    private mutating func stranger(_ file: PartFiles.Entry) throws(FileError) -> Stranger? {
        func leaveOut(_ reason: String) -> Stranger? {
            plan.moves.append(RepairAction(.leaveOut, file.path, reason))
            return nil
        }
        guard let number = file.number, file.folders.count == 3, let tenant = TenantID(file.folders[0]),
            let table = directory.tables.table(named: file.folders[1])
        else {
            plan.actions.append(
                RepairAction(.leaveAlone, file.path, "its place says of no table that this Varve knows"))
            return nil
        }
        if directory.catalog.parts[PartID(number: number)] != nil { return leaveOut("another part has its number") }
        if directory.catalog.removed.contains(PartID(number: number)) { return leaveOut("a record removed it") }
        let opened = try directory.fileSystem.open(file.path)
        let size = try opened.size()
        do throws(PartError) {
            let part = try Part(opened, table: table)
            let record = PartRecord(
                id: PartID(number: number), tenant: tenant, table: table.id, partition: part.partition,
                level: part.origin?.level ?? 0, rowCount: part.rowCount, byteCount: size, leastTime: part.leastTime,
                greatestTime: part.greatestTime)
            guard Store.path(record, table, directory.path) == file.path else {
                return leaveOut("it is not in its partition's folder")
            }
            return Stranger(
                part: StoredPart(record: record, table: table, path: file.path), origin: part.origin)
        } catch {
            return leaveOut(error.reason)
        }
    }

    /// Decides about the strangers in one partition, the youngest first.
    private mutating func decide(_ named: [StoredPart], _ strangers: [StoredPart]) {
        let rows = (named + strangers).reduce(0) { $0 + $1.record.rowCount }
        // Some four million hashes in memory.
        let share = UInt64(max(1, rows >> 22))
        var kept: [Candidate] = []
        for part in named {
            // One that cannot be read takes no part in the comparison, and is dealt with like any other damage.
            kept.append(Candidate(part: part, contents: contents(part, share) ?? PartContents()))
        }
        for part in strangers {
            guard let contents = contents(part, share) else {
                var action = RepairAction(.leaveOut, part.path, part: part, "nothing of it can be read")
                action.lostRows = part.record.rowCount
                action.lostTimes = part.record.times
                plan.moves.append(action)
                continue
            }
            var all = PartContents()
            for candidate in kept { all.add(candidate.contents) }
            let shared = kept.filter { !$0.contents.isDisjoint(with: contents) }
            let isWhole = shared.allSatisfy { contents.contains($0.contents) }
            // Of a few rows there may be none among those that are looked at: then nothing says that they are elsewhere.
            if !contents.counts.isEmpty, all.contains(contents) {
                plan.moves.append(RepairAction(.leaveOut, part.path, part: part, "all its rows are in other parts"))
            } else if !shared.isEmpty, !isWhole {
                plan.moves.append(RepairAction(.leaveOut, part.path, part: part, "some of its rows are in other parts"))
            } else if shared.isEmpty, logHas(part.record) {
                plan.moves.append(RepairAction(.leaveOut, part.path, part: part, "its rows are in the log"))
            } else {
                for candidate in shared {
                    plan.moves.append(
                        RepairAction(
                            .leaveOut, candidate.part.path, part: candidate.part,
                            "all its rows are in part \(part.record.id.number)"))
                }
                let replaced = Set(shared.map(\.part.record.id))
                kept.removeAll { replaced.contains($0.part.record.id) }
                kept.append(Candidate(part: part, contents: contents))
                plan.actions.append(RepairAction(.adopt, part.path, part: part, "its rows are nowhere else"))
            }
        }
        plan.kept += kept.map(\.part)
    }

    private func contents(_ part: StoredPart, _ share: UInt64) -> PartContents? {
        guard let table = part.table else { return nil }
        let (opened, report) = PartCheck.open(part, table, directory.fileSystem)
        guard let opened, report.dictionaryPages.isEmpty, PartSalvage.keeps(opened, report).rows > 0 else { return nil }
        return try? PartContents(opened, without: report.blocks, share: share)
    }

    /// Whether the log has everything that was flushed to its table after the last record that is whole, and the part came
    /// after that.
    private func logHas(_ record: PartRecord) -> Bool {
        let key = TenantTable(tenant: record.tenant, table: record.table)
        guard let first = segments.compactMap(\.positions?.lowerBound).min() else { return false }
        return first <= (directory.catalog.flushed[key] ?? 0) + 1
            && record.id > directory.catalog.lastFlushed[key] ?? PartID(number: 0)
    }
}

/// One tenant's partition of one table.
struct PartitionPlace: Hashable, Comparable {
    var table: TableID
    var tenant: TenantID
    var start: Int64

    init(_ part: StoredPart) {
        table = part.record.table
        tenant = part.record.tenant
        start = part.record.partition
    }

    static func < (left: Self, right: Self) -> Bool {
        (left.table, left.tenant, left.start) < (right.table, right.tenant, right.start)
    }
}

extension PartRecord {
    /// Nil if the record has them the wrong way round.
    var times: ClosedRange<Int64>? { leastTime <= greatestTime ? leastTime...greatestTime : nil }
}

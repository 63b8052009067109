internal import Core
internal import Files
internal import Parts
internal import TableSchema

/// Finds out which files are parts, where records of the catalog were lost.
struct PartFinder {
    let directory: String
    let tables: TableCatalog
    let fileSystem: any AppendableFiles
    let damage: DamageLog
    /// Parts that a record which is whole removed.
    let removed: Set<PartID>
    /// Whether nothing is written.
    let isReading: Bool
    /// Above every number that a file has or names.
    private(set) var nextPart: UInt64 = 1

    init(
        directory: String, tables: TableCatalog, fileSystem: any AppendableFiles, damage: DamageLog,
        removed: Set<PartID>, isReading: Bool
    ) {
        self.isReading = isReading
        self.directory = directory
        self.tables = tables
        self.fileSystem = fileSystem
        self.damage = damage
        self.removed = removed
    }

    /// - Parameters:
    ///   - logStart: from where on the log has everything.
    ///   - gone: if nothing but the end of the catalog is no record: parts that it names and that have no file.
    /// - Throws: if what is found cannot be made durable.
    mutating func find(
        _ files: [PartFile], _ state: inout CatalogState, logStart: UInt64?, tornAfter gone: [PartRecord]?
    ) throws(StorageError) {
        for file in files { nextPart = max(nextPart, file.id.number + 1) }
        // Of a flush whose record is torn no other parts need to be opened than those of the same partitions.
        let strangers = files.filter { state.parts[$0.id] == nil && !removed.contains($0.id) }
        let folders = Set(strangers.map(\.folder))
        let paths = Dictionary(files.map { ($0.id, $0.path) }, uniquingKeysWith: { first, _ in first })
        let candidates = files.filter { !(gone?.isEmpty ?? false) || folders.contains($0.folder) }.compactMap {
            candidate($0, state, tornAfter: gone)
        }
        guard !candidates.isEmpty else { return }
        for candidate in candidates {
            let rows = [candidate.sources.own] + candidate.sources.aggregated.map(\.rows)
            nextPart = rows.reduce(nextPart) { max($0, ($1.parts.last ?? 0) + 1) }
        }
        let resolution = PartResolution(
            candidates, flushed: state.flushed, logStart: logStart, marks: state.rolledUp
        ) {
            [tables, fileSystem] record in
            paths[record.id].map { Self.isWhole($0, record, tables, fileSystem) } ?? false
        }
        for record in resolution.kept where state.parts[record.id] == nil {
            guard let path = paths[record.id] else { continue }
            do throws(FileError) {
                // What is served is on the disk (invariant 3), and nothing says yet that this file is.
                if !isReading { try sync(path) }
                state.parts[record.id] = record
            } catch {
                throw .file(error)
            }
        }
        for (record, _) in resolution.left {
            state.parts[record.id] = nil
            state.rolledUp[record.id] = nil
        }
        for (id, views) in PartResolution.marks(resolution.kept, candidates, tables) {
            state.rolledUp[id, default: ViewSet()].formUnion(views)
        }
        for (key, position) in resolution.flushed {
            state.flushed[key] = max(state.flushed[key] ?? 0, position)
        }
    }

    /// What a file says of itself; nil if nothing is to be decided about it.
    private func candidate(
        _ file: PartFile, _ state: CatalogState, tornAfter gone: [PartRecord]?
    ) -> PartResolution.Candidate? {
        let named = state.parts[file.id]
        // The part of that number is in another place.
        if let named, tables.table(id: named.table).map({ Store.path(named, $0, directory) }) != file.path {
            return nil
        }
        guard !removed.contains(file.id) else { return nil }
        do throws(StorageError) {
            let (record, part) = try file.read(tables, fileSystem)
            if named == nil, let gone, !Self.mayBeOfLastRecord(record, part.origin, gone, state) { return nil }
            return PartResolution.Candidate(named ?? record, part.origin, isNamed: named != nil)
        } catch {
            // One that the catalog names keeps its place.
            guard named == nil else { return nil }
            let quarantine = Quarantine(directory: directory, fileSystem: fileSystem)
            let place = try? quarantine.move(file.path, reason: "no record names it; \(error)")
            damage.note(Damage(.part, file.path, "\(error)", quarantined: place))
            return nil
        }
    }

    /// Whether a file may be of a part that the last record added, which is torn. Others were dropped, and the power went before
    /// their removal was on the disk.
    private static func mayBeOfLastRecord(
        _ record: PartRecord, _ origin: PartOrigin?, _ gone: [PartRecord], _ state: CatalogState
    ) -> Bool {
        switch origin {
        // That nothing is gone says that the record was never acknowledged.
        case nil: !gone.isEmpty
        case .flushed(let flush)?:
            flush.last > state.flushed[TenantTable(tenant: record.tenant, table: record.table)] ?? 0
        case .aggregated?: false
        // The inputs are taken as long as they are there.
        case .merged?, .repaired?:
            gone.contains {
                $0.tenant == record.tenant && $0.table == record.table && $0.partition == record.partition
            }
        }
    }

    private static func isWhole(
        _ path: String, _ record: PartRecord, _ tables: TableCatalog, _ fileSystem: any ReadableFiles
    ) -> Bool {
        guard let table = tables.table(id: record.table), let file = try? fileSystem.open(path) else {
            return false
        }
        defer { file.close() }
        return PartVerifier.verify(file, table: table).report.isClean
    }

    private func sync(_ path: String) throws(FileError) {
        let file = try fileSystem.open(path, .update)
        defer { file.close() }
        try file.sync()
        try fileSystem.syncDirectory(String(path.prefix(upTo: path.lastIndex(of: "/") ?? path.startIndex)))
    }
}

/// A file in the folders of parts.
struct PartFile {
    let path: String
    let id: PartID
    let tenant: TenantID
    let tableName: String
    let partitionName: String

    /// Its tenant, table and partition.
    var folder: String { "\(tenant.name)/\(tableName)/\(partitionName)" }

    /// Every file that has the name and the place of a part, by number.
    static func all(in directory: String, _ fileSystem: any ReadableFiles) -> [PartFile] {
        func folders(_ path: String) -> [String] {
            ((try? fileSystem.list(path)) ?? []).filter { $0.kind == .directory }.map(\.name)
        }
        var files: [PartFile] = []
        let root = directory + "/parts"
        for tenantName in folders(root) {
            guard let tenant = TenantID(tenantName) else { continue }
            for table in folders("\(root)/\(tenantName)") {
                for partition in folders("\(root)/\(tenantName)/\(table)") {
                    let folder = "\(root)/\(tenantName)/\(table)/\(partition)"
                    for entry in (try? fileSystem.list(folder)) ?? [] where entry.kind == .file {
                        guard entry.name.hasSuffix(".vp"), let number = UInt64(entry.name.dropLast(3)), number < 1 << 62
                        else { continue }
                        files.append(
                            PartFile(
                                path: "\(folder)/\(entry.name)", id: PartID(number: number), tenant: tenant,
                                tableName: table, partitionName: partition))
                    }
                }
            }
        }
        return files.sorted { $0.id < $1.id }
    }

    /// What the catalog would say of it, by its footer.
    func read(
        _ tables: TableCatalog, _ fileSystem: any ReadableFiles
    ) throws(StorageError) -> (record: PartRecord, part: Part) {
        guard let table = tables.table(named: tableName) else {
            throw .part(path: path, .corruptFooter("it is of a table that is not known"))
        }
        do {
            let file = try fileSystem.open(path)
            let part = try Part(file, table: table)
            guard PartitionName.text(part.partition) == partitionName else {
                throw PartError.corruptFooter("it is of another partition than its folder")
            }
            let record = PartRecord(
                id: id, tenant: tenant, table: table.id, partition: part.partition, level: part.origin?.level ?? 0,
                rowCount: part.rowCount, byteCount: try file.size(), leastTime: part.leastTime,
                greatestTime: part.greatestTime)
            return (record, part)
        } catch let error as FileError {
            throw .file(error)
        } catch let error as PartError {
            throw .part(path: path, error)
        } catch {
            throw .part(path: path, .corruptFooter("\(error)"))
        }
    }
}

internal import Core
internal import Files
internal import Parts
internal import TableSchema

/// What is left of a damaged catalog. Nothing is served less than what is there without saying so, and nothing is deleted:
///
/// 1. Every record whose checksum is right counts, also behind damage. A log whose first record is damaged begins with the state
///    of the log before it, which is the same state.
/// 2. If `CURRENT` names no log, the youngest log is used whose first record is whole.
/// 3. Where records were lost, the parts' files say the rest (`adoptFiles`): a file goes only after the record that removed it,
///    so a part that is named and has no file was removed; and a file that no record names or removed was added.
enum CatalogRecovery {
    /// What could not be read.
    struct Loss {
        /// Nothing but the end of the log is no record: as after any loss of power.
        var isTornOnly = false
        /// Files with damage in them, and what it is.
        var logs: [(path: String, reason: String)] = []
        /// Parts that a record which is whole removed.
        var removed: Set<PartID> = []
    }

    struct Found {
        var state = CatalogState()
        /// No log has a greater number.
        var number: UInt64 = 0
        var wasTorn = false
        /// Nil: nothing is damaged.
        var loss: Loss?
    }

    static func load(_ directory: String, _ fileSystem: any FileSystem) throws(StorageError) -> Found {
        let numbers: [UInt64]
        let current: String?
        do throws(FileError) {
            numbers = try fileSystem.list(directory).compactMap { entry in
                CatalogLog.number(of: entry.name).flatMap { entry.name == CatalogLog.name($0) ? $0 : nil }
            }.sorted()
            let path = directory + "/CURRENT"
            current =
                try fileSystem.exists(path)
                ? String(decoding: try fileSystem.open(path, .read).readUpTo(256, at: 0), as: UTF8.self) : nil
        } catch {
            throw .file(error)
        }
        if let current, current.hasSuffix("\n"), let number = CatalogLog.number(of: current), numbers.contains(number) {
            var found = try read(number, numbers, directory, fileSystem)
            if found.loss != nil { found.number = max(number, numbers.last ?? 0) }
            return found
        }
        // A directory that was never opened to the end has no CURRENT either, but then it has no parts.
        var found = try youngest(numbers, directory, fileSystem) ?? Found(number: numbers.last ?? 0)
        var loss = found.loss ?? Loss()
        loss.isTornOnly = false
        if current != nil { loss.logs.append((directory + "/CURRENT", "it names no catalog")) }
        found.loss = loss
        return found
    }

    private static func youngest(
        _ numbers: [UInt64], _ directory: String, _ fileSystem: any FileSystem
    ) throws(StorageError) -> Found? {
        for number in numbers.reversed() {
            let path = directory + "/" + CatalogLog.name(number)
            guard try CatalogLog.read(path, fileSystem).hasBeginning else { continue }
            var found = try read(number, numbers, directory, fileSystem)
            found.number = numbers.last ?? number
            return found
        }
        return nil
    }

    /// Reads a log, with the help of the one before it if need be.
    private static func read(
        _ number: UInt64, _ numbers: [UInt64], _ directory: String, _ fileSystem: any FileSystem
    ) throws(StorageError) -> Found {
        let path = directory + "/" + CatalogLog.name(number)
        var reading = try CatalogLog.read(path, fileSystem)
        if !reading.hasBeginning, number > 0, numbers.contains(number - 1) {
            let before = try CatalogLog.read(directory + "/" + CatalogLog.name(number - 1), fileSystem)
            if before.hasBeginning { reading = try CatalogLog.read(path, base: before.state, fileSystem) }
        }
        var found = Found(state: reading.state, number: number, wasTorn: reading.tornAt != nil)
        if reading.isWhole, found.wasTorn { found.loss = Loss(isTornOnly: true, removed: reading.removed) }
        if !reading.isWhole {
            let reason = reading.damage.prefix(8).map { "\($0.reason) at byte \($0.offset)" }
            found.loss = Loss(logs: [(path, reason.joined(separator: "; "))], removed: reading.removed)
        }
        return found
    }

    // MARK: Files

    /// Makes the state what the files say where records were lost. A log that is merely torn has lost none, unless a part's file
    /// is gone.
    static func adoptFiles(
        into state: inout CatalogState, _ loss: Loss, directory: String, tables: TableCatalog,
        fileSystem: any FileSystem, damage: DamageLog
    ) {
        let files = PartFile.all(in: directory, fileSystem)
        let ids = Set(files.map(\.id))
        let gone = state.parts.values.filter { !ids.contains($0.id) && tables.table(id: $0.table) != nil }
        // The record that was lost may have used their numbers.
        for file in files { state.nextPart = max(state.nextPart, file.id.number + 1) }
        if loss.isTornOnly, gone.isEmpty { return }
        for log in loss.logs { damage.note(Damage(.catalog, log.path, log.reason)) }
        let quarantine = Quarantine(directory: directory, fileSystem: fileSystem)
        var adopted = 0
        for file in files {
            guard state.parts[file.id] == nil, !loss.removed.contains(file.id) else { continue }
            do throws(StorageError) {
                let record = try file.record(tables, fileSystem)
                // What is served is on the disk (invariant 3), and nothing says yet that this file is.
                try sync(file.path, fileSystem)
                state.parts[file.id] = record
                adopted += 1
            } catch {
                let place = try? quarantine.move(file.path, reason: "no record names it; \(error)")
                damage.note(Damage(.part, file.path, "\(error)", quarantined: place))
            }
        }
        // Their files went after the record that removed them, which was lost.
        for record in gone {
            state.parts[record.id] = nil
            state.rolledUp[record.id] = nil
        }
        if adopted + gone.count > 0 {
            let reason =
                "records were lost: \(adopted) parts were found by their files, \(gone.count) have none any more"
            damage.note(Damage(.catalog, directory, reason))
        }
    }
}

extension CatalogRecovery {
    private static func sync(_ path: String, _ fileSystem: any FileSystem) throws(StorageError) {
        do throws(FileError) {
            let file = try fileSystem.open(path, .read)
            defer { file.close() }
            try file.sync()
            try fileSystem.syncDirectory(String(path.prefix(upTo: path.lastIndex(of: "/") ?? path.startIndex)))
        } catch {
            throw .file(error)
        }
    }
}

/// A file in the folders of parts.
struct PartFile {
    let path: String
    let id: PartID
    let tenant: TenantID
    let tableName: String
    let partitionName: String

    /// Every file that has the name and the place of a part, by number.
    static func all(in directory: String, _ fileSystem: any FileSystem) -> [PartFile] {
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
    func record(_ tables: TableCatalog, _ fileSystem: any FileSystem) throws(StorageError) -> PartRecord {
        guard let table = tables.table(named: tableName) else {
            throw .part(path: path, .corruptFooter("it is of a table that is not known"))
        }
        do {
            let file = try fileSystem.open(path, .read)
            let part = try Part(file, table: table)
            guard PartitionName.text(part.partition) == partitionName else {
                throw PartError.corruptFooter("it is of another partition than its folder")
            }
            return PartRecord(
                id: id, tenant: tenant, table: table.id, partition: part.partition, level: 0, rowCount: part.rowCount,
                byteCount: try file.size(), leastTime: part.leastTime, greatestTime: part.greatestTime)
        } catch let error as FileError {
            throw .file(error)
        } catch let error as PartError {
            throw .part(path: path, error)
        } catch {
            throw .part(path: path, .corruptFooter("\(error)"))
        }
    }
}

internal import Files
internal import Parts
internal import TableSchema

/// What is left of a damaged catalog. Nothing is served less than what is there without saying so, and nothing is deleted:
///
/// 1. Every record whose checksum is right counts, also behind damage. A log whose first record is damaged begins with the state
///    of the log before it, which is the same state.
/// 2. If `CURRENT` names no log, the youngest log is used whose first record is whole.
/// 3. Where records were lost, the parts' files say the rest (`adoptFiles`, `PartResolution`): a part that is named and has no file
///    was removed, since a file goes only after the record that removed it; and of the other files their origins say which of them
///    are parts.
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
        /// Nil: nothing is damaged.
        var loss: Loss?
    }

    static func load(_ directory: String, _ fileSystem: any ReadableFiles) throws(StorageError) -> Found {
        let numbers: [UInt64]
        let current: String?
        do throws(FileError) {
            numbers = try fileSystem.list(directory).compactMap { entry in
                CatalogLog.number(of: entry.name).flatMap { entry.name == CatalogLog.name($0) ? $0 : nil }
            }.sorted()
            let path = directory + "/CURRENT"
            current =
                try fileSystem.exists(path)
                ? String(decoding: try fileSystem.open(path).readUpTo(256, at: 0), as: UTF8.self) : nil
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
        _ numbers: [UInt64], _ directory: String, _ fileSystem: any ReadableFiles
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
        _ number: UInt64, _ numbers: [UInt64], _ directory: String, _ fileSystem: any ReadableFiles
    ) throws(StorageError) -> Found {
        let path = directory + "/" + CatalogLog.name(number)
        var reading = try CatalogLog.read(path, fileSystem)
        if !reading.hasBeginning, number > 0, numbers.contains(number - 1) {
            let before = try CatalogLog.read(directory + "/" + CatalogLog.name(number - 1), fileSystem)
            if before.hasBeginning { reading = try CatalogLog.read(path, base: before.state, fileSystem) }
        }
        var found = Found(state: reading.state, number: number)
        if reading.isWhole, reading.tornAt != nil { found.loss = Loss(isTornOnly: true, removed: reading.removed) }
        if !reading.isWhole {
            let reason = reading.damage.prefix(8).map { "\($0.reason) at byte \($0.offset)" }
            found.loss = Loss(logs: [(path, reason.joined(separator: "; "))], removed: reading.removed)
        }
        return found
    }

    // MARK: Files

    /// Makes the state what the files say where records were lost.
    ///
    /// - Parameter isReading: nothing is written, so that what is found is not made durable.
    static func adoptFiles(
        into state: inout CatalogState, _ loss: Loss, directory: String, tables: TableCatalog,
        fileSystem: any AppendableFiles, damage: DamageLog, isReading: Bool = false
    ) throws(StorageError) {
        let files = PartFile.all(in: directory, fileSystem)
        let ids = Set(files.map(\.id))
        let gone = state.parts.values.filter { !ids.contains($0.id) && tables.table(id: $0.table) != nil }
        for log in loss.logs { damage.note(Damage(.catalog, log.path, log.reason)) }
        // Their files went after the record that removed them, which was lost.
        for record in gone {
            state.parts[record.id] = nil
            state.rolledUp[record.id] = nil
        }
        let known = Set(state.parts.keys)
        var finder = PartFinder(
            directory: directory, tables: tables, fileSystem: fileSystem, damage: damage, removed: loss.removed,
            isReading: isReading)
        let logStart = LogSegmentHeader.firstPosition(in: directory, fileSystem)
        try finder.find(files, &state, logStart: logStart, tornAfter: loss.isTornOnly ? Array(gone) : nil)
        // The records that were lost may have used their numbers.
        state.nextPart = max(state.nextPart, finder.nextPart)
        if !loss.isTornOnly, !files.isEmpty || logStart != nil {
            // And numbers of parts of which no trace is left.
            state.nextPart += lostNumbers
        }
        let found = state.parts.keys.count { !known.contains($0) }
        let lost = gone.count + known.count { state.parts[$0] == nil }
        if found + lost > 0 {
            let reason = "records were lost: \(found) parts were found by their files, \(lost) have been removed since"
            damage.note(Damage(.catalog, directory, reason))
        }
    }

    /// More parts than are ever added between two records that are read.
    private static let lostNumbers: UInt64 = 1 << 20
}

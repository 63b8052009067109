internal import Files

/// The store-wide log of which parts there are. The engine's invariants, cited by number in tests:
///
/// 1. A part never changes after the record that publishes it; its id is never reused.
/// 2. Only a catalog record makes a part visible; a file that no record names is garbage, removed at open.
/// 3. A catalog record is checksummed, written and synced after every file that it names, and their directory, is synced.
/// 4. A merge replaces its inputs by its outputs in one record, inside one partition, and keeps the multiset of rows.
/// 5. A row's partition follows from its partition column alone; retention drops whole partitions first.
/// 6. A snapshot's files live until it is released.
/// 7. A skip index may say "maybe" wrongly, never "no" wrongly.
/// 8. A scan of a snapshot gives the same rows whatever merges run meanwhile.
/// 9. A rollup row equals the aggregate of its bucket's rows, and can be rebuilt from them while those live.
/// 10. Acknowledged means on disk: a crash loses nothing that was answered with success, and shows nothing twice.
///
/// `CURRENT` names the log in use. At open the log is read, and its state written as the first record of a new log; the log before
/// it is kept until the next. What is torn at the end of a log was never acknowledged, and is dropped. Damage anywhere else costs
/// the records that it hit: `CatalogRecovery` makes the best of the others (docs/decisions/0022).
struct Catalog: ~Copyable {
    /// A log that has grown to this size is replaced by one that holds its state alone.
    private static let rewriteLength: Int64 = 4 << 20
    /// Of so many tables of tenants each record says how far they were flushed.
    private static let repeatedPositions = 64

    private let directory: String
    private let fileSystem: any AppendableFiles
    private(set) var state: CatalogState
    private var number: UInt64
    /// Nil: nothing is written.
    private var file: (any File)?
    private var length: Int64
    /// What the log was when it began: its state alone.
    private var stateLength: Int64
    /// Whether the log may end in anything, or may not be the current one, since writing failed: nothing more may be appended.
    private var isBroken = false
    /// Parts that were added by edits which failed and may be found at the next open all the same: until a new log has begun, their files
    /// must stay.
    private(set) var doubtful: Set<PartID> = []
    /// Whether the log had something in it, or at its end, that is no record.
    let hasLostRecords: Bool

    /// - Parameter repair: called if records were lost, with what the others say: what it makes of that is the state.
    init(
        directory: String, fileSystem: any AppendableFiles,
        repair: (inout CatalogState, CatalogRecovery.Loss) throws(StorageError) -> Void = {
            (_, _) throws(StorageError) in
        }
    ) throws(StorageError) {
        var found = try CatalogRecovery.load(directory, fileSystem)
        if let loss = found.loss { try repair(&found.state, loss) }
        var next = found.number + 1
        if let loss = found.loss, !loss.isTornOnly {
            // There is no log that could stand in for the first record of the new one. In a new directory it has the number 0.
            let copy = found.number == 0 ? 0 : next
            try Self.begin(copy, found.state, directory, fileSystem).file.close()
            next = copy + 1
        }
        let log = try Self.begin(next, found.state, directory, fileSystem)
        self.directory = directory
        self.fileSystem = fileSystem
        state = found.state
        number = next
        file = log.file
        length = log.length
        stateLength = log.length
        hasLostRecords = found.loss != nil
        let quarantine = Quarantine(directory: directory, fileSystem: fileSystem)
        // `CURRENT` is a new one by now.
        for damaged in found.loss?.logs ?? [] where CatalogLog.isLog(damaged.path) {
            _ = try? quarantine.move(damaged.path, reason: damaged.reason)
        }
        removeOldLogs()
    }

    /// Reads the catalog of a directory that is not written to.
    ///
    /// - Parameter repair: as above.
    init(
        reading directory: String, fileSystem: any AppendableFiles,
        repair: (inout CatalogState, CatalogRecovery.Loss) throws(StorageError) -> Void
    ) throws(StorageError) {
        var found = try CatalogRecovery.load(directory, fileSystem)
        if let loss = found.loss { try repair(&found.state, loss) }
        self.directory = directory
        self.fileSystem = fileSystem
        state = found.state
        number = found.number
        file = nil
        length = 0
        stateLength = 0
        hasLostRecords = found.loss != nil
    }

    /// Writes and syncs the edit, then makes it part of the state (invariant 3).
    ///
    /// - Throws: if the edit is not part of the state; see `doubtful`.
    mutating func append(_ edit: CatalogEdit) throws(StorageError) {
        guard file != nil else { throw .file(.readOnly(directory)) }
        if let contradiction = state.contradiction(edit) { preconditionFailure(contradiction) }
        if isBroken { try startNewLog(copies: 2) }
        // What was flushed before is said again while it is short, so that damage of one record costs none of that.
        var repeated = edit
        if state.flushed.count + edit.flushed.count <= Self.repeatedPositions {
            repeated.flushed.merge(state.flushed) { max($0, $1) }
        }
        let added = edit.added.reduce(0) { max($0, $1.id.number &+ 1) }
        let record = CatalogLog.record(repeated, nextPart: max(state.nextPart, added))
        do throws(FileError) {
            try file?.append(record)
            try file?.sync()
        } catch {
            // What the log holds behind the last good record is unknown: it is written anew, now or before the next edit.
            do throws(StorageError) {
                try startNewLog(copies: 2)
            } catch {
                doubtful.formUnion(edit.added.map(\.id))
            }
            throw .file(error)
        }
        if let contradiction = state.apply(edit) { preconditionFailure(contradiction) }
        length += Int64(record.count)
        // The edit is on the disk, so a failure here is not its failure.
        if length >= max(Self.rewriteLength, 2 * stateLength) { try? startNewLog() }
    }

    /// Gives out only numbers above `number` from now on, unless it is none that was ever given out.
    mutating func skipNumbers(through number: UInt64) {
        if number < 1 << 61 { state.nextPart = max(state.nextPart, number + 1) }
    }

    /// A number for a part that will be added.
    mutating func takePartID() -> PartID {
        defer { state.nextPart += 1 }
        return PartID(number: state.nextPart)
    }

    /// Goes on in a new log. If that fails, the new log may be the current one all the same, so the old one takes no more edits.
    ///
    /// - Parameter copies: two if the old log may hold an edit that is not part of the state, so that it cannot stand in.
    private mutating func startNewLog(copies: Int = 1) throws(StorageError) {
        isBroken = true
        for _ in 0..<copies {
            number += 1
            file?.close()
            (file, length) = try Self.begin(number, state, directory, fileSystem)
        }
        stateLength = length
        isBroken = false
        doubtful = []
        removeOldLogs()
    }

    /// Writes a log that holds the state, and makes it the current one.
    static func begin(
        _ number: UInt64, _ state: CatalogState, _ directory: String, _ fileSystem: any AppendableFiles
    ) throws(StorageError) -> (file: any File, length: Int64) {
        do throws(FileError) {
            let path = directory + "/" + CatalogLog.name(number)
            if try fileSystem.exists(path) { try fileSystem.remove(path) }
            let file = try fileSystem.open(path, .append)
            let bytes = CatalogLog.header + CatalogLog.record(state.whole, nextPart: state.nextPart)
            try file.append(bytes)
            try file.sync()

            let temporary = directory + "/CURRENT.new"
            if try fileSystem.exists(temporary) { try fileSystem.remove(temporary) }
            let current = try fileSystem.open(temporary, .append)
            try current.append(Array((CatalogLog.name(number) + "\n").utf8))
            try current.sync()
            current.close()
            try fileSystem.syncDirectory(directory)
            try fileSystem.rename(temporary, to: directory + "/CURRENT")
            try fileSystem.syncDirectory(directory)
            return (file, Int64(bytes.count))
        } catch {
            throw .file(error)
        }
    }

    /// The log before the current one holds what that one's first record does, and is kept in case it is damaged. Older ones are of
    /// no use; if one cannot be removed, the next open tries again.
    private func removeOldLogs() {
        guard let entries = try? fileSystem.list(directory) else { return }
        for entry in entries {
            if let old = CatalogLog.number(of: entry.name), old != number, old + 1 != number {
                try? fileSystem.remove(directory + "/" + entry.name)
            }
        }
    }
}

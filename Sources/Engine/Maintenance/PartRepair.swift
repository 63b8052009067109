internal import Columns
internal import Core
internal import Files
package import Parts
package import Storage
internal import Synchronization
internal import TableSchema

/// A part that was written anew without its damaged blocks, so that it can be merged.
package struct PartRepair: Sendable {
    package var part: PartRecord
    package var output: PartRecord
    package var loss: PartLoss
    package var reason: String
    /// Where the damaged pages are kept.
    package var quarantined: String

    package var lostBlocks: Int { loss.blocks.count }
    package var lostRows: Int { loss.rowCount }
}

extension MergeExecutor {
    /// Writes a part that cannot be read anew without its damaged blocks, and puts it in the part's place by one record of the
    /// catalog.
    ///
    /// 1. Every byte of the part is read (`PartVerifier`). What the disk does not give may be there again later: then nothing
    ///    is done. Nor is anything done if a block would go of which all columns can be read, or if no block would be left: then
    ///    queries that do not need what is damaged are served better by the part as it is.
    /// 2. The pages of the damaged blocks are in `quarantine/`, synced, with a note of what is lost, before anything is
    ///    replaced.
    ///
    /// - Returns: nil if the part was left as it is.
    package func repair(_ record: PartRecord) throws(MergeError) -> PartRepair? {
        guard let table = store.tables.table(id: record.table) else { preconditionFailure("no such table") }
        let file: WatchedFile
        do throws(FileError) {
            file = WatchedFile(try store.fileSystem.open(Store.path(record, table, store.directory)))
        } catch {
            throw .file(error)
        }
        defer { file.close() }
        let (opened, report) = PartVerifier.verify(file, table: table)
        if let failure = file.failure { throw .file(failure) }
        guard let part = opened, !report.isUnsupported, PartSalvage.keeps(part, report).rows > 0 else { return nil }
        let loss = PartLoss(part, report)
        guard !loss.blocks.isEmpty || !report.dictionaryPages.isEmpty else { return nil }
        guard !loss.blocks.contains(where: { part.canRead(block: $0) }) else { return nil }
        if let failure = file.failure { throw .file(failure) }
        try checkSpace([record])
        let reason = Self.reason(report)
        let quarantined = try quarantine(
            part.places(of: report), of: file, reason: reason + Self.note(record, table, loss))
        let output = try rewrite(record, part, report)
        do throws(StorageError) {
            let views = store.rolledUp[record.id] ?? ViewSet()
            try store.commit(CatalogEdit(added: [output], removed: [record.id], rolledUp: [output.id: views]))
        } catch {
            throw .storage(error)
        }
        store.damage.note(Damage(.block, file.path, reason, rowCount: loss.rowCount, quarantined: quarantined))
        return PartRepair(part: record, output: output, loss: loss, reason: reason, quarantined: quarantined)
    }

    private func quarantine(
        _ places: [Range<Int64>], of file: any ReadableFile, reason: String
    ) throws(MergeError) -> String {
        do throws(FileError) {
            return try Quarantine(directory: store.directory, fileSystem: store.fileSystem)
                .copy(file, places, reason: reason)
        } catch {
            throw .file(error)
        }
    }

    private func rewrite(
        _ record: PartRecord, _ part: Part, _ report: PartReport
    ) throws(MergeError) -> PartRecord {
        let key = TenantTable(tenant: record.tenant, table: record.table)
        do throws(PartWriteError<SalvageError>) {
            return try store.writePart(of: key, partition: record.partition, level: record.level) {
                (file) throws(SalvageError) in
                try PartSalvage.write(
                    part, without: report,
                    origin: .repaired(level: record.level, part.sources(number: record.id.number)), to: file)
            }
        } catch {
            switch error {
            case .storage(let error): throw .storage(error)
            case .body(.file(let error)): throw .file(error)
            case .body(.part(let error)): throw .unreadable(record.id, error)
            }
        }
    }

    /// What was found, in words.
    private static func reason(_ report: PartReport) -> String {
        let reasons = report.damage.prefix(3).map { damage in
            var place: String?
            if case .block(let block) = damage.place { place = "block \(block)" }
            return [place, damage.path, damage.reason].compactMap { $0 }.joined(separator: ", ")
        }
        let more = report.damage.count + report.omitted - reasons.count
        return reasons.joined(separator: "; ") + (more > 0 ? "; and \(more) more" : "")
    }

    private static func note(_ record: PartRecord, _ table: TableDefinition, _ loss: PartLoss) -> String {
        var note = "\nwhat: part \(record.id.number) of \(table.name), tenant \(record.tenant), partition "
        note += CalendarTime.shortText(Timestamp(nanoseconds: record.partition))
        note += "\nlost: \(loss.rowCount) rows"
        if let times = loss.times {
            note += " from \(CalendarTime.text(Timestamp(nanoseconds: times.lowerBound)))"
            note += " to \(CalendarTime.text(Timestamp(nanoseconds: times.upperBound)))"
        }
        return note + "\nblocks: \(loss.blocks.map(String.init).joined(separator: ", "))"
    }
}

/// A file that is read, and remembers what the disk did not give: that is no damage, which would be there the next time.
private final class WatchedFile: ReadableFile {
    private let file: any ReadableFile
    private let failed = Mutex<FileError?>(nil)

    init(_ file: any ReadableFile) { self.file = file }

    /// The first failure of a read; that the file ends is none.
    var failure: FileError? { failed.withLock { $0 } }
    var path: String { file.path }

    func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int {
        do throws(FileError) {
            return try unsafe file.read(at: offset, into: buffer)
        } catch {
            if !error.isEndOfFile { failed.withLock { $0 = $0 ?? error } }
            throw error
        }
    }

    func size() throws(FileError) -> Int64 { try file.size() }
    func close() { file.close() }
}

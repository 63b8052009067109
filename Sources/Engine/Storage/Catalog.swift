internal import Core
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
/// 9. A rollup row equals the fold of its bucket's rows, and can be rebuilt from them while those live.
/// 10. Acknowledged means on disk: a crash loses nothing that was answered with success, and shows nothing twice.
///
/// `CURRENT` names the log in use. At open the log is read, and its state written as the first record of a new log. A record
/// that is torn at the end of the log was never acknowledged, and is dropped; damage anywhere else is an error, since what
/// follows it cannot be trusted.
struct Catalog: ~Copyable {
    private static let magic: [UInt8] = Array("VARVECAT".utf8)
    private static let version: UInt32 = 1
    private static let headerLength = 16
    private static let recordHeaderLength = 16
    private static let recordLimit = 256 << 20
    /// A log that has grown to this size is replaced by one that holds its state alone.
    private static let rewriteLength: Int64 = 4 << 20

    private let directory: String
    private let fileSystem: any FileSystem
    private(set) var state: CatalogState
    private var number: UInt64
    private var file: any File
    private var length: Int64
    /// What the log was when it began: its state alone.
    private var stateLength: Int64
    /// Whether the log may end in anything, or may not be the current one, since writing failed: nothing more may be appended.
    private var isBroken = false
    /// Whether the edit that failed last may be found at the next open all the same.
    private(set) var mayHoldFailedEdit = false

    init(directory: String, fileSystem: any FileSystem) throws(StorageError) {
        let found = try Self.load(directory, fileSystem)
        let next = found.number + 1
        let log = try Self.begin(next, found.state, directory, fileSystem)
        self.directory = directory
        self.fileSystem = fileSystem
        state = found.state
        number = next
        file = log.file
        length = log.length
        stateLength = log.length
        removeOldLogs()
    }

    private static func load(
        _ directory: String, _ fileSystem: any FileSystem
    ) throws(StorageError) -> (state: CatalogState, number: UInt64) {
        let current = directory + "/CURRENT"
        do {
            guard try fileSystem.exists(current) else { return (CatalogState(), 0) }
            let name = String(decoding: try fileSystem.contents(of: current, limit: 256), as: UTF8.self)
            guard let number = number(ofLog: name) else {
                throw StorageError.corruptCatalog(
                    path: current, offset: 0, reason: "it names no catalog")
            }
            return (try read(directory + "/" + Self.name(number), fileSystem), number)
        } catch let error as FileError {
            throw .file(error)
        } catch let error as StorageError {
            throw error
        } catch {
            throw .corruptCatalog(path: current, offset: 0, reason: "\(error)")
        }
    }

    private static func name(_ number: UInt64) -> String {
        let digits = String(number)
        return "catalog-" + String(repeating: "0", count: max(0, 6 - digits.count)) + digits
    }

    private static func number(ofLog name: String) -> UInt64? {
        guard name.hasPrefix("catalog-") else { return nil }
        return UInt64(name.dropFirst("catalog-".count).filter { $0 != "\n" }).flatMap { $0 < 1 << 62 ? $0 : nil }
    }

    /// Writes and syncs the edit, then makes it part of the state (invariant 3).
    ///
    /// - Throws: if the edit is not part of the state; see `mayHoldFailedEdit`.
    mutating func append(_ edit: CatalogEdit) throws(StorageError) {
        var next = state
        if let contradiction = next.apply(edit) { preconditionFailure(contradiction) }
        mayHoldFailedEdit = false
        if isBroken { try startNewLog() }
        let record = Self.record(edit, nextPart: next.nextPart)
        do throws(FileError) {
            try file.append(record)
            try file.sync()
        } catch {
            // What the log holds behind the last good record is unknown: it is written anew, now or before the next edit.
            do throws(StorageError) { try startNewLog() } catch { mayHoldFailedEdit = true }
            throw .file(error)
        }
        state = next
        length += Int64(record.count)
        // The edit is on the disk, so a failure here is not its failure.
        if length >= max(Self.rewriteLength, 2 * stateLength) { try? startNewLog() }
    }

    /// A number for a part that will be added.
    mutating func takePartID() -> PartID {
        defer { state.nextPart += 1 }
        return PartID(number: state.nextPart)
    }

    /// Goes on in a new log. If that fails, the new log may be the current one all the same, so the old one takes no more edits.
    private mutating func startNewLog() throws(StorageError) {
        isBroken = true
        number += 1
        (file, length) = try Self.begin(number, state, directory, fileSystem)
        stateLength = length
        isBroken = false
        removeOldLogs()
    }

    private static func record(_ edit: CatalogEdit, nextPart: UInt64) -> [UInt8] {
        let payload = CatalogCoding.encode(edit, nextPart: nextPart)
        var record: [UInt8] = []
        withUnsafeBytes(of: UInt64(payload.count).littleEndian) { record.append(contentsOf: $0) }
        withUnsafeBytes(of: XXH3.hash(payload).littleEndian) { record.append(contentsOf: $0) }
        return record + payload
    }

    /// Writes a log that holds the state, and makes it the current one.
    private static func begin(
        _ number: UInt64, _ state: CatalogState, _ directory: String, _ fileSystem: any FileSystem
    ) throws(StorageError) -> (file: any File, length: Int64) {
        do throws(FileError) {
            let path = directory + "/" + name(number)
            if try fileSystem.exists(path) { try fileSystem.remove(path) }
            let file = try fileSystem.open(path, .append)
            var bytes = magic
            withUnsafeBytes(of: version.littleEndian) { bytes.append(contentsOf: $0) }
            bytes.append(contentsOf: [0, 0, 0, 0])
            bytes += record(state.whole, nextPart: state.nextPart)
            try file.append(bytes)
            try file.sync()

            let temporary = directory + "/CURRENT.new"
            if try fileSystem.exists(temporary) { try fileSystem.remove(temporary) }
            let current = try fileSystem.open(temporary, .append)
            try current.append(Array((name(number) + "\n").utf8))
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

    /// Old logs are of no use; if one cannot be removed, the next open tries again.
    private func removeOldLogs() {
        guard let entries = try? fileSystem.list(directory) else { return }
        for entry in entries {
            if let old = Self.number(ofLog: entry.name), old != number {
                try? fileSystem.remove(directory + "/" + entry.name)
            }
        }
    }

    private static func read(
        _ path: String, _ fileSystem: any FileSystem
    ) throws -> CatalogState {
        let file = try fileSystem.open(path, .read)
        defer { file.close() }
        let size = try file.size()
        let header = try file.readExactly(at: 0, count: headerLength)
        guard Array(header[..<8]) == magic else {
            throw StorageError.corruptCatalog(path: path, offset: 0, reason: "it is no catalog")
        }
        let version = UInt32(truncatingIfNeeded: word(header, 8) & 0xFFFF_FFFF)
        guard version == Self.version else {
            throw StorageError.unsupportedCatalog(path: path, version: version)
        }
        var state = CatalogState()
        var offset = Int64(headerLength)
        repeat {
            guard let payload = try record(in: file, at: offset, size) else {
                // The first record was synced before the log became the current one: it cannot be torn.
                if try offset == Int64(headerLength) || hasRecord(in: file, after: offset, size) {
                    throw StorageError.corruptCatalog(
                        path: path, offset: offset, reason: "a record's checksum is wrong")
                }
                break
            }
            guard let (edit, nextPart) = CatalogCoding.decode(payload) else {
                throw StorageError.corruptCatalog(
                    path: path, offset: offset, reason: "a record cannot be understood")
            }
            if let contradiction = state.apply(edit) {
                throw StorageError.corruptCatalog(path: path, offset: offset, reason: contradiction)
            }
            state.nextPart = max(state.nextPart, nextPart)
            offset += Int64(recordHeaderLength + payload.count)
        } while offset < size
        return state
    }

    /// The payload of the record at `offset`, or nil if there is no whole one.
    private static func record(
        in file: any File, at offset: Int64, _ size: Int64
    ) throws -> [UInt8]? {
        guard size - offset >= Int64(recordHeaderLength) else { return nil }
        let header = try file.readExactly(at: offset, count: recordHeaderLength)
        let length = word(header, 0)
        let rest = UInt64(size - offset) - UInt64(recordHeaderLength)
        guard length <= rest, length <= UInt64(recordLimit) else { return nil }
        let payload = try file.readExactly(
            at: offset + Int64(recordHeaderLength), count: Int(length))
        return XXH3.hash(payload) == word(header, 8) ? payload : nil
    }

    /// Whether a whole record begins anywhere behind `offset`, where there is none: then the log is not torn, but damaged. What
    /// a torn record leaves may be anything, its own bytes, zeros or garbage.
    private static func hasRecord(in file: any File, after offset: Int64, _ size: Int64) throws -> Bool {
        let bytes = try file.readUpTo(Int(min(size - offset, Int64(recordLimit))), at: offset)
        guard bytes.count > recordHeaderLength else { return false }
        return bytes.withUnsafeBytes { bytes in
            (1..<(bytes.count - recordHeaderLength)).contains { place in
                let length = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self))
                let checksum = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: place + 8, as: UInt64.self))
                let begin = place + recordHeaderLength
                guard length >= UInt64(CatalogCoding.leastLength), length <= UInt64(bytes.count - begin) else {
                    return false
                }
                return XXH3.hash(UnsafeRawBufferPointer(rebasing: bytes[begin..<(begin + Int(length))])) == checksum
            }
        }
    }

    private static func word(_ bytes: [UInt8], _ at: Int) -> UInt64 {
        bytes.withUnsafeBytes {
            UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: at, as: UInt64.self))
        }
    }
}

package import Files
internal import TableSchema

/// The catalog of a directory as it stands, read without changing anything, and as far as it can be understood.
///
/// Damage does not end the reading: it goes on at the next whole record, as the write-ahead log's reader does. What it finds
/// then is true as far as it goes: an edit that stood where the damage is may be missing from it.
package struct CatalogReading: Sendable {
    /// The log that was read, or nil if there is none.
    package private(set) var path: String?
    package private(set) var parts: [PartID: PartRecord] = [:]
    /// Which views have the rows of parts.
    package private(set) var rolledUp: [PartID: ViewSet] = [:]
    package private(set) var flushed: [TenantTable: UInt64] = [:]
    /// By tenant and table: the greatest number of a part that was there when its rows were last flushed.
    package private(set) var lastFlushed: [TenantTable: PartID] = [:]
    /// Parts that a record removed: a file of theirs is only late to go.
    package private(set) var removed: Set<PartID> = []
    /// Above every part ever named.
    package private(set) var nextPart: UInt64 = 1
    /// Whole records that were understood.
    package private(set) var recordCount = 0
    package private(set) var byteCount: Int64 = 0
    /// Bytes at the end that are no whole record: what a crash tears.
    package private(set) var tornBytes: Int64 = 0
    /// What is wrong, and at which byte of which file.
    package private(set) var damage: [Damage] = []
    /// Whether the log in use is not the one that `CURRENT` names, because that cannot be read.
    package private(set) var isFallback = false
    /// A version that this Varve does not know: nothing may be changed then.
    package private(set) var unknownVersion: UInt32?

    /// A log with more damage than this is given up at that place.
    private static let damageLimit = 100

    package struct Damage: Hashable, Sendable {
        package var path: String
        package var offset: Int64
        package var reason: String
    }

    private init() {}

    /// Of a directory that has lost its catalog.
    package init(missingIn directory: String) {
        damage = [Damage(path: directory + "/CURRENT", offset: 0, reason: "it is missing")]
    }

    /// - Returns: nil if the directory has neither `CURRENT` nor a catalog: it is no data directory.
    package static func read(
        directory: String, fileSystem: any ReadableFiles
    ) throws(FileError) -> CatalogReading? {
        var reading = CatalogReading()
        let current = directory + "/CURRENT"
        let logs = try fileSystem.list(directory).compactMap { CatalogLog.number(of: $0.name) }.sorted()
        var names: [UInt64] = []
        if try fileSystem.exists(current) {
            let bytes = try fileSystem.open(current).readUpTo(256, at: 0)
            let text = String(decoding: bytes, as: UTF8.self)
            if let number = CatalogLog.number(of: text), text == CatalogLog.name(number) + "\n" {
                names = [number]
            } else {
                reading.add(current, 0, "it names no catalog")
            }
        } else if logs.isEmpty {
            return nil
        } else {
            reading.add(current, 0, "it is missing")
        }
        names += logs.reversed().filter { !names.contains($0) }
        for (index, number) in names.enumerated() {
            let path = directory + "/" + CatalogLog.name(number)
            guard try fileSystem.exists(path) else {
                reading.add(path, 0, "it is missing")
                continue
            }
            if try reading.readLog(fileSystem.open(path), before: Self.before(number, directory, fileSystem)) {
                reading.path = path
                reading.isFallback = index > 0 || !reading.damage.isEmpty
                break
            }
            if reading.unknownVersion != nil { break }
        }
        return reading
    }

    private mutating func add(_ path: String, _ offset: Int64, _ reason: String) {
        damage.append(Damage(path: path, offset: offset, reason: reason))
    }

    /// The state that the log before another one ended with, which is what the other began with.
    private static func before(
        _ number: UInt64, _ directory: String, _ fileSystem: any ReadableFiles
    ) throws(FileError) -> CatalogState? {
        let path = directory + "/" + CatalogLog.name(number &- 1)
        guard number > 0, try fileSystem.exists(path) else { return nil }
        guard let reading = try? CatalogLog.read(path, fileSystem), reading.hasBeginning else { return nil }
        return reading.state
    }

    /// - Parameter before: the state to begin with if the first record cannot be read.
    /// - Returns: whether the file is a catalog with at least one whole record, or `before` is known.
    private mutating func readLog(_ file: any ReadableFile, before: CatalogState?) throws(FileError) -> Bool {
        let size = try file.size()
        let header = try file.readUpTo(CatalogLog.headerLength, at: 0)
        guard header.count == CatalogLog.headerLength else {
            add(file.path, 0, "it is no catalog")
            return false
        }
        let version = UInt32(truncatingIfNeeded: CatalogLog.word(header, 8))
        if Array(header[..<8]) != CatalogLog.magic || header[12...] != [0, 0, 0, 0] {
            add(file.path, 0, "its header is damaged")
        } else if !CatalogLog.readVersions.contains(version) {
            add(file.path, 8, "it has version \(version), which this Varve does not know")
            unknownVersion = version
            return false
        }
        var state = CatalogState()
        var offset = Int64(CatalogLog.headerLength)
        var count = 0
        while offset < size {
            if let payload = try CatalogLog.record(in: file, at: offset, size) {
                let isFirst = offset == Int64(CatalogLog.headerLength)
                if apply(payload, to: &state, file.path, offset, isFirst: isFirst) { count += 1 }
                offset += Int64(CatalogLog.recordHeaderLength + payload.count)
            } else if offset == Int64(CatalogLog.headerLength), let before, count == 0, state.parts.isEmpty,
                damage.last?.offset != offset
            {
                add(file.path, offset, "the first record is damaged; the log before this one says what it said")
                state = before
                for key in state.flushed.keys { lastFlushed[key] = PartID(number: max(state.nextPart, 1) - 1) }
                count = 1
                guard let next = try CatalogLog.nextRecord(in: file, after: offset, size).offset else { break }
                offset = next
            } else if damage.count < Self.damageLimit,
                let next = try CatalogLog.nextRecord(in: file, after: offset, size).offset
            {
                add(file.path, offset, "\(next - offset) bytes are no record")
                offset = next
            } else {
                // The first record was synced before the log became the current one: it cannot be torn.
                if count == 0 || damage.count >= Self.damageLimit {
                    add(file.path, offset, "from here on it has no whole record")
                } else {
                    tornBytes = size - offset
                }
                break
            }
        }
        if count == 0, offset >= size, damage.isEmpty { add(file.path, offset, "it has no record") }
        guard count > 0 else { return false }
        parts = state.parts
        rolledUp = state.rolledUp
        flushed = state.flushed
        nextPart = state.nextPart
        recordCount = count
        byteCount = size
        return true
    }

    /// Applies a record as far as that is possible behind damage.
    private mutating func apply(
        _ payload: [UInt8], to state: inout CatalogState, _ path: String, _ offset: Int64, isFirst: Bool
    ) -> Bool {
        guard let (edit, nextPart) = CatalogCoding.decode(payload) else {
            add(path, offset, "a record cannot be understood")
            return false
        }
        removed.formUnion(edit.removed)
        var next = state
        if let contradiction = next.apply(edit) {
            // Behind damage it is what must be expected.
            if damage.isEmpty { add(path, offset, contradiction) }
            state.applyAnyway(edit)
        } else {
            state = next
        }
        for key in edit.flushed.keys {
            let own = edit.added.filter { $0.tenant == key.tenant && $0.table == key.table }.map(\.id).max()
            // The first record is the state of an older log, whatever was flushed last.
            let last = isFirst ? PartID(number: max(nextPart, 1) - 1) : own
            lastFlushed[key] = max(lastFlushed[key] ?? PartID(number: 0), last ?? PartID(number: 0))
        }
        state.nextPart = max(state.nextPart, nextPart)
        return true
    }
}

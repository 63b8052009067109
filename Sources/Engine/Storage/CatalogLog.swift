internal import Core
internal import Files

/// One log of the catalog as a file: its name, its header and its records; docs/FORMAT.md, "Catalog".
enum CatalogLog {
    static let headerLength = 16
    static let recordHeaderLength = 16
    static let magic: [UInt8] = Array("VARVECAT".utf8)
    /// 2 says which views have the rows of parts. 1 is read, and never written.
    static let version: UInt32 = 2
    static let readVersions: ClosedRange<UInt32> = 1...2
    private static let recordLimit = 256 << 20
    /// How many bytes are hashed at most in search of a record behind damage: a log made by an enemy must not cost hours.
    private static let searchLimit = 1 << 30

    /// What reading a log found.
    struct Reading {
        var state = CatalogState()
        /// Whether the first record, which holds the state that the log began with, is whole.
        var hasBeginning = false
        /// Where records cannot be read although others follow, and why.
        var damage: [(offset: Int64, reason: String)] = []
        /// Where bytes begin that are no record, and that no record follows.
        var tornAt: Int64?
        /// All parts that a record removed.
        var removed: Set<PartID> = []

        var isWhole: Bool { hasBeginning && damage.isEmpty }
    }

    static func name(_ number: UInt64) -> String {
        let digits = String(number)
        return "catalog-" + String(repeating: "0", count: max(0, 6 - digits.count)) + digits
    }

    static func number(of name: String) -> UInt64? {
        guard name.hasPrefix("catalog-") else { return nil }
        return UInt64(name.dropFirst("catalog-".count).filter { $0 != "\n" }).flatMap { $0 < 1 << 62 ? $0 : nil }
    }

    static func isLog(_ path: String) -> Bool {
        path.split(separator: "/").last.flatMap { number(of: String($0)) } != nil
    }

    static var header: [UInt8] {
        var bytes = magic
        bytes.append(littleEndian: version)
        return bytes + [0, 0, 0, 0]
    }

    static func record(_ edit: CatalogEdit, nextPart: UInt64) -> [UInt8] {
        let payload = CatalogCoding.encode(edit, nextPart: nextPart)
        var record: [UInt8] = []
        record.append(littleEndian: UInt64(payload.count))
        record.append(littleEndian: XXH3.hash(payload))
        return record + payload
    }

    // MARK: Reading

    /// Reads every record that is whole.
    ///
    /// - Parameter base: the state to begin with if the first record cannot be read.
    /// - Throws: what the file throws, and for a log of a newer Varve; damage does not throw.
    static func read(
        _ path: String, base: CatalogState = CatalogState(), _ fileSystem: any ReadableFiles
    ) throws(StorageError) -> Reading {
        do {
            let file = try fileSystem.open(path)
            defer { file.close() }
            return try read(file, base)
        } catch let error as FileError {
            throw .file(error)
        } catch let error as StorageError {
            throw error
        } catch {
            throw .corruptCatalog(path: path, offset: 0, reason: "\(error)")
        }
    }

    private static func read(_ file: any ReadableFile, _ base: CatalogState) throws -> Reading {
        var reading = Reading()
        let size = try file.size()
        let header = try file.readUpTo(headerLength, at: 0)
        if header.count < headerLength || Array(header[..<8]) != magic {
            reading.damage.append((0, "it is no catalog"))
        } else {
            let version = UInt32(truncatingIfNeeded: word(header, 8) & 0xFFFF_FFFF)
            guard readVersions.contains(version) else {
                throw StorageError.unsupportedCatalog(path: file.path, version: version)
            }
        }
        var offset = Int64(headerLength)
        var isFirst = true
        while isFirst || offset < size {
            if let payload = try record(in: file, at: offset, size) {
                apply(payload, at: offset, isFirst, base, to: &reading)
                offset += Int64(recordHeaderLength + payload.count)
            } else {
                let (next, isSearched) = try nextRecord(in: file, after: offset, size)
                guard isFirst || next != nil || !isSearched else {
                    reading.tornAt = offset
                    return reading
                }
                if isFirst { reading.state = base }
                reading.damage.append((offset, "a record's checksum is wrong"))
                guard let next else { return reading }
                offset = next
            }
            isFirst = false
        }
        return reading
    }

    private static func apply(
        _ payload: [UInt8], at offset: Int64, _ isFirst: Bool, _ base: CatalogState, to reading: inout Reading
    ) {
        guard let (edit, nextPart) = CatalogCoding.decode(payload) else {
            if isFirst { reading.state = base }
            reading.damage.append((offset, "a record cannot be understood"))
            return
        }
        if isFirst { reading.hasBeginning = true }
        reading.removed.formUnion(edit.removed)
        var next = reading.state
        if let contradiction = next.apply(edit) {
            // Behind damage that is to be expected; what the record says was true when it was written.
            reading.damage.append((offset, contradiction))
            next = reading.state
            next.applyAnyway(edit)
        }
        next.nextPart = max(next.nextPart, nextPart)
        reading.state = next
    }

    /// The payload of the record at `offset`, or nil if there is no whole one.
    static func record(in file: any ReadableFile, at offset: Int64, _ size: Int64) throws(FileError) -> [UInt8]? {
        guard size - offset >= Int64(recordHeaderLength) else { return nil }
        let header = try file.readExactly(at: offset, count: recordHeaderLength)
        let length = word(header, 0)
        let rest = UInt64(size - offset) - UInt64(recordHeaderLength)
        guard length <= rest, length <= UInt64(recordLimit) else { return nil }
        let payload = try file.readExactly(at: offset + Int64(recordHeaderLength), count: Int(length))
        return XXH3.hash(payload) == word(header, 8) ? payload : nil
    }

    /// Where the next whole record begins behind `offset`, where there is none: if there is one, the log is not torn, but
    /// damaged. What a torn record leaves may be anything, its own bytes, zeros or garbage.
    ///
    /// - Returns: also whether all of the file was searched.
    static func nextRecord(
        in file: any ReadableFile, after offset: Int64, _ size: Int64
    ) throws(FileError) -> (offset: Int64?, isSearched: Bool) {
        guard size > offset else { return (nil, true) }
        let bytes = try file.readUpTo(Int(min(size - offset, Int64(recordLimit))), at: offset)
        let isAll = Int64(bytes.count) == size - offset
        guard bytes.count > recordHeaderLength else { return (nil, isAll) }
        var hashed = 0
        let span = bytes.span
        for place in 1..<(bytes.count - recordHeaderLength) {
            let length: UInt64 = span.littleEndian(at: place)
            let begin = place + recordHeaderLength
            guard length >= UInt64(CatalogCoding.leastLength), length <= UInt64(bytes.count - begin) else { continue }
            hashed += Int(length)
            guard hashed <= searchLimit else { return (nil, false) }
            let payload = span.extracting(begin..<(begin + Int(length)))
            if XXH3.hash(payload) == span.littleEndian(at: place + 8) { return (offset + Int64(place), true) }
        }
        return (nil, isAll)
    }

    static func word(_ bytes: [UInt8], _ at: Int) -> UInt64 {
        bytes.span.littleEndian(at: at)
    }
}

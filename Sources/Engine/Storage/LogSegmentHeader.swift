internal import Core
package import Files

/// The head of a segment of the write-ahead log; docs/FORMAT.md, "Write-ahead log". The store reads it to know what a log still
/// has, and nothing else of the log.
package enum LogSegmentHeader {
    /// 2 may have bodies in LZ4 frames; else they are the same.
    package static let readVersions: ClosedRange<UInt32> = 1...2
    /// Magic, version, salt, the last durable position before the segment, checksum of all that.
    package static let length = 32
    private static let magic: [UInt8] = Array("VARVEWAL".utf8)

    /// - Parameter salt: goes into every record's checksum, so that a body which holds what looks like a record is not taken for
    ///   one where the log is damaged.
    package static func bytes(durableBefore: UInt64, salt: UInt32 = 0, version: UInt32 = 1) -> [UInt8] {
        var bytes = magic
        bytes.append(littleEndian: version)
        bytes.append(littleEndian: salt)
        bytes.append(littleEndian: durableBefore)
        bytes.append(littleEndian: XXH3.hash(bytes))
        return bytes
    }

    /// - Returns: the last durable position before the segment, or nil if the header is not whole.
    package static func durableBefore(_ header: [UInt8]) -> UInt64? {
        guard header.count == length, Array(header[..<8]) == magic,
            CatalogLog.word(header, 24) == XXH3.hash(Array(header[..<24]))
        else { return nil }
        return CatalogLog.word(header, 16)
    }

    package static func version(of header: [UInt8]) -> UInt32 {
        UInt32(truncatingIfNeeded: CatalogLog.word(header, 8))
    }

    package static func salt(of header: [UInt8]) -> UInt32 {
        header.count >= 16 ? UInt32(truncatingIfNeeded: CatalogLog.word(header, 8) >> 32) : 0
    }

    /// The position from which on the log of a data directory has everything: segments are removed oldest first, and each says
    /// which position was the last durable one before it.
    ///
    /// - Returns: nil if there is no segment whose head can be read.
    package static func firstPosition(in directory: String, _ fileSystem: any ReadableFiles) -> UInt64? {
        let folder = directory + "/wal"
        let names = ((try? fileSystem.list(folder)) ?? []).map(\.name).filter { $0.hasSuffix(".wal") }
        // Numbers have ten digits, and more only when they are greater.
        for name in names.sorted(by: { ($0.utf8.count, $0) < ($1.utf8.count, $1) }) {
            guard let file = try? fileSystem.open(folder + "/" + name) else { continue }
            defer { file.close() }
            if let header = try? file.readUpTo(length, at: 0), let before = durableBefore(header), before < 1 << 62 {
                return before + 1
            }
        }
        return nil
    }
}

package import Files
internal import Storage

/// Writes a segment of the log without the damage in it, in its place.
package enum LogSalvage {
    private static let pieceBytes = 1 << 20

    /// - Parameter segment: as `LogInspection` found it.
    package static func rewrite(_ segment: LogSegment, fileSystem: any AppendableFiles) throws(FileError) {
        let old = try fileSystem.open(segment.path)
        defer { old.close() }
        let temporary = segment.path + ".new"
        if try fileSystem.exists(temporary) { try fileSystem.remove(temporary) }
        let new = try fileSystem.open(temporary, .create)
        defer { new.close() }
        let header = try old.readUpTo(LogSegmentHeader.length, at: 0)
        if LogSegmentHeader.durableBefore(header) == nil {
            // What the header said of earlier segments is lost: all that they hold before this one's first record counts.
            let first = segment.positions?.lowerBound ?? 1
            try new.append(
                LogSegmentHeader.bytes(durableBefore: first - min(first, 1), salt: LogSegmentHeader.salt(of: header)))
        } else {
            try new.append(header)
        }
        var place = Int64(LogSegmentHeader.length)
        let end = segment.byteCount - segment.scan.tornBytes
        for damage in segment.scan.skipped + [end..<end] {
            try copy(old, place..<max(place, damage.lowerBound), to: new)
            place = max(place, damage.upperBound)
        }
        try new.sync()
        try fileSystem.rename(temporary, to: segment.path)
        if let slash = segment.path.lastIndex(of: "/") { try fileSystem.syncDirectory(String(segment.path[..<slash])) }
    }

    private static func copy(_ old: any ReadableFile, _ range: Range<Int64>, to new: any File) throws(FileError) {
        var place = range.lowerBound
        while place < range.upperBound {
            let count = Int(min(Int64(pieceBytes), range.upperBound - place))
            try new.append(try old.readExactly(at: place, count: count))
            place += Int64(count)
        }
    }
}

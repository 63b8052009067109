package import Files
internal import Storage

/// One segment of a log that nobody writes to.
package struct LogSegment: Sendable {
    package var path: String
    package var number: UInt64
    package var byteCount: Int64 = 0
    /// Nil if this Varve knows it.
    package var unknownVersion: UInt32?
    package var scan = SegmentScan()
    package var records = 0
    package var bodyBytes: Int64 = 0
    /// Of its first and last record.
    package var positions: ClosedRange<UInt64>?
    /// When the first and the last of its records came in, nanoseconds since the epoch.
    package var received: ClosedRange<Int64>?
    /// Whether a record's position is not above the one before it.
    package var isDisordered = false
}

/// Reads the log of a data directory without changing anything.
package enum LogInspection {
    /// The segments in the order of their numbers; none if there is no log.
    ///
    /// - Parameter body: gets every whole record.
    package static func segments(
        of directory: String, fileSystem: any ReadableFiles, _ body: (LogSegment, ReplayedRequest) -> Void = { _, _ in }
    ) throws(FileError) -> [LogSegment] {
        let folder = directory + "/wal"
        guard try fileSystem.exists(folder) else { return [] }
        var numbers: [UInt64] = []
        for entry in try fileSystem.list(folder) where entry.kind == .file {
            if let number = LogReplay.number(ofSegment: entry.name) { numbers.append(number) }
        }
        var segments: [LogSegment] = []
        for number in numbers.sorted() {
            segments.append(try segment(number, folder + "/" + LogReplay.name(number), fileSystem, body))
        }
        return segments
    }

    private static func segment(
        _ number: UInt64, _ path: String, _ fileSystem: any ReadableFiles, _ body: (LogSegment, ReplayedRequest) -> Void
    ) throws(FileError) -> LogSegment {
        var segment = LogSegment(path: path, number: number)
        let file = try fileSystem.open(path)
        defer { file.close() }
        segment.byteCount = try file.size()
        let header = try file.readUpTo(LogSegmentHeader.length, at: 0)
        if LogSegmentHeader.durableBefore(header) != nil,
            !LogSegmentHeader.readVersions.contains(LogSegmentHeader.version(of: header))
        {
            segment.unknownVersion = LogSegmentHeader.version(of: header)
            return segment
        }
        segment.scan = try LogReader.read(file) { record in
            segment.records += 1
            segment.bodyBytes += Int64(record.request.body.count)
            let last = segment.positions?.upperBound ?? 0
            if record.position <= last { segment.isDisordered = true }
            let first = segment.positions?.lowerBound ?? record.position
            segment.positions = min(first, record.position)...max(last, record.position)
            let time = record.request.received
            segment.received =
                min(segment.received?.lowerBound ?? time, time)...max(segment.received?.upperBound ?? time, time)
            body(segment, record)
        }
        return segment
    }
}

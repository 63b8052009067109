package import Files
internal import Storage

/// Reads the segments of a log in order, and hands over the records that were durable when it was written last. It writes nothing.
package struct LogReplay: Sendable {
    /// A segment, and the position above which a later segment disowns its records.
    struct Segment {
        let number: UInt64
        let limit: UInt64
    }

    private let directory: String
    private let fileSystem: any ReadableFiles
    let segments: [Segment]

    /// - Parameter directory: of the segments; there may be none.
    package init(directory: String, fileSystem: any ReadableFiles) throws(FileError) {
        self.directory = directory
        self.fileSystem = fileSystem
        segments = try Self.find(directory, fileSystem)
    }

    static func name(_ number: UInt64) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, 10 - digits.count)) + digits + ".wal"
    }

    static func number(ofSegment name: String) -> UInt64? {
        guard let number = UInt64(name.dropLast(4)), number < 1 << 62, name == Self.name(number) else { return nil }
        return number
    }

    private static func find(_ directory: String, _ fileSystem: any ReadableFiles) throws(FileError) -> [Segment] {
        guard try fileSystem.exists(directory) else { return [] }
        var numbers: [UInt64] = []
        for entry in try fileSystem.list(directory) where entry.name.hasSuffix(".wal") {
            if let number = Self.number(ofSegment: entry.name) { numbers.append(number) }
        }
        var limit = UInt64.max
        var segments: [Segment] = []
        for number in numbers.sorted().reversed() {
            segments.append(Segment(number: number, limit: limit))
            let file = try fileSystem.open(directory + "/" + Self.name(number))
            defer { file.close() }
            let header = try file.readUpTo(LogSegmentHeader.length, at: 0)
            guard let durableBefore = LogSegmentHeader.durableBefore(header) else { continue }
            guard LogSegmentHeader.readVersions.contains(LogSegmentHeader.version(of: header)) else {
                throw .newerFormat(file.path)
            }
            limit = min(limit, durableBefore)
        }
        return segments.reversed()
    }

    /// - Parameters:
    ///   - report: called after each segment with what reading it found, and the last position so far.
    ///   - body: is given each record once, in the order of positions.
    package func run(
        report: (_ segment: any ReadableFile, SegmentScan, _ last: UInt64) throws(FileError) -> Void,
        _ body: (ReplayedRequest) -> Void
    ) throws(FileError) {
        var last: UInt64 = 0
        for segment in segments {
            let file = try fileSystem.open(directory + "/" + Self.name(segment.number))
            defer { file.close() }
            var scan = try LogReader.read(file) { record in
                guard record.position <= segment.limit, record.position > last else { return }
                last = record.position
                body(record)
            }
            // A later segment knows of acknowledged records that should be here: this end was not torn, but damaged.
            if segment.limit != .max, last < segment.limit { scan.countEndAsDamage(try file.size()) }
            try report(file, scan, last)
        }
    }
}

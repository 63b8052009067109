internal import Core
package import Files
internal import Storage

/// A record that was read back.
package struct ReplayedRequest: Sendable {
    package let position: UInt64
    package let request: LoggedRequest
}

/// What reading a segment found.
package struct SegmentScan: Sendable {
    /// The last durable position before the segment; records of earlier segments above it were never acknowledged.
    package var durableBefore: UInt64 = 0
    /// Bytes at the end that are no whole record: what a crash tears.
    package var tornBytes: Int64 = 0
    /// Damaged records that valid ones follow, and their bytes.
    package var skippedRecords = 0
    package var skippedBytes: Int64 = 0
    /// Where they are.
    package var skipped: [Range<Int64>] = []

    mutating func countEndAsDamage(_ size: Int64) {
        guard tornBytes > 0 else { return }
        skip((size - tornBytes)..<size)
        tornBytes = 0
    }

    fileprivate mutating func skip(_ range: Range<Int64>) {
        skippedRecords += 1
        skippedBytes += range.upperBound - range.lowerBound
        skipped.append(range)
    }
}

/// Reads one segment of the log, record by record, in bounded memory. A record that is torn ends it; a damaged record that a
/// valid one follows is skipped and counted.
///
/// Behind damage every byte is tried. Bodies are the senders', so that what is tried may be made to look like records, each of
/// them long: bytes that are read in vain are counted over the whole segment, and what is left when they have become too many
/// is skipped as damage. Reading a segment costs a few times its length, whatever is in it.
package enum LogReader {
    /// Bytes that are read in vain, at most: so many times the segment's length, and so many more.
    private static let searchFactor: Int64 = 4
    private static let searchMargin: Int64 = 64 << 20
    /// How far the positions of neighbouring records may lie apart: all are numbered one by one, but for what could not be written.
    private static let positionGap: UInt64 = 1 << 32

    /// What is looked for behind damage.
    private struct Search {
        let salt: UInt32
        /// The last position that is known to come before.
        var position: UInt64?
        var budget: Int64
        var isExhausted: Bool { budget < 0 }

        func mayFollow(_ next: UInt64) -> Bool {
            guard let position else { return true }
            return next > position && next - position <= positionGap
        }
    }

    /// - Throws: what the file throws; damage does not throw.
    package static func read(
        _ file: any ReadableFile, _ body: (ReplayedRequest) throws(FileError) -> Void
    ) throws(FileError) -> SegmentScan {
        var scan = SegmentScan()
        let size = try file.size()
        let header = try file.readUpTo(LogSegmentHeader.length, at: 0)
        var search = Search(
            salt: LogSegmentHeader.salt(of: header), position: LogSegmentHeader.durableBefore(header),
            budget: searchFactor * size + searchMargin)
        var offset = Int64(LogSegmentHeader.length)
        if let durableBefore = LogSegmentHeader.durableBefore(header) {
            scan.durableBefore = durableBefore
        } else {
            // A header is synced before the first record: behind a damaged one there may be records, behind a torn one none.
            guard let next = try findRecord(in: file, after: offset - 1, size, &search) else {
                scan.tornBytes = size
                if search.isExhausted { scan.countEndAsDamage(size) }
                return scan
            }
            scan.skip(0..<next)
            offset = next
        }
        while offset < size {
            if let (record, length) = try record(in: file, at: offset, size, search.salt) {
                try body(record)
                search.position = record.position
                offset += length
            } else if let next = try findRecord(in: file, after: offset, size, &search) {
                scan.skip(offset..<next)
                offset = next
            } else {
                scan.tornBytes = size - offset
                if search.isExhausted { scan.countEndAsDamage(size) }
                break
            }
        }
        return scan
    }

    private static func record(
        in file: any ReadableFile, at offset: Int64, _ size: Int64, _ salt: UInt32
    ) throws(FileError) -> (ReplayedRequest, Int64)? {
        guard size - offset >= Int64(LogFormat.recordHeaderLength) else { return nil }
        let header = try file.readExactly(at: offset, count: LogFormat.recordHeaderLength)
        let first = LogFormat.word(header, 0)
        let bodyLength = Int(first & 0xFFFF_FFFF)
        let tenantLength = Int(header[7])
        let hasTimes = header[5] & LogFormat.hasTimes != 0
        let restLength = tenantLength + (hasTimes ? LogFormat.timesLength : 0)
        let length = Int64(LogFormat.recordHeaderLength + restLength + bodyLength)
        guard bodyLength <= LogFormat.bodyLimit, length <= size - offset,
            let signal = LoggedRequest.Signal(rawValue: header[4]),
            let format = LoggedRequest.Format(rawValue: header[5] & ~LogFormat.hasTimes),
            let coding = LoggedRequest.Coding(rawValue: header[6])
        else { return nil }
        let at = offset + Int64(LogFormat.recordHeaderLength)
        let rest = try file.readExactly(at: at, count: restLength)
        let body = try file.readExactly(at: at + Int64(restLength), count: bodyLength)
        guard LogFormat.checksum(Array(header[..<24]), rest, body, salt: salt) == LogFormat.word(header, 24),
            LogFormat.word(header, 8) < 1 << 62,
            let tenant = TenantID(String(decoding: rest[..<tenantLength], as: UTF8.self))
        else { return nil }
        var times: ClosedRange<Int64>?
        if hasTimes {
            let first = Int64(bitPattern: LogFormat.word(rest, tenantLength))
            let last = Int64(bitPattern: LogFormat.word(rest, tenantLength + 8))
            guard first <= last else { return nil }
            times = first...last
        }
        let request = LoggedRequest(
            signal: signal, format: format, coding: coding, tenant: tenant,
            received: Int64(bitPattern: LogFormat.word(header, 16)), times: times, body: body)
        return (ReplayedRequest(position: LogFormat.word(header, 8), request: request), length)
    }

    /// The next place behind a damaged record where a valid one begins. Damage is rare: every byte is tried, but only those
    /// where a header could be are read further.
    private static func findRecord(
        in file: any ReadableFile, after offset: Int64, _ size: Int64, _ search: inout Search
    ) throws(FileError) -> Int64? {
        let window = 1 << 20
        var start = offset + 1
        while start < size {
            let bytes = try file.readUpTo(window + LogFormat.recordHeaderLength, at: start)
            guard bytes.count >= LogFormat.recordHeaderLength else { return nil }
            for i in 0...(bytes.count - LogFormat.recordHeaderLength) where i < window {
                guard LoggedRequest.Signal(rawValue: bytes[i + 4]) != nil, bytes[i + 5] & ~LogFormat.hasTimes <= 1,
                    LoggedRequest.Coding(rawValue: bytes[i + 6]) != nil, bytes[i + 7] > 0,
                    bytes[i + 7] <= UInt8(TenantID.longestName)
                else { continue }
                let at = start + Int64(i)
                let bodyLength = Int64(LogFormat.word(bytes, i) & 0xFFFF_FFFF)
                guard bodyLength <= size - at, search.mayFollow(LogFormat.word(bytes, i + 8)) else { continue }
                search.budget -= Int64(LogFormat.recordHeaderLength) + bodyLength
                guard !search.isExhausted else { return nil }
                if try record(in: file, at: at, size, search.salt) != nil { return at }
            }
            start += Int64(window)
        }
        return nil
    }
}

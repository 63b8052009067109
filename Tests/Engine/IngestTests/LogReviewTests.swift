import Core
import Files
import Synchronization
import Testing

@testable import Ingest

/// The write-ahead log where it is damaged, against bodies that try to pass for records.
struct LogReviewTests {
    private let directory: String
    private let disk = PosixFileSystem()

    init() throws {
        directory = "/tmp/varve-log-review-\(UInt64.random(in: 0 ... .max))"
    }

    private func request(_ body: [UInt8], tenant: TenantID = .default) -> LoggedRequest {
        LoggedRequest(
            signal: .traces, format: .protobuf, coding: .identity, tenant: tenant, received: 1, body: body)
    }

    private func log(flushed: UInt64 = 0) -> WriteAheadLog {
        WriteAheadLog(directory: directory, fileSystem: disk, durability: .written, flushed: flushed)
    }

    private func replayed() throws -> (records: [ReplayedRequest], scans: [SegmentScan]) {
        var records: [ReplayedRequest] = []
        var scans: [SegmentScan] = []
        let log = log()
        try log.start(report: { scans.append($1) }, replay: { records.append($0) })
        log.close()
        return (records, scans)
    }

    private func write(_ bodies: [[UInt8]]) throws {
        let log = log()
        try log.start(report: { _, _ in }, replay: { _ in })
        for body in bodies { try log.wait(for: log.enqueue(request(body))) }
        log.close()
    }

    private func change(_ segment: String, _ body: (inout [UInt8]) -> Void) throws {
        let path = directory + "/" + segment
        var bytes = try disk.contents(of: path, limit: 1 << 20)
        body(&bytes)
        try disk.remove(path)
        try disk.open(path, .create).append(bytes)
    }

    @Test(arguments: [1, UInt64.max]) func `a record inside a body is not replayed when the body is torn`(
        position: UInt64
    ) throws {
        let forged = request([1, 2, 3], tenant: try #require(TenantID("victim")))
        let inner = LogFormat.head(forged, position: position) + forged.body
        try write([[7], inner + [UInt8](repeating: 0, count: 100)])
        try change("0000000001.wal") { $0.removeLast(50) }
        let (records, scans) = try replayed()
        #expect(records.map(\.request.body) == [[7]])
        #expect(scans.map(\.skippedRecords) == [0])
    }

    @Test func `a torn body of what looks like long records costs a few times its length`() throws {
        // Every 32 bytes begin a record of half a megabyte, by their own word, whose position is the next.
        var header = Array(LogFormat.head(request([]), position: 3)[..<LogFormat.recordHeaderLength])
        header.replaceSubrange(0..<4, with: [0, 0, 8, 0])
        try write([[7], Array(repeatElement(header, count: 1 << 15).joined())])
        let path = directory + "/0000000001.wal"
        let size = try disk.size(of: path)
        try disk.open(path, .update).truncate(to: size - 50)
        let file = CountingFile(try disk.open(path))
        var bodies: [[UInt8]] = []
        let scan = try LogReader.read(file) { bodies.append($0.request.body) }
        #expect(bodies == [[7]])
        // Without a limit it is 8 GB. What was not searched to its end is not called torn.
        #expect(file.count.withLock { $0 } < 128 << 20)
        #expect(scan.skippedRecords == 1 && scan.tornBytes == 0)
        #expect(scan.skippedBytes == size - 50 - scan.skipped[0].lowerBound)
    }

    @Test func `records behind a damaged header are replayed`() throws {
        try write([[7], [8]])
        try change("0000000001.wal") { $0[20] ^= 1 }
        let (records, scans) = try replayed()
        #expect(records.map(\.request.body) == [[7], [8]])
        #expect(scans.map(\.skippedRecords) == [1])
    }

    @Test func `a header that was not written whole ends an empty segment`() throws {
        try write([[7]])
        try disk.open(directory + "/0000000002.wal", .create).append([UInt8](repeating: 1, count: 9))
        let (records, scans) = try replayed()
        #expect(records.map(\.request.body) == [[7]])
        #expect(scans.map(\.tornBytes) == [0, 9])
    }

    @Test func `a segment of another version is refused, not skipped`() throws {
        try write([[7]])
        try change("0000000001.wal") { bytes in
            bytes[8] = 3
            let hash = XXH3.hash(Array(bytes[..<24]))
            for i in 0..<8 { bytes[24 + i] = UInt8(truncatingIfNeeded: hash >> (8 * UInt64(i))) }
        }
        #expect(throws: FileError.self) { try replayed() }
    }
}

/// Counts the bytes that are read of a file.
private final class CountingFile: ReadableFile {
    private let file: any ReadableFile
    let count = Mutex(0)

    init(_ file: any ReadableFile) { self.file = file }

    var path: String { file.path }

    func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int {
        let read = try file.read(at: offset, into: buffer)
        count.withLock { $0 += read }
        return read
    }

    func size() throws(FileError) -> Int64 { try file.size() }
    func close() { file.close() }
}

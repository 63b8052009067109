import Compression
import Core
import EngineFixtures
import Files
import Ingest
import Randomness
import Storage
import Testing

/// Bodies that the log compresses.
struct LogCompressionTests {
    private static let segment = "/wal/0000000001.wal"
    private static let text = Array(String(repeating: "one line like the other, ", count: 100).utf8)

    private func request(_ body: [UInt8], _ coding: LoggedRequest.Coding = .identity) -> LoggedRequest {
        LoggedRequest(
            signal: .logs, format: .protobuf, coding: coding, tenant: .default, received: 5, times: 1...2, body: body)
    }

    /// The sender's bytes again.
    private func decoded(_ request: LoggedRequest) throws -> [UInt8] {
        switch request.coding {
        case .identity: request.body
        case .zstd: try Zstd.decompress(streamed: request.body, limit: 1 << 20)
        case .lz4: try LZ4.decompress(framed: request.body, limit: 1 << 20)
        case .gzip, .deflate: []
        }
    }

    @Test(arguments: [(LogCompression.zstd, LoggedRequest.Coding.zstd), (.lz4, .lz4)])
    func `a body becomes a frame of the coding that its record names`(
        _ compression: LogCompression, _ coding: LoggedRequest.Coding
    ) throws {
        let compressed = compression.apply(to: request(Self.text))
        #expect(compressed.coding == coding && compressed.body.count < Self.text.count / 4)
        #expect(try decoded(compressed) == Self.text)
        #expect(compressed.received == 5 && compressed.times == 1...2 && compressed.signal == .logs)
    }

    @Test(arguments: LogCompression.allCases)
    func `what would not become shorter stays as it is`(_ compression: LogCompression) {
        var random = SeededRandom(seed: 3)
        for body in [[], [1, 2, 3], random.bytes(5000)] as [[UInt8]] {
            let same = compression.apply(to: request(body))
            #expect(same.coding == .identity && same.body == body)
        }
        for coding in [LoggedRequest.Coding.gzip, .zstd, .deflate] {
            let same = compression.apply(to: request(Self.text, coding))
            #expect(same.coding == coding && same.body == Self.text)
        }
    }

    /// A Varve that does not know LZ4 in logs must refuse such a segment, not take its records for damage.
    @Test(arguments: [(LogCompression.none, UInt32(1)), (.zstd, 1), (.lz4, 2)])
    func `records come back, and a segment says if it may have what older ones do not know`(
        _ compression: LogCompression, _ version: UInt32
    ) throws {
        let disk = SimulatedFileSystem(seed: 1)
        func open(_ compression: LogCompression) throws -> (log: WriteAheadLog, records: [ReplayedRequest]) {
            let log = WriteAheadLog(
                directory: "/wal", fileSystem: disk, durability: .fsync, compression: compression, flushed: 0)
            var records: [ReplayedRequest] = []
            try log.start(report: { _, scan in #expect(scan.skippedRecords == 0) }, replay: { records.append($0) })
            return (log, records)
        }
        let bodies = [Self.text, [], [7], Self.text + [9]]
        let log = try open(compression).log
        for body in bodies { try log.wait(for: log.enqueue(log.compressed(request(body)))) }
        log.close()
        let header = try #require(disk.bytes(of: Self.segment)?.prefix(LogSegmentHeader.length))
        #expect(LogSegmentHeader.version(of: Array(header)) == version)
        // Whatever the setting is by then.
        for next in LogCompression.allCases {
            disk.crash()
            let (log, records) = try open(next)
            log.close()
            #expect(try records.map { try decoded($0.request) } == bodies)
        }
    }

    @Test func `a group is written whole, whatever the lengths of its bodies`() throws {
        let disk = SimulatedFileSystem(seed: 1)
        var random = SeededRandom(seed: 9)
        let log = WriteAheadLog(directory: "/wal", fileSystem: disk, durability: .fsync, flushed: 0)
        try log.start(report: { _, _ in }, replay: { _ in })
        // Below, at and above what is gathered for one write.
        let bodies = [3, 300_000, 10, 200_000, 100_000, 0, 262_144, 5].map { random.bytes($0) }
        var last: UInt64 = 0
        for body in bodies { last = try log.enqueue(request(body)) }
        try log.wait(for: last)
        log.close()
        disk.crash()
        var found: [[UInt8]] = []
        let again = WriteAheadLog(directory: "/wal", fileSystem: disk, durability: .fsync, flushed: 0)
        try again.start(report: { _, _ in }, replay: { found.append($0.request.body) })
        again.close()
        #expect(found == bodies)
    }
}

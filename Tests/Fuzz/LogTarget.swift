import Core
import Corpus
import Files
import Glibc
import Ingest
import Synchronization

/// The reader of write-ahead log segments. Whatever happens to a segment, a record that comes out of it was written.
extension FuzzTarget {
    static let log = FuzzTarget("log", seeds: { [sampleSegment] }) { bytes in
        let file = MemoryFile(Array(bytes))
        do {
            var last = -1
            let scan = try LogReader.read(file) { record in
                precondition(
                    sampleRequests.contains {
                        $0.body == record.request.body && $0.received == record.request.received
                    },
                    "a record that nobody wrote")
                last = Int(record.position)
            }
            precondition(scan.tornBytes >= 0 && scan.tornBytes <= Int64(bytes.count))
            precondition(scan.skippedBytes >= 0 && scan.skippedBytes <= Int64(bytes.count))
            precondition(last < 1 << 20, "a position that nobody gave")
        } catch {
            preconditionFailure("damage is no error: \(error)")
        }
    }

    private static let sampleRequests: [LoggedRequest] = {
        let bodies = requests(.logs).prefix(3) + [[], FullRequests.traces()]
        let compressions = LogCompression.allCases
        return bodies.enumerated().map { number, body in
            let request = LoggedRequest(
                signal: .logs, format: .protobuf, coding: .identity, tenant: .default,
                received: 1_790_000_000_000_000_000 + Int64(number), body: body)
            return compressions[number % compressions.count].apply(to: request)
        }
    }()

    /// A segment as the log writes it.
    private static let sampleSegment: [UInt8] = {
        var template = Array("/tmp/varve-fuzz-log-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { preconditionFailure("no temporary folder") }
        let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let fileSystem = PosixFileSystem()
        return bound {
            let writer = WriteAheadLog(
                directory: folder, fileSystem: fileSystem, durability: .written, compression: .lz4, flushed: 0)
            try writer.start(report: { _, _ in }, replay: { _ in })
            for request in sampleRequests { try writer.wait(for: writer.enqueue(request)) }
            writer.close()
            var bytes: [UInt8] = []
            for entry in try fileSystem.list(folder) {
                bytes = try fileSystem.contents(of: folder + "/" + entry.name, limit: 1 << 24)
                try fileSystem.remove(folder + "/" + entry.name)
            }
            try fileSystem.removeDirectory(folder)
            return bytes
        }
    }()
}

import Core
import EngineFixtures
import Files
import Ingest
import Offline
import Randomness
import Storage
import TableSchema
import Telemetry

/// A whole data directory, damaged anywhere: its files are put back on a disk in memory, and it is verified, repaired and
/// verified once more.
extension FuzzTarget {
    private static let path = "/data"
    private static let trailerLength = 32

    private static let tables = bound {
        TableCatalog(tables: [EveryTypeTable.make()], rollups: [])
    }

    /// Two flushes and a log, as the bytes of all files.
    private static let sampleDirectory: [UInt8] = {
        let disk = SimulatedFileSystem(seed: 1)
        let table = tables.tables[0]
        let key = TenantTable(tenant: .default, table: table.id)
        var random = SeededRandom(seed: 1)
        var style = EveryTypeTable.Style()
        style.spread = 1000
        bound {
            let store = try Store(directory: path, tables: tables, fileSystem: disk)
            for flush in 1...2 {
                let batch = BatchOfCells.make(EveryTypeTable.rows(20, &random, style), table)
                try store.commit(
                    CatalogEdit(
                        added: try store.writeParts(batch, of: key, zstdLevel: 1), flushed: [key: UInt64(flush)]))
            }
            let log = WriteAheadLog(directory: path + "/wal", fileSystem: disk, durability: .fsync, flushed: 2)
            try log.start(report: { _, _ in }, replay: { _ in })
            for number in 0..<3 {
                let request = LoggedRequest(
                    signal: .logs, format: .protobuf, coding: .identity, tenant: .default, received: 1,
                    body: Array(repeating: UInt8(number), count: 20))
                try log.wait(for: log.enqueue(request))
            }
            log.close()
        }
        return pack(disk.files.map { ($0, disk.bytes(of: $0) ?? []) })
    }()

    /// For each file: the length of its path, 2; the length of its bytes, 4; both.
    private static func pack(_ files: [(String, [UInt8])]) -> [UInt8] {
        var bytes: [UInt8] = []
        for (path, content) in files {
            bytes += [UInt8(path.utf8.count & 255), UInt8(path.utf8.count >> 8)]
            for shift in [0, 8, 16, 24] { bytes.append(UInt8(truncatingIfNeeded: content.count >> shift)) }
            bytes += Array(path.utf8) + content
        }
        return bytes
    }

    private static func unpack(_ bytes: [UInt8]) -> [(String, [UInt8])] {
        var files: [(String, [UInt8])] = []
        var rest = bytes[...]
        while rest.count > 6, files.count < 100 {
            let head = Array(rest.prefix(6))
            rest = rest.dropFirst(6)
            let path = rest.prefix(Int(head[0]) | Int(head[1]) << 8)
            rest = rest.dropFirst(path.count)
            let length = (0..<4).reduce(0) { $0 | Int(head[2 + $1]) << (8 * $1) }
            let content = rest.prefix(length)
            rest = rest.dropFirst(content.count)
            files.append((String(decoding: path, as: UTF8.self), Array(content)))
        }
        return files
    }

    /// A footer's checksum made right, which chance would never hit.
    private static func sign(_ file: [UInt8]) -> [UInt8] {
        var file = file
        let trailer = file.count - trailerLength
        guard trailer >= 0 else { return file }
        let offset = file[trailer..<(trailer + 8)].reversed().reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
        guard offset <= UInt64(trailer) else { return file }
        let checksum = XXH3.hash(Array(file[Int(offset)..<trailer]))
        for i in 0..<8 { file[trailer + 16 + i] = UInt8(truncatingIfNeeded: checksum >> UInt64(8 * i)) }
        return file
    }

    static let directory = FuzzTarget("directory", seeds: { [sampleDirectory] }) { bytes in
        let disk = SimulatedFileSystem(seed: 1)
        for (name, content) in unpack(Array(bytes)) where name.hasPrefix(path + "/") && !name.hasSuffix("/") {
            let folder = name.split(separator: "/").dropLast().joined(separator: "/")
            guard name.utf8.count < 300, !name.contains("//"), (try? disk.createDirectory("/" + folder)) != nil,
                let file = try? disk.open(name, .append)
            else { continue }
            try? file.append(name.hasSuffix(".vp") ? sign(content) : content)
            try? file.sync()
        }
        verify(disk)
        for isDryRun in [true, false] {
            _ = try? DirectoryRepair.run(path, tables: tables, fileSystem: disk, isDryRun: isDryRun, report: { _ in })
        }
        verify(disk)
    }

    private static func verify(_ disk: SimulatedFileSystem) {
        guard let directory = try? DataDirectory(path, tables: tables, fileSystem: disk) else { return }
        _ = try? DirectoryVerifier.verify(
            directory, report: { precondition(!$0.text.isEmpty, "a finding says what it is") })
    }
}

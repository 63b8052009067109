import Foundation
import Ingest
import Observability
import Server
import Testing

/// What an engine says of a directory that it cannot open, or that is damaged.
struct EngineStartTests {
    private func message(_ directory: EngineDirectory) throws -> String {
        do {
            try directory.open().close()
        } catch let error as EngineError {
            return error.description
        }
        return "opened"
    }

    /// A directory with one span in a part and one in the log.
    private func filled() throws -> EngineDirectory {
        let directory = EngineDirectory()
        return try directory.withEngine { (engine) throws in
            try engine.send(.traces, Body.traces([1]))
            try engine.flush()
            try engine.send(.traces, Body.traces([2]))
            try engine.send(.traces, Body.traces([3]))
            return try directory.crashed()
        }
    }

    private func edit(_ path: String, _ change: (inout [UInt8]) -> Void) throws {
        var bytes = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
        change(&bytes)
        try Data(bytes).write(to: URL(fileURLWithPath: path))
    }

    private func only(_ directory: EngineDirectory, _ folder: String, prefix: String = "") throws -> String {
        let names = try directory.files(folder).filter { $0.hasPrefix(prefix) }
        try #require(names.count == 1)
        return directory.path + "/" + (folder.isEmpty ? "" : folder + "/") + names[0]
    }

    @Test func `a directory that an engine has open is refused to another`() throws {
        let directory = EngineDirectory()
        try directory.withEngine { (engine) throws in
            #expect(try message(directory) == "\(directory.path) is in use by another process")
            try engine.send(.traces, Body.traces([1]))
            #expect(try engine.spanIDs() == [1])
        }
        #expect(try message(directory) == "opened")
    }

    /// Warnings that name damage, and nothing else that is worse than information.
    private func isReported(_ directory: EngineDirectory) -> Bool {
        let grave = directory.logged.filter { $0.level != .info && $0.level != .debug }
        return !grave.isEmpty
            && grave.allSatisfy {
                $0.level == .warning && $0.message == "stored data is damaged; everything else is served"
            }
    }

    @Test(arguments: [36, 0]) func `damage of the catalog is reported, kept, and costs no row`(byte: Int) throws {
        let directory = try filled()
        let path = try newestCatalog(directory)
        let name = String(path.split(separator: "/").last ?? "")
        // Behind the header of the file and of its first record, where another record follows; or in the magic.
        try edit(path) { $0[byte] ^= 0x40 }
        let damaged = try Data(contentsOf: URL(fileURLWithPath: path))
        #expect(try directory.withEngine { try $0.spanIDs() } == [1, 2, 3])
        #expect(isReported(directory))
        let kept = try directory.files("quarantine").filter { $0.hasPrefix(name) }
        #expect(
            try kept.contains {
                try Data(contentsOf: URL(fileURLWithPath: directory.path + "/quarantine/" + $0)) == damaged
            })
        // What was made of it is whole.
        let reports = directory.logged.count
        #expect(try directory.withEngine { try $0.spanIDs() } == [1, 2, 3])
        #expect(directory.logged.count == reports)
    }

    @Test func `a catalog that nothing names costs no row`() throws {
        let directory = try filled()
        try edit(directory.path + "/CURRENT") { $0 = Array("nonsense".utf8) }
        #expect(try directory.withEngine { try $0.spanIDs() } == [1, 2, 3])
        #expect(isReported(directory))
    }

    /// What the parts' files do not say is how far the log was flushed: its rows may be there twice, as decision 0022 says.
    @Test func `without any catalog the parts' files are adopted, and nothing is lost`() throws {
        let directory = try filled()
        try FileManager.default.removeItem(atPath: try newestCatalog(directory))
        #expect(Set(try directory.withEngine { try $0.spanIDs() }) == [1, 2, 3])
        #expect(isReported(directory))
    }

    @Test func `a catalog of a newer version is refused, and stays as it is`() throws {
        let directory = try filled()
        let path = try newestCatalog(directory)
        try edit(path) { $0[8] = 9 }
        let before = try directory.files()
        let said = try message(directory)
        #expect(said.contains(path) && said.contains("version 9"), "\(said)")
        #expect(try directory.files() == before)
    }

    /// The one that CURRENT names.
    private func newestCatalog(_ directory: EngineDirectory) throws -> String {
        let current = try String(contentsOfFile: directory.path + "/CURRENT", encoding: .utf8)
        return directory.path + "/" + current.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    @Test func `an engine that fails at the log lets go of the directory`() throws {
        let directory = try filled()
        let wal = directory.path + "/wal"
        try FileManager.default.moveItem(atPath: wal, toPath: directory.path + "/kept")
        try Data("not a folder".utf8).write(to: URL(fileURLWithPath: wal))
        for _ in 0..<2 { #expect(try message(directory).hasPrefix("cannot create directory \(wal): ")) }
        try FileManager.default.removeItem(atPath: wal)
        try FileManager.default.moveItem(atPath: directory.path + "/kept", toPath: wal)
        #expect(try directory.withEngine { try $0.spanIDs() } == [1, 2, 3])
    }

    @Test func `a record that was not written whole is dropped and reported`() throws {
        let directory = try filled()
        try edit(try only(directory, "wal")) { $0.removeLast(5) }
        #expect(try directory.withEngine { try $0.spanIDs() } == [1, 2])
        #expect(directory.logged.map(\.message) == ["the log ends in a record that was not written whole"])
        #expect(directory.logged.map(\.level) == [.info])
        #expect(try directory.withEngine { try $0.spanIDs() } == [1, 2])
    }

    @Test func `a record that is damaged is skipped and reported, and those behind it are read`() throws {
        let directory = try filled()
        let body = Body.traces([2])
        try edit(try only(directory, "wal")) { bytes in
            let at = bytes.indices.first { bytes[$0...].starts(with: body) } ?? 0
            bytes[at + body.count / 2] ^= 1
        }
        #expect(try directory.withEngine { try $0.spanIDs() } == [1, 3])
        #expect(isReported(directory))
    }

    @Test func `a damaged header of a segment is reported, and costs no record`() throws {
        let directory = try filled()
        try edit(try only(directory, "wal")) { $0[9] ^= 4 }
        #expect(try directory.withEngine { try $0.spanIDs() } == [1, 2, 3])
        #expect(isReported(directory))
    }

    @Test(arguments: [0, 7, 31, 32])
    func `a segment that was hardly begun holds nothing`(length: Int) throws {
        let directory = try filled()
        try Data(repeating: 0, count: length).write(to: URL(fileURLWithPath: directory.path + "/wal/0000000009.wal"))
        #expect(try directory.withEngine { try $0.spanIDs() } == [1, 2, 3])
        #expect(directory.logged.allSatisfy { $0.level == .info })
    }
}

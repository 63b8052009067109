import Core
import Foundation
import Ingest
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

    @Test func `damage inside the catalog is an error that says where, and changes nothing`() throws {
        let directory = try filled()
        let path = try only(directory, "", prefix: "catalog-")
        // Behind the header of the file and of its first record; another record follows.
        try edit(path) { $0[36] ^= 0x40 }
        let before = try directory.files()
        for _ in 0..<2 {
            let said = try message(directory)
            #expect(said == "the catalog \(path) is damaged at byte 16: a record's checksum is wrong")
        }
        #expect(try directory.files() == before)
        try edit(path) { $0[36] ^= 0x40 }
        #expect(try directory.withEngine { try $0.spanIDs() } == [1, 2, 3])
    }

    @Test func `a catalog that is none, newer or missing is an error that says so`() throws {
        var directory = try filled()
        var path = try only(directory, "", prefix: "catalog-")
        try edit(path) { $0[0] = 0 }
        #expect(try message(directory) == "the catalog \(path) is damaged at byte 0: it is no catalog")
        directory = try filled()
        path = try only(directory, "", prefix: "catalog-")
        try edit(path) { $0[8] = 9 }
        #expect(try message(directory) == "the catalog \(path) has version 9, which this Varve does not know")
        try FileManager.default.removeItem(atPath: path)
        #expect(try message(directory) == "cannot open \(path): No such file or directory")
        directory = try filled()
        path = directory.path + "/CURRENT"
        try edit(path) { $0 = Array("nonsense".utf8) }
        #expect(try message(directory) == "the catalog \(path) is damaged at byte 0: it names no catalog")
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
        #expect(directory.logged.map(\.message) == ["the log is damaged; records were skipped"])
        #expect(directory.logged.map(\.level) == [.error])
    }

    @Test func `a damaged header of a segment is reported, and costs no record`() throws {
        let directory = try filled()
        try edit(try only(directory, "wal")) { $0[9] ^= 4 }
        #expect(try directory.withEngine { try $0.spanIDs() } == [1, 2, 3])
        #expect(directory.logged.map(\.message) == ["the log is damaged; records were skipped"])
        #expect(directory.logged.map(\.level) == [.error])
    }

    @Test(arguments: [0, 7, 31, 32])
    func `a segment that was hardly begun holds nothing`(length: Int) throws {
        let directory = try filled()
        try Data(repeating: 0, count: length).write(to: URL(fileURLWithPath: directory.path + "/wal/0000000009.wal"))
        #expect(try directory.withEngine { try $0.spanIDs() } == [1, 2, 3])
        #expect(directory.logged.allSatisfy { $0.level == .info })
    }
}

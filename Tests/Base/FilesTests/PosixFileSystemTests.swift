import Files
import Foundation
import Testing

/// The door to the disk against a real folder.
struct PosixFileSystemTests {
    let files = PosixFileSystem()
    let root: String

    init() throws {
        root = NSTemporaryDirectory() + "varve-files-\(UUID().uuidString)"
        try files.createDirectory(root)
    }

    private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test func `buffers are appended in order, however many`() throws {
        let file = try files.open("\(root)/a", .append)
        let piece = bytes("0123456789")
        try piece.withUnsafeBytes { buffer in
            let empty = UnsafeRawBufferPointer(rebasing: buffer[0..<0])
            try file.append([empty] + Array(repeating: buffer, count: 3000) + [empty])
        }
        try file.append(bytes("end"))
        #expect(try file.size() == 30_003)
        let content = try file.readExactly(at: 0, count: 30_003)
        #expect(content == Array(repeating: piece, count: 3000).flatMap { $0 } + bytes("end"))
        #expect(try files.size(of: "\(root)/a") == 30_003)
    }

    @Test func `appending goes on at the end after reopening, writing elsewhere and truncating`() throws {
        let path = "\(root)/b"
        try files.open(path, .create).append(bytes("abcdef"))
        let file = try files.open(path, .update)
        try bytes("XY").withUnsafeBytes { try file.write($0, at: 1) }
        try file.append(bytes("g"))
        try file.truncate(to: 5)
        try file.append(bytes("h"))
        try file.sync()
        file.close()
        try files.open(path, .append).append(bytes("i"))
        #expect(try files.contents(of: path, limit: 100) == bytes("aXYdehi"))
    }

    @Test func `reads end with the file`() throws {
        let file = try files.open("\(root)/c", .create)
        try file.append(bytes("abc"))
        #expect(try file.readUpTo(10, at: 1) == bytes("bc"))
        #expect(try file.readUpTo(10, at: 99) == [])
        #expect(throws: FileError.endOfFile("\(root)/c")) { try file.readExactly(at: 1, count: 3) }
        #expect(throws: FileError.self) { try file.readUpTo(1, at: -1) }
    }

    @Test func `errors name the operation and the path`() throws {
        let missing = "\(root)/none/x"
        let error = #expect(throws: FileError.self) { try files.open(missing) }
        #expect(error?.isNotFound == true)
        #expect(error?.description == "cannot open \(missing): No such file or directory")
        _ = try files.open("\(root)/d", .create)
        #expect(throws: FileError.self) { try files.open("\(root)/d", .create) }
        #expect(throws: FileError.self) { try files.createDirectory("\(root)/d") }
        #expect(throws: FileError.self) { try files.contents(of: "\(root)", limit: 1 << 20) }
        let file = try files.open("\(root)/d")
        file.close()
        file.close()
        #expect(throws: FileError.self) { try file.size() }
    }

    @Test(arguments: [3, 40, 300]) func `files that are put together are all there, or none`(count: Int) throws {
        let objects = (0..<count).map {
            WholeObject(path: "\(root)/t\($0 % 7)/u/\($0)", bytes: Array(repeating: UInt8($0 % 251), count: $0))
        }
        try files.put(objects)
        for object in objects { #expect(try files.contents(of: object.path, limit: 1000) == object.bytes) }
        let others = (0..<count).map { WholeObject(path: "\(root)/v\($0 % 5)/\($0)", bytes: [1]) }
        // The last of them is there already.
        #expect(throws: FileError.self) { try files.put(others + [objects[count - 1]]) }
        for other in others { #expect(try !files.exists(other.path)) }
        #expect(try files.contents(of: objects[count - 1].path, limit: 1000) == objects[count - 1].bytes)
        try files.put([])
    }

    @Test func `what is put is there whole, or not at all`() throws {
        struct Refusal: Error {}
        let path = "\(root)/p/q/r"
        #expect(throws: PutError<Refusal>.self) {
            try files.put(path) { (writer) throws(Refusal) in
                try? writer.append(bytes("half"))
                throw Refusal()
            }
        }
        #expect(try !files.exists(path))
        let length = try files.put(path) { (writer) throws(FileError) in
            try writer.append(bytes("whole"))
            try writer.sync()
            return 5
        }
        #expect(length == 5)
        #expect(try files.contents(of: path, limit: 100) == bytes("whole"))
        #expect(throws: PutError<FileError>.self, "there is one") { try files.put(path) { _ throws(FileError) in } }
        #expect(try files.contents(of: path, limit: 100) == bytes("whole"))
    }

    @Test func `a full device is told apart`() throws {
        let file = try files.open("/dev/full", .update)
        let error = #expect(throws: FileError.self) { try bytes("x").withUnsafeBytes { try file.write($0, at: 0) } }
        #expect(error?.isOutOfSpace == true)
    }

    @Test func `folders are made with those above them, and listed by name`() throws {
        try files.createDirectory("\(root)/x/y/z/")
        try files.createDirectory("\(root)/x/y/z")
        try files.open("\(root)/x/b", .create).append(bytes("1"))
        try files.open("\(root)/x/a", .create).append(bytes("2"))
        #expect(
            try files.list("\(root)/x") == [
                DirectoryEntry(name: "a", kind: .file), DirectoryEntry(name: "b", kind: .file),
                DirectoryEntry(name: "y", kind: .directory),
            ])
        try files.rename("\(root)/x/a", to: "\(root)/x/b")
        #expect(try files.contents(of: "\(root)/x/b", limit: 9) == bytes("2"))
        try files.syncDirectory("\(root)/x")
        try files.remove("\(root)/x/b")
        #expect(try !files.exists("\(root)/x/b"))
        try files.removeDirectory("\(root)/x/y/z")
        #expect(throws: FileError.self) { try files.removeDirectory("\(root)/x") }
        #expect(try files.freeSpace(at: root) > 0)
    }

    @Test func `a lock excludes until it is released`() throws {
        let lock = try files.lock("\(root)/LOCK")
        let error = #expect(throws: FileError.self) { try files.lock("\(root)/LOCK") }
        #expect(error?.isLocked == true)
        lock.unlock()
        try files.lock("\(root)/LOCK").unlock()
    }

    @Test func `an unlinked file is readable while it is open`() throws {
        let file = try files.open("\(root)/e", .create)
        try file.append(bytes("x"))
        try files.remove("\(root)/e")
        #expect(try file.readExactly(at: 0, count: 1) == bytes("x"))
    }
}

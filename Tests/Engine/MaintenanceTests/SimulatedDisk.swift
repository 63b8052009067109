import Files
import Foundation
import Synchronization

/// A file system in memory that can lose power: what was not synced is gone then. From operation `failAt` on, every change
/// fails, as those of a process that has died.
final class SimulatedDisk: FileSystem, @unchecked Sendable {
    fileprivate final class Node {
        var bytes: [UInt8] = []
        var durable: [UInt8] = []
    }

    fileprivate struct State {
        var names: [String: Node] = [:]
        var durableNames: [String: Node] = [:]
        var folders: Set<String> = []
        var locks: Set<String> = []
        var operations = 0
        var failAt = Int.max
        var free: Int64 = 1 << 40
    }

    private let lock = NSLock()
    private var state = State()

    fileprivate func with<Result>(_ body: (inout State) throws(FileError) -> Result) throws(FileError) -> Result {
        lock.lock()
        defer { lock.unlock() }
        return try body(&state)
    }

    /// Counts an operation that changes something.
    fileprivate static func change(
        _ state: inout State, _ operation: FileError.Operation, _ path: String
    ) throws(FileError) {
        state.operations += 1
        if state.operations >= state.failAt { throw FileError(operation, path, code: EIO) }
    }

    var operations: Int { lock.withLock { state.operations } }
    var free: Int64 {
        get { lock.withLock { state.free } }
        set { lock.withLock { state.free = newValue } }
    }

    /// Whether the operation that is to fail was reached.
    var hasFailed: Bool { lock.withLock { state.operations >= state.failAt } }

    func fail(at operation: Int) { lock.withLock { state.failAt = operation } }

    /// The machine goes down and comes up again.
    ///
    /// - Parameter keepsUnsynced: whether what was written and not synced happens to be there all the same.
    func crash(keepsUnsynced: Bool) {
        lock.withLock {
            if keepsUnsynced {
                for node in state.names.values { node.durable = node.bytes }
                state.durableNames = state.names
            }
            state.names = state.durableNames
            for node in state.names.values { node.bytes = node.durable }
            state.failAt = .max
            state.locks = []
        }
    }

    /// Flips a bit of a file.
    func damage(_ path: String, at offset: Int) {
        lock.withLock {
            state.names[path]?.bytes[offset] ^= 1
            state.names[path]?.durable[offset] ^= 1
        }
    }

    /// The names that end in `suffix`.
    func files(_ suffix: String) -> [String] {
        lock.withLock { state.names.keys.filter { $0.hasSuffix(suffix) }.sorted() }
    }

    // MARK: FileSystem

    func open(_ path: String, _ mode: OpenMode) throws(FileError) -> any File {
        try with { (state) throws(FileError) in
            if let node = state.names[path] {
                if mode == .create { throw FileError(.open, path, code: EEXIST) }
                return SimulatedFile(disk: self, path: path, node: node)
            }
            guard mode == .append || mode == .create else { throw FileError(.open, path, code: ENOENT) }
            try Self.change(&state, .open, path)
            let node = Node()
            state.names[path] = node
            return SimulatedFile(disk: self, path: path, node: node)
        }
    }

    func createDirectory(_ path: String) throws(FileError) {
        try with { (state) throws(FileError) in
            guard !state.folders.contains(path) else { return }
            try Self.change(&state, .createDirectory, path)
            var parts = path.split(separator: "/", omittingEmptySubsequences: false)
            while !parts.isEmpty {
                state.folders.insert(parts.joined(separator: "/"))
                parts.removeLast()
            }
        }
    }

    func list(_ directory: String) throws(FileError) -> [DirectoryEntry] {
        try with { state in
            func children(_ paths: some Sequence<String>) -> [String] {
                paths.filter { $0.hasPrefix(directory + "/") && !$0.dropFirst(directory.count + 1).contains("/") }
                    .map { String($0.dropFirst(directory.count + 1)) }
            }
            let files = children(state.names.keys).map { DirectoryEntry(name: $0, kind: .file) }
            let folders = children(state.folders).map { DirectoryEntry(name: $0, kind: .directory) }
            return (files + folders).sorted { $0.name < $1.name }
        }
    }

    func syncDirectory(_ path: String) throws(FileError) {
        try with { (state) throws(FileError) in
            try Self.change(&state, .syncDirectory, path)
            func isInside(_ name: String) -> Bool { (name as NSString).deletingLastPathComponent == path }
            for name in state.durableNames.keys where isInside(name) && state.names[name] == nil {
                state.durableNames[name] = nil
            }
            for (name, node) in state.names where isInside(name) { state.durableNames[name] = node }
        }
    }

    func rename(_ path: String, to destination: String) throws(FileError) {
        try with { (state) throws(FileError) in
            try Self.change(&state, .rename, path)
            state.names[destination] = state.names.removeValue(forKey: path)
        }
    }

    func remove(_ path: String) throws(FileError) {
        try with { (state) throws(FileError) in
            try Self.change(&state, .remove, path)
            guard state.names.removeValue(forKey: path) != nil else { throw FileError(.remove, path, code: ENOENT) }
        }
    }

    func removeDirectory(_ path: String) throws(FileError) {
        try with { (state) throws(FileError) in
            try Self.change(&state, .remove, path)
            state.folders.remove(path)
        }
    }

    func exists(_ path: String) throws(FileError) -> Bool {
        try with { $0.names[path] != nil || $0.folders.contains(path) }
    }

    func size(of path: String) throws(FileError) -> Int64 { try open(path, .read).size() }
    func freeSpace(at path: String) throws(FileError) -> Int64 { free }

    func lock(_ path: String) throws(FileError) -> any FileLock {
        try with { (state) throws(FileError) in
            guard state.locks.insert(path).inserted else { throw FileError(.lock, path, code: EWOULDBLOCK) }
        }
        return SimulatedLock(disk: self, path: path)
    }

    fileprivate func unlock(_ path: String) { lock.withLock { _ = state.locks.remove(path) } }
}

private final class SimulatedLock: FileLock {
    private let disk: SimulatedDisk
    private let path: String

    init(disk: SimulatedDisk, path: String) {
        self.disk = disk
        self.path = path
    }

    deinit { unlock() }

    func unlock() { disk.unlock(path) }
}

private final class SimulatedFile: File, @unchecked Sendable {
    private let disk: SimulatedDisk
    let path: String
    private let node: SimulatedDisk.Node

    init(disk: SimulatedDisk, path: String, node: SimulatedDisk.Node) {
        self.disk = disk
        self.path = path
        self.node = node
    }

    func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int {
        try disk.with { _ in
            guard offset < Int64(node.bytes.count) else { return 0 }
            let count = min(buffer.count, node.bytes.count - Int(offset))
            buffer.copyBytes(from: node.bytes[Int(offset)..<(Int(offset) + count)])
            return count
        }
    }

    func append(_ buffers: [UnsafeRawBufferPointer]) throws(FileError) {
        try disk.with { (state) throws(FileError) in
            try SimulatedDisk.change(&state, .write, path)
            for buffer in buffers { node.bytes.append(contentsOf: buffer) }
        }
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(FileError) {
        throw FileError(.write, path, code: ENOTSUP)
    }

    func size() throws(FileError) -> Int64 { try disk.with { _ in Int64(node.bytes.count) } }

    func truncate(to size: Int64) throws(FileError) {
        try disk.with { (state) throws(FileError) in
            try SimulatedDisk.change(&state, .truncate, path)
            node.bytes.removeLast(node.bytes.count - Int(size))
        }
    }

    func sync() throws(FileError) {
        try disk.with { (state) throws(FileError) in
            try SimulatedDisk.change(&state, .sync, path)
            node.durable = node.bytes
        }
    }

    func close() {}
}

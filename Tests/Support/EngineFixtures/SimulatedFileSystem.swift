package import Files
import Glibc
import Randomness
import Synchronization

/// A disk in memory that loses power on demand. What it promises is what `FileSystem` promises and nothing more:
///
/// 1. A crash leaves of bytes that were not synced none, all, or a torn part, behind which zeros or garbage may stand.
/// 2. A crash leaves of names that were not synced some: each creation, removal and renaming since the last sync of its folder
///    happened or did not, alone.
/// 3. A sync that fails may lose the bytes for good: a later sync that succeeds does not bring them back.
/// 4. Operations that change something are counted; one can be made to fail, or to be the last before the power goes.
///
/// All choices follow from the seed. It is safe to use from any thread, but only one thread makes a repeatable run.
package final class SimulatedFileSystem: FileSystem, Sendable {
    package enum Plan: Sendable {
        /// The operations from number `at` on, `count` of them, fail.
        case fail(at: Int, code: Int32, count: Int)
        /// The power goes during operation number `at`.
        case crash(at: Int)
    }

    struct Inode {
        var bytes: [UInt8] = []
        /// What survives a crash in any case.
        var durable: [UInt8] = []
        /// Bytes that a failed sync lost.
        var lost: [Range<Int>] = []
    }

    fileprivate enum NameChange {
        case set(String, Int)
        case remove(String)
        case rename(String, String)
    }

    struct State {
        var random: SeededRandom
        var inodes: [Int: Inode] = [:]
        var nextInode = 1
        var folders: Set<String> = ["/"]
        /// Path to inode.
        var names: [String: Int] = [:]
        var durableNames: [String: Int] = [:]
        fileprivate var changes: [String: [NameChange]] = [:]
        var locks: Set<String> = []
        /// Counts crashes: files of an earlier life are of no use.
        var life = 0
        var operations = 0
        var plan: Plan?
        var isDown = false
        var isFull = false
        /// Bytes of all files together; nil if there is no end to them.
        var capacity: Int?

        var size: Int { Set(names.values).reduce(0) { $0 + (inodes[$1]?.bytes.count ?? 0) } }

        var room: Int { capacity.map { max(0, $0 - size) } ?? 1 << 40 }
    }

    let state: Mutex<State>

    package init(seed: UInt64) { state = Mutex(State(random: SeededRandom(seed: seed))) }

    // MARK: Control

    /// Operations so far that change something.
    package var operationCount: Int { state.withLock { $0.operations } }

    package func setPlan(_ plan: Plan?) { state.withLock { $0.plan = plan } }

    /// While the disk is full nothing can be appended or created.
    package func setFull(_ isFull: Bool) { state.withLock { $0.isFull = isFull } }

    /// Sets how many bytes all files may have together.
    package func setCapacity(_ capacity: Int?) { state.withLock { $0.capacity = capacity } }

    /// Sets how many more bytes there is room for.
    package func setRoom(_ room: Int) { state.withLock { $0.capacity = $0.size + room } }

    package var isDown: Bool { state.withLock { $0.isDown } }

    /// Cuts the power and starts again with what has survived. Files that are open are of no use any more.
    package func crash() {
        state.withLock { state in
            for inode in state.inodes.keys.sorted() { state.tear(inode) }
            for folder in state.changes.keys.sorted() {
                for change in state.changes[folder] ?? [] where state.random.oneIn(2) {
                    change.apply(to: &state.durableNames)
                }
            }
            state.changes = [:]
            state.names = state.durableNames
            state.inodes = state.inodes.filter { inode, _ in state.names.values.contains(inode) }
            // A file whose removal was not kept has its folder, too.
            for name in state.names.keys {
                var folder = Self.parent(name)
                while state.folders.insert(folder).inserted { folder = Self.parent(folder) }
            }
            state.locks = []
            state.life += 1
            state.isDown = false
            state.plan = nil
        }
    }

    /// Ends the process: open files and locks go, and the operating system keeps the rest, synced or not.
    package func kill(keepingPlan: Bool = false) {
        state.withLock { state in
            // What a failed sync lost and the cache still shows, the next process cannot know of.
            for inode in state.inodes.keys { state.inodes[inode]?.lost = [] }
            state.locks = []
            state.life += 1
            if keepingPlan { return }
            state.isDown = false
            state.plan = nil
        }
    }

    /// Whether a crash now would leave the file as it is.
    package func isDurable(_ path: String) -> Bool {
        state.withLock { state in
            guard let inode = state.names[path], let file = state.inodes[inode] else { return false }
            return state.durableNames[path] == inode && file.durable == file.bytes
        }
    }

    /// The paths of all files.
    package var files: [String] { state.withLock { $0.names.keys.sorted() } }

    package func bytes(of path: String) -> [UInt8]? {
        state.withLock { state in state.names[path].flatMap { state.inodes[$0]?.bytes } }
    }

    /// Changes a file behind everybody's back, durably.
    package func edit(_ path: String, _ change: (inout [UInt8]) -> Void) {
        state.withLock { state in
            guard let inode = state.names[path], var file = state.inodes[inode] else { return }
            change(&file.bytes)
            file.durable = file.bytes
            state.inodes[inode] = file
        }
    }

    // MARK: FileSystem

    package func open(_ path: String) throws(FileError) -> any ReadableFile {
        let result: Result<any ReadableFile, FileError> = state.withLock { state in
            if state.isDown { return .failure(FileError(.open, path, code: EIO)) }
            guard let inode = state.names[path] else { return .failure(FileError(.open, path, code: ENOENT)) }
            return .success(SimulatedFile(path: path, inode: inode, life: state.life, fileSystem: self))
        }
        return try result.get()
    }

    package func open(_ path: String, _ mode: OpenMode) throws(FileError) -> any File {
        let result: Result<any File, FileError> = state.withLock { state in
            if state.isDown { return .failure(FileError(.open, path, code: EIO)) }
            if let inode = state.names[path] {
                if mode == .create { return .failure(FileError(.open, path, code: EEXIST)) }
                return .success(SimulatedFile(path: path, inode: inode, life: state.life, fileSystem: self))
            }
            guard mode == .append || mode == .create else {
                return .failure(FileError(.open, path, code: ENOENT))
            }
            guard state.folders.contains(Self.parent(path)) else {
                return .failure(FileError(.open, path, code: ENOENT))
            }
            if let failure = state.begin(.open, path) { return .failure(failure) }
            let inode = state.nextInode
            state.nextInode += 1
            state.inodes[inode] = Inode()
            state.change(.set(path, inode), in: Self.parent(path))
            return .success(SimulatedFile(path: path, inode: inode, life: state.life, fileSystem: self))
        }
        return try result.get()
    }

    static func parent(_ path: String) -> String {
        let cut = path.lastIndex(of: "/") ?? path.startIndex
        return cut == path.startIndex ? "/" : String(path[..<cut])
    }

    /// Runs `body` as one counted operation.
    private func operate<Value>(
        _ operation: FileError.Operation, _ path: String, _ body: (inout State) -> Result<Value, FileError>
    ) throws(FileError) -> Value {
        let result: Result<Value, FileError> = state.withLock { state in
            if let failure = state.begin(operation, path) { return .failure(failure) }
            return body(&state)
        }
        return try result.get()
    }

    package func createDirectory(_ path: String) throws(FileError) {
        if state.withLock({ !$0.isDown && $0.folders.contains(path) }) { return }
        try operate(.createDirectory, path) { state -> Result<Void, FileError> in
            var path = path
            while path != "/" {
                state.folders.insert(path)
                path = Self.parent(path)
            }
            return .success(())
        }
    }

    package func list(_ directory: String) throws(FileError) -> [DirectoryEntry] {
        let result: Result<[DirectoryEntry], FileError> = state.withLock { state in
            guard !state.isDown, state.folders.contains(directory) else {
                return .failure(FileError(.list, directory, code: state.isDown ? EIO : ENOENT))
            }
            func children(_ paths: some Sequence<String>, _ kind: DirectoryEntry.Kind) -> [DirectoryEntry] {
                paths.filter { $0 != "/" && Self.parent($0) == directory }.map {
                    DirectoryEntry(name: String($0.dropFirst(directory == "/" ? 1 : directory.count + 1)), kind: kind)
                }
            }
            let entries = children(state.names.keys, .file) + children(state.folders, .directory)
            return .success(entries.sorted { $0.name < $1.name })
        }
        return try result.get()
    }

    package func syncDirectory(_ path: String) throws(FileError) {
        try operate(.syncDirectory, path) { state -> Result<Void, FileError> in
            for change in state.changes.removeValue(forKey: path) ?? [] { change.apply(to: &state.durableNames) }
            return .success(())
        }
    }

    /// As the operating system does it: nothing of them is durable before all are written.
    package func put(_ objects: [WholeObject]) throws(FileError) {
        var written: [(file: any File, path: String)] = []
        do throws(FileError) {
            for object in objects {
                try createDirectory(Self.parent(object.path))
                let file = try open(object.path, .create)
                written.append((file, object.path))
                try file.append(object.bytes)
            }
            for (file, _) in written { try file.sync() }
            for folder in Set(objects.map { Self.parent($0.path) }).sorted() { try syncDirectory(folder) }
        } catch {
            for (_, path) in written { try? remove(path) }
            throw error
        }
    }

    package func rename(_ path: String, to destination: String) throws(FileError) {
        try operate(.rename, path) { state -> Result<Void, FileError> in
            guard state.names[path] != nil else { return .failure(FileError(.rename, path, code: ENOENT)) }
            guard state.folders.contains(Self.parent(destination)) else {
                return .failure(FileError(.rename, path, code: ENOENT))
            }
            state.change(.rename(path, destination), in: Self.parent(path))
            return .success(())
        }
    }

    package func remove(_ path: String) throws(FileError) {
        try operate(.remove, path) { state -> Result<Void, FileError> in
            guard state.names[path] != nil else { return .failure(FileError(.remove, path, code: ENOENT)) }
            state.change(.remove(path), in: Self.parent(path))
            return .success(())
        }
    }

    package func removeDirectory(_ path: String) throws(FileError) {
        try operate(.remove, path) { state -> Result<Void, FileError> in
            guard state.folders.contains(path) else { return .failure(FileError(.remove, path, code: ENOENT)) }
            let isEmpty =
                !state.names.keys.contains { Self.parent($0) == path }
                && !state.folders.contains {
                    $0 != "/" && Self.parent($0) == path
                }
            guard isEmpty else { return .failure(FileError(.remove, path, code: ENOTEMPTY)) }
            state.folders.remove(path)
            return .success(())
        }
    }

    package func exists(_ path: String) throws(FileError) -> Bool {
        state.withLock { $0.names[path] != nil || $0.folders.contains(path) }
    }

    package func size(of path: String) throws(FileError) -> Int64 {
        guard let bytes = bytes(of: path) else { throw FileError(.size, path, code: ENOENT) }
        return Int64(bytes.count)
    }

    package func freeSpace(at path: String) throws(FileError) -> Int64 { state.withLock { Int64($0.room) } }

    package func totalSpace(at path: String) throws(FileError) -> Int64 {
        state.withLock { Int64($0.capacity ?? 1 << 40) }
    }

    /// As for one who writes: no simulation reads beside another.
    package func lockShared(_ path: String) throws(FileError) -> any FileLock { try lock(path) }

    package func lock(_ path: String) throws(FileError) -> any FileLock {
        let life: Int? = state.withLock { state in
            state.locks.insert(path).inserted ? state.life : nil
        }
        guard let life else { throw FileError(.lock, path, code: EWOULDBLOCK) }
        return Lock(path: path, life: life, fileSystem: self)
    }

    private final class Lock: FileLock {
        let path: String
        let life: Int
        let fileSystem: SimulatedFileSystem

        init(path: String, life: Int, fileSystem: SimulatedFileSystem) {
            self.path = path
            self.life = life
            self.fileSystem = fileSystem
        }

        deinit { unlock() }

        func unlock() {
            fileSystem.state.withLock { state in
                if state.life == life { state.locks.remove(path) }
            }
        }
    }
}

extension SimulatedFileSystem.NameChange {
    fileprivate func apply(to names: inout [String: Int]) {
        switch self {
        case .set(let path, let inode): names[path] = inode
        case .remove(let path): names[path] = nil
        case .rename(let path, let destination):
            // Of a file whose creation was not kept nothing can be renamed.
            guard let inode = names.removeValue(forKey: path) else { return }
            names[destination] = inode
        }
    }
}

extension SimulatedFileSystem.State {
    /// Counts an operation, and says how it fails if it does.
    mutating func begin(_ operation: FileError.Operation, _ path: String) -> FileError? {
        if isDown { return FileError(operation, path, code: EIO) }
        operations += 1
        if isFull, operation == .open || operation == .write || operation == .createDirectory {
            return FileError(operation, path, code: ENOSPC)
        }
        switch plan {
        case .fail(let first, let code, let count)? where operations >= first && operations < first + count:
            return FileError(operation, path, code: code)
        case .crash(let number)? where operations >= number:
            isDown = true
            return FileError(operation, path, code: EIO)
        default: return nil
        }
    }

    fileprivate mutating func change(_ change: SimulatedFileSystem.NameChange, in folder: String) {
        change.apply(to: &names)
        changes[folder, default: []].append(change)
    }

    /// Leaves of a file what a crash leaves of it.
    fileprivate mutating func tear(_ inode: Int) {
        guard var file = inodes[inode] else { return }
        let kept = file.durable.count
        if file.bytes.count > kept {
            let end = kept + 1 + random.below(file.bytes.count - kept)
            switch random.below(6) {
            case 0: file.bytes = file.durable
            case 1: file.bytes = file.durable + file.bytes[kept...]
            case 2: file.bytes = file.durable + file.bytes[kept..<end]
            // The size was written and the bytes were not.
            case 3: file.bytes = file.durable + [UInt8](repeating: 0, count: end - kept)
            case 4: file.bytes = file.durable + random.bytes(end - kept)
            default:
                let middle = kept + random.below(end - kept)
                file.bytes =
                    file.durable + file.bytes[kept..<middle] + [UInt8](repeating: 0, count: end - middle)
            }
        } else {
            file.bytes = random.oneIn(2) ? file.durable : file.bytes
        }
        file.durable = file.bytes
        file.lost = []
        inodes[inode] = file
    }
}

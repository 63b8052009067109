private import CLinux
private import Glibc

/// Many small files at a time. A sync of each and of its folders would be five waits for the disk a file; `syncfs` makes all that was
/// written to the file system durable at once.
extension PosixFileSystem {
    /// Fewer are synced one by one: what others have written to the file system is none of their business.
    private static let leastObjects = 16
    /// As many files are open at a time.
    private static let mostObjects = 256

    package func put(_ objects: [WholeObject]) throws(FileError) {
        var done = 0
        do throws(FileError) {
            while done < objects.count {
                let next = objects[done..<min(done + Self.mostObjects, objects.count)]
                if next.count < Self.leastObjects { try putEach(Array(next)) } else { try putTogether(next) }
                done += next.count
            }
        } catch {
            for object in objects[..<done] { try? remove(object.path) }
            throw error
        }
    }

    private func putTogether(_ objects: ArraySlice<WholeObject>) throws(FileError) {
        var files: [(file: any File, descriptor: Int32)] = []
        defer { for (file, _) in files { file.close() } }
        do throws(FileError) {
            var folder = ""
            for object in objects {
                let next = Self.parent(of: object.path) ?? "."
                if next != folder { try makeFolders(next) }
                folder = next
                let descriptor = try Self.descriptor(object.path, flags: O_RDWR | O_CREAT | O_EXCL, operation: .open)
                files.append((PosixFile(path: object.path, descriptor: descriptor), descriptor))
                try files[files.count - 1].file.append(object.bytes)
            }
            try syncFileSystems(of: files.map(\.descriptor), objects[objects.startIndex].path)
            // There is nothing left to write: this asks whether writing a file failed.
            for (file, _) in files { try file.sync() }
        } catch {
            for object in objects.prefix(files.count) { try? remove(object.path) }
            throw error
        }
    }

    /// A folder of a tenant may be a file system of its own.
    private func syncFileSystems(of descriptors: [Int32], _ path: String) throws(FileError) {
        var devices: Set<dev_t> = []
        for descriptor in descriptors {
            var status = stat()
            guard unsafe fstat(descriptor, &status) == 0 else { throw FileError(.sync, path, code: errno) }
            guard devices.insert(status.st_dev).inserted else { continue }
            guard retried({ Int(varve_sync_file_system(descriptor)) }) == 0 else {
                throw FileError(.sync, path, code: errno)
            }
        }
    }

    /// As `createDirectory`, but for the names being durable.
    private func makeFolders(_ path: String) throws(FileError) {
        guard unsafe mkdir(path, 0o755) != 0, errno != EEXIST else { return }
        guard errno == ENOENT, let parent = Self.parent(of: path) else {
            throw FileError(.createDirectory, path, code: errno)
        }
        try makeFolders(parent)
        guard unsafe mkdir(path, 0o755) == 0 || errno == EEXIST else {
            throw FileError(.createDirectory, path, code: errno)
        }
    }
}

internal import Authorization
internal import Core
internal import Files
internal import Observability
internal import Settings
private import Synchronization

/// The keys of a file, which is read again when it changes: one that is wrong leaves the keys as they are.
final class KeyFile: Sendable {
    let authorizer: Authorizer
    private let path: String
    private let files: any ReadableFiles
    private let log: Log
    private let seen: Mutex<[UInt8]>
    private let valid = Atomic<Bool>(true)

    /// - Throws: what is wrong with the file.
    init(
        _ path: String, _ files: any ReadableFiles, now: @escaping @Sendable () -> Timestamp, log: Log
    ) throws(ConfigurationProblem) {
        let bytes = try Self.read(path, files)
        authorizer = Authorizer(try AuthFile.read(bytes, path: path), now: now)
        seen = Mutex(bytes)
        self.path = path
        self.files = files
        self.log = log
        if authorizer.keyCount == 0 {
            log.warning("the auth-file has no keys: nobody may do anything", ["file": .string(path)])
        }
    }

    /// Whether the file as it stands could be read.
    var isValid: Bool { valid.load(ordering: .relaxed) }

    /// Takes the keys of the file if it has changed.
    func refresh() {
        do throws(ConfigurationProblem) {
            let bytes = try Self.read(path, files)
            let isNew = seen.withLock { seen in
                defer { seen = bytes }
                return seen != bytes
            }
            guard isNew || !isValid else { return }
            authorizer.use(try AuthFile.read(bytes, path: path))
            valid.store(true, ordering: .relaxed)
            log.info("keys were read again", ["file": .string(path), "keys": .int(authorizer.keyCount)])
        } catch {
            // Said once for each time that it goes wrong.
            guard valid.exchange(false, ordering: .relaxed) else { return }
            log.error("the auth-file cannot be read; the keys stay as they were", ["reason": .string("\(error)")])
        }
    }

    private static func read(_ path: String, _ files: any ReadableFiles) throws(ConfigurationProblem) -> [UInt8] {
        do throws(FileError) {
            return try files.contents(of: path, limit: AuthFile.byteLimit)
        } catch {
            throw ConfigurationProblem(place: .file(path, line: 0), message: "\(error)")
        }
    }
}

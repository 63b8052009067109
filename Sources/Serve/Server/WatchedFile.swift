internal import Files
internal import Observability
internal import Settings
private import Synchronization

/// A file of keys, limits or the like, which is read again when it changes: one that is wrong leaves all as it was.
final class WatchedFile<Content: Sendable>: Sendable {
    /// What there is to know of a kind of file.
    struct Kind: Sendable {
        /// The setting that names it.
        var setting: String
        var byteLimit: Int
        var read: @Sendable (_ bytes: [UInt8], _ path: String) throws(ConfigurationProblem) -> Content
    }

    /// As it stood at the start.
    let first: Content
    private let kind: Kind
    private let path: String
    private let files: any ReadableFiles
    private let log: Log
    private let seen: Mutex<[UInt8]>
    private let valid = Atomic<Bool>(true)
    private let failures: Counter

    /// - Throws: what is wrong with the file.
    init(
        _ kind: Kind, _ path: String, _ files: any ReadableFiles, _ metrics: MetricsRegistry, log: Log
    ) throws(ConfigurationProblem) {
        let bytes = try Self.contents(kind, path, files)
        first = try kind.read(bytes, path)
        seen = Mutex(bytes)
        self.kind = kind
        self.path = path
        self.files = files
        self.log = log
        let name = "varve_" + kind.setting.map { $0 == "-" ? "_" : String($0) }.joined()
        failures = metrics.counter("\(name)_failures_total", help: "How often the \(kind.setting) became unreadable.")
        metrics.computed("\(name)_valid", help: "Whether the \(kind.setting) could be read when it changed last.") {
            [weak self] in self?.isValid ?? true ? 1 : 0
        }
    }

    /// Whether the file as it stands could be read.
    var isValid: Bool { valid.load(ordering: .relaxed) }

    /// Hands the file's content to `use` if it has changed.
    func refresh(_ use: (Content) -> Void) {
        do throws(ConfigurationProblem) {
            let bytes = try Self.contents(kind, path, files)
            let isNew = seen.withLock { seen in
                defer { seen = bytes }
                return seen != bytes
            }
            guard isNew || !isValid else { return }
            use(try kind.read(bytes, path))
            valid.store(true, ordering: .relaxed)
            log.info("the \(kind.setting) was read again", ["file": .string(path)])
        } catch {
            // Said once for each time that it goes wrong.
            guard valid.exchange(false, ordering: .relaxed) else { return }
            failures.add()
            log.error(
                "the \(kind.setting) cannot be read; all stays as it was", ["reason": .string("\(error)")])
        }
    }

    private static func contents(
        _ kind: Kind, _ path: String, _ files: any ReadableFiles
    ) throws(ConfigurationProblem) -> [UInt8] {
        do throws(FileError) {
            return try files.contents(of: path, limit: kind.byteLimit)
        } catch {
            throw ConfigurationProblem(place: .file(path, line: 0), message: "\(error)")
        }
    }
}

import Glibc

/// A child process that runs one target, and what became of it.
enum Worker {
    enum Result {
        case survived(inputs: Int)
        case died(reason: String, input: [UInt8], inputs: Int)
    }

    /// Seconds that one input may take, and bytes of address space that the process may have.
    private static let patience: UInt32 = 20
    private static let memoryLimit: UInt = 8 << 30

    static func run(
        _ target: FuzzTarget, seed: UInt64, seconds: Double, kept: [String]
    ) throws(FuzzFailure) -> Result {
        let shared = try SharedInput()
        let words = ["varve-fuzz", "work", target.name, String(seed), String(seconds), shared.path] + kept
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        // A report of where it trapped takes longer than the whole run; `replay` gives one.
        var environment: [UnsafeMutablePointer<CChar>?] = [
            strdup("SWIFT_BACKTRACE=enable=no"), strdup("PATH=/usr/bin:/bin"), nil,
        ]
        defer { for word in arguments + environment { free(word) } }
        var child: pid_t = 0
        let result = posix_spawn(&child, "/proc/self/exe", nil, nil, &arguments, &environment)
        guard result == 0 else { throw FuzzFailure("spawn: \(String(cString: strerror(result)))") }
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0, errno == EINTR {}
        if status == 0 { return .survived(inputs: shared.count) }
        return .died(reason: explain(status), input: shared.input, inputs: shared.count)
    }

    private static func explain(_ status: Int32) -> String {
        let signal = status & 0x7F
        return switch signal {
        case 0: "ended with status \(status >> 8)"
        case SIGALRM: "took more than \(patience) s"
        case SIGILL, SIGTRAP: "trapped"
        case SIGSEGV, SIGBUS: "read or wrote out of bounds"
        default: "died of signal \(signal)"
        }
    }

    /// The child's life: `TARGET SEED SECONDS SHARED-FILE KEPT …`
    static func work(_ words: [String]) throws(FuzzFailure) -> Never {
        guard words.count >= 4, let seed = UInt64(words[1]), let seconds = Double(words[2]) else {
            throw FuzzFailure("work is for varve-fuzz itself", code: 2)
        }
        let target = try VarveFuzz.target(words[0])
        let shared = try SharedInput(path: words[3])
        let kept = try words[4...].map { path throws(FuzzFailure) in try InputFile.read(path) }
        var limit = rlimit(rlim_cur: memoryLimit, rlim_max: memoryLimit)
        setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
        limit = rlimit(rlim_cur: 0, rlim_max: 0)
        setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &limit)
        var mutator = Mutator(seeds: target.seeds() + kept, seed: seed)
        let deadline = now() + seconds
        repeat {
            let input = mutator.input()
            shared.put(input)
            alarm(patience)
            input.withUnsafeBytes { target.run($0) }
        } while now() < deadline
        _exit(0)
    }

    private static func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }
}

/// Memory that two processes share: how many inputs were begun, and the last one.
struct SharedInput: ~Copyable {
    private static let room = 1 << 22

    let path: String
    private let memory: UnsafeMutableRawPointer
    private let isOwner: Bool

    init() throws(FuzzFailure) {
        var template = Array("/tmp/varve-fuzz-XXXXXX".utf8CString)
        let file = mkstemp(&template)
        guard file >= 0, ftruncate(file, Self.room + 16) == 0 else {
            throw FuzzFailure("/tmp: \(String(cString: strerror(errno)))")
        }
        close(file)
        let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        try self.init(path: path, isOwner: true)
    }

    init(path: String, isOwner: Bool = false) throws(FuzzFailure) {
        let file = open(path, O_RDWR)
        guard file >= 0, let memory = mmap(nil, Self.room + 16, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0),
            memory != MAP_FAILED
        else { throw FuzzFailure("\(path): \(String(cString: strerror(errno)))") }
        close(file)
        self.path = path
        self.memory = memory
        self.isOwner = isOwner
    }

    deinit {
        munmap(memory, Self.room + 16)
        if isOwner { unlink(path) }
    }

    func put(_ input: [UInt8]) {
        memory.storeBytes(of: count + 1, as: Int.self)
        memory.storeBytes(of: min(input.count, Self.room), toByteOffset: 8, as: Int.self)
        input.prefix(Self.room).withUnsafeBytes { bytes in
            UnsafeMutableRawBufferPointer(start: memory + 16, count: Self.room).copyMemory(from: bytes)
        }
    }

    var count: Int { memory.load(as: Int.self) }

    var input: [UInt8] {
        Array(UnsafeRawBufferPointer(start: memory + 16, count: memory.load(fromByteOffset: 8, as: Int.self)))
    }
}

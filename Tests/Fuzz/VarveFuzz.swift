import Glibc

#if VARVE_FUZZ
    /// What libFuzzer, which brings a `main` of its own, calls; the environment says which target it is about.
    private let searched: FuzzTarget = {
        let name = getenv("VARVE_FUZZ_TARGET").map { String(cString: $0) } ?? ""
        guard let target = FuzzTarget.named(name) else { preconditionFailure("no target '\(name)'") }
        return target
    }()

    @_cdecl("LLVMFuzzerTestOneInput")
    func fuzzerTestOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
        searched.run(UnsafeRawBufferPointer(start: bytes, count: count))
        return 0
    }
#else
    @main
    enum EntryPoint {
        static func main() {
            do throws(FuzzFailure) {
                try VarveFuzz.run(Array(CommandLine.arguments.dropFirst()))
            } catch {
                let line = Array((error.message + "\n").utf8)
                _ = write(2, line, line.count)
                exit(error.code)
            }
        }
    }
#endif

/// Runs targets on given inputs, and on a few seconds of seeded mutations; `tools/fuzz` also builds the search by libFuzzer.
enum VarveFuzz {
    static let usage = """
        usage: varve-fuzz list
               varve-fuzz seeds NAME FOLDER
               varve-fuzz replay NAME FILE…
               varve-fuzz smoke [--seconds N] [--seed S] [--found FOLDER] [NAME…]
        """

    static func run(_ arguments: [String]) throws(FuzzFailure) {
        var words = arguments
        guard !words.isEmpty else { throw FuzzFailure(usage, code: 2) }
        switch (words.removeFirst(), words.count) {
        case ("list", 0):
            for target in FuzzTarget.all where target.name != FuzzTarget.canary.name { print(target.name) }
        case ("seeds", 2):
            for (number, seed) in try target(words[0]).seeds().enumerated() {
                try InputFile.write(seed, to: "\(words[1])/seed-\(number)")
            }
        case ("replay", 2...):
            let target = try target(words[0])
            for path in words.dropFirst() { try InputFile.read(path).withUnsafeBytes { target.run($0) } }
        case ("smoke", _): try Smoke(words).run()
        case ("work", _): try Worker.work(words)
        default: throw FuzzFailure(usage, code: 2)
        }
    }

    static func target(_ name: String) throws(FuzzFailure) -> FuzzTarget {
        guard let target = FuzzTarget.named(name) else { throw FuzzFailure("no target '\(name)'", code: 2) }
        return target
    }
}

/// Why the program ends with an error.
struct FuzzFailure: Error {
    var message: String
    var code: Int32

    init(_ message: String, code: Int32 = 1) {
        self.message = message
        self.code = code
    }
}

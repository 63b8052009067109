import Foundation
import Glibc

#if VARVE_FUZZ
    /// What libFuzzer, which brings a `main` of its own, calls; the environment says which target it is about.
    private let searched: FuzzTarget = {
        let name = ProcessInfo.processInfo.environment["VARVE_FUZZ_TARGET"] ?? ""
        guard let target = FuzzTarget(rawValue: name) else { preconditionFailure("no target '\(name)'") }
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
        static func main() throws { try VarveFuzz.run() }
    }
#endif

/// Runs a target on given inputs; `tools/fuzz` builds the search for inputs that break it.
enum VarveFuzz {
    static func run() throws {
        let arguments = CommandLine.arguments
        if arguments == [arguments[0], "list"] {
            for target in FuzzTarget.allCases where target != .canary { print(target.rawValue) }
            return
        }
        guard arguments.count >= 4, let target = FuzzTarget(rawValue: arguments[2]) else {
            print("usage: varve-fuzz list | seeds NAME FOLDER | replay NAME FILE…")
            exit(2)
        }
        switch arguments[1] {
        case "seeds":
            for (number, seed) in try target.seeds.enumerated() {
                try Data(seed).write(to: URL(fileURLWithPath: "\(arguments[3])/seed-\(number)"))
            }
        case "replay":
            for path in arguments[3...] {
                try Data(contentsOf: URL(fileURLWithPath: path)).withUnsafeBytes { target.run($0) }
            }
        default:
            print("varve-fuzz: \(arguments[1])?")
            exit(2)
        }
    }
}

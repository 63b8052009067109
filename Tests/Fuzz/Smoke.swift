import Glibc

/// A few seconds of mutations for every target. The canary has to be found broken, and nothing else.
struct Smoke {
    private var seconds = 2.0
    private var seed: UInt64 = 1
    /// Inputs that once broke a target: it begins with them.
    private let cases = "Tests/Fuzz/FailCases"
    /// The folder for inputs that break a target now.
    private var found = "."
    private var targets: [FuzzTarget] = []

    init(_ words: [String]) throws(FuzzFailure) {
        var rest = words[...]
        while let word = rest.popFirst() {
            switch word {
            case "--seconds":
                guard let text = rest.popFirst(), let value = Double(text), value > 0, value < 1e6 else {
                    throw FuzzFailure("--seconds needs a number above 0", code: 2)
                }
                seconds = value
            case "--seed":
                guard let text = rest.popFirst(), let value = UInt64(text) else {
                    throw FuzzFailure("--seed needs a whole number", code: 2)
                }
                seed = value
            case "--found":
                guard let text = rest.popFirst() else { throw FuzzFailure("--found needs a folder", code: 2) }
                found = text
            default: targets.append(try VarveFuzz.target(word))
            }
        }
        if targets.isEmpty { targets = FuzzTarget.all } else { targets.append(.canary) }
    }

    /// Prints a line for each target: `fuzz NAME: nothing found in …` or `fuzz NAME: FAILED: …`.
    func run() throws(FuzzFailure) {
        var failures = 0
        for target in targets {
            let kept = InputFile.names(in: "\(cases)/\(target.name)").map { "\(cases)/\(target.name)/\($0)" }
            let result = try Worker.run(target, seed: seed, seconds: seconds, kept: kept)
            switch (result, target.name == FuzzTarget.canary.name) {
            case (.survived(let count), false):

                print("fuzz \(target.name): nothing found in \(count) inputs, seed \(seed)")
            case (.died, true): break
            case (.survived, true):
                failures += 1
                print("fuzz canary: FAILED: the search does not find it")
            case (.died(let reason, let input, let count), false):
                failures += 1
                let path = "\(found)/\(target.name)-\(seed)-\(count)"
                try InputFile.write(input, to: path)
                print("fuzz \(target.name): FAILED: it \(reason): tools/fuzz replay \(target.name) \(path)")
            }
        }
        if failures > 0 { throw FuzzFailure("\(failures) of \(targets.count) targets failed") }
    }
}

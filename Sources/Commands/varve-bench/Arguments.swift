/// The options of a subcommand: `--name value` or `--name=value`; a name that the subcommand does not know is an error.
struct Arguments {
    private var values: [String: String] = [:]

    init(_ arguments: [String], known: Set<String>) throws(BenchError) {
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            guard argument.hasPrefix("--") else { throw .usage("unexpected argument '\(argument)'") }
            let parts = argument.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts[0])
            guard known.contains(name) else { throw .usage("unknown option '--\(name)'") }
            guard values[name] == nil else { throw .usage("--\(name) is given twice") }
            if parts.count == 2 {
                values[name] = String(parts[1])
            } else {
                guard let value = rest.popFirst() else { throw .usage("--\(name) needs a value") }
                values[name] = value
            }
        }
    }

    func text(_ name: String) -> String? { values[name] }

    func required(_ name: String) throws(BenchError) -> String {
        guard let value = values[name] else { throw .usage("--\(name) is required") }
        return value
    }

    func int(_ name: String, default fallback: Int? = nil, in range: ClosedRange<Int>) throws(BenchError) -> Int {
        guard let text = values[name] else {
            guard let fallback else { throw .usage("--\(name) is required") }
            return fallback
        }
        guard let value = Int(text), range.contains(value) else {
            throw .usage("--\(name): '\(text)' is no whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    func double(_ name: String, above floor: Double, atMost limit: Double) throws(BenchError) -> Double {
        let text = try required(name)
        guard let value = Double(text), value > floor, value <= limit else {
            throw .usage("--\(name): '\(text)' is no number above \(floor) and up to \(limit)")
        }
        return value
    }

    /// The options that are given, for commands where absence means something else than a default.
    func optionalInt(_ name: String, in range: ClosedRange<Int>) throws(BenchError) -> Int? {
        values[name] == nil ? nil : try int(name, in: range)
    }
}

internal import Core
internal import Pattern

/// Why bytes are no plan over series, or no states of one.
package enum SeriesCodingError: Error, Hashable, Sendable, CustomStringConvertible {
    case corrupt
    /// Of a newer Varve.
    case unsupportedVersion(Int)
    /// More of something than may be.
    case tooLarge(String)
    /// A regular expression that does not compile; the payload is the message for the user.
    case pattern(String)
    /// The query that reads them may not hold so much, or is over.
    case query(QueryError)

    package var description: String {
        switch self {
        case .corrupt: "the bytes are no plan over series, or no states of one"
        case .unsupportedVersion(let version): "the plan or its states have version \(version), of a newer Varve"
        case .tooLarge(let what): "the plan or its states have too many or too large \(what)"
        case .pattern(let message): message
        case .query(let error): "\(error)"
        }
    }
}

extension SeriesCodingError: ByteFailure {}

/// docs/FORMAT.md, "Plans and states".
extension SeriesPlan {
    static let version: UInt64 = 1
    /// Of a whole plan.
    package static let byteLimit = 1 << 20
    package static let matcherLimit = 256
    package static let patternLimit = 32
    package static let patternByteLimit = 64 << 10
    package static let groupingLimit = 1024
    package static let stepLimit = 1 << 20
    /// Times on either side of the epoch that nanoseconds can say, in milliseconds.
    private static let times = Int64.min / 1_000_000...Int64.max / 1_000_000

    /// What a byte says; new functions come at the end.
    static let functions: [Function] = [
        .latest, .rate, .increase, .delta, .irate, .idelta, .changes, .resets, .sum, .avg, .min, .max, .count, .present,
        .last, .first,
    ]
    static let operators: [Reduction.Operator] = [.sum, .avg, .min, .max, .count, .group]
    private static let comparisons: [LabelMatcher.Operator] = [.equal, .notEqual, .regex, .notRegex]

    package var bytes: [UInt8] {
        var writer = ByteWriter()
        writer.natural(Self.version)
        writer.list(matchers) { writer, matcher in
            writer.text(matcher.name.utf8)
            writer.choice(matcher.operator, of: Self.comparisons)
            writer.text(matcher.value.utf8)
        }
        writer.choice(function, of: Self.functions)
        writer.integer(range)
        writer.integer(grid.start)
        writer.integer(grid.step)
        writer.count(grid.count)
        writer.byte(reduction == nil ? 0 : 1)
        if let reduction {
            writer.choice(reduction.operator, of: Self.operators)
            writer.byte(reduction.grouping.isWithout ? 1 : 0)
            writer.list(reduction.grouping.labels) { $0.text($1.utf8) }
        }
        return writer.bytes
    }

    /// - Throws: also for a plan whose windows lie where nanoseconds cannot say.
    package init(bytes: [UInt8]) throws(SeriesCodingError) {
        var reader = try ByteReader<SeriesCodingError>(bytes, atMost: Self.byteLimit)
        try reader.version(Self.version)
        let matchers = try reader.list(atMost: Self.matcherLimit, of: "matchers", size: 3) {
            (reader) throws(SeriesCodingError) in
            let name = try reader.string()
            let comparison = try reader.choice(of: Self.comparisons)
            let value =
                comparison == .equal || comparison == .notEqual
                ? try reader.string() : try reader.pattern(atMost: Self.patternLimit, bytes: Self.patternByteLimit)
            do throws(PatternError) {
                return try LabelMatcher(name, comparison, value)
            } catch {
                throw .pattern(error.message)
            }
        }
        let function = try reader.choice(of: Self.functions)
        let range = try reader.integer()
        guard range >= 0, Self.times.contains(range) else { throw .corrupt }
        let grid = try Self.grid(&reader)
        var reduction: Reduction?
        if try reader.flag() {
            let choice = try reader.choice(of: Self.operators)
            let isWithout = try reader.flag()
            let labels = try reader.list(atMost: Self.groupingLimit, of: "labels") {
                (reader) throws(SeriesCodingError) in try reader.string()
            }
            reduction = Reduction(choice, Grouping(labels: labels, isWithout: isWithout))
        }
        try reader.end()
        self.init(matchers: matchers, function: function, range: range, grid: grid, reduction: reduction)
    }

    private static func grid(_ reader: inout ByteReader<SeriesCodingError>) throws(SeriesCodingError) -> TimeGrid {
        let (start, step) = (try reader.integer(), try reader.integer())
        let count = try reader.natural()
        guard count <= UInt64(stepLimit) else { throw .tooLarge("steps") }
        guard count > 0, step > 0, times.contains(start) else { throw .corrupt }
        let (distance, overflow) = step.multipliedReportingOverflow(by: Int64(count) - 1)
        guard !overflow, times.contains(distance), times.contains(start + distance),
            let grid = TimeGrid(from: start, through: start + distance, step: step)
        else { throw .corrupt }
        return grid
    }
}

extension ByteWriter {
    /// - Parameter choices: have the value.
    fileprivate mutating func choice<Choice: Equatable>(_ value: Choice, of choices: [Choice]) {
        guard let place = choices.firstIndex(of: value) else { preconditionFailure("\(value) has no byte") }
        byte(UInt8(place))
    }

    mutating func labels(_ labels: Labels) {
        list(labels.pairs) { writer, label in
            writer.text(label.name.utf8)
            writer.text(label.value.utf8)
        }
    }
}

extension ByteReader<SeriesCodingError> {
    mutating func version(_ newest: UInt64) throws(SeriesCodingError) {
        let version = try natural()
        guard version > 0 else { throw .corrupt }
        guard version <= newest else { throw .unsupportedVersion(Int(clamping: version)) }
    }

    fileprivate mutating func choice<Choice>(of choices: [Choice]) throws(SeriesCodingError) -> Choice {
        let place = Int(try byte())
        guard place < choices.count else { throw .corrupt }
        return choices[place]
    }

    /// Labels in their order, none of them empty.
    mutating func labels() throws(SeriesCodingError) -> Labels {
        let pairs = try ascending(of: "labels", size: 2, { $0.name < $1.name }) {
            (reader) throws(SeriesCodingError) in
            let label = Label(try reader.string(), try reader.string())
            guard !label.value.isEmpty else { throw .corrupt }
            return label
        }
        return Labels(sorted: pairs)
    }

    mutating func double() throws(SeriesCodingError) -> Double { Double(bitPattern: try word()) }

    /// Of samples or series: far from the end of the integers, since they are added up.
    mutating func tally() throws(SeriesCodingError) -> Int {
        let tally = try natural()
        guard tally < 1 << 48 else { throw .tooLarge("samples") }
        return Int(tally)
    }
}

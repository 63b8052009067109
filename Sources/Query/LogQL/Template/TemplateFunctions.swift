import Pattern

/// The functions that templates may call, by name.
enum TemplateFunctions {
    typealias Function = @Sendable (TemplateArguments) throws(TemplateError) -> TemplateValue

    /// A function and how many arguments it takes.
    struct Entry: Sendable {
        var arity: ClosedRange<Int>
        var run: Function

        init(_ arity: ClosedRange<Int>, _ run: @escaping Function) {
            self.arity = arity
            self.run = run
        }

        init(_ arity: Int, _ run: @escaping Function) { self.init(arity...arity, run) }
    }

    /// No function takes more arguments than this.
    static let mostArguments = 64

    private static let table: [String: Entry] = [logic, texts, numbers, times].reduce(into: [:]) { all, family in
        all.merge(family) { first, _ in first }
    }

    /// Those that the renderer answers, since they depend on the entry or decide what is evaluated.
    private static let special: Set = ["__line__", "__timestamp__", "and", "or"]

    /// Those whose first argument is a regular expression.
    static let takesPattern: Set = ["regexReplaceAll", "regexReplaceAllLiteral", "count"]

    static func isKnown(_ name: String) -> Bool { table[name] != nil || special.contains(name) }

    static func call(_ name: String, _ values: [TemplateValue]) throws(TemplateError) -> TemplateValue {
        guard let function = table[name] else { throw TemplateError("function \"\(name)\" not defined") }
        guard function.arity.contains(values.count) else {
            throw TemplateError("wrong number of args for \(name): got \(values.count)")
        }
        return try function.run(TemplateArguments(name: name, values: values))
    }

    // MARK: Logic and printing

    private static let logic: [String: Entry] = [
        "not": Entry(1) { (a) throws(TemplateError) in .bool(!a.values[0].isTrue) },
        "len": Entry(1) { (a) throws(TemplateError) in .integer(Int64(try length(a))) },
        "index": Entry(2...mostArguments) { (a) throws(TemplateError) in try index(a) },
        "eq": Entry(2...mostArguments) { (a) throws(TemplateError) in
            .bool(a.values.dropFirst().contains { compare(a.values[0], $0) == 0 })
        },
        "ne": Entry(2) { (a) throws(TemplateError) in .bool(compare(a.values[0], a.values[1]) != 0) },
        "lt": Entry(2) { (a) throws(TemplateError) in .bool(try order(a) < 0) },
        "le": Entry(2) { (a) throws(TemplateError) in .bool(try order(a) <= 0) },
        "gt": Entry(2) { (a) throws(TemplateError) in .bool(try order(a) > 0) },
        "ge": Entry(2) { (a) throws(TemplateError) in .bool(try order(a) >= 0) },
        "print": Entry(0...mostArguments) { (a) throws(TemplateError) in
            .string(a.values.map(\.text).joined())
        },
        "println": Entry(0...mostArguments) { (a) throws(TemplateError) in
            .string(a.values.map(\.text).joined(separator: " ") + "\n")
        },
        "printf": Entry(1...mostArguments) { (a) throws(TemplateError) in
            .string(try TemplateFormat.format(a.text(0), Array(a.values.dropFirst())))
        },
        "default": Entry(2) { (a) throws(TemplateError) in a.values[1].isTrue ? a.values[1] : a.values[0] },
        "fromJson": Entry(1) { (a) throws(TemplateError) in try TemplateJSON.value(of: a.text(0)) },
    ]

    private static func length(_ a: TemplateArguments) throws(TemplateError) -> Int {
        switch a.values[0] {
        case .string(let text): text.utf8.count
        case .list(let values): values.count
        case .map(let members): members.count
        default: throw TemplateError("len of \(a.values[0].text)")
        }
    }

    private static func index(_ a: TemplateArguments) throws(TemplateError) -> TemplateValue {
        var value = a.values[0]
        for key in a.values.dropFirst() {
            switch (value, key) {
            case (.map(let members), .string(let name)): value = members[name] ?? .nothing
            case (.list(let values), .integer(let place)):
                guard values.indices.contains(Int(place)) else { throw TemplateError("index out of range: \(place)") }
                value = values[Int(place)]
            default: throw TemplateError("can't index \(value.text) with \(key.text)")
            }
        }
        return value
    }

    /// Nil: they cannot be compared.
    private static func compare(_ left: TemplateValue, _ right: TemplateValue) -> Int? {
        switch (left, right) {
        case (.integer(let a), .integer(let b)): return a < b ? -1 : a > b ? 1 : 0
        case (.string(let a), .string(let b)): return a < b ? -1 : a > b ? 1 : 0
        case (.time(let a), .time(let b)): return a < b ? -1 : a > b ? 1 : 0
        case (.integer, .number), (.number, .integer), (.number, .number):
            let (a, b) = (left.number ?? .nan, right.number ?? .nan)
            return a < b ? -1 : a > b ? 1 : a == b ? 0 : nil
        default: return left == right ? 0 : nil
        }
    }

    private static func order(_ a: TemplateArguments) throws(TemplateError) -> Int {
        guard let order = compare(a.values[0], a.values[1]) else {
            throw TemplateError("incompatible types for comparison")
        }
        return order
    }
}

/// A call's arguments, each taken as the type that the function wants.
struct TemplateArguments: Sendable {
    var name: String
    var values: [TemplateValue]

    func text(_ place: Int) -> String { values[place].text }

    func integer(_ place: Int) throws(TemplateError) -> Int64 {
        if let value = values[place].integer { return value }
        throw TemplateError("error calling \(name): \(values[place].text.quoted) is not an integer")
    }

    func number(_ place: Int) throws(TemplateError) -> Double {
        if let value = values[place].number { return value }
        throw TemplateError("error calling \(name): \(values[place].text.quoted) is not a number")
    }

    /// A number of repetitions, columns or bytes, which must not be taken for more than a line may hold.
    func size(_ place: Int) throws(TemplateError) -> Int {
        let value = try integer(place)
        guard (0...Int64(LineTemplate.longestOutput)).contains(value) else {
            throw TemplateError("error calling \(name): \(value) is out of range")
        }
        return Int(value)
    }

    func pattern(_ place: Int) throws(TemplateError) -> Pattern {
        if case .pattern(let pattern) = values[place] { return pattern.pattern }
        do {
            return try Pattern(unanchored: text(place))
        } catch {
            throw TemplateError("error calling \(name): \(error.message)")
        }
    }
}

extension TemplateValue {
    var integer: Int64? {
        switch self {
        case .integer(let value): value
        case .number(let value): Int64(exactly: value.rounded(.towardZero))
        case .string(let text): Int64(text) ?? Double(text).flatMap { Int64(exactly: $0.rounded(.towardZero)) }
        case .bool(let value): value ? 1 : 0
        default: nil
        }
    }

    var number: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        case .string(let text): Double(text)
        default: nil
        }
    }
}

/// What a text must contain for an expression to be found in it, so that an index can be asked: a conjunction of sets, of each of
/// which one text must be there.
///
/// It follows the analysis of Cox's "Regular Expression Matching with a Trigram Index": an expression either spells out a few
/// texts, or has sets that it requires; what is not understood requires nothing. Expressions that ignore case require nothing.
struct RequiredTexts {
    private static let mostTexts = 32
    private static let mostBytes = 4096
    private static let mostDepth = 32

    private struct Node {
        /// What the expression stands for, if it only spells texts out.
        var exact: [[UInt8]]?
        var required: [[[UInt8]]] = []

        /// All that is required, whether it is spelt out or not.
        var sets: [[[UInt8]]] {
            guard let exact else { return required }
            return exact.contains { $0.isEmpty } || exact.isEmpty ? [] : [exact]
        }

        static let anything = Node(exact: nil)
        static let nothing = Node(exact: [[]])
    }

    private struct NotUnderstood: Error {}

    private let bytes: [UInt8]
    private var position = 0

    private init(_ source: String) { bytes = Array(source.utf8) }

    /// - Returns: empty if nothing is known.
    static func find(in source: String) -> [[[UInt8]]] {
        guard source.utf8.count <= mostBytes else { return [] }
        var parser = RequiredTexts(source)
        guard let node = try? parser.alternation(depth: 0), parser.position == parser.bytes.count else { return [] }
        return node.sets
    }

    private func at(_ byte: Character) -> Bool {
        position < bytes.count && bytes[position] == byte.asciiValue
    }

    private mutating func take(_ byte: Character) -> Bool {
        guard at(byte) else { return false }
        position += 1
        return true
    }

    private mutating func next() throws -> UInt8 {
        guard position < bytes.count else { throw NotUnderstood() }
        position += 1
        return bytes[position - 1]
    }

    // MARK: Grammar

    private mutating func alternation(depth: Int) throws -> Node {
        guard depth <= Self.mostDepth else { throw NotUnderstood() }
        var branches = [try concatenation(depth: depth)]
        while take("|") { branches.append(try concatenation(depth: depth)) }
        guard branches.count > 1 else { return branches[0] }
        let exact = branches.compactMap(\.exact)
        if exact.count == branches.count, exact.reduce(0, { $0 + $1.count }) <= Self.mostTexts {
            return Node(exact: exact.flatMap { $0 })
        }
        // Of each branch the set whose shortest text is the longest.
        var united: [[UInt8]] = []
        for branch in branches {
            guard let best = branch.sets.max(by: { Self.shortest($0) < Self.shortest($1) }) else { return .anything }
            united += best
        }
        return united.count <= Self.mostTexts ? Node(exact: nil, required: [united]) : .anything
    }

    private static func shortest(_ texts: [[UInt8]]) -> Int { texts.map(\.count).min() ?? 0 }

    private mutating func concatenation(depth: Int) throws -> Node {
        var spelt: [[UInt8]] = [[]]
        var whole = Node.nothing
        func flush() {
            if !spelt.contains(where: { $0.isEmpty }) { whole.required.append(spelt) }
            spelt = [[]]
        }
        while position < bytes.count, !at("|"), !at(")") {
            let node = try repetition(depth: depth)
            if let exact = node.exact, exact.count * spelt.count <= Self.mostTexts {
                spelt = spelt.flatMap { head in exact.map { head + $0 } }
                continue
            }
            flush()
            whole.exact = nil
            if let exact = node.exact { spelt = exact } else { whole.required += node.required }
        }
        if whole.exact != nil { return Node(exact: spelt) }
        flush()
        return whole
    }

    private mutating func repetition(depth: Int) throws -> Node {
        var node = try atom(depth: depth)
        while position < bytes.count {
            if take("*") {
                node = .anything
            } else if take("+") {
                node = Node(exact: nil, required: node.sets)
            } else if take("?") {
                node = node.exact.map { $0.count < Self.mostTexts ? Node(exact: $0 + [[]]) : .anything } ?? .anything
            } else if at("{"), let least = try count() {
                node = least == 0 ? .anything : Node(exact: nil, required: node.sets)
            } else {
                return node
            }
            // What comes next may say that as little as possible is taken, which changes nothing.
            _ = take("?")
        }
        return node
    }

    /// `{2}`, `{2,}` or `{2,3}`; nil if it is no repetition, but these bytes.
    private mutating func count() throws -> Int? {
        let start = position
        position += 1
        var least = 0
        var digits = 0
        while position < bytes.count, (0x30...0x39).contains(bytes[position]), digits < 5 {
            least = least * 10 + Int(bytes[position] - 0x30)
            digits += 1
            position += 1
        }
        if digits > 0, take(",") {
            while position < bytes.count, (0x30...0x39).contains(bytes[position]) { position += 1 }
        }
        guard digits > 0, take("}") else {
            position = start
            return nil
        }
        return least
    }

    private mutating func atom(depth: Int) throws -> Node {
        let byte = try next()
        switch byte {
        case UInt8(ascii: "("): return try group(depth: depth)
        case UInt8(ascii: "["):
            try skipClass()
            return .anything
        case UInt8(ascii: "."): return .anything
        case UInt8(ascii: "^"), UInt8(ascii: "$"): return .nothing
        case UInt8(ascii: "\\"): return try escape()
        case UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "?"): throw NotUnderstood()
        case 0..<0x80: return Node(exact: [[byte]])
        default:
            // A character of several bytes is repeated as a whole.
            var character = [byte]
            while position < bytes.count, bytes[position] & 0xC0 == 0x80 { character.append(try next()) }
            return Node(exact: [character])
        }
    }

    private mutating func group(depth: Int) throws -> Node {
        if take("?") {
            if take("P") || at("<") {
                guard take("<") else { throw NotUnderstood() }
                while try next() != UInt8(ascii: ">") {}
            } else {
                // Flags: those that change what a letter matches are not followed.
                while !at(":") {
                    let flag = try next()
                    if flag == UInt8(ascii: ")") { return .nothing }
                    guard [UInt8(ascii: "s"), UInt8(ascii: "m"), UInt8(ascii: "U"), UInt8(ascii: "-")].contains(flag)
                    else { throw NotUnderstood() }
                }
                _ = take(":")
            }
        }
        let node = try alternation(depth: depth + 1)
        guard take(")") else { throw NotUnderstood() }
        return node
    }

    private mutating func skipClass() throws {
        _ = take("^")
        var isFirst = true
        while true {
            let byte = try next()
            if byte == UInt8(ascii: "]"), !isFirst { return }
            isFirst = false
            if byte == UInt8(ascii: "\\") {
                _ = try next()
            } else if byte == UInt8(ascii: "["), at(":") {
                while try !(next() == UInt8(ascii: ":") && at("]")) {}
                position += 1
            }
        }
    }

    private mutating func escape() throws -> Node {
        let byte = try next()
        switch byte {
        case UInt8(ascii: "n"): return Node(exact: [[0x0A]])
        case UInt8(ascii: "t"): return Node(exact: [[0x09]])
        case UInt8(ascii: "r"): return Node(exact: [[0x0D]])
        case UInt8(ascii: "b"), UInt8(ascii: "B"), UInt8(ascii: "A"), UInt8(ascii: "z"): return .nothing
        case UInt8(ascii: "d"), UInt8(ascii: "D"), UInt8(ascii: "w"), UInt8(ascii: "W"), UInt8(ascii: "s"),
            UInt8(ascii: "S"):
            return .anything
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x80...0xFF: throw NotUnderstood()
        default: return Node(exact: [[byte]])
        }
    }
}

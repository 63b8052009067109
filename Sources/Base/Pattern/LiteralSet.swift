private import Glibc

/// A set of texts that a text's bytes are looked up in: sorted by bytes, searched by halving.
struct LiteralSet: Sendable {
    private let texts: [[UInt8]]

    /// - Parameter literals: sorted in the order of their UTF-8, unique.
    init(_ literals: [String]) { texts = literals.map { Array($0.utf8) } }

    func contains(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var low = 0
        var high = texts.count
        while low < high {
            let middle = (low + high) / 2
            let order = texts[middle].withUnsafeBytes { Self.compare($0, bytes) }
            if order == 0 { return true }
            if order < 0 { low = middle + 1 } else { high = middle }
        }
        return false
    }

    private static func compare(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Int {
        if let a = left.baseAddress, let b = right.baseAddress {
            let order = memcmp(a, b, min(left.count, right.count))
            if order != 0 { return Int(order) }
        }
        return left.count - right.count
    }
}

/// Reads an expression that is only a choice among texts: characters, escaped punctuation, `|` and groups.
///
/// Each level keeps the texts that it stands for; a concatenation multiplies them, and past `choiceLimit` texts, or `sizeLimit`
/// bytes of them, or at the first operator, the answer is nil: then the expression is RE2's to match.
struct LiteralParser {
    static let choiceLimit = 10_000
    static let sizeLimit = 4 << 20
    private static let depthLimit = 8

    private let bytes: [UInt8]
    private var position = 0
    /// Whether a group captures.
    private(set) var sawCapture = false

    init(_ source: String) { bytes = Array(source.utf8) }

    /// The texts, sorted in the order of their UTF-8, unique.
    mutating func parse() -> [String]? {
        guard let texts = alternation(depth: 0), position == bytes.count else { return nil }
        var sorted = texts.sorted { $0.lexicographicallyPrecedes($1) }
        if sorted.count > 1 {
            sorted = sorted.indices.filter { $0 == 0 || sorted[$0] != sorted[$0 - 1] }.map { sorted[$0] }
        }
        return sorted.map { String(decoding: $0, as: UTF8.self) }
    }

    private mutating func alternation(depth: Int) -> [[UInt8]]? {
        guard depth <= Self.depthLimit else { return nil }
        var all: [[UInt8]] = []
        while true {
            guard let texts = concatenation(depth: depth) else { return nil }
            all += texts
            guard all.count <= Self.choiceLimit else { return nil }
            guard position < bytes.count, bytes[position] == UInt8(ascii: "|") else { return all }
            position += 1
        }
    }

    private mutating func concatenation(depth: Int) -> [[UInt8]]? {
        var texts: [[UInt8]] = [[]]
        while position < bytes.count {
            let byte = bytes[position]
            switch byte {
            case UInt8(ascii: "|"), UInt8(ascii: ")"):
                return texts
            case UInt8(ascii: "("):
                position += 1
                guard let inner = group(depth: depth), let product = Self.product(texts, inner) else { return nil }
                texts = product
            case UInt8(ascii: "\\"):
                guard position + 1 < bytes.count, Self.isPunctuation(bytes[position + 1]) else { return nil }
                Self.append(bytes[position + 1], to: &texts)
                position += 2
            case UInt8(ascii: "."), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "?"), UInt8(ascii: "["),
                UInt8(ascii: "]"), UInt8(ascii: "{"), UInt8(ascii: "}"), UInt8(ascii: "^"), UInt8(ascii: "$"):
                return nil
            default:
                Self.append(byte, to: &texts)
                position += 1
            }
        }
        return texts
    }

    /// What stands between the parentheses; the opening one is read already.
    private mutating func group(depth: Int) -> [[UInt8]]? {
        if position < bytes.count, bytes[position] == UInt8(ascii: "?") {
            guard position + 1 < bytes.count, bytes[position + 1] == UInt8(ascii: ":") else { return nil }
            position += 2
        } else {
            sawCapture = true
        }
        guard let texts = alternation(depth: depth + 1), position < bytes.count,
            bytes[position] == UInt8(ascii: ")")
        else { return nil }
        position += 1
        return texts
    }

    private static func append(_ byte: UInt8, to texts: inout [[UInt8]]) {
        for i in texts.indices { texts[i].append(byte) }
    }

    private static func product(_ left: [[UInt8]], _ right: [[UInt8]]) -> [[UInt8]]? {
        let (count, overflow) = left.count.multipliedReportingOverflow(by: right.count)
        guard !overflow, count <= choiceLimit else { return nil }
        let size = left.reduce(0) { $0 + $1.count } * right.count + right.reduce(0) { $0 + $1.count } * left.count
        guard size <= sizeLimit else { return nil }
        return left.flatMap { head in right.map { head + $0 } }
    }

    /// ASCII punctuation stands for itself after a backslash; letters and digits do not.
    private static func isPunctuation(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E: true
        default: false
        }
    }
}

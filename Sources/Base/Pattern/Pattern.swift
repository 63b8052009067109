private import CRE2

/// Why a regular expression does not compile, or a replacement cannot be made.
package struct PatternError: Error, Hashable, Sendable {
    package var message: String
}

/// A compiled regular expression in RE2's syntax. Matching takes time linear in the text.
///
/// An anchored expression that only spells out texts (`a|b`, `(?:web|db)-1`) is matched by looking the text up among them, so
/// a selector with thousands of alternatives costs as little as one with two.
package final class Pattern: @unchecked Sendable {
    /// The most memory that one compiled expression and its caches may take.
    package static let memoryLimit = 16 << 20

    package let source: String
    package let isAnchored: Bool

    /// The texts that the expression stands for, sorted and unique, if it is nothing but a choice among them:
    /// an anchored pattern matches exactly these, an unanchored one every text that contains one of them.
    package let literals: [String]?

    /// Of an unanchored pattern: sets of texts, of each of which a text contains one if it matches. Empty if nothing is known.
    package let required: [[[UInt8]]]

    /// The number of capture groups, without the whole match.
    package let groupCount: Int

    /// The groups' names; the first entry is the whole match's, and nil, as is that of a group without a name.
    package let groupNames: [String?]

    /// Nil if `lookup` answers alone. RE2's objects may be used by many threads at once.
    private let program: OpaquePointer?
    private let lookup: LiteralSet?

    /// Must match the whole text, and `.` matches a newline: `(?s:^…$)`, as Prometheus and Loki label matchers want.
    package convenience init(anchored source: String) throws(PatternError) {
        try self.init(source, anchored: true)
    }

    /// Matches anywhere in a text, and `.` does not match a newline: line filters and `regexp` parsers want it so.
    package convenience init(unanchored source: String) throws(PatternError) {
        try self.init(source, anchored: false)
    }

    private init(_ source: String, anchored: Bool) throws(PatternError) {
        self.source = source
        isAnchored = anchored
        var parser = LiteralParser(source)
        let choices = parser.parse()
        literals = choices
        required = anchored ? [] : choices.map { [$0.map { Array($0.utf8) }] } ?? RequiredTexts.find(in: source)
        lookup = anchored ? choices.map(LiteralSet.init) : nil
        if lookup != nil, !parser.sawCapture {
            program = nil
            groupCount = 0
            groupNames = [nil]
            return
        }
        let program = try Self.compile(source, dotMatchesNewline: anchored)
        self.program = program
        groupCount = Int(varve_re2_group_count(program))
        groupNames = [nil] + (0..<groupCount).map { Self.name(ofGroup: $0 + 1, in: program) }
    }

    deinit {
        if let program { varve_re2_destroy(program) }
    }

    // MARK: Matching

    package func matches(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { matches(UnsafeRawBufferPointer($0)) }
    }

    package func matches(_ bytes: UnsafeRawBufferPointer) -> Bool {
        if let lookup { return lookup.contains(bytes) }
        return Self.withText(bytes) { varve_re2_matches(program, $0, bytes.count, isAnchored) }
    }

    /// The first match: the whole of it, then each group; nil for a group that took no part. Offsets are UTF-8's.
    ///
    /// - Returns: nil if nothing matches.
    package func firstMatch(in text: String) -> [Range<Int>?]? {
        var text = text
        return text.withUTF8 { firstMatch(in: UnsafeRawBufferPointer($0)) }
    }

    package func firstMatch(in bytes: UnsafeRawBufferPointer, from start: Int = 0) -> [Range<Int>?]? {
        precondition(start >= 0 && start <= bytes.count, "a search begins inside its text")
        guard let program else {
            let matches = start == 0 && lookup?.contains(bytes) == true
            return matches ? [0..<bytes.count] : nil
        }
        let slots = groupCount + 1
        return withUnsafeTemporaryAllocation(of: Int64.self, capacity: 2 * slots) { offsets in
            let found = Self.withText(bytes) {
                varve_re2_find(program, $0, bytes.count, start, isAnchored, offsets.baseAddress, Int32(slots))
            }
            guard found else { return nil }
            return (0..<slots).map { slot in
                offsets[2 * slot] < 0 ? nil : Int(offsets[2 * slot])..<Int(offsets[2 * slot + 1])
            }
        }
    }

    /// RE2 tells a group that matched nothing from one that took no part by its address, so an empty text needs one too.
    private static func withText<Result>(
        _ bytes: UnsafeRawBufferPointer, _ body: (UnsafePointer<CChar>) -> Result
    ) -> Result {
        if let base = bytes.baseAddress { return body(base.assumingMemoryBound(to: CChar.self)) }
        var nothing: CChar = 0
        return body(&nothing)
    }

    // MARK: Compiling

    private static func compile(_ source: String, dotMatchesNewline: Bool) throws(PatternError) -> OpaquePointer {
        var code: Int32 = 0
        var argument = [UInt8](repeating: 0, count: 200)
        var argumentLength = 0
        var text = source
        let program = text.withUTF8 { utf8 in
            withText(UnsafeRawBufferPointer(utf8)) { base in
                argument.withUnsafeMutableBytes { room in
                    varve_re2_create(
                        base, utf8.count, Int64(memoryLimit), dotMatchesNewline, &code,
                        room.baseAddress?.assumingMemoryBound(to: CChar.self), room.count, &argumentLength)
                }
            }
        }
        if let program { return program }
        let piece = String(decoding: argument.prefix(argumentLength), as: UTF8.self)
        let reason = describe(varve_re2_error(rawValue: UInt32(bitPattern: code)))
        guard !piece.isEmpty else { throw PatternError(message: "error parsing regexp: \(reason)") }
        throw PatternError(message: "error parsing regexp: \(reason): `\(piece)`")
    }

    /// The words that users know from Prometheus and Loki.
    private static func describe(_ error: varve_re2_error) -> String {
        switch error {
        case VARVE_RE2_BAD_ESCAPE: "invalid escape sequence"
        case VARVE_RE2_BAD_CHAR_CLASS: "invalid character class"
        case VARVE_RE2_BAD_CHAR_RANGE: "invalid character class range"
        case VARVE_RE2_MISSING_BRACKET: "missing closing ]"
        case VARVE_RE2_MISSING_PAREN: "missing closing )"
        case VARVE_RE2_UNEXPECTED_PAREN: "unexpected )"
        case VARVE_RE2_TRAILING_BACKSLASH: "trailing backslash at end of expression"
        case VARVE_RE2_REPEAT_ARGUMENT: "missing argument to repetition operator"
        case VARVE_RE2_REPEAT_SIZE: "invalid repeat count"
        case VARVE_RE2_REPEAT_OP: "invalid nested repetition operator"
        case VARVE_RE2_BAD_PERL_OP: "invalid or unsupported Perl syntax"
        case VARVE_RE2_BAD_UTF8: "invalid UTF-8"
        case VARVE_RE2_BAD_NAMED_CAPTURE: "invalid named capture"
        case VARVE_RE2_TOO_LARGE: "expression too large"
        default: "internal error"
        }
    }

    private static func name(ofGroup group: Int, in program: OpaquePointer) -> String? {
        var length = 0
        guard let base = varve_re2_group_name(program, Int32(group), &length) else { return nil }
        return String(decoding: UnsafeRawBufferPointer(start: base, count: length), as: UTF8.self)
    }
}

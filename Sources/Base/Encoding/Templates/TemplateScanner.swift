private import Glibc

/// A piece of a text that differs from one line of a template to the next.
struct TemplateVariable {
    enum Kind: UInt8 {
        case text = 0
        /// Up to 18 decimal digits.
        case digits = 1
        /// A UUID in lower case.
        case uuid = 2
    }

    /// start << 32 | length << 2 | kind
    private let packed: UInt64

    @inline(__always)
    init(_ kind: Kind, _ start: Int, _ end: Int) {
        packed =
            UInt64(truncatingIfNeeded: start) &<< 32 | UInt64(truncatingIfNeeded: end &- start) &<< 2
            | UInt64(kind.rawValue)
    }

    /// Counted from the beginning of its text.
    @inline(__always)
    var start: Int { Int(truncatingIfNeeded: packed &>> 32) }
    @inline(__always)
    var length: Int { Int(truncatingIfNeeded: packed & 0xFFFF_FFFF) &>> 2 }
    @inline(__always)
    var end: Int { start &+ length }
    @inline(__always)
    var tag: UInt64 { packed & 3 }
    @inline(__always)
    var kind: Kind { Kind(rawValue: UInt8(truncatingIfNeeded: packed & 3)) ?? .text }
}

/// Cuts a text into what the statement that wrote it always writes, and the variables in between.
///
/// Like CLP and Drain, it goes by tokens: a run of letters, digits, `_` and bytes from 0x80 on. A token with a digit is a
/// variable, one without is constant:
///
/// - digits are a number, also with up to four letters before them or up to three behind (`v2`, `041ms`, `16T13`), if one of these
///   is no hexadecimal digit: the letters are constant;
/// - a UUID in lower case is one variable;
/// - any other token with a digit is a variable text: `2ZYFJ3GM2N`, `5b8aa5a2`;
/// - a quoted text with a digit and a space is one variable text: `"Mozilla/5.0 (X11)"`.
///
/// Which cut is made is no part of the format: the pieces give the text back in any case.
struct TemplateScanner: ~Copyable {
    /// More than this in a text, and the rest of it is one variable.
    static let mostVariables = 48
    /// What stands behind this is one variable.
    static let scannedBytes = 4096
    /// The longest quoted text that is one variable.
    private static let quotedBytes = 1024
    private static let longestNumber = 18

    private static let digit: UInt8 = 1
    private static let hexadecimal: UInt8 = 2
    private static let letter: UInt8 = 4
    private static let word: UInt8 = 7
    private static let quote: UInt8 = 8

    private let classes: Scratch<UInt8>
    /// Those of the last text that was scanned.
    let variables: Scratch<TemplateVariable>
    private(set) var count = 0

    init() {
        classes = Scratch(256)
        variables = Scratch(Self.mostVariables)
        for byte in 0..<256 {
            classes.base[byte] =
                switch UInt8(byte) {
                case 0x30...0x39: Self.digit
                case 0x61...0x66: Self.hexadecimal
                case 0x41...0x5A, 0x61...0x7A, 0x5F, 0x80...0xFF: Self.letter
                case 0x22: Self.quote
                default: 0
                }
        }
    }

    /// Finds the variables of a text.
    mutating func scan(_ text: UnsafeRawBufferPointer) {
        count = 0
        guard let base = text.baseAddress else { return }
        let bytes = base.assumingMemoryBound(to: UInt8.self)
        let end = min(text.count, Self.scannedBytes)
        let classes = classes.base
        var i = 0
        // Where the quoted text ends that is being looked at.
        var closing = -1
        while i < end {
            let first = classes[Int(bytes[i])]
            if first == 0 {
                i &+= 1
                continue
            }
            if first == Self.quote {
                i = quoted(bytes, i, end, &closing)
                continue
            }
            let start = i
            var seen: UInt8 = 0
            var next = first
            repeat {
                seen |= next
                i &+= 1
                next = i < end ? classes[Int(bytes[i])] : 0
            } while next & Self.word != 0
            if i &- start == 8, seen & Self.letter == 0, next == 0, isUUID(bytes, start, end) {
                guard add(.uuid, start, start &+ 36, of: text.count) else { return }
                i = start &+ 36
            } else if seen & Self.digit != 0 {
                guard token(bytes, start, i, seen, of: text.count) else { return }
            }
        }
        if end < text.count { close(text.count, scanned: end) }
    }

    /// Adds a variable.
    ///
    /// - Returns: false if there were too many: the last one is the rest of the text then.
    @inline(__always)
    private mutating func add(_ kind: TemplateVariable.Kind, _ start: Int, _ end: Int, of length: Int) -> Bool {
        guard count < Self.mostVariables &- 1 else {
            variables.base[count] = TemplateVariable(.text, start, length)
            count &+= 1
            return false
        }
        variables.base[count] = TemplateVariable(kind, start, end)
        count &+= 1
        return true
    }

    /// Makes what was not scanned a variable.
    private mutating func close(_ length: Int, scanned end: Int) {
        if count > 0, variables.base[count - 1].end >= end {
            variables.base[count - 1] = TemplateVariable(.text, variables.base[count - 1].start, length)
        } else {
            _ = add(.text, end, length, of: length)
        }
    }

    /// Looks at a quotation mark.
    ///
    /// - Returns: where to go on.
    @inline(__always)
    private mutating func quoted(
        _ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int, _ closing: inout Int
    ) -> Int {
        guard start > closing else { return start &+ 1 }
        let room = min(end &- start &- 1, Self.quotedBytes)
        guard room > 0, let found = memchr(bytes + start + 1, 0x22, room) else { return start &+ 1 }
        let stop = UnsafeRawPointer(found) - UnsafeRawPointer(bytes)
        closing = stop
        guard stop &- start > 4, memchr(bytes + start + 1, 0x20, stop &- start &- 1) != nil else { return start &+ 1 }
        var seen: UInt8 = 0
        for i in (start &+ 1)..<stop { seen |= classes.base[Int(bytes[i])] }
        guard seen & Self.digit != 0, count < Self.mostVariables &- 1 else { return start &+ 1 }
        variables.base[count] = TemplateVariable(.text, start &+ 1, stop)
        count &+= 1
        return stop &+ 1
    }

    private func isUUID(_ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> Bool {
        guard bytes[start &+ 8 < end ? start &+ 8 : start] == 0x2D, start &+ 36 <= end,
            UUIDText.isCanonical(UnsafeRawBufferPointer(start: bytes + start, count: 36))
        else { return false }
        return start &+ 36 == end || classes.base[Int(bytes[start &+ 36])] & Self.word == 0
    }

    /// Adds the variables of a token that has a digit.
    @inline(__always)
    private mutating func token(
        _ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int, _ seen: UInt8, of length: Int
    ) -> Bool {
        if seen == Self.digit {
            return add(end &- start <= Self.longestNumber ? .digits : .text, start, end, of: length)
        }
        if seen & Self.letter == 0 { return add(.text, start, end, of: length) }
        return mixed(bytes, start, end, of: length)
    }

    /// Letters, digits, letters; or letters, digits, one or two letters, digits, letters.
    private mutating func mixed(_ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int, of length: Int) -> Bool {
        let first = run(bytes, start, end, ofDigits: false)
        let second = run(bytes, first, end, ofDigits: true)
        let third = run(bytes, second, end, ofDigits: false)
        let isShort = first &- start <= 4 && second &- first <= Self.longestNumber
        if third == end, isShort, third &- second <= 3 { return add(.digits, first, second, of: length) }
        let fourth = run(bytes, third, end, ofDigits: true)
        let fifth = run(bytes, fourth, end, ofDigits: false)
        guard fifth == end, isShort, third &- second <= 2, fifth &- fourth <= 2,
            fourth &- third <= Self.longestNumber
        else { return add(.text, start, end, of: length) }
        return add(.digits, first, second, of: length) && add(.digits, third, fourth, of: length)
    }

    @inline(__always)
    private func run(_ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int, ofDigits: Bool) -> Int {
        var i = start
        while i < end, (classes.base[Int(bytes[i])] == Self.digit) == ofDigits { i &+= 1 }
        return i
    }
}

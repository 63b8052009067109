import Core

/// Cuts text into the tokens that a skip index holds, and a search into the tokens that a match must have.
///
/// Letters of ASCII count as lower case. Bytes from 0x80 on are word bytes, so any script is indexed, without
/// case folding.
///
/// - A **word** is a longest run of letters, digits, `_` and bytes from 0x80 on.
/// - A **compound** is a longest run of word bytes and the joiners `. : / -`, less joiners at its ends, that
///   has at least two words and a digit: addresses, UUIDs, versions, paths, names of pods.
/// - A **fragment** is eight bytes of a compound or word: of every sixteen bytes with three digits and three
///   letters, those eight whose hash is least ("winnowing": Schleimer, Wilkerson and Aiken, SIGMOD 2003). Which
///   eight depends on the sixteen alone, so a search for a part of an id, of sixteen bytes or more, finds them
///   without knowing where the id begins. A 32-digit id has some four of them.
///
/// A token's hash is the XXH3 of its bytes; a fragment's is its eight bytes mixed.
package struct Tokenizer: Sendable {
    static let gramBytes = 8
    static let windowBytes = 16
    private static let leastOfEach = 3
    /// Odd, so different bytes have different orders.
    private static let orderFactor: UInt64 = 0x9FB2_1C65_1E98_DF25

    private let hasFragments: Bool
    private var lowered: [UInt8] = []

    /// - Parameter fragments: whether ids are found by a part of them. The index and its searches must agree.
    package init(fragments: Bool = true) {
        hasFragments = fragments
    }

    /// Calls `body` with the hash of every token, repeated ones too.
    package mutating func forEachToken(in text: UnsafeRawBufferPointer, _ body: (UInt64) -> Void) {
        scan(text, isPart: false, body)
    }

    /// Hashes that the tokens of every text that contains `needle` have: of the tokens that end inside it, and
    /// of fragments.
    ///
    /// Holds for searches that ignore the case of ASCII letters too. May be empty: then the index cannot help.
    package mutating func hashes(ofPart needle: UnsafeRawBufferPointer) -> [UInt64] {
        distinct { tokenizer, body in tokenizer.scan(needle, isPart: true, body) }
    }

    /// Hashes that the tokens of a text equal to `text` have.
    package mutating func hashes(ofWhole text: UnsafeRawBufferPointer) -> [UInt64] {
        distinct { tokenizer, body in tokenizer.scan(text, isPart: false, body) }
    }

    package mutating func hashes(ofPart needle: String) -> [UInt64] {
        var needle = needle
        return needle.withUTF8 { hashes(ofPart: UnsafeRawBufferPointer($0)) }
    }

    package mutating func hashes(ofWhole text: String) -> [UInt64] {
        var text = text
        return text.withUTF8 { hashes(ofWhole: UnsafeRawBufferPointer($0)) }
    }

    private mutating func distinct(_ scan: (inout Tokenizer, (UInt64) -> Void) -> Void) -> [UInt64] {
        var seen: Set<UInt64> = []
        var hashes: [UInt64] = []
        scan(&self) { hash in
            if seen.insert(hash).inserted { hashes.append(hash) }
        }
        return hashes
    }

    /// Visits the runs of compound bytes. Of a part of a text, only what ends inside it is a token of the text.
    private mutating func scan(_ text: UnsafeRawBufferPointer, isPart: Bool, _ body: (UInt64) -> Void) {
        if lowered.count < text.count { lowered = Array(repeating: 0, count: max(text.count, 2 * lowered.count, 1024)) }
        lowered.withUnsafeMutableBufferPointer { memory in
            guard let bytes = memory.baseAddress, let source = text.baseAddress else { return }
            Self.lower(source, text.count, into: bytes)
            let classes = ByteClass.table
            var i = 0
            while i < text.count {
                if classes[Int(bytes[i])] & ByteClass.compound == 0 {
                    i &+= 1
                    continue
                }
                i = Self.scanRun(
                    bytes, from: i, count: text.count, isPart: isPart, fragments: hasFragments, classes, body)
            }
        }
    }

    /// Visits the tokens of the run that begins at `start`; returns where it ends.
    @inline(__always)
    private static func scanRun(
        _ bytes: UnsafePointer<UInt8>, from start: Int, count: Int, isPart: Bool, fragments: Bool,
        _ classes: UnsafePointer<UInt8>, _ body: (UInt64) -> Void
    ) -> Int {
        var first = -1
        var last = start
        var words = 0
        var seen: UInt8 = 0
        var i = start
        while i < count {
            let kind = classes[Int(bytes[i])]
            if kind & ByteClass.compound == 0 { break }
            if kind & ByteClass.word == 0 {
                i &+= 1
                continue
            }
            let word = i
            while i < count {
                let kind = classes[Int(bytes[i])]
                if kind & ByteClass.word == 0 { break }
                seen |= kind
                i &+= 1
            }
            if first < 0 { first = word }
            last = i
            words &+= 1
            if !isPart || (word > 0 && i < count) {
                body(XXH3.hash(UnsafeRawBufferPointer(start: bytes + word, count: i &- word)))
            }
        }
        guard seen & ByteClass.digit != 0 else { return i }
        if words > 1 && (!isPart || (start > 0 && i < count)) {
            body(XXH3.hash(UnsafeRawBufferPointer(start: bytes + first, count: last &- first)))
        }
        if fragments && last &- first >= windowBytes && seen & ByteClass.letter != 0 {
            forEachFragment(bytes + first, last &- first, classes, body)
        }
        return i
    }

    /// Calls `body` with the fragment of every window that has one, once for windows in a row that share it.
    private static func forEachFragment(
        _ run: UnsafePointer<UInt8>, _ length: Int, _ classes: UnsafePointer<UInt8>, _ body: (UInt64) -> Void
    ) {
        let source = UnsafeRawPointer(run)
        let grams = windowBytes - gramBytes + 1
        var digits = 0
        var letters = 0
        for i in 0..<(windowBytes - 1) { count(classes[Int(run[i])], &digits, &letters, by: 1) }
        var least = UInt64.max
        var leastAt = -1
        var lastSent = -1
        for window in 0...(length &- windowBytes) {
            count(classes[Int(run[window &+ windowBytes &- 1])], &digits, &letters, by: 1)
            defer { count(classes[Int(run[window])], &digits, &letters, by: -1) }
            guard digits >= leastOfEach && letters >= leastOfEach else {
                leastAt = -1
                continue
            }
            // The window before left only its last gram to look at, unless it had the least one at its front or
            // none at all.
            let isFresh = leastAt < window
            if isFresh { least = .max }
            for gram in (isFresh ? window : window &+ grams &- 1)..<(window &+ grams) {
                let eight = UInt64(littleEndian: source.loadUnaligned(fromByteOffset: gram, as: UInt64.self))
                let order = eight &* orderFactor
                if order <= least {
                    least = order
                    leastAt = gram
                }
            }
            if leastAt != lastSent {
                // The least of hashes are no even spread: mixed, they are.
                body(mix(least))
                lastSent = leastAt
            }
        }
    }

    @inline(__always)
    private static func count(_ kind: UInt8, _ digits: inout Int, _ letters: inout Int, by step: Int) {
        digits &+= Int(kind &>> 2 & 1) &* step
        letters &+= Int(kind &>> 3 & 1) &* step
    }

    /// A bijection whose every output bit depends on every input bit (the finalizer of SplitMix64).
    @inline(__always)
    private static func mix(_ value: UInt64) -> UInt64 {
        var z = value &+ 0x9E37_79B9_7F4A_7C15
        z = (z ^ (z &>> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z &>> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z &>> 31)
    }

    @inline(__always)
    private static func lower(_ source: UnsafeRawPointer, _ count: Int, into target: UnsafeMutablePointer<UInt8>) {
        for i in 0..<count {
            let byte = source.load(fromByteOffset: i, as: UInt8.self)
            target[i] = byte | (byte &- 0x41 < 26 ? 0x20 : 0)
        }
    }
}

/// What a byte may be part of, one bit each.
enum ByteClass {
    static let word: UInt8 = 1
    /// Of a compound: word bytes and joiners.
    static let compound: UInt8 = 2
    static let digit: UInt8 = 4
    static let letter: UInt8 = 8

    /// The classes of all bytes; lives as long as the process.
    nonisolated(unsafe) static let table: UnsafePointer<UInt8> = {
        let table = UnsafeMutablePointer<UInt8>.allocate(capacity: 256)
        table.initialize(repeating: 0, count: 256)
        for byte in 0x30...0x39 { table[byte] = word | compound | digit }
        for byte in 0x61...0x7A { table[byte] = word | compound | letter }
        for byte in 0x41...0x5A { table[byte] = word | compound | letter }
        for byte in 0x80...0xFF { table[byte] = word | compound }
        table[0x5F] = word | compound
        for joiner: UInt8 in [0x2E, 0x3A, 0x2F, 0x2D] { table[Int(joiner)] = compound }
        return UnsafePointer(table)
    }()
}

import Core

/// Cuts text into the tokens that a skip index holds, and a search into the tokens that a match must have.
///
/// Letters of ASCII count as lower case. Bytes from 0x80 on are word bytes, so any script is indexed, without case folding.
///
/// - A **run** is a longest run of letters, digits, `_`, bytes from 0x80 on and the joiners `. / -`, less joiners at its ends.
/// - A **word** is a longest run of the same without joiners, so a run has one word or more.
/// - A **compound** is a run of at least two words with a digit: an address, UUID, version, path, or name of a pod.
///
/// Tokens are compounds and words, except those that would fill the index and hardly ever leave out a block:
///
/// - *Short numbers*: up to five digits and up to two letters, like `200` or `35ms`. Words that are that, and *decimals*, compounds
///   of a number, a dot, and digits with up to two letters.
/// - *Parts of ids*: words of up to twelve bytes in a run with other words, that have a digit, and no letter beyond `f` or
///   only up to two letters behind the digits. The compound stands for them.
///
/// A token's hash is the XXH3 of its bytes in lower case. What a search knows only a piece of is a token of the text if the
/// block has no longer word or run that could contain the piece, which `TokenStamps` tell.
package struct Tokenizer: Sendable {
    static let partBytes = 12
    static let shortDigits = 5
    static let unitLetters = 2

    private var lowered: [UInt8] = []

    package init() {}

    /// Adds the tokens of a text to `hashes`, and its words and runs to `stamps`.
    package mutating func add(_ text: UnsafeRawBufferPointer, to hashes: HashSet64, _ stamps: inout TokenStamps.Builder)
    {
        lower(text) { bytes, count in
            Self.forEachRun(bytes, count) { run in
                stamps.addRun(run.mask, run.end &- run.start)
                Self.forEachWord(bytes, run) { word in
                    stamps.addWord(word.mask, word.end &- word.start)
                    if Self.isIndexed(word, of: run, bytes) { hashes.insert(Self.hash(bytes, word)) }
                }
                if Self.isCompound(run, bytes) { hashes.insert(Self.hash(bytes, run)) }
            }
        }
    }

    /// What every text has that contains `needle`: all of these tokens. Holds for searches that ignore the case of ASCII
    /// letters too. May be empty: then the index cannot help.
    package mutating func conditions(containing needle: UnsafeRawBufferPointer) -> [TokenCondition] {
        var conditions: [TokenCondition] = []
        lower(needle) { bytes, count in
            Self.forEachRun(bytes, count) { run in
                // Of the text around the needle nothing is known.
                let isClosed = Self.isClosed(run, bytes, count)
                Self.forEachWord(bytes, run) { word in
                    let isWhole = word.start > 0 && word.end < count
                    if Self.isPart(word, bytes) {
                        // If it stands in a run with other words, it may not be in the index.
                        guard run.words == 1, !Self.isShortNumber(word, bytes) else { return }
                        conditions.append(TokenCondition(Self.hash(bytes, word), isClosed ? nil : .run(word)))
                    } else if !Self.isShortNumber(word, bytes) {
                        conditions.append(TokenCondition(Self.hash(bytes, word), isWhole ? nil : .word(word)))
                    }
                }
                if Self.isCompound(run, bytes) {
                    conditions.append(TokenCondition(Self.hash(bytes, run), isClosed ? nil : .run(run)))
                }
            }
        }
        return conditions.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }

    package mutating func conditions(containing needle: String) -> [TokenCondition] {
        var needle = needle
        return needle.withUTF8 { conditions(containing: UnsafeRawBufferPointer($0)) }
    }

    // MARK: Runs and words

    /// Bytes of a text: a run or a word.
    struct Extent {
        var start: Int
        var end: Int
        /// The classes of its bytes.
        var mask: UInt8 = 0
        /// Of a run: how many words it has.
        var words = 0
    }

    @inline(__always)
    private static func forEachRun(_ bytes: UnsafePointer<UInt8>, _ count: Int, _ body: (Extent) -> Void) {
        let classes = ByteClass.table
        var i = 0
        while i < count {
            guard classes[Int(bytes[i])] & ByteClass.word != 0 else {
                i &+= 1
                continue
            }
            var run = Extent(start: i, end: i)
            var joiners: UInt8 = 0
            while i < count {
                let kind = classes[Int(bytes[i])]
                if kind == 0 { break }
                i &+= 1
                if kind & ByteClass.word == 0 {
                    joiners |= kind
                    continue
                }
                run.mask |= kind | joiners
                joiners = 0
                run.words &+= 1
                while i < count {
                    let kind = classes[Int(bytes[i])]
                    if kind & ByteClass.word == 0 { break }
                    run.mask |= kind
                    i &+= 1
                }
                run.end = i
            }
            body(run)
        }
    }

    @inline(__always)
    private static func forEachWord(_ bytes: UnsafePointer<UInt8>, _ run: Extent, _ body: (Extent) -> Void) {
        if run.words == 1 { return body(run) }
        let classes = ByteClass.table
        var i = run.start
        while i < run.end {
            var kind = classes[Int(bytes[i])]
            if kind & ByteClass.word == 0 {
                i &+= 1
                continue
            }
            var word = Extent(start: i, end: i)
            repeat {
                word.mask |= kind
                i &+= 1
                kind = i < run.end ? classes[Int(bytes[i])] : 0
            } while kind & ByteClass.word != 0
            word.end = i
            body(word)
        }
    }

    /// Whether a run of a needle is one of every text that contains the needle: bytes that no run has stand on both sides.
    private static func isClosed(_ run: Extent, _ bytes: UnsafePointer<UInt8>, _ count: Int) -> Bool {
        var before = run.start
        while before > 0, ByteClass.table[Int(bytes[before - 1])] & ByteClass.joiner != 0 { before -= 1 }
        var after = run.end
        while after < count, ByteClass.table[Int(bytes[after])] & ByteClass.joiner != 0 { after += 1 }
        return before > 0 && after < count
    }

    // MARK: What is a token

    @inline(__always)
    private static func isIndexed(_ word: Extent, of run: Extent, _ bytes: UnsafePointer<UInt8>) -> Bool {
        guard word.mask & ByteClass.digit != 0 else { return true }
        if isShortNumber(word, bytes) { return false }
        return run.words == 1 || !isPart(word, bytes)
    }

    @inline(__always)
    private static func isCompound(_ run: Extent, _ bytes: UnsafePointer<UInt8>) -> Bool {
        run.words > 1 && run.mask & ByteClass.digit != 0 && !isDecimal(run, bytes)
    }

    private static func leadingDigits(_ extent: Extent, _ bytes: UnsafePointer<UInt8>) -> Int {
        var i = extent.start
        while i < extent.end, ByteClass.table[Int(bytes[i])] == ByteClass.digit { i &+= 1 }
        return i &- extent.start
    }

    /// Digits, and at most two bytes behind them.
    private static func isNumber(_ word: Extent, _ bytes: UnsafePointer<UInt8>) -> Bool {
        let digits = leadingDigits(word, bytes)
        return digits > 0 && word.end &- word.start &- digits <= unitLetters
    }

    private static func isShortNumber(_ word: Extent, _ bytes: UnsafePointer<UInt8>) -> Bool {
        word.end &- word.start <= shortDigits &+ unitLetters && isNumber(word, bytes)
            && leadingDigits(word, bytes) <= shortDigits
    }

    /// Whether the compound would stand for the word, if it were in one.
    private static func isPart(_ word: Extent, _ bytes: UnsafePointer<UInt8>) -> Bool {
        guard word.mask & ByteClass.digit != 0, word.end &- word.start <= partBytes else { return false }
        return word.mask & ~(ByteClass.digit | ByteClass.hexadecimal) == 0 || isNumber(word, bytes)
    }

    private static func isDecimal(_ run: Extent, _ bytes: UnsafePointer<UInt8>) -> Bool {
        guard run.words == 2, run.mask & (ByteClass.slash | ByteClass.dash) == 0 else { return false }
        let whole = leadingDigits(run, bytes)
        let point = run.start &+ whole
        guard whole > 0, ByteClass.table[Int(bytes[point])] == ByteClass.dot else { return false }
        return isNumber(Extent(start: point &+ 1, end: run.end), bytes)
    }

    @inline(__always)
    private static func hash(_ bytes: UnsafePointer<UInt8>, _ extent: Extent) -> UInt64 {
        XXH3.hash(UnsafeRawBufferPointer(start: bytes + extent.start, count: extent.end &- extent.start))
    }

    // MARK: Case

    @inline(__always)
    private mutating func lower(
        _ text: UnsafeRawBufferPointer, _ body: (UnsafePointer<UInt8>, Int) -> Void
    ) {
        if lowered.count < text.count { lowered = Array(repeating: 0, count: max(text.count, 2 * lowered.count, 1024)) }
        lowered.withUnsafeMutableBufferPointer { memory in
            guard let bytes = memory.baseAddress, let source = text.baseAddress else { return }
            for i in 0..<text.count {
                let byte = source.load(fromByteOffset: i, as: UInt8.self)
                bytes[i] = byte | (byte &- 0x41 < 26 ? 0x20 : 0)
            }
            body(bytes, text.count)
        }
    }
}

/// A token that a text must have.
package struct TokenCondition: Sendable, Hashable {
    package let hash: UInt64
    /// The search has only this piece of it: what is longer and has bytes of at least these classes may contain it.
    let piece: Piece?

    /// A token that is known whole.
    package init(whole hash: UInt64) { self.init(hash, nil) }

    struct Piece: Sendable, Hashable {
        var isWord: Bool
        var mask: UInt8
        var length: Int

        static func word(_ extent: Tokenizer.Extent) -> Piece {
            Piece(isWord: true, mask: extent.mask, length: extent.end - extent.start)
        }

        static func run(_ extent: Tokenizer.Extent) -> Piece {
            Piece(isWord: false, mask: extent.mask, length: extent.end - extent.start)
        }
    }

    init(_ hash: UInt64, _ piece: Piece?) {
        self.hash = hash
        self.piece = piece
    }
}

/// What a byte may be part of, one bit each; none for what separates runs.
enum ByteClass {
    static let digit: UInt8 = 1
    /// `a` to `f`.
    static let hexadecimal: UInt8 = 2
    static let letter: UInt8 = 4
    static let underscore: UInt8 = 8
    /// From 0x80 on.
    static let foreign: UInt8 = 16
    static let dot: UInt8 = 32
    static let slash: UInt8 = 64
    static let dash: UInt8 = 128
    static let word = digit | hexadecimal | letter | underscore | foreign
    static let joiner = dot | slash | dash

    /// The classes of all bytes; lives as long as the process.
    nonisolated(unsafe) static let table: UnsafePointer<UInt8> = {
        let table = UnsafeMutablePointer<UInt8>.allocate(capacity: 256)
        table.initialize(repeating: 0, count: 256)
        for byte in 0x30...0x39 { table[byte] = digit }
        for byte in 0x61...0x66 { table[byte] = hexadecimal }
        for byte in 0x67...0x7A { table[byte] = letter }
        for byte in 0x80...0xFF { table[byte] = foreign }
        table[0x5F] = underscore
        table[0x2E] = dot
        table[0x2F] = slash
        table[0x2D] = dash
        return UnsafePointer(table)
    }()
}

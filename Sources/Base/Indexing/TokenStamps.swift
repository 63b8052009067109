/// How long the words and runs of a block are, by the classes of their bytes.
///
/// A search for `5b8aa5a2d2c872e8` may stand for a whole word or for a piece of a longer one. If no longer word of the block has
/// a digit and a letter up to `f`, it is a whole one, and the index can be asked.
package struct TokenStamps: Sendable, Equatable {
    struct Stamp: Sendable, Equatable {
        var mask: UInt8
        /// The greatest length; the largest number stands for all that are not less.
        var length: UInt16
    }

    var words: [Stamp] = []
    var runs: [Stamp] = []

    /// Whether a word or run of the block may contain the piece without being it.
    func mayContain(_ piece: TokenCondition.Piece) -> Bool {
        (piece.isWord ? words : runs).contains { stamp in
            stamp.mask & piece.mask == piece.mask && (Int(stamp.length) > piece.length || stamp.length == .max)
        }
    }

    /// Whether a search that these stamps send through the whole block is sent there by the others, too.
    func isCovered(by other: TokenStamps) -> Bool {
        func covers(_ some: [Stamp], _ all: [Stamp]) -> Bool {
            some.allSatisfy { stamp in all.contains { $0.mask & stamp.mask == stamp.mask && $0.length >= stamp.length }
            }
        }
        return covers(words, other.words) && covers(runs, other.runs)
    }

    /// Gathers the stamps of one block.
    package struct Builder {
        private var words: [UInt16] = Array(repeating: 0, count: 32)
        private var runs: [UInt16] = Array(repeating: 0, count: 256)

        package init() {}

        @inline(__always)
        mutating func addWord(_ mask: UInt8, _ length: Int) {
            let place = Int(mask & 31)
            if length > Int(words[place]) { words[place] = UInt16(clamping: length) }
        }

        @inline(__always)
        mutating func addRun(_ mask: UInt8, _ length: Int) {
            let place = Int(mask)
            if length > Int(runs[place]) { runs[place] = UInt16(clamping: length) }
        }

        /// The stamps of another text of the block.
        package mutating func add(_ stamps: TokenStamps) {
            for stamp in stamps.words { addWord(stamp.mask, Int(stamp.length)) }
            for stamp in stamps.runs { addRun(stamp.mask, Int(stamp.length)) }
        }

        /// The stamps so far. Starts over.
        package mutating func finish() -> TokenStamps {
            let stamps = TokenStamps(words: Self.greatest(words), runs: Self.greatest(runs))
            self = Builder()
            return stamps
        }

        /// Those that say more than others: with fewer classes, or longer.
        private static func greatest(_ lengths: [UInt16]) -> [Stamp] {
            let all = lengths.indices.compactMap { mask in
                lengths[mask] > 0 ? Stamp(mask: UInt8(mask), length: lengths[mask]) : nil
            }
            return all.filter { stamp in
                !all.contains { other in
                    other != stamp && other.mask & stamp.mask == stamp.mask && other.length >= stamp.length
                }
            }
        }
    }

    // MARK: Bytes

    func encode(into bytes: inout [UInt8]) {
        for list in [words, runs] {
            ByteCoding.append(varint: UInt64(list.count), to: &bytes)
            for stamp in list {
                bytes.append(stamp.mask)
                ByteCoding.append(varint: UInt64(stamp.length), to: &bytes)
            }
        }
    }

    init(words: [Stamp], runs: [Stamp]) {
        self.words = words
        self.runs = runs
    }

    init(decoding reader: inout ByteCoding) throws(IndexingError) {
        words = try Self.list(&reader)
        runs = try Self.list(&reader)
    }

    private static func list(_ reader: inout ByteCoding) throws(IndexingError) -> [Stamp] {
        var list: [Stamp] = []
        for _ in 0..<(try reader.varint(below: 257)) {
            let mask = try reader.byte()
            list.append(Stamp(mask: mask, length: UInt16(try reader.varint(below: 65_536))))
        }
        return list
    }
}

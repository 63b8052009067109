/// Some of the blocks of a part.
package struct BlockSet: Hashable, Sendable {
    /// The number of blocks of the part.
    package let blockCount: Int
    private var words: [UInt64]

    package static func all(of blockCount: Int) -> BlockSet {
        var set = BlockSet(blockCount: blockCount, words: Array(repeating: .max, count: (blockCount + 63) / 64))
        if blockCount % 64 != 0 { set.words[set.words.count - 1] = (1 << UInt64(blockCount % 64)) - 1 }
        return set
    }

    package static func none(of blockCount: Int) -> BlockSet {
        BlockSet(blockCount: blockCount, words: Array(repeating: 0, count: (blockCount + 63) / 64))
    }

    package init(_ blocks: some Sequence<Int>, of blockCount: Int) {
        self = .none(of: blockCount)
        for block in blocks { insert(block) }
    }

    private init(blockCount: Int, words: [UInt64]) {
        self.blockCount = blockCount
        self.words = words
    }

    package var isEmpty: Bool { words.allSatisfy { $0 == 0 } }

    /// How many there are.
    package var count: Int { words.reduce(0) { $0 + $1.nonzeroBitCount } }

    package func contains(_ block: Int) -> Bool {
        precondition(block >= 0 && block < blockCount, "no such block")
        return words[block / 64] >> UInt64(block % 64) & 1 != 0
    }

    package mutating func insert(_ block: Int) {
        precondition(block >= 0 && block < blockCount, "no such block")
        words[block / 64] |= 1 << UInt64(block % 64)
    }

    package mutating func remove(_ block: Int) {
        precondition(block >= 0 && block < blockCount, "no such block")
        words[block / 64] &= ~(1 << UInt64(block % 64))
    }

    package mutating func formIntersection(_ other: BlockSet) {
        precondition(other.blockCount == blockCount, "they are of one part")
        for i in words.indices { words[i] &= other.words[i] }
    }

    package mutating func formUnion(_ other: BlockSet) {
        precondition(other.blockCount == blockCount, "they are of one part")
        for i in words.indices { words[i] |= other.words[i] }
    }

    package mutating func removeAll() {
        for i in words.indices { words[i] = 0 }
    }

    /// Asks about the blocks in the set, and keeps those that are accepted.
    package mutating func keep<Failure: Error>(
        _ accepts: (Int) throws(Failure) -> Bool
    ) throws(Failure) {
        for i in words.indices {
            var rest = words[i]
            while rest != 0 {
                let bit = rest.trailingZeroBitCount
                rest &= rest - 1
                if try !accepts(i * 64 + bit) { words[i] &= ~(1 << UInt64(bit)) }
            }
        }
    }
}

extension BlockSet: Sequence {
    package struct Iterator: IteratorProtocol {
        private let words: [UInt64]
        private var word = 0
        private var rest: UInt64

        fileprivate init(_ words: [UInt64]) {
            self.words = words
            rest = words.first ?? 0
        }

        package mutating func next() -> Int? {
            while rest == 0 {
                word += 1
                guard word < words.count else { return nil }
                rest = words[word]
            }
            defer { rest &= rest - 1 }
            return word * 64 + rest.trailingZeroBitCount
        }
    }

    /// Ascending.
    package func makeIterator() -> Iterator { Iterator(words) }
}

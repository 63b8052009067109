import Columns
import Core
import Glibc
import Indexing
import TableSchema

/// What indexes of n-grams of a column of texts would take, and what they would leave of a search: no part has such an index.
///
/// Each block's n-grams are gathered exactly, so what is left of a search is the least that any index of them can leave: a filter
/// with false positives leaves more.
struct NgramMeasure {
    enum Kind: CaseIterable {
        case trigrams, fourGrams, sparse

        var name: String {
            switch self {
            case .trigrams: "trigrams"
            case .fourGrams: "4-grams"
            case .sparse: "sparse n-grams"
            }
        }
    }

    struct Result {
        var kind: Kind
        /// Of all blocks: distinct n-grams of each.
        var grams = 0
        /// Of all parts: distinct n-grams of each.
        var terms = 0
        /// Of lists of blocks, as their information says: log2 of how many ways there are to choose as many.
        var postingBits = 0.0
        var seconds = 0.0
        /// By question, blocks that are left.
        var blocks: [Int]
    }

    private static let blockRows = 8192
    let questions: [(name: String, text: [UInt8])]
    private(set) var results: [Result]

    init(_ questions: [(name: String, text: [UInt8])]) {
        self.questions = questions
        results = Kind.allCases.map { Result(kind: $0, blocks: questions.map { _ in 0 }) }
    }

    /// Adds the rows of one part.
    mutating func add(_ strings: StringColumn, _ rows: ArraySlice<UInt32>) {
        for number in results.indices {
            let kind = results[number].kind
            let wanted = questions.map { Self.grams($0.text, kind) }
            var blocksOfGram: [UInt64: Int] = [:]
            var count = 0
            for start in stride(from: rows.startIndex, to: rows.endIndex, by: Self.blockRows) {
                let block = rows[start..<min(start + Self.blockRows, rows.endIndex)]
                let begun = Self.processorSeconds()
                let set = HashSet64()
                for row in block { Self.forEachGram(strings.bytes(Int(row)), kind) { set.insert($0) } }
                results[number].seconds += Self.processorSeconds() - begun
                results[number].grams += set.count
                count += 1
                var found: Set<UInt64> = []
                set.withElements { elements in
                    for gram in elements { blocksOfGram[gram, default: 0] += 1 }
                    found = Set(elements)
                }
                for (question, grams) in wanted.enumerated() where grams.allSatisfy({ found.contains($0) }) {
                    results[number].blocks[question] += 1
                }
            }
            results[number].terms += blocksOfGram.count
            for (some, terms) in Dictionary(grouping: blocksOfGram.values, by: { $0 }) {
                results[number].postingBits += Self.bits(choosing: some, of: count) * Double(terms.count)
            }
        }
    }

    private static func bits(choosing some: Int, of count: Int) -> Double {
        (lgamma(Double(count + 1)) - lgamma(Double(some + 1)) - lgamma(Double(count - some + 1))) / log(2.0)
            + log2(Double(count))
    }

    private static func grams(_ text: [UInt8], _ kind: Kind) -> Set<UInt64> {
        var grams: Set<UInt64> = []
        text.withUnsafeBytes { forEachGram($0, kind) { grams.insert($0) } }
        return grams
    }

    private static func forEachGram(_ text: UnsafeRawBufferPointer, _ kind: Kind, _ body: (UInt64) -> Void) {
        switch kind {
        case .trigrams: forEachGram(text, of: 3, body)
        case .fourGrams: forEachGram(text, of: 4, body)
        case .sparse: forEachSparseGram(text, body)
        }
    }

    private static func forEachGram(_ text: UnsafeRawBufferPointer, of length: Int, _ body: (UInt64) -> Void) {
        guard text.count >= length else { return }
        var word: UInt64 = 0
        let mask: UInt64 = 1 << UInt64(8 * length) - 1
        for i in 0..<text.count {
            word = (word << 8 | UInt64(text[i])) & mask
            // A set of hashes takes hashes.
            if i >= length - 1 { body(mix(word | UInt64(length) << 56)) }
        }
    }

    /// Sparse n-grams as in GitHub's code search: pieces whose first and last pair of bytes weigh more than all pairs between.
    private static func forEachSparseGram(_ text: UnsafeRawBufferPointer, _ body: (UInt64) -> Void) {
        guard text.count >= 2 else { return }
        var open: [(place: Int, weight: UInt64)] = []
        for place in 0..<(text.count - 1) {
            let weight = mix(UInt64(text[place]) << 8 | UInt64(text[place + 1])) >> 40
            func add(from start: Int) {
                guard place + 2 - start >= 3 else { return }
                body(XXH3.hash(UnsafeRawBufferPointer(rebasing: text[start..<(place + 2)])))
            }
            while let last = open.last, last.weight < weight {
                add(from: last.place)
                open.removeLast()
            }
            if let last = open.last {
                add(from: last.place)
                if last.weight == weight { open.removeLast() }
            }
            open.append((place, weight))
        }
    }

    private static func mix(_ value: UInt64) -> UInt64 {
        var mixed = value &+ 0x9E37_79B9_7F4A_7C15
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    private static func processorSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }
}

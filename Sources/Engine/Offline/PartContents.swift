internal import Columns
internal import Core
internal import Parts
internal import TableSchema

/// The rows of a part as a set of hashes, to find out whether they are in another part too.
///
/// A row's hash is over its integers, doubles, ids and strings. Of large parts only rows with certain hashes are looked at: the
/// same ones in every part, so that what is left can be compared.
struct PartContents {
    /// How often each hash occurs.
    private(set) var counts: [UInt64: Int] = [:]

    init() {}

    /// - Parameters:
    ///   - skipped: blocks that are damaged.
    ///   - share: one of so many rows is looked at.
    init(_ part: Part, without skipped: Set<Int>, share: UInt64) throws(PartError) {
        for block in 0..<part.blockCount where !skipped.contains(block) {
            var hashes = [UInt64](repeating: 0, count: part.rowCount(ofBlock: block))
            for ordinal in part.table.columns.indices {
                switch part.table.columns[ordinal].type {
                case .attributes, .nested, .array: continue
                default: Self.mix(try part.read(ordinal, block: block), into: &hashes)
                }
            }
            for hash in hashes where hash % share == 0 { counts[hash, default: 0] += 1 }
        }
    }

    private static func mix(_ column: Column, into hashes: inout [UInt64]) {
        func add(_ value: UInt64, _ row: Int) {
            var word = hashes[row] ^ value
            word = (word ^ (word >> 32)) &* 0x9E37_79B9_7F4A_7C15
            hashes[row] = (word ^ (word >> 29)) &* 0xBF58_476D_1CE4_E5B9 &+ 1
        }
        switch column {
        case .integers(let values): for row in hashes.indices { add(UInt64(bitPattern: values[row]), row) }
        case .floats(let values): for row in hashes.indices { add(values[row].bitPattern, row) }
        case .fixed(let values):
            for row in hashes.indices {
                for offset in stride(from: 0, to: values.width, by: 8) { add(values.word(row, at: offset), row) }
            }
        case .strings(let values): for row in hashes.indices { unsafe add(XXH3.hash(values.bytes(row)), row) }
        case .arrays, .attributes, .nested: break
        }
    }

    mutating func add(_ other: PartContents) { counts.merge(other.counts, uniquingKeysWith: +) }

    /// Whether every row of `other` is here.
    func contains(_ other: PartContents) -> Bool { other.counts.allSatisfy { counts[$0.key, default: 0] >= $0.value } }

    /// Whether no row of `other` is here.
    func isDisjoint(with other: PartContents) -> Bool {
        let (few, many) = counts.count < other.counts.count ? (counts, other.counts) : (other.counts, counts)
        return few.keys.allSatisfy { many[$0] == nil }
    }
}

internal import Columns
internal import Core
internal import Parts
private import Synchronization
internal import TableSchema

/// What is known of the rows of a growing batch, chunk by chunk, so that a search for few of them need not look at all.
///
/// Rows never change once a reader has seen them, so a chunk that is full is looked at once, by the first search after that: its
/// times, and for each column of ids that has a bloom filter in parts, one of its distinct ids.
package final class MemoryIndex: Sendable {
    package static let chunkRows = 8192

    /// Some rows in a row.
    struct Chunk: Sendable {
        let rows: Range<Int>
        let times: ClosedRange<Int64>
        /// By column; none of a chunk that still grows.
        var ids: [Int: IDFilter] = [:]
    }

    private let full = Mutex<[Chunk]>([])

    package init() {}

    /// The chunks of a batch, of which earlier ones were the beginning.
    func chunks(of batch: ColumnBatch, _ table: TableDefinition, timeColumn: Int) -> [Chunk] {
        guard batch.rowCount > 0, case .integers(let times)? = batch.columns[timeColumn] else { return [] }
        let count = batch.rowCount / Self.chunkRows
        var chunks = full.withLock { full in
            while full.count < count {
                let first = full.count * Self.chunkRows
                let rows = first..<(first + Self.chunkRows)
                var chunk = Chunk(rows: rows, times: Self.bounds(times, rows))
                for column in Self.idColumns(table) {
                    guard case .fixed(let ids)? = batch.columns[column] else { continue }
                    chunk.ids[column] = IDFilter(ids, rows)
                }
                full.append(chunk)
            }
            return Array(full.prefix(count))
        }
        let rest = (count * Self.chunkRows)..<batch.rowCount
        if !rest.isEmpty { chunks.append(Chunk(rows: rest, times: Self.bounds(times, rest))) }
        return chunks
    }

    /// The first and the last time of a batch; nil if it has no rows.
    func times(of batch: ColumnBatch, _ table: TableDefinition, timeColumn: Int) -> ClosedRange<Int64>? {
        let chunks = chunks(of: batch, table, timeColumn: timeColumn)
        guard let first = chunks.first else { return nil }
        return chunks.reduce(first.times) {
            min($0.lowerBound, $1.times.lowerBound)...max($0.upperBound, $1.times.upperBound)
        }
    }

    private static func bounds(_ times: Buffer<Int64>, _ rows: Range<Int>) -> ClosedRange<Int64> {
        var (least, greatest) = (Int64.max, Int64.min)
        for time in times[rows] {
            least = min(least, time)
            greatest = max(greatest, time)
        }
        return least...greatest
    }

    private static func idColumns(_ table: TableDefinition) -> [Int] {
        table.indexes.compactMap { index in
            guard case .bloomFilter = index.kind, let ordinal = table.ordinal(of: index.column),
                case .fixed(width: 16) = table.columns[ordinal].type
            else { return nil }
            return ordinal
        }
    }
}

/// A set of ids of which it says "no", or "maybe": a bit for each of four places of 32 times as many, so that searches for a
/// thousand ids pass over most chunks too.
struct IDFilter: Sendable {
    private let words: [UInt64]
    private let mask: UInt64

    init(_ ids: FixedColumn, _ rows: Range<Int>) {
        var hashes: [UInt64] = []
        hashes.reserveCapacity(rows.count)
        for row in rows { hashes.append(BloomKeys.hash(ids.traceID(row))) }
        hashes.sort()
        var distinct = 1
        for (left, right) in zip(hashes, hashes.dropFirst()) where left != right { distinct += 1 }
        var bits: UInt64 = 1024
        while bits < UInt64(distinct) * 32 { bits *= 2 }
        var words = [UInt64](repeating: 0, count: Int(bits / 64))
        mask = bits - 1
        for hash in hashes {
            var slot = hash
            for _ in 0..<Self.slots {
                words[Int((slot & mask) >> 6)] |= 1 << (slot & 63)
                slot >>= Self.step
            }
        }
        self.words = words
    }

    private static let slots = 4
    private static let step: UInt64 = 15

    /// - Parameter hash: by `BloomKeys`.
    func mayContain(_ hash: UInt64) -> Bool {
        var slot = hash
        for _ in 0..<Self.slots {
            if words[Int((slot & mask) >> 6)] & (1 << (slot & 63)) == 0 { return false }
            slot >>= Self.step
        }
        return true
    }
}

package import Columns
package import Core
package import Files
package import Observability
package import TableSchema

/// What a finished part is, for the catalog.
package struct PartSummary: Hashable, Sendable {
    package var rowCount: Int
    package var byteCount: Int64
    package var partition: Int64
    /// Of the partition column.
    package var leastTime: Int64
    package var greatestTime: Int64

    package init(
        rowCount: Int, byteCount: Int64, partition: Int64, leastTime: Int64, greatestTime: Int64
    ) {
        self.rowCount = rowCount
        self.byteCount = byteCount
        self.partition = partition
        self.leastTime = leastTime
        self.greatestTime = greatestTime
    }
}

/// Writes rows that are in the table's order as one part.
///
/// 1. Every column is encoded leaf by leaf into memory: a part from a flush is a few megabytes.
/// 2. Row groups are written one after the other, each leaf's pages of the group together, then dictionaries, skip indexes,
///    footer and trailer: one file, one pass.
/// 3. The file is synced. It becomes part of the table by a catalog record, and by nothing else (invariant 2).
package enum PartWriter {
    package static func write(
        _ batch: ColumnBatch, _ rows: PartitionRows, table: TableDefinition, zstdLevel: Int32,
        origin: PartOrigin? = nil, work: WorkTimes = WorkTimes(), to file: any ObjectWriter
    ) throws(FileError) -> PartSummary {
        try work.measure(.encode) { () throws(FileError) in
            try write(batch, rows, table, zstdLevel, origin, work, file)
        }
    }

    private static func write(
        _ batch: ColumnBatch, _ rows: PartitionRows, _ table: TableDefinition, _ zstdLevel: Int32,
        _ origin: PartOrigin?, _ work: WorkTimes, _ file: any ObjectWriter
    ) throws(FileError) -> PartSummary {
        precondition(!rows.rows.isEmpty, "a part has rows")
        let selection = RowSelection(
            rows: Array(rows.rows), blockEnds: BlockCutter.ends(of: rows.rows, in: batch, table))
        var encoder = ColumnEncoder(
            zstdLevel: zstdLevel, orderedColumns: orderedColumns(table), timeColumn: table.partitionColumn.number,
            indexer: ColumnIndexer(table, work))
        for (definition, column) in zip(table.columns, batch.columns) {
            guard let column else { preconditionFailure("a flushed batch has every column") }
            encoder.encode(column, definition, selection)
        }
        let times = timeRange(batch, rows, table)
        var footer = PartFooter(
            table: table.id, fingerprint: table.fingerprint, partition: rows.partition,
            leastTime: times.least, greatestTime: times.greatest,
            blockRows: selection.blockEnds.indices.map { selection.rows(ofBlock: $0).count },
            groupBlocks: groups(selection.blockEnds.count))
        var output = PartOutput()
        writeLeaves(encoder, &footer, &output)
        footer.dictionaries = encoder.dictionaries
        output.append(dictionaries: encoder.dictionaryBytes, &footer)
        work.measure(.index, within: .encode) {
            writeBlooms(batch, selection, table, &footer, &output)
            encoder.indexer.finish(&output, &footer)
        }
        footer.shapes = encoder.shapes
        footer.origin = origin
        output.append(footer)
        let length = output.offset
        try output.write(to: file)
        try file.sync()
        return PartSummary(
            rowCount: rows.rows.count, byteCount: Int64(length), partition: rows.partition,
            leastTime: times.least, greatestTime: times.greatest)
    }

    private static func groups(_ blocks: Int) -> [Int] {
        stride(from: 0, to: blocks, by: PartLayout.groupBlocks).map {
            min(PartLayout.groupBlocks, blocks - $0)
        }
    }

    private static func orderedColumns(_ table: TableDefinition) -> Set<UInt16> {
        var columns: Set<UInt16> = []
        for case .column(let id) in table.order { columns.insert(id.number) }
        return columns
    }

    private static func timeRange(
        _ batch: ColumnBatch, _ rows: PartitionRows, _ table: TableDefinition
    ) -> (least: Int64, greatest: Int64) {
        guard let ordinal = table.ordinal(of: table.partitionColumn),
            case .integers(let values)? = batch.columns[ordinal]
        else { preconditionFailure("a table is partitioned by an integer column") }
        var least = Int64.max
        var greatest = Int64.min
        for row in rows.rows {
            least = min(least, values[Int(row)])
            greatest = max(greatest, values[Int(row)])
        }
        return (least, greatest)
    }

    private static func writeLeaves(
        _ encoder: borrowing ColumnEncoder, _ footer: inout PartFooter, _ output: inout PartOutput
    ) {
        footer.leaves = encoder.leaves
        var taken = [Int](repeating: 0, count: footer.leaves.count)
        var block = 0
        for blocks in footer.groupBlocks {
            for leaf in footer.leaves.indices {
                let begin = taken[leaf]
                for page in block..<(block + blocks) {
                    footer.leaves[leaf].pages[page].offset =
                        Int64(output.offset + taken[leaf] - begin)
                    taken[leaf] += footer.leaves[leaf].pages[page].storedLength
                }
                output.append(encoder.leafBytes[leaf][begin..<taken[leaf]])
            }
            block += blocks
        }
    }

    /// One filter over the whole part, and one per row group if there are several.
    private static func writeBlooms(
        _ batch: ColumnBatch, _ selection: RowSelection, _ table: TableDefinition,
        _ footer: inout PartFooter, _ output: inout PartOutput
    ) {
        for index in table.indexes {
            guard case .bloomFilter(let falsePositives) = index.kind,
                let ordinal = table.ordinal(of: index.column), let column = batch.columns[ordinal]
            else { continue }
            var hashes: [[UInt64]] = []
            var block = 0
            for blocks in footer.groupBlocks {
                let first = selection.rows(ofBlock: block).lowerBound
                let end = selection.blockEnds[block + blocks - 1]
                hashes.append(BloomKeys.hashes(of: column, rows: selection.rows[first..<end]))
                block += blocks
            }
            let all = hashes.flatMap { $0 }
            if hashes.count > 1 {
                for (group, keys) in hashes.enumerated() {
                    output.append(bloom: keys, falsePositives, index.column, group: group, &footer)
                }
            }
            output.append(bloom: all, falsePositives, index.column, group: nil, &footer)
        }
    }
}

/// What a bloom filter over a column holds: the XXH3-64 of each distinct value.
package enum BloomKeys {
    package static func hash(_ id: TraceID) -> UInt64 {
        var words = (id.high.bigEndian, id.low.bigEndian)
        return withUnsafeBytes(of: &words) { XXH3.hash($0) }
    }

    package static func hash(_ id: SpanID) -> UInt64 {
        var word = id.word.bigEndian
        return withUnsafeBytes(of: &word) { XXH3.hash($0) }
    }

    static func hashes(of column: Column, rows: ArraySlice<UInt32>) -> [UInt64] {
        var keys: [UInt64] = []
        switch column {
        case .fixed(let values):
            var last: UInt64?
            for row in rows {
                let bytes = UnsafeRawBufferPointer(
                    start: values.bytes.base + Int(row) * values.width, count: values.width)
                // "None" is not looked up.
                if bytes.allSatisfy({ $0 == 0 }) { continue }
                let key = XXH3.hash(bytes)
                if key != last { keys.append(key) }
                last = key
            }
        case .strings(let values):
            var seen = Set<UInt32>()
            for row in rows where seen.insert(values.codes[Int(row)]).inserted {
                keys.append(XXH3.hash(values.bytes(Int(row))))
            }
        default: break
        }
        return Set(keys).map { $0 }
    }
}

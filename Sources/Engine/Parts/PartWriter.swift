package import Columns
package import Core
internal import Encoding
package import Files
internal import Indexing
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
/// 2. Row groups are written one after the other, each leaf's pages of the group together, then dictionaries, bloom filters,
///    footer and trailer: one file, one pass.
/// 3. The file is synced. It becomes part of the table by a catalog record, and by nothing else (invariant 2).
package enum PartWriter {
    package static func write(
        _ batch: ColumnBatch, _ rows: PartitionRows, table: TableDefinition, zstdLevel: Int32,
        to file: any File
    ) throws(FileError) -> PartSummary {
        precondition(!rows.rows.isEmpty, "a part has rows")
        let selection = RowSelection(
            rows: Array(rows.rows), blockEnds: BlockCutter.ends(of: rows.rows, in: batch, table))
        var encoder = ColumnEncoder(zstdLevel: zstdLevel, orderedColumns: orderedColumns(table))
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
        var output = Output()
        output.bytes.append(contentsOf: PartLayout.magic)
        output.append(fixed32: PartLayout.version)
        output.append(fixed32: 0)
        writeLeaves(encoder, &footer, &output)
        writeDictionaries(encoder, &footer, &output)
        writeBlooms(batch, selection, table, &footer, &output)
        footer.shapes = encoder.shapes
        writeFooter(footer, &output)
        let length = output.bytes.count
        try file.append(output.bytes)
        try file.sync()
        return PartSummary(
            rowCount: rows.rows.count, byteCount: Int64(length), partition: rows.partition,
            leastTime: times.least, greatestTime: times.greatest)
    }

    private struct Output {
        var bytes: [UInt8] = []

        mutating func append(fixed32 value: UInt32) {
            withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
        }

        mutating func append(fixed64 value: UInt64) {
            withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
        }
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
        _ encoder: borrowing ColumnEncoder, _ footer: inout PartFooter, _ output: inout Output
    ) {
        footer.leaves = encoder.leaves
        var taken = [Int](repeating: 0, count: footer.leaves.count)
        var block = 0
        for blocks in footer.groupBlocks {
            for leaf in footer.leaves.indices {
                let begin = taken[leaf]
                for page in block..<(block + blocks) {
                    footer.leaves[leaf].pages[page].offset =
                        Int64(output.bytes.count + taken[leaf] - begin)
                    taken[leaf] += footer.leaves[leaf].pages[page].storedLength
                }
                output.bytes.append(contentsOf: encoder.leafBytes[leaf][begin..<taken[leaf]])
            }
            block += blocks
        }
    }

    private static func writeDictionaries(
        _ encoder: borrowing ColumnEncoder, _ footer: inout PartFooter, _ output: inout Output
    ) {
        footer.dictionaries = encoder.dictionaries
        var offset = Int64(output.bytes.count)
        for dictionary in footer.dictionaries.indices {
            for page in footer.dictionaries[dictionary].pages.indices {
                footer.dictionaries[dictionary].pages[page].offset = offset
                offset += Int64(footer.dictionaries[dictionary].pages[page].storedLength)
            }
        }
        output.bytes.append(contentsOf: encoder.dictionaryBytes)
    }

    /// One filter over the whole part, and one per row group if there are several.
    private static func writeBlooms(
        _ batch: ColumnBatch, _ selection: RowSelection, _ table: TableDefinition,
        _ footer: inout PartFooter, _ output: inout Output
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
                    write(bloom: keys, falsePositives, index.column, group, &footer, &output)
                }
            }
            write(bloom: all, falsePositives, index.column, nil, &footer, &output)
        }
    }

    private static func write(
        bloom keys: [UInt64], _ falsePositives: Double, _ column: ColumnID, _ group: Int?,
        _ footer: inout PartFooter, _ output: inout Output
    ) {
        var bloom = SplitBlockBloom(expectedKeys: keys.count, falsePositives: falsePositives)
        for key in keys { bloom.insert(key) }
        let bytes = bloom.bytes
        let checksum = UInt32(truncatingIfNeeded: XXH3.hash(bytes))
        footer.blooms.append(
            BloomEntry(
                column: column.number, group: group,
                page: PageEntry(
                    encoding: EncodingID.plain.rawValue, compression: CompressionID.none.rawValue,
                    count: keys.count, rawLength: bytes.count, storedLength: bytes.count,
                    checksum: checksum, offset: Int64(output.bytes.count))))
        output.bytes.append(contentsOf: bytes)
    }

    private static func writeFooter(_ footer: PartFooter, _ output: inout Output) {
        let raw = footer.encoded()
        var encoder = PageEncoder(zstdLevel: 3)
        let page = raw.withUnsafeBufferPointer { encoder.encode(raw: $0) }
        let stored = encoder.output[page.bytes]
        let offset = output.bytes.count
        output.bytes.append(contentsOf: stored)
        let checksum = stored.withUnsafeBytes { XXH3.hash($0) }
        output.append(fixed64: UInt64(offset))
        output.append(fixed32: UInt32(raw.count))
        output.append(fixed32: UInt32(page.compression.rawValue))
        output.append(fixed64: checksum)
        output.bytes.append(contentsOf: PartLayout.magic)
    }
}

/// What a bloom filter over a column holds: the XXH3-64 of each distinct value.
package enum BloomKeys {
    package static func hash(_ id: TraceID) -> UInt64 {
        var words = (id.high.bigEndian, id.low.bigEndian)
        return withUnsafeBytes(of: &words) { XXH3.hash($0) }
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

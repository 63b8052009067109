import Columns
import Parts
import TableSchema

/// Rows written as parts and read back.
enum PartRoundTrip {
    /// Writes every partition of a batch as a part, reads it, and compares the integer columns and the sums of lengths.
    static func check(_ batch: ColumnBatch, _ table: TableDefinition) {
        var rows = 0
        for partition in RowOrder.partitions(of: batch, table: table) {
            rows += partition.rows.count
            let file = MemoryFile()
            do {
                let summary = try PartWriter.write(batch, partition, table: table, zstdLevel: 1, to: file)
                precondition(summary.rowCount == partition.rows.count)
                let part = try Part(file, table: table)
                precondition(part.rowCount == partition.rows.count)
                for ordinal in table.columns.indices {
                    compare(
                        try columns(of: part, ordinal), batch.columns[ordinal], partition, table.columns[ordinal].name)
                }
            } catch {
                preconditionFailure("what was written cannot be read: \(error)")
            }
        }
        precondition(rows == batch.rowCount, "every row is in one partition")
    }

    private static func columns(of part: Part, _ ordinal: Int) throws -> [Column] {
        try (0..<part.blockCount).map { block in
            let column = try part.read(ordinal, block: block)
            precondition(column.count == part.rowCount(ofBlock: block), "a column of another length than its block")
            ColumnWalk.touch(column)
            return column
        }
    }

    private static func compare(_ found: [Column], _ written: Column?, _ partition: PartitionRows, _ name: String) {
        guard let written else { preconditionFailure("column \(name) was not built") }
        var next = partition.rows.startIndex
        for column in found {
            for row in 0..<column.count {
                let source = Int(partition.rows[next])
                next += 1
                precondition(
                    ColumnWalk.isEqual(column, row, written, source), "column \(name) differs in row \(source)")
            }
        }
    }
}

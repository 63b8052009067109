package import Columns
import Files
package import Parts
package import TableSchema

extension Part {
    /// All rows, with a cell for every column.
    package func naiveRows() throws -> [[Cell]] {
        try (0..<blockCount).flatMap { try naiveRows(ofBlock: $0) }
    }

    /// The rows of one block.
    package func naiveRows(ofBlock block: Int) throws -> [[Cell]] {
        let columns = try table.columns.indices.map { try read($0, block: block) }
        return (0..<rowCount(ofBlock: block)).map { row in columns.map { $0.cell(row) } }
    }
}

/// Parts on a simulated disk.
package enum PartFixtures {
    /// Writes the batch as parts, one per partition, and answers their paths.
    package static func write(
        _ batch: ColumnBatch, _ table: TableDefinition, to disk: SimulatedFileSystem
    ) throws -> [(path: String, partition: Int64)] {
        try RowOrder.partitions(of: batch, table: table).enumerated().map { index, rows in
            let path = "/\(index).vp"
            let file = try disk.open(path, .create)
            _ = try PartWriter.write(batch, rows, table: table, zstdLevel: 1, to: file)
            return (path, rows.partition)
        }
    }

    package static func open(
        _ path: String, _ table: TableDefinition, on disk: SimulatedFileSystem
    ) throws -> Part {
        try Part(try disk.open(path), table: table)
    }
}

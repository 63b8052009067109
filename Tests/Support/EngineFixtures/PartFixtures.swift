package import Columns
import Core
import Files
package import Parts
package import TableSchema

extension Part {
    /// All rows, with a cell for every column.
    package func naiveRows() throws -> [[Cell]] {
        var rows: [[Cell]] = []
        for block in 0..<blockCount {
            let columns = try table.columns.indices.map { try read($0, block: block) }
            for row in 0..<rowCount(ofBlock: block) { rows.append(columns.map { $0.cell(row) }) }
        }
        return rows
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
        try Part(try disk.open(path, .read), table: table)
    }
}

import Columns
import Core
import EngineFixtures
import Rollups
import TableSchema
import Testing

/// A view's rows as plain values, by their keys.
enum ViewRows {
    /// - Returns: the rows; one whose keys another has is a failure of the test.
    static func read(_ batch: ColumnBatch, _ view: RollupDefinition) throws -> NaiveViews.Rows {
        var rows: NaiveViews.Rows = [:]
        for row in 0..<batch.rowCount {
            func text(_ id: ColumnID) throws -> String {
                let ordinal = try #require(view.target.ordinal(of: id))
                let column = try #require(batch.columns[ordinal])
                return try self.text(column.cell(row), view.target.columns[ordinal])
            }
            let keys = try view.keys.map { try text($0.column) }
            #expect(rows.updateValue(try view.aggregates.map { try text($0.column) }, forKey: keys) == nil)
        }
        return rows
    }

    private static func text(_ cell: Cell, _ column: ColumnDefinition) throws -> String {
        switch (cell, column.type) {
        case (.integer(let value), _): return "\(value)"
        case (.bytes(let bytes), .fixed):
            return "7/\(bytes[8...].reduce(UInt64(0)) { $0 << 8 | UInt64($1) })"
        case (.bytes(let bytes), .aggregateState(let function)):
            if function.contains("Uniq") {
                var texts: [String] = []
                #expect(ValueSet.forEach(in: bytes.span) { texts.append(String(repairing: $0)) })
                return texts.joined(separator: "|")
            }
            return "\(bytes)"
        case (.bytes(let bytes), _): return String(decoding: bytes, as: UTF8.self)
        default: throw CellError()
        }
    }

    struct CellError: Error {}
}

/// Grows the rows of one table, for a memtable: what a decoder writes to.
///
/// One writer at a time. Rows below a number that was snapshotted never change; rows above may be taken back.
package protocol BatchBuilder: ~Copyable {
    var rowCount: Int { get }

    /// Bytes of memory in use, about.
    var byteCount: Int { get }

    /// Takes back the rows from `rows` on, whole or half written, none of which was snapshotted.
    mutating func truncate(to rows: Int)

    /// The least and the greatest time, by which the table is partitioned, of the rows from `row` on; nil if there are none.
    func times(from row: Int) -> ClosedRange<Int64>?

    /// The first `rows` rows, sharing memory with the builder.
    func snapshot(rows: Int) -> ColumnBatch
}

/// When memtables are sealed and written.
package struct FlushLimits: Sendable {
    /// Bytes of memory of the rows that are sealed together. Smaller ones make more parts, and queries read fewer rows that are not
    /// encoded (docs/decisions/0045).
    package var bytes: Int
    /// The age of the oldest row.
    package var age: Duration
    /// How long a request may wait for room.
    package var patience: Duration
    /// The most parts of flushes in a partition before requests are refused until merges have caught up.
    package var newParts = Int.max

    package init(bytes: Int = 24 << 20, age: Duration = .seconds(30), patience: Duration = .seconds(10)) {
        self.bytes = bytes
        self.age = age
        self.patience = patience
    }

    /// Tables of tenants that are flushed by one record of the catalog, at most.
    static let roundSize = 512

    /// Bytes of rows of many partitions, which are sealed together so that their parts are no smaller than need be.
    var widest: Int { 4 * bytes }
    /// Bytes of a memtable from which on requests wait: rows, and parts that are sealed and not on the disk.
    var most: Int { 8 * bytes }
}

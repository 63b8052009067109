internal import Encoding
internal import TableSchema

/// Gathers the index of templates of one column, block by block. When it has grown large, an index of the blocks so far is
/// finished, so that memory stays bounded however large the part gets.
struct TemplateIndexWriter {
    /// Bytes of memory, about, and of what a reader keeps of one index.
    private static let mostBytes = 4 << 20

    /// An index of some blocks in a row.
    struct Segment {
        var firstBlock: Int
        var blockCount: Int
        var bytes: [UInt8]
    }

    let column: UInt16
    private var builder = TemplateIndex.Builder()
    private var firstBlock = 0
    /// Finished ones that are to be written.
    private(set) var segments: [Segment] = []

    private init(column: UInt16) { self.column = column }

    /// The writers of a table's indexes.
    static func make(_ table: TableDefinition) -> [TemplateIndexWriter] {
        table.indexes.filter { $0.kind == .templates }.map { TemplateIndexWriter(column: $0.column.number) }
    }

    /// Adds the column's page of the block, as it is stored; `bytes` may be those of a page of another kind.
    mutating func add(_ bytes: some Collection<UInt8>, encoding: UInt8, compression: UInt8, count: Int) {
        let isAdded: Void? = bytes.withContiguousStorageIfAvailable {
            builder.add(page: UnsafeRawBufferPointer($0), encoding: encoding, compression: compression, count: count)
        }
        guard isAdded == nil else { return }
        addUnknown(count: count)
    }

    /// Notes that the column's values of the block are not made of templates.
    mutating func addUnknown(count: Int) {
        builder.add(page: UnsafeRawBufferPointer(start: nil, count: 0), encoding: 0, compression: 0, count: count)
    }

    mutating func endBlock() {
        builder.endBlock()
        if builder.byteCount >= Self.mostBytes { endSegment() }
    }

    /// Bytes that wait in memory, about.
    var byteCount: Int { builder.byteCount + segments.reduce(0) { $0 + $1.bytes.count } }

    /// Finishes the index of the blocks since the last one.
    mutating func endSegment() {
        let count = builder.blockCount
        guard count > 0 else { return }
        segments.append(Segment(firstBlock: firstBlock, blockCount: count, bytes: builder.finish()))
        firstBlock += count
    }

    /// Writes the finished ones.
    mutating func writeSegments(_ output: inout PartOutput, _ footer: inout PartFooter) {
        for segment in segments { output.append(segment, column, &footer) }
        segments = []
    }
}

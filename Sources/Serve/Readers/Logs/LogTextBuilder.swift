internal import Columns
internal import Core
internal import QueryModel

/// Grows a column of texts of a block's rows; rows that nobody sets have the empty one.
struct LogTextBuilder {
    private var codes: [UInt32]
    /// The first entry is the empty text.
    private var offsets: [UInt32] = [0, 0]
    private var contents: [UInt8] = []

    static let empty: UInt32 = 0

    init(rowCount: Int) { codes = Array(repeating: Self.empty, count: rowCount) }

    mutating func add(_ bytes: Span<UInt8>) -> UInt32 {
        if bytes.isEmpty { return Self.empty }
        contents.append(copying: bytes)
        return close()
    }

    mutating func add(_ text: String) -> UInt32 {
        if text.isEmpty { return Self.empty }
        contents.append(contentsOf: text.utf8)
        return close()
    }

    private mutating func close() -> UInt32 {
        guard let end = UInt32(exactly: contents.count) else {
            preconditionFailure("the texts of a block fit the limit of a page")
        }
        offsets.append(end)
        return UInt32(offsets.count - 2)
    }

    subscript(row: Int) -> UInt32 {
        get { codes[row] }
        set { codes[row] = newValue }
    }

    var byteCount: Int { 4 * (codes.count + offsets.count) + contents.count }

    var column: LogTextColumn {
        LogTextColumn(codes: Buffer(codes), offsets: Buffer(offsets), contents: Buffer(contents))
    }
}

extension StringColumn {
    /// The column as who does not know of dictionaries sees it.
    var texts: LogTextColumn {
        LogTextColumn(codes: codes, offsets: dictionary.offsets, contents: dictionary.contents)
    }
}

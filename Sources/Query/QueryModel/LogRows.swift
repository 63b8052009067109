package import Core

/// Texts of a block's rows: a number per row into entries, which may repeat each other. The empty text is an absent one.
package struct LogTextColumn: Sendable {
    /// By row of the block; of rows that are not selected they may be anything.
    package let codes: Buffer<UInt32>
    /// One more than there are entries; entry `i` is `contents[offsets[i]..<offsets[i + 1]]`.
    package let offsets: Buffer<UInt32>
    package let contents: Buffer<UInt8>

    package init(codes: Buffer<UInt32>, offsets: Buffer<UInt32>, contents: Buffer<UInt8>) {
        self.codes = codes
        self.offsets = offsets
        self.contents = contents
    }

    /// Of no rows.
    package static let none = LogTextColumn(codes: .empty, offsets: .empty, contents: .empty)

    package var entryCount: Int { offsets.count - 1 }

    package func length(row: Int) -> Int {
        let code = Int(codes[row])
        return Int(offsets[code + 1]) - Int(offsets[code])
    }

    package func isEmpty(code: Int) -> Bool { offsets[code] == offsets[code + 1] }

    /// The bytes of an entry as their sender wrote them, UTF-8 or not.
    @_lifetime(borrow self)
    package func bytes(code: Int) -> Span<UInt8> {
        contents.span.extracting(Int(offsets[code])..<Int(offsets[code + 1]))
    }

    @_lifetime(borrow self)
    package func bytes(row: Int) -> Span<UInt8> { bytes(code: Int(codes[row])) }

    /// As `bytes`, for columns that are elements of something.
    package func withBytes<Result>(code: Int, _ body: (Span<UInt8>) -> Result) -> Result { body(bytes(code: code)) }
}

/// What of a block's rows who reads them by columns wants to have.
package struct LogRowNeeds: Sendable {
    /// Names of labels, unique: of each the value that an entry has for it, the stream's before the metadata's.
    package var labels: [String]
    package var lines: Bool
    /// Whether entries are made of many rows, rather than of one that has an error.
    package var entries: Bool
    /// Whether rows whose times lie in a range all count the same, so that they may come added up (`LogRows.counts`); nil: each
    /// has to come by itself.
    package var isUniform: (@Sendable (ClosedRange<Int64>) -> Bool)?

    package init(
        labels: [String] = [], lines: Bool = false, entries: Bool = false,
        isUniform: (@Sendable (ClosedRange<Int64>) -> Bool)? = nil
    ) {
        self.labels = labels
        self.lines = lines
        self.entries = entries
        self.isUniform = isUniform
    }
}

/// Rows of one block, column by column, in the thread that read the block.
package struct LogRows {
    /// Ascending row numbers of the block.
    package var rows: [UInt32]
    /// By row of the block, in nanoseconds.
    package let times: Buffer<Int64>
    /// As `LogRowNeeds.labels`; nil if no row has the label.
    package let labels: [LogTextColumn?]
    /// Nil if they were not asked for.
    package let lines: LogTextColumn?
    /// Puts blocks in an order that is always the same, for rows of equal times.
    package let rank: (source: UInt64, firstRow: Int)
    /// By row of the block: how many rows each stands for, whose times are others but count the same; nil: one.
    package var counts: Buffer<Int64>?
    /// Makes a whole entry of a row, with what the request needs.
    package let entry: (Int) throws(QueryError) -> LogEntry

    package init(
        rows: [UInt32], times: Buffer<Int64>, labels: [LogTextColumn?], lines: LogTextColumn?,
        rank: (source: UInt64, firstRow: Int),
        entry: @escaping (Int) throws(QueryError) -> LogEntry
    ) {
        self.rows = rows
        self.times = times
        self.labels = labels
        self.lines = lines
        self.rank = rank
        self.entry = entry
    }
}

extension LogRows {
    /// Entries as rows of a block.
    package init(_ entries: [LogEntry], _ needs: LogRowNeeds, firstRow: Int) {
        self.init(
            rows: Array(0..<UInt32(entries.count)), times: Buffer(entries.map(\.timestamp.nanoseconds)),
            labels: needs.labels.map { name in
                LogTextColumn(
                    entries.map { entry in
                        let indexed = entry.stream.labels[name]
                        return indexed.isEmpty ? entry.metadata.first { $0.name == name }?.value ?? "" : indexed
                    })
            }, lines: needs.lines ? LogTextColumn(entries.map(\.line)) : nil, rank: (0, firstRow),
            entry: { (row) throws(QueryError) in entries[row] })
    }
}

extension LogTextColumn {
    /// An entry for each row.
    fileprivate init(_ texts: [String]) {
        var offsets: [UInt32] = [0]
        var contents: [UInt8] = []
        for text in texts {
            contents.append(contentsOf: text.utf8)
            offsets.append(UInt32(contents.count))
        }
        self.init(codes: Buffer(0..<UInt32(texts.count)), offsets: Buffer(offsets), contents: Buffer(contents))
    }
}

/// What rows amount to: added up by several threads, each block by one of them, in whatever order, and put together.
package protocol LogRowAggregate: SendableMetatype {
    /// Adds the rows of a block.
    mutating func add(_ rows: borrowing LogRows) throws(QueryError)

    /// Adds what another thread has added up.
    mutating func merge(_ other: consuming Self) throws(QueryError)
}

/// Drops rows of a scan that who asked would drop, where they were read. One for each thread.
package protocol LogRowFilter: AnyObject {
    /// The rows that may be wanted, ascending.
    func kept(_ rows: borrowing LogRows) throws(QueryError) -> [UInt32]
}

/// How to make such filters, and what they look at.
package struct LogRowFiltering: Sendable {
    package let needs: LogRowNeeds
    package let make: @Sendable () -> any LogRowFilter

    package init(_ needs: LogRowNeeds, make: @escaping @Sendable () -> any LogRowFilter) {
        self.needs = needs
        self.make = make
    }
}

package import Core

/// One column of a batch in memory: a growing memtable's, as far as it had grown, or a decoded block's. Immutable and shared.
package indirect enum Column: Sendable {
    case integers(Buffer<Int64>)
    case floats(Buffer<Double>)
    case fixed(FixedColumn)
    case strings(StringColumn)
    case arrays(ArrayColumn)
    case attributes(AttributesColumn)
    case nested(NestedColumn)

    package var count: Int {
        switch self {
        case .integers(let values): values.count
        case .floats(let values): values.count
        case .fixed(let column): column.count
        case .strings(let column): column.codes.count
        case .arrays(let column): column.count
        case .attributes(let column): column.count
        case .nested(let column): column.count
        }
    }
}

/// Values of one width: ids.
package struct FixedColumn: Sendable {
    package let width: Int
    /// `count * width` of them.
    package let bytes: Buffer<UInt8>

    package init(width: Int, bytes: Buffer<UInt8>) {
        self.width = width
        self.bytes = bytes
    }

    package var count: Int { bytes.count / width }

    /// The big-endian word at byte `offset` of the value in `row`.
    @inlinable
    package func word(_ row: Int, at offset: Int = 0) -> UInt64 {
        precondition(row >= 0 && (row + 1) * width <= bytes.count && offset + 8 <= width)
        return UInt64(
            bigEndian: UnsafeRawPointer(bytes.base).loadUnaligned(
                fromByteOffset: row * width + offset, as: UInt64.self))
    }

    package func traceID(_ row: Int) -> TraceID {
        TraceID(high: word(row), low: word(row, at: 8))
    }

    package func spanID(_ row: Int) -> SpanID { SpanID(word: word(row)) }
}

/// Byte strings: a code per row into a list of entries.
package struct StringColumn: Sendable {
    package let codes: Buffer<UInt32>
    package let dictionary: StringDictionary

    package init(codes: Buffer<UInt32>, dictionary: StringDictionary) {
        self.codes = codes
        self.dictionary = dictionary
    }

    package func bytes(_ row: Int) -> UnsafeRawBufferPointer {
        dictionary.bytes(Int(codes[row]))
    }

    /// As `bytes`, with checked indices, while the column is alive.
    @_lifetime(borrow self)
    package func span(_ row: Int) -> Span<UInt8> { dictionary.span(Int(codes[row])) }

    package func string(_ row: Int) -> String { dictionary.string(Int(codes[row])) }
}

/// The entries of a string column.
package final class StringDictionary: Sendable {
    /// One more than there are entries; entry `i` is `bytes[offsets[i]..<offsets[i + 1]]`.
    package let offsets: Buffer<UInt32>
    package let contents: Buffer<UInt8>
    /// Whether no two entries are equal.
    package let isUnique: Bool
    /// Whether entries ascend by their bytes.
    package let isSorted: Bool

    package init(
        offsets: Buffer<UInt32>, contents: Buffer<UInt8>, isUnique: Bool, isSorted: Bool
    ) {
        precondition(offsets.count >= 1 && offsets[offsets.count - 1] <= contents.count)
        self.offsets = offsets
        self.contents = contents
        self.isUnique = isUnique
        self.isSorted = isSorted
    }

    package convenience init() {
        self.init(offsets: Buffer([0]), contents: .empty, isUnique: true, isSorted: true)
    }

    package var count: Int { offsets.count - 1 }

    package var byteCount: Int { offsets.count * 4 + contents.count }

    /// Valid while the dictionary is alive.
    package func bytes(_ index: Int) -> UnsafeRawBufferPointer {
        precondition(index >= 0 && index < count, "no such dictionary entry")
        let start = Int(offsets[index])
        let end = Int(offsets[index + 1])
        precondition(start <= end && end <= contents.count)
        return UnsafeRawBufferPointer(start: contents.base + start, count: end - start)
    }

    /// As `bytes`, with checked indices.
    @_lifetime(borrow self)
    package func span(_ index: Int) -> Span<UInt8> {
        _overrideLifetime(Span(_unsafeBytes: bytes(index)), borrowing: self)
    }

    /// Who owns the entries' bytes: of two dictionaries with the same owner, one is the beginning of the other.
    package var memory: AnyObject? { contents.owner }

    package func length(_ index: Int) -> Int { Int(offsets[index + 1] - offsets[index]) }

    package func string(_ index: Int) -> String { String(decoding: bytes(index), as: UTF8.self) }

    /// The entries equal to `text`: at most one if entries are unique.
    package func codes(equalTo text: [UInt8]) -> [UInt32] {
        if isSorted, isUnique {
            var low = 0
            var high = count
            while low < high {
                let middle = (low + high) / 2
                if Self.precedes(bytes(middle), text) { low = middle + 1 } else { high = middle }
            }
            return low < count && Self.equal(bytes(low), text) ? [UInt32(low)] : []
        }
        return (0..<count).filter { Self.equal(bytes($0), text) }.map { UInt32($0) }
    }

    private static func equal(_ left: UnsafeRawBufferPointer, _ right: [UInt8]) -> Bool {
        left.count == right.count && right.withUnsafeBytes { ByteOrder.compare(left, $0) == 0 }
    }

    private static func precedes(_ left: UnsafeRawBufferPointer, _ right: [UInt8]) -> Bool {
        right.withUnsafeBytes { ByteOrder.compare(left, $0) < 0 }
    }
}

/// Lists of integers or floats, one per row.
package struct ArrayColumn: Sendable {
    /// One more than there are rows.
    package let offsets: Buffer<UInt32>
    package let elements: Column

    package init(offsets: Buffer<UInt32>, elements: Column) {
        self.offsets = offsets
        self.elements = elements
    }

    package var count: Int { offsets.count - 1 }

    package func range(_ row: Int) -> Range<Int> { Int(offsets[row])..<Int(offsets[row + 1]) }

    package func integers(_ row: Int) -> [Int64] {
        guard case .integers(let values) = elements else { return [] }
        return values[range(row)].array
    }

    package func floats(_ row: Int) -> [Double] {
        guard case .floats(let values) = elements else { return [] }
        return values[range(row)].array
    }
}

/// Rows inside each row.
package struct NestedColumn: Sendable {
    /// One more than there are rows: the inner rows of row `i` are `offsets[i]..<offsets[i + 1]`.
    package let offsets: Buffer<UInt32>
    /// In the order of the definition.
    package let fields: [Column]

    package init(offsets: Buffer<UInt32>, fields: [Column]) {
        self.offsets = offsets
        self.fields = fields
    }

    package var count: Int { offsets.count - 1 }

    package func range(_ row: Int) -> Range<Int> { Int(offsets[row])..<Int(offsets[row + 1]) }
}

extension Buffer where Element == UInt32 {
    /// The length of the longest of the lists that these are the ends of, after a first zero.
    package var longestList: Int {
        guard count > 1 else { return 0 }
        return (1..<count).reduce(0) { Swift.max($0, Int(base[$1] - base[$1 - 1])) }
    }
}

extension Column {
    /// The memory that a decoded block's column takes, without dictionaries, which belong to their part.
    package var heldBytes: Int {
        switch self {
        case .integers, .floats: count * 8
        case .fixed(let column): column.bytes.count
        case .strings(let column):
            column.codes.count * 4 + (column.dictionary.isUnique ? 0 : column.dictionary.byteCount)
        case .arrays(let column): column.offsets.count * 4 + column.elements.heldBytes
        case .attributes(let column):
            column.count * 8 + column.slots.count * 4
                + column.subcolumns.reduce(0) { $0 + ($1.values?.heldBytes ?? 0) }
        case .nested(let column):
            column.offsets.count * 4 + column.fields.reduce(0) { $0 + $1.heldBytes }
        }
    }
}

/// How a page's payload holds its values. The numbers are part of the format and never change their meaning:
/// docs/FORMAT.md describes the bytes of each.
package enum EncodingID: UInt8, Sendable, CaseIterable {
    /// The values as they lie in memory, little-endian.
    case plain = 0
    /// One value, which all have.
    case constant = 1
    /// Values and how often each repeats.
    case runs = 2
    /// Bits above a reference, 1024 values at a time, with exceptions for outliers.
    case packed = 3
    /// A first value and the packed differences.
    case deltaPacked = 4
    /// A first value and the differences as variable-length integers, for zstd to find their repetitions.
    case varints = 5
    /// Integers that share a divisor: the quotients, encoded in turn.
    case scaled = 6
    /// Values byte by byte, the first byte of all, then the second, each plane compressed alone.
    case planes = 7
    /// Doubles that are decimals of few digits: the scaled integers, encoded in turn, and exceptions.
    case decimal = 16
    /// Doubles near decimals of few digits: the scaled integers and how far off, each encoded in turn.
    case nearDecimal = 17
    /// Fixed-width ids: a bitmap of those that are not zero, and these alone.
    case sparse = 24
    /// Distinct values and references to them.
    case dictionary = 25
    /// Ids of 8 bytes that stand in another leaf of the same block: how many rows away.
    case distances = 26
    /// Values that stand in a list of the part: which entry.
    case entries = 27
    /// Strings: lengths, encoded in turn, and the bytes of all.
    case strings = 32
    /// Strings that are all of one canonical form (`CanonicalForm`), as binary values.
    case canonical = 33
    /// Texts that few statements wrote: the constant parts of each once, which of them a text has, and its variables.
    case templates = 34
    /// Rows of integers: lengths, and values less those of the row before it.
    case rows = 40

    /// The encoding of a number read from a page's header.
    package init(checking number: UInt8) throws(EncodingError) {
        guard let known = EncodingID(rawValue: number) else { throw .unknownEncoding(number) }
        self = known
    }
}

/// The general-purpose compression over an encoded payload.
package enum CompressionID: UInt8, Sendable, CaseIterable {
    case none = 0
    case zstd = 1
    case lz4 = 2

    /// The compression of a number read from a page's header.
    package init(checking number: UInt8) throws(EncodingError) {
        guard let known = CompressionID(rawValue: number) else { throw .unknownCompression(number) }
        self = known
    }
}

/// Why a page could not be decoded.
package enum EncodingError: Error, Equatable {
    /// The payload ends before its values do.
    case truncated
    /// The payload contradicts itself, or the number of values asked for.
    case corrupt
    case unknownEncoding(UInt8)
    case unknownCompression(UInt8)
    /// A known encoding that does not hold values of the type asked for.
    case wrongType(EncodingID)
    /// The decoded strings would take more than `limit` bytes.
    case tooLarge(limit: Int)
}

/// One encoded page, and where it lies in its encoder's output.
package struct EncodedPage: Sendable, Equatable {
    package var encoding: EncodingID
    package var compression: CompressionID
    /// How many values it holds: rows, for strings and arrays.
    package var count: Int
    /// The payload's length before compression.
    package var rawLength: Int
    /// The stored bytes, in `PageEncoder.output`.
    package var bytes: Range<Int>

    package var storedLength: Int { bytes.count }
}

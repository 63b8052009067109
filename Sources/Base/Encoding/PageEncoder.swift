/// Encodes columns of one block, page after page, choosing the encoding of each from its values.
///
/// A page is appended to `output`, which the caller writes out and empties whenever it likes.
package struct PageEncoder: ~Copyable {
    package var output: [UInt8] = []
    private let compressor: Compressor
    private var sink = ByteSink(capacity: 1 << 16)

    /// - Parameter zstdLevel: 1 for parts that will be merged again, 6 for final ones.
    package init(zstdLevel: Int32) {
        self.init(compression: .zstd, level: zstdLevel)
    }

    package init(compression: CompressionID, level: Int32) {
        compressor = Compressor(kind: compression, level: level)
    }

    package mutating func encode(integers values: UnsafeBufferPointer<Int64>) -> EncodedPage {
        sink.removeAll()
        let chosen = IntegerCodec.encode(values, with: compressor, into: &sink)
        return finish(chosen, count: values.count)
    }

    package mutating func encode(floats values: UnsafeBufferPointer<Double>) -> EncodedPage {
        sink.removeAll()
        let chosen = FloatCodec.encode(values, with: compressor, into: &sink)
        return finish(chosen, count: values.count)
    }

    /// Dictionary codes, lengths, and other naturals of 32 bits.
    package mutating func encode(codes values: UnsafeBufferPointer<UInt32>) -> EncodedPage {
        sink.removeAll()
        let chosen = Section.widened(values) { IntegerCodec.encode($0, with: compressor, into: &sink) }
        return finish(chosen, count: values.count)
    }

    /// Values of `width` bytes each, which lie one after the other in `bytes`.
    package mutating func encode(fixed bytes: UnsafeBufferPointer<UInt8>, width: Int) -> EncodedPage {
        precondition(width > 0 && bytes.count % width == 0, "bytes that are no whole number of values")
        sink.removeAll()
        let chosen = FixedCodec.encode(UnsafeRawBufferPointer(bytes), width: width, with: compressor, into: &sink)
        return finish(chosen, count: bytes.count / width)
    }

    /// Ids of 8 bytes, many of which are among `siblings`: as many ids of the same rows, which a reader will have.
    package mutating func encode(
        ids bytes: UnsafeBufferPointer<UInt8>, beside siblings: UnsafeBufferPointer<UInt8>
    ) -> EncodedPage {
        precondition(bytes.count == siblings.count, "siblings of other rows")
        if let values = bytes.baseAddress, let others = siblings.baseAddress, bytes.contains(where: { $0 != 0 }) {
            sink.removeAll()
            let count = bytes.count / 8
            if DistanceCodec.append(values, beside: others, count: count, with: compressor, to: &sink) {
                return finish(Payload(.distances, .never), count: count)
            }
        }
        return encode(fixed: bytes, width: 8)
    }

    /// Ids of 16 bytes as entries of a list, and which entries these are; nil if that cannot be, or all ids are zero.
    package mutating func encode(
        ids bytes: UnsafeBufferPointer<UInt8>, entriesOf index: borrowing IDIndex
    ) -> (page: EncodedPage, entries: ClosedRange<Int>)? {
        precondition(bytes.count % 16 == 0, "bytes that are no whole number of ids")
        guard let ids = bytes.baseAddress else { return nil }
        sink.removeAll()
        let count = bytes.count / 16
        guard let entries = EntryCodec.append(ids, count: count, index, with: compressor, to: &sink) else { return nil }
        return (finish(Payload(.entries, .never), count: count), entries)
    }

    /// Integers as entries of a list: their numbers.
    package mutating func encode(entries numbers: UnsafeBufferPointer<UInt32>) -> EncodedPage {
        sink.removeAll()
        Section.append(naturals: numbers, with: compressor, to: &sink)
        return finish(Payload(.entries, .never), count: numbers.count)
    }

    /// Strings: the length of each, and the bytes of all, one after the other.
    ///
    /// - Parameter areTexts: whether they are lines that statements of programs wrote, which may be cut into templates.
    package mutating func encode(
        strings lengths: UnsafeBufferPointer<UInt32>, bytes: UnsafeBufferPointer<UInt8>, areTexts: Bool = false
    ) -> EncodedPage {
        sink.removeAll()
        let chosen = StringCodec.encode(
            lengths, UnsafeRawBufferPointer(bytes), areTexts: areTexts, with: compressor, into: &sink)
        return finish(chosen, count: lengths.count)
    }

    /// Rows of integers: the length of each, and the values of all, one after the other.
    package mutating func encode(
        integerRows lengths: UnsafeBufferPointer<UInt32>, values: UnsafeBufferPointer<Int64>
    ) -> EncodedPage {
        sink.removeAll()
        let chosen = RowCodec.encode(lengths, integers: values, with: compressor, into: &sink)
        return finish(chosen, count: lengths.count)
    }

    /// Rows of doubles: the length of each, and the values of all, one after the other.
    package mutating func encode(
        floatRows lengths: UnsafeBufferPointer<UInt32>, values: UnsafeBufferPointer<Double>
    ) -> EncodedPage {
        sink.removeAll()
        let chosen = RowCodec.encode(lengths, floats: values, with: compressor, into: &sink)
        return finish(chosen, count: lengths.count)
    }

    /// Bytes of the caller's own layout, compressed if that pays; `count` is their number.
    package mutating func encode(raw bytes: UnsafeBufferPointer<UInt8>) -> EncodedPage {
        sink.removeAll()
        sink.append(UnsafeRawBufferPointer(bytes))
        return finish(Payload(.plain, .full), count: bytes.count)
    }

    private mutating func finish(_ chosen: Payload, count: Int) -> EncodedPage {
        let start = output.count
        var stored = ByteSink(capacity: 0)
        let compression = compressor.append(sink.bytes, effort: chosen.effort, to: &stored)
        output.append(contentsOf: stored.bytes)
        return EncodedPage(
            encoding: chosen.encoding, compression: compression, count: count, rawLength: sink.count,
            bytes: start..<output.count)
    }
}

internal import Columns
internal import Core
internal import Encoding

/// Decodes one page of a leaf into a column.
struct LeafDecoder: ~Copyable {
    private let page: PageEntry
    private let column: UInt16
    private let block: Int
    private var decoder = PageDecoder(byteLimit: PartLayout.pageByteLimit)

    init(page: PageEntry, column: UInt16, block: Int) {
        self.page = page
        self.column = column
        self.block = block
    }

    private mutating func decode<Value>(
        _ bytes: [UInt8],
        _ body: (
            inout PageDecoder, UnsafeRawBufferPointer, EncodingID, CompressionID
        ) throws(EncodingError) -> Value
    ) throws(PartError) -> Value {
        do {
            let encoding = try EncodingID(checking: page.encoding)
            let compression = try CompressionID(checking: page.compression)
            return try bytes.withUnsafeBytes { try body(&decoder, $0, encoding, compression) }
        } catch {
            throw .corruptPage(column: column, block: block)
        }
    }

    mutating func integers(_ bytes: [UInt8]) throws(PartError) -> Buffer<Int64> {
        let memory = BufferMemory<Int64>(capacity: page.count)
        let page = page
        try decode(bytes) { (decoder, bytes, encoding, compression) throws(EncodingError) in
            try decoder.decodeIntegers(
                page: bytes, encoding: encoding, compression: compression, count: page.count,
                rawLength: page.rawLength, into: memory.base)
        }
        return Buffer(owner: memory, base: memory.base, count: page.count)
    }

    mutating func floats(_ bytes: [UInt8]) throws(PartError) -> Buffer<Double> {
        let memory = BufferMemory<Double>(capacity: page.count)
        let page = page
        try decode(bytes) { (decoder, bytes, encoding, compression) throws(EncodingError) in
            try decoder.decodeFloats(
                page: bytes, encoding: encoding, compression: compression, count: page.count,
                rawLength: page.rawLength, into: memory.base)
        }
        return Buffer(owner: memory, base: memory.base, count: page.count)
    }

    /// Codes, lengths, shapes: each below `limit`.
    mutating func naturals(_ bytes: [UInt8], below limit: Int) throws(PartError) -> Buffer<UInt32> {
        let memory = BufferMemory<UInt32>(capacity: page.count)
        let page = page
        try decode(bytes) { (decoder, bytes, encoding, compression) throws(EncodingError) in
            try decoder.decodeCodes(
                page: bytes, encoding: encoding, compression: compression, count: page.count,
                rawLength: page.rawLength, into: memory.base)
        }
        // Without a branch for each.
        var greatest: UInt32 = 0
        for i in 0..<page.count { greatest = max(greatest, memory.base[i]) }
        guard page.count == 0 || Int(greatest) < limit else { throw .corruptPage(column: column, block: block) }
        return Buffer(owner: memory, base: memory.base, count: page.count)
    }

    mutating func fixed(_ bytes: [UInt8], width: Int) throws(PartError) -> FixedColumn {
        let memory = BufferMemory<UInt8>(capacity: page.count * width)
        let page = page
        try decode(bytes) { (decoder, bytes, encoding, compression) throws(EncodingError) in
            try decoder.decodeFixed(
                page: bytes, encoding: encoding, compression: compression, count: page.count,
                width: width, rawLength: page.rawLength, into: memory.base)
        }
        return FixedColumn(
            width: width,
            bytes: Buffer(owner: memory, base: memory.base, count: page.count * width))
    }

    /// Integers that are entries of a list.
    mutating func integers(_ bytes: [UInt8], entriesOf list: Buffer<Int64>) throws(PartError) -> Buffer<Int64> {
        let numbers = BufferMemory<UInt32>(capacity: page.count)
        let memory = BufferMemory<Int64>(capacity: page.count)
        let page = page
        try decode(bytes) { (decoder, bytes, encoding, compression) throws(EncodingError) in
            try decoder.decodeEntries(
                page: bytes, encoding: encoding, compression: compression, count: page.count,
                rawLength: page.rawLength, into: numbers.base)
            guard let greatest = UnsafeBufferPointer(start: numbers.base, count: page.count).max() else { return }
            guard Int(greatest) < list.count else { throw .corrupt }
            let (entries, source, target) = (numbers.base, list.base, memory.base)
            for row in 0..<page.count { target[row] = source[Int(entries[row])] }
        }
        return Buffer(owner: memory, base: memory.base, count: page.count)
    }

    /// Ids of 16 bytes that are entries of a list, of which `list` has those from the number `first` on.
    mutating func ids(_ bytes: [UInt8], list: Buffer<UInt8>, first: Int) throws(PartError) -> FixedColumn {
        let memory = BufferMemory<UInt8>(capacity: page.count * 16)
        let page = page
        try decode(bytes) { (decoder, bytes, encoding, compression) throws(EncodingError) in
            try decoder.decodeIDs(
                page: bytes, encoding: encoding, compression: compression, count: page.count,
                rawLength: page.rawLength, list: list.unsafeElements, first: first, into: memory.base)
        }
        return FixedColumn(width: 16, bytes: Buffer(owner: memory, base: memory.base, count: page.count * 16))
    }

    /// Ids of 8 bytes that may refer to those of `siblings`.
    mutating func ids(_ bytes: [UInt8], beside siblings: FixedColumn) throws(PartError) -> FixedColumn {
        let memory = BufferMemory<UInt8>(capacity: page.count * 8)
        let page = page
        try decode(bytes) { (decoder, bytes, encoding, compression) throws(EncodingError) in
            try decoder.decodeIDs(
                page: bytes, encoding: encoding, compression: compression, count: page.count,
                rawLength: page.rawLength, beside: siblings.bytes.unsafeElements, into: memory.base)
        }
        return FixedColumn(width: 8, bytes: Buffer(owner: memory, base: memory.base, count: page.count * 8))
    }

    mutating func strings(_ bytes: [UInt8]) throws(PartError) -> StringColumn {
        let lengths = BufferMemory<UInt32>(capacity: page.count)
        let page = page
        let contents = try decode(bytes) {
            (decoder, bytes, encoding, compression) throws(EncodingError) in
            try decoder.decodeStrings(
                page: bytes, encoding: encoding, compression: compression, count: page.count,
                rawLength: page.rawLength, lengths: lengths.base)
        }
        let offsets = try offsets(lengths, of: contents.count)
        return StringColumn(
            codes: Buffer(0..<UInt32(page.count)),
            dictionary: StringDictionary(
                offsets: offsets, contents: contents, isUnique: false, isSorted: false))
    }

    mutating func integerRows(_ bytes: [UInt8]) throws(PartError) -> ArrayColumn {
        let lengths = BufferMemory<UInt32>(capacity: page.count)
        let page = page
        let values = try decode(bytes) {
            (decoder, bytes, encoding, compression) throws(EncodingError) in
            try decoder.decodeIntegerRows(
                page: bytes, encoding: encoding, compression: compression, count: page.count,
                rawLength: page.rawLength, lengths: lengths.base)
        }
        return ArrayColumn(offsets: try offsets(lengths, of: values.count), elements: .integers(values))
    }

    mutating func floatRows(_ bytes: [UInt8]) throws(PartError) -> ArrayColumn {
        let lengths = BufferMemory<UInt32>(capacity: page.count)
        let page = page
        let values = try decode(bytes) {
            (decoder, bytes, encoding, compression) throws(EncodingError) in
            try decoder.decodeFloatRows(
                page: bytes, encoding: encoding, compression: compression, count: page.count,
                rawLength: page.rawLength, lengths: lengths.base)
        }
        return ArrayColumn(offsets: try offsets(lengths, of: values.count), elements: .floats(values))
    }

    private func offsets(
        _ lengths: BufferMemory<UInt32>, of total: Int
    ) throws(PartError) -> Buffer<UInt32> {
        let lengths = Buffer(owner: lengths, base: lengths.base, count: page.count)
        guard let offsets = Offsets.make(lengths, limit: Int(UInt32.max)),
            Int(offsets[page.count]) == total
        else { throw .corruptPage(column: column, block: block) }
        return offsets
    }
}

/// Sums of lengths.
enum Offsets {
    /// Where each list begins, and the end of the last; nil if the sum is over `limit`.
    static func make(_ lengths: Buffer<UInt32>, limit: Int) -> Buffer<UInt32>? {
        let memory = BufferMemory<UInt32>(capacity: lengths.count + 1)
        var sum = 0
        memory.base[0] = 0
        for i in 0..<lengths.count {
            sum += Int(lengths.base[i])
            guard sum <= limit else { return nil }
            memory.base[i + 1] = UInt32(sum)
        }
        return Buffer(owner: memory, base: memory.base, count: lengths.count + 1)
    }
}

import Core
import Encoding

/// The page decoders. An input is a header of ten bytes and a payload; the header says how to read it:
///
/// | byte | meaning |
/// |---|---|
/// | 0 | kind of values, modulo 11 |
/// | 1, 2 | encoding and compression, as numbered in the format |
/// | 3 | width of fixed values |
/// | 4, 5 | number of values, little-endian |
/// | 6…9 | length before compression, little-endian |
extension FuzzTarget {
    private static let byteLimit = 1 << 20

    static let pages = FuzzTarget("pages", seeds: { PageSeeds.all() }) { bytes in
        guard bytes.count >= 10, let encoding = try? EncodingID(checking: bytes[1]),
            let compression = try? CompressionID(checking: bytes[2])
        else { return }
        let count = Int(bytes[4]) | Int(bytes[5]) << 8
        let rawLength = (6..<10).reversed().reduce(0) { $0 << 8 | Int(bytes[$1]) }
        let header = PageHeader(
            encoding: encoding, compression: compression, width: Int(bytes[3] % 33) + 1, count: count,
            rawLength: rawLength)
        // Copied, so that reading beyond the end is reading beyond an allocation.
        let payload = Array(bytes[10...])
        payload.withUnsafeBytes { payload in
            var decoder = PageDecoder(byteLimit: byteLimit)
            _ = try? decode(bytes[0] % 11, header, payload, &decoder)
        }
    }

    private struct PageHeader {
        var encoding: EncodingID
        var compression: CompressionID
        var width: Int
        var count: Int
        var rawLength: Int
    }

    private static func decode(
        _ kind: UInt8, _ header: PageHeader, _ page: UnsafeRawBufferPointer, _ decoder: inout PageDecoder
    ) throws(EncodingError) {
        let (encoding, compression, count, length) = (
            header.encoding, header.compression, header.count, header.rawLength
        )
        switch kind {
        case 0:
            let target = BufferMemory<Int64>(capacity: count)
            try decoder.decodeIntegers(
                page: page, encoding: encoding, compression: compression, count: count, rawLength: length,
                into: target.base)
        case 1:
            let target = BufferMemory<Double>(capacity: count)
            try decoder.decodeFloats(
                page: page, encoding: encoding, compression: compression, count: count, rawLength: length,
                into: target.base)
        case 2:
            let target = BufferMemory<UInt32>(capacity: count)
            try decoder.decodeCodes(
                page: page, encoding: encoding, compression: compression, count: count, rawLength: length,
                into: target.base)
        case 3:
            let target = BufferMemory<UInt8>(capacity: count * header.width)
            try decoder.decodeFixed(
                page: page, encoding: encoding, compression: compression, count: count, width: header.width,
                rawLength: length, into: target.base)
        case 4:
            let lengths = BufferMemory<UInt32>(capacity: count)
            let bytes = try decoder.decodeStrings(
                page: page, encoding: encoding, compression: compression, count: count, rawLength: length,
                lengths: lengths.base)
            check(lengths, count, total: bytes.count)
            try search(header, page, bytes)
        case 5:
            let lengths = BufferMemory<UInt32>(capacity: count)
            let values = try decoder.decodeIntegerRows(
                page: page, encoding: encoding, compression: compression, count: count, rawLength: length,
                lengths: lengths.base)
            check(lengths, count, total: values.count)
        case 6:
            let lengths = BufferMemory<UInt32>(capacity: count)
            let values = try decoder.decodeFloatRows(
                page: page, encoding: encoding, compression: compression, count: count, rawLength: length,
                lengths: lengths.base)
            check(lengths, count, total: values.count)
        case 8...10: try decodeReferences(kind, header, page, &decoder)
        default:
            let bytes = try decoder.decodeRaw(
                page: page, encoding: encoding, compression: compression, rawLength: length)
            precondition(bytes.count == length)
        }
    }

    /// Searches a page of templates, whose texts were read.
    private static func search(
        _ header: PageHeader, _ page: UnsafeRawBufferPointer, _ bytes: Buffer<UInt8>
    ) throws(EncodingError) {
        let texts = try TemplatedTexts(
            page: Array(page), encoding: header.encoding.rawValue, compression: header.compression.rawValue,
            count: header.count, rawLength: header.rawLength, byteLimit: byteLimit)
        guard let texts else { return }
        var rows = Array(0..<UInt32(header.count))
        try texts.keep(&rows, passing: [TextTest(anyOf: [Array("10".utf8), Array("took".utf8)], keepsMatches: true)])
        precondition(rows.count <= header.count)
        let some = try texts.texts(rows).bytes.count
        precondition(some <= bytes.count, "some texts have more bytes than all")
    }

    /// Pages that refer to another leaf, or to a list.
    private static func decodeReferences(
        _ kind: UInt8, _ header: PageHeader, _ page: UnsafeRawBufferPointer, _ decoder: inout PageDecoder
    ) throws(EncodingError) {
        let (encoding, compression, count, length) = (
            header.encoding, header.compression, header.count, header.rawLength
        )
        switch kind {
        case 8:
            let target = BufferMemory<UInt8>(capacity: count * 8)
            let siblings: [UInt8] = (0..<(count * 8)).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            try siblings.withUnsafeBufferPointer { siblings throws(EncodingError) in
                try decoder.decodeIDs(
                    page: page, encoding: encoding, compression: compression, count: count, rawLength: length,
                    beside: siblings, into: target.base)
            }
        case 9:
            let target = BufferMemory<UInt32>(capacity: count)
            try decoder.decodeEntries(
                page: page, encoding: encoding, compression: compression, count: count, rawLength: length,
                into: target.base)
        default:
            let target = BufferMemory<UInt8>(capacity: count * 16)
            let list: [UInt8] = (0..<(40 * 16)).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            try list.withUnsafeBufferPointer { list throws(EncodingError) in
                try decoder.decodeIDs(
                    page: page, encoding: encoding, compression: compression, count: count, rawLength: length,
                    list: list, first: header.width, into: target.base)
            }
        }
    }

    private static func check(_ lengths: BufferMemory<UInt32>, _ count: Int, total: Int) {
        let sum = (0..<count).reduce(0) { $0 + Int(lengths.base[$1]) }
        precondition(sum == total, "lengths that are not those of what was decoded")
        precondition(total <= byteLimit, "more than the limit was decoded")
    }
}

/// Pages of every kind and shape, with the header that the target reads.
private enum PageSeeds {
    static func all() -> [[UInt8]] {
        [CompressionID.none, .zstd, .lz4].flatMap { compression in
            integers(compression) + floats(compression) + ids(compression) + texts(compression) + rows(compression)
        }
    }

    private static func page(
        kind: UInt8, _ compression: CompressionID, width: Int = 1, _ encode: (inout PageEncoder) -> EncodedPage
    ) -> [UInt8] {
        var encoder = PageEncoder(compression: compression, level: 1)
        let page = encode(&encoder)
        var bytes: [UInt8] = [kind, page.encoding.rawValue, page.compression.rawValue, UInt8(width - 1)]
        for shift in [0, 8] { bytes.append(UInt8(truncatingIfNeeded: page.count >> shift)) }
        for shift in [0, 8, 16, 24] { bytes.append(UInt8(truncatingIfNeeded: page.rawLength >> shift)) }
        return bytes + encoder.output[page.bytes]
    }

    private static func integers(_ compression: CompressionID) -> [[UInt8]] {
        let outliers: [Int64] = (0..<700).map { row in row % 90 == 0 ? Int64.max : Int64(row % 13) }
        let scattered: [Int64] = (0..<200).map { row in Int64(row) &* 0x9E37_79B9 ^ -Int64(row) }
        let times: [Int64] = (0..<1_100).map { row in 1_790_000_000_000_000_000 + Int64(row * row) * 1_000_000 }
        let even: [Int64] = (0..<1_500).map { row in Int64(row) * 1_000 + 17 }
        let steps: [Int64] = (0..<400).map { row in Int64(row / 50) }
        let shapes: [[Int64]] = [
            [], [7], Array(repeating: 42, count: 300), even, outliers, scattered, steps, times, [.min, .max, 0, -1],
        ]
        let cycle: [UInt32] = (0..<900).map { row in row % 5 }
        let ascending: [UInt32] = (0..<1_200).map { row in row * 3 }
        let pages = shapes.map { values in
            page(kind: 0, compression) { encoder in values.withUnsafeBufferPointer { encoder.encode(integers: $0) } }
        }
        let codes = [cycle, ascending, [UInt32.max, 0]].map { values in
            page(kind: 2, compression) { encoder in values.withUnsafeBufferPointer { encoder.encode(codes: $0) } }
        }
        return pages + codes
    }

    private static func floats(_ compression: CompressionID) -> [[UInt8]] {
        let decimals: [Double] = (0..<600).map { row in Double(row) / 100 }
        let roots: [Double] = (0..<300).map { row in Double(row).squareRoot() }
        let mixed: [Double] = (0..<500).map { row in row % 50 == 0 ? Double.pi : Double(row) }
        let specials: [Double] = [.nan, -.infinity, -0.0, .leastNonzeroMagnitude, .greatestFiniteMagnitude]
        let shapes: [[Double]] = [decimals, roots, mixed, specials, Array(repeating: 0.5, count: 200)]
        return shapes.map { values in
            page(kind: 1, compression) { encoder in values.withUnsafeBufferPointer { encoder.encode(floats: $0) } }
        }
    }

    private static func ids(_ compression: CompressionID) -> [[UInt8]] {
        let sparse: [UInt8] = (0..<1_024).map { at in at / 16 % 3 == 0 ? UInt8(truncatingIfNeeded: at * 37) : 0 }
        let dense: [UInt8] = (0..<512).map { at in UInt8(truncatingIfNeeded: at * 113 + 1) }
        let zeros = [UInt8](repeating: 0, count: 256)
        let shapes: [([UInt8], Int)] = [(sparse, 16), (dense, 8), (zeros, 16)]
        let parents = Array(dense[0..<8] + dense[0..<8] + dense[16..<512])
        let family = page(kind: 8, compression, width: 8) { encoder in
            parents.withUnsafeBufferPointer { ids in
                dense.withUnsafeBufferPointer { encoder.encode(ids: ids, beside: $0) }
            }
        }
        let numbers = (0..<300).map { UInt32($0 / 3) }
        let entries = page(kind: 9, compression) { encoder in
            numbers.withUnsafeBufferPointer { encoder.encode(entries: $0) }
        }
        var index = IDIndex()
        dense.withUnsafeBufferPointer { index.insert($0) }
        let listed = page(kind: 10, compression) { encoder in
            dense.withUnsafeBufferPointer { ids in
                encoder.encode(ids: ids, entriesOf: index)?.page ?? encoder.encode(fixed: ids, width: 16)
            }
        }
        return [family, entries, listed]
            + shapes.map { bytes, width in
                page(kind: 3, compression, width: width) { encoder in
                    bytes.withUnsafeBufferPointer { encoder.encode(fixed: $0, width: width) }
                }
            }
    }

    private static func texts(_ compression: CompressionID) -> [[UInt8]] {
        let lines: [String] = (0..<120).map { row in "order \(row) placed by u-\(row * 7_919)" }
        let uuids: [String] = (0..<40).map { row in "5b8efff7-9803-4103-a269-b6338\(1_000_000 + row)" }
        let hex: [String] = (0..<60).map { row in String(repeating: "0", count: 24) + String(10_000_000 + row * 31) }
        let addresses: [String] = (0..<50).map { row in "10.42.\(row).\(200 - row)" }
        let shapes: [[String]] = [lines, uuids, hex, addresses, ["", "", "x"]]
        let strings = shapes.map { texts in
            page(kind: 4, compression) { encoder in
                let lengths = texts.map { UInt32($0.utf8.count) }
                let bytes = texts.flatMap { Array($0.utf8) }
                return lengths.withUnsafeBufferPointer { lengths in
                    bytes.withUnsafeBufferPointer { encoder.encode(strings: lengths, bytes: $0) }
                }
            }
        }
        let raw = Array("bytes of the caller's own layout".utf8)
        let statements: [String] = (0..<90).map { row in
            switch row % 3 {
            case 0: "GET /items/\(row * 7) took 0\(row % 10)ms"
            case 1: "user \(uuids[row % 40]) put 2ZYF\(row)GM"
            default: "{\"agent\": \"Mozilla/5.0 (X11; rv \(row % 4))\", \"ok\": true}"
            }
        }
        let templates = page(kind: 4, compression) { encoder in
            let lengths = statements.map { UInt32($0.utf8.count) }
            let bytes = statements.flatMap { Array($0.utf8) }
            return lengths.withUnsafeBufferPointer { lengths in
                bytes.withUnsafeBufferPointer { encoder.encode(strings: lengths, bytes: $0, areTexts: true) }
            }
        }
        return strings + [
            templates,
            page(kind: 7, compression) { encoder in raw.withUnsafeBufferPointer { encoder.encode(raw: $0) } },
        ]
    }

    private static func rows(_ compression: CompressionID) -> [[UInt8]] {
        let lengths: [UInt32] = (0..<40).map { row in row % 4 == 3 ? 0 : 15 }
        let count = lengths.reduce(0) { $0 + Int($1) }
        let integers: [Int64] = (0..<count).map { row in Int64(row / 15 * (row % 15)) }
        let floats = integers.map { Double($0) / 4 }
        return [
            page(kind: 5, compression) { encoder in
                lengths.withUnsafeBufferPointer { lengths in
                    integers.withUnsafeBufferPointer { encoder.encode(integerRows: lengths, values: $0) }
                }
            },
            page(kind: 6, compression) { encoder in
                lengths.withUnsafeBufferPointer { lengths in
                    floats.withUnsafeBufferPointer { encoder.encode(floatRows: lengths, values: $0) }
                }
            },
        ]
    }
}

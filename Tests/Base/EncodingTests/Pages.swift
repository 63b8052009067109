import Core

@testable import Encoding

/// Encodes one page and keeps its bytes.
struct Page {
    var header: EncodedPage
    var bytes: [UInt8]

    init(level: Int32 = 1, _ encode: (inout PageEncoder) -> EncodedPage) {
        var encoder = PageEncoder(zstdLevel: level)
        encoder.output = [1, 2, 3]
        header = encode(&encoder)
        bytes = Array(encoder.output[header.bytes])
    }

    init(integers: [Int64], level: Int32 = 1) {
        self.init(level: level) { encoder in integers.withUnsafeBufferPointer { encoder.encode(integers: $0) } }
    }

    init(codes: [UInt32]) {
        self.init { encoder in codes.withUnsafeBufferPointer { encoder.encode(codes: $0) } }
    }

    init(floats: [Double]) {
        self.init { encoder in floats.withUnsafeBufferPointer { encoder.encode(floats: $0) } }
    }

    init(fixed: [UInt8], width: Int) {
        self.init { encoder in fixed.withUnsafeBufferPointer { encoder.encode(fixed: $0, width: width) } }
    }

    init(ids: [UInt8], beside siblings: [UInt8]) {
        self.init { encoder in
            ids.withUnsafeBufferPointer { ids in
                siblings.withUnsafeBufferPointer { encoder.encode(ids: ids, beside: $0) }
            }
        }
    }

    init(strings: [[UInt8]]) {
        let lengths = strings.map { UInt32($0.count) }
        let joined = Array(strings.joined())
        self.init { encoder in
            lengths.withUnsafeBufferPointer { lengths in
                joined.withUnsafeBufferPointer { encoder.encode(strings: lengths, bytes: $0) }
            }
        }
    }

    init(strings: [String]) { self.init(strings: strings.map { Array($0.utf8) }) }

    init(rows: [[Int64]]) {
        let lengths = rows.map { UInt32($0.count) }
        let joined = Array(rows.joined())
        self.init { encoder in
            lengths.withUnsafeBufferPointer { lengths in
                joined.withUnsafeBufferPointer { encoder.encode(integerRows: lengths, values: $0) }
            }
        }
    }

    init(floatRows: [[Double]]) {
        let lengths = floatRows.map { UInt32($0.count) }
        let joined = Array(floatRows.joined())
        self.init { encoder in
            lengths.withUnsafeBufferPointer { lengths in
                joined.withUnsafeBufferPointer { encoder.encode(floatRows: lengths, values: $0) }
            }
        }
    }

    // MARK: Decoding

    func integers() throws -> [Int64] {
        var decoder = PageDecoder()
        return try decoded(Int64.self) { bytes, target in
            try decoder.decodeIntegers(
                page: bytes, encoding: header.encoding, compression: header.compression, count: header.count,
                rawLength: header.rawLength, into: target)
        }
    }

    func codes() throws -> [UInt32] {
        var decoder = PageDecoder()
        return try decoded(UInt32.self) { bytes, target in
            try decoder.decodeCodes(
                page: bytes, encoding: header.encoding, compression: header.compression, count: header.count,
                rawLength: header.rawLength, into: target)
        }
    }

    func floats() throws -> [Double] {
        var decoder = PageDecoder()
        return try decoded(Double.self) { bytes, target in
            try decoder.decodeFloats(
                page: bytes, encoding: header.encoding, compression: header.compression, count: header.count,
                rawLength: header.rawLength, into: target)
        }
    }

    func fixed(width: Int) throws -> [UInt8] {
        var decoder = PageDecoder()
        var copy = self
        copy.header.count *= width
        return try copy.decoded(UInt8.self) { bytes, target in
            try decoder.decodeFixed(
                page: bytes, encoding: header.encoding, compression: header.compression, count: header.count,
                width: width, rawLength: header.rawLength, into: target)
        }
    }

    func ids(beside siblings: [UInt8]) throws -> [UInt8] {
        var decoder = PageDecoder()
        var copy = self
        copy.header.count *= 8
        return try copy.decoded(UInt8.self) { bytes, target in
            try siblings.withUnsafeBufferPointer { siblings in
                try decoder.decodeIDs(
                    page: bytes, encoding: header.encoding, compression: header.compression, count: header.count,
                    rawLength: header.rawLength, beside: siblings, into: target)
            }
        }
    }

    func ids(list: [UInt8], first: Int) throws -> [UInt8] {
        var decoder = PageDecoder()
        var copy = self
        copy.header.count *= 16
        return try copy.decoded(UInt8.self) { bytes, target in
            try list.withUnsafeBufferPointer { list in
                try decoder.decodeIDs(
                    page: bytes, encoding: header.encoding, compression: header.compression, count: header.count,
                    rawLength: header.rawLength, list: list, first: first, into: target)
            }
        }
    }

    func entries() throws -> [UInt32] {
        var decoder = PageDecoder()
        return try decoded(UInt32.self) { bytes, target in
            try decoder.decodeEntries(
                page: bytes, encoding: header.encoding, compression: header.compression, count: header.count,
                rawLength: header.rawLength, into: target)
        }
    }

    func strings() throws -> [[UInt8]] {
        var decoder = PageDecoder()
        var joined = Buffer<UInt8>.empty
        let lengths = try decoded(UInt32.self) { bytes, target in
            joined = try decoder.decodeStrings(
                page: bytes, encoding: header.encoding, compression: header.compression, count: header.count,
                rawLength: header.rawLength, lengths: target)
        }
        return Self.split(joined, lengths)
    }

    func rows() throws -> [[Int64]] {
        var decoder = PageDecoder()
        var joined = Buffer<Int64>.empty
        let lengths = try decoded(UInt32.self) { bytes, target in
            joined = try decoder.decodeIntegerRows(
                page: bytes, encoding: header.encoding, compression: header.compression, count: header.count,
                rawLength: header.rawLength, lengths: target)
        }
        return Self.split(joined, lengths)
    }

    func floatRows() throws -> [[Double]] {
        var decoder = PageDecoder()
        var joined = Buffer<Double>.empty
        let lengths = try decoded(UInt32.self) { bytes, target in
            joined = try decoder.decodeFloatRows(
                page: bytes, encoding: header.encoding, compression: header.compression, count: header.count,
                rawLength: header.rawLength, lengths: target)
        }
        return Self.split(joined, lengths)
    }

    private static func split<Element>(_ joined: Buffer<Element>, _ lengths: [UInt32]) -> [[Element]] {
        var start = 0
        return lengths.map { length in
            defer { start += Int(length) }
            return joined[start..<(start + Int(length))].array
        }
    }

    /// Decodes into memory of exactly `count` values that ends in a canary.
    private func decoded<Element: FixedWidthOrFloat>(
        _ type: Element.Type, _ decode: (UnsafeRawBufferPointer, UnsafeMutablePointer<Element>) throws -> Void
    ) throws -> [Element] {
        var values = [Element](repeating: Element.canary, count: header.count + 4)
        try bytes.withUnsafeBytes { bytes in
            try values.withUnsafeMutableBufferPointer { target in
                guard let base = target.baseAddress else { return }
                try decode(bytes, base)
            }
        }
        precondition(values.suffix(4).allSatisfy { $0 == Element.canary }, "written past the last value")
        return Array(values.prefix(header.count))
    }
}

protocol FixedWidthOrFloat: Equatable { static var canary: Self { get } }
extension Int64: FixedWidthOrFloat { static var canary: Int64 { 0x5A5A_5A5A_5A5A } }
extension UInt32: FixedWidthOrFloat { static var canary: UInt32 { 0x5A5A_5A5A } }
extension UInt8: FixedWidthOrFloat { static var canary: UInt8 { 0x5A } }
extension Double: FixedWidthOrFloat { static var canary: Double { 1234.5678e99 } }

import Testing

@testable import Encoding

/// Payloads put together by hand from docs/FORMAT.md: a decoder that changes its mind about a byte fails here.
@Suite struct FormatTests {
    private static func page(_ encoding: EncodingID, _ count: Int, _ bytes: [UInt8]) -> Page {
        var page = Page(integers: [])
        page.bytes = bytes
        page.header = EncodedPage(
            encoding: encoding, compression: .none, count: count, rawLength: bytes.count, bytes: 0..<bytes.count)
        return page
    }

    private static func word(_ value: Int64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: value >> Int64(8 * $0)) }
    }

    /// A section of one group: width 8, reference 0, the values as bytes.
    private static func section(_ values: [UInt8]) -> [UInt8] {
        [3, 0, UInt8(values.count + 2), 8, 0] + values
    }

    private static func section(bytes: [UInt8]) -> [UInt8] { [0, 0, UInt8(bytes.count)] + bytes }

    @Test func `integers`() throws {
        #expect(try Self.page(.plain, 2, Self.word(-1) + Self.word(7)).integers() == [-1, 7])
        #expect(try Self.page(.constant, 3, Self.word(-5)).integers() == [-5, -5, -5])
        let runs = [2] + Self.section([9, 4]) + Self.section([3, 1])
        #expect(try Self.page(.runs, 4, runs).integers() == [9, 9, 9, 4])
        // Width 2, reference -3 (zigzag 5): 1, 2, 3, 0 above it, lowest bits first.
        #expect(try Self.page(.packed, 4, [2, 5, 0b00_11_10_01]).integers() == [-2, -1, 0, -3])
        // The same with one exception, at 3: high bits 5 above the two low ones.
        #expect(try Self.page(.packed, 4, [0x82, 5, 1, 0b00_11_10_01, 3, 0, 5]).integers() == [-2, -1, 0, 17])
        #expect(try Self.page(.deltaPacked, 3, Self.word(100) + [0, 6]).integers() == [100, 103, 106])
        // Zigzag varints: -1 is 1, 150 is 300 = 0xAC 0x02.
        #expect(try Self.page(.varints, 3, [1] + Self.word(10) + [1, 0xAC, 0x02]).integers() == [10, 9, 159])
        let scaled = [0xE8, 0x07] + Self.word(50) + Self.section([0, 2, 1])
        #expect(try Self.page(.scaled, 3, scaled).integers() == [50, 2050, 1050])
        let planes = Self.word(-1) + [2] + Self.section(bytes: [1, 2]) + Self.section(bytes: [0, 1])
        #expect(try Self.page(.planes, 2, planes).integers() == [0, 257])
        #expect(try Self.page(.scaled, 3, scaled).codes() == [50, 2050, 1050])
    }

    @Test func `doubles`() throws {
        let stale = Int64(0x7FF0_0000_0000_0002)
        let decimal = [2, 1] + Self.section([1]) + Self.word(stale) + Self.section([150, 150, 5])
        let decoded = try Self.page(.decimal, 3, decimal).floats()
        #expect(decoded[0] == 1.5 && decoded[1].bitPattern == UInt64(stale) && decoded[2] == 0.05)
        // 1.0 is 3FF0…, and the change to -1.0 is the sign alone.
        var planes: [UInt8] = [1] + Self.section(bytes: [0x3F, 0x80]) + Self.section(bytes: [0xF0, 0])
        for _ in 0..<6 { planes += Self.section(bytes: [0, 0]) }
        #expect(try Self.page(.planes, 2, planes).floats() == [1, -1])
        let runs = [1, 0, 0, 8] + Self.word(Int64(bitPattern: (2.5).bitPattern))
        #expect(try Self.page(.runs, 2, runs + Self.section([2])).floats() == [2.5, 2.5])
    }

    @Test func `fixed values`() throws {
        let pair = Self.section(bytes: [1, 2, 3, 4])
        #expect(try Self.page(.constant, 2, [7, 8]).fixed(width: 2) == [7, 8, 7, 8])
        #expect(try Self.page(.runs, 3, [2] + pair + Self.section([1, 2])).fixed(width: 2) == [1, 2, 3, 4, 3, 4])
        let sparse = [2] + Self.section(bytes: [0b101]) + pair
        #expect(try Self.page(.sparse, 3, sparse).fixed(width: 2) == [1, 2, 0, 0, 3, 4])
        // First, newest (1), second, newest, one before the newest.
        let dictionary = [2] + pair + Self.section([0, 1, 0, 1, 2])
        #expect(try Self.page(.dictionary, 5, dictionary).fixed(width: 2) == [1, 2, 1, 2, 3, 4, 3, 4, 1, 2])
    }

    @Test func `strings`() throws {
        let strings = Self.section([1, 0, 2]) + [3] + Self.section(bytes: Array("abc".utf8))
        #expect(try text(Self.page(.strings, 3, strings)) == ["a", "", "bc"])
        #expect(try text(Self.page(.constant, 2, Array("xy".utf8))) == ["xy", "xy"])
        let dictionary = [3, 32, 0, UInt8(strings.count)] + strings + Self.section([2, 0, 2, 1])
        #expect(try text(Self.page(.dictionary, 4, dictionary)) == ["bc", "a", "bc", ""])
        #expect(try text(Self.page(.canonical, 2, [2, 2] + Self.section([42, 0]))) == ["42", "0"])
        let address = [3, 1] + Self.section(bytes: [0b10]) + [1, 0, 8] + Self.word(0x0A00_0102)
        #expect(try text(Self.page(.canonical, 2, address)) == ["", "10.0.1.2"])
        let id: [UInt8] =
            [0x0B, 0x9A, 0x3C, 0x52, 0x7D, 0x1E, 0x4F, 0x60] + [0x9C, 0x1D, 0x2F, 0x3A, 0x4B, 0x5C, 0x6D, 0x7E]
        let uuid = [1, 1, 16] + Self.section(bytes: id)
        #expect(try text(Self.page(.canonical, 1, uuid)) == ["0b9a3c52-7d1e-4f60-9c1d-2f3a4b5c6d7e"])
        #expect(try text(Self.page(.canonical, 2, [4, 2, 1] + Self.section(bytes: [0xAB, 0x01]))) == ["ab", "01"])
        let uneven = [4, 2, 0] + Self.section([1, 2]) + [3] + Self.section(bytes: [0xAB, 0x01, 0x23])
        #expect(try text(Self.page(.canonical, 2, uneven)) == ["ab", "0123"])
    }

    @Test func `rows`() throws {
        let lengths = Self.section([2, 2, 1, 2])
        let values = Self.section([5, 6, 1, 2, 9, 3, 3])
        #expect(try Self.page(.rows, 4, lengths + [7, 0] + values).rows() == [[5, 6], [1, 2], [9], [3, 3]])
        #expect(try Self.page(.rows, 4, lengths + [7, 1] + values).rows() == [[5, 6], [6, 8], [9], [3, 3]])
        let halves = Self.section([1, 1]) + [2, 16, 0, 9, 1, 0, 3, 0, 4, 8, 0, 5, 15]
        #expect(try Self.page(.rows, 2, halves).floatRows() == [[0.5], [1.5]])
    }

    private func text(_ page: Page) throws -> [String] {
        try page.strings().map { String(decoding: $0, as: UTF8.self) }
    }

    @Test func `the numbers of encodings and compressions never change`() {
        #expect(
            EncodingID.allCases.map(\.rawValue) == [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 24, 25, 26, 27, 32, 33, 34, 40])
        #expect(CompressionID.allCases.map(\.rawValue) == [0, 1, 2])
        #expect(throws: EncodingError.unknownEncoding(99)) { try EncodingID(checking: 99) }
        #expect(throws: EncodingError.unknownCompression(3)) { try CompressionID(checking: 3) }
    }
}

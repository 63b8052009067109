import Testing

@testable import Compression

/// Bodies in Snappy: blocks and chunks that are put together by hand, from the format's description.
@Suite struct SnappyTests {
    /// Literals alone: a length of up to 127, and after each tag up to 60 bytes.
    private static func block(_ plain: [UInt8]) -> [UInt8] {
        var block = [UInt8(plain.count)]
        for start in stride(from: 0, to: plain.count, by: 60) {
            let piece = plain[start..<min(start + 60, plain.count)]
            block += [UInt8(piece.count - 1) << 2] + piece
        }
        return block
    }

    private static func chunk(_ type: UInt8, _ content: [UInt8]) -> [UInt8] {
        [type, UInt8(content.count & 0xFF), UInt8(content.count >> 8), 0] + content
    }

    private static func checksum(_ plain: [UInt8]) -> [UInt8] {
        withUnsafeBytes(of: plain.withUnsafeBytes { CRC32C.masked($0) }.littleEndian) { Array($0) }
    }

    private static let identifier = chunk(0xFF, Array("sNaPpY".utf8))
    private static let plain = Array(
        "a hundred bytes that are no more than that, and some that are more, and the rest".utf8)

    private static let checksums: [(bytes: [UInt8], expected: UInt32)] = [
        ([UInt8](repeating: 0, count: 32), 0x8A91_36AA), ([UInt8](repeating: 0xFF, count: 32), 0x62A8_AB43),
        (Array(0..<32), 0x46DD_794E), (Array((0..<32).reversed()), 0x113F_DB5C),
    ]

    /// RFC 3720, B.4.
    @Test(arguments: checksums)
    func `the checksum is Castagnoli's`(bytes: [UInt8], expected: UInt32) {
        #expect(bytes.withUnsafeBytes { CRC32C.value($0) } == expected)
    }

    @Test func `a block gives back what it has, copies too`() throws {
        #expect(try Snappy.decompress(Self.block(Self.plain), limit: 1000) == Self.plain)
        #expect(try Snappy.decompress([0], limit: 0) == [])
        // Two bytes, and a copy of eight from two before: an overlap.
        #expect(
            try Snappy.decompress([10, 1 << 2, 97, 98, (8 - 4) << 2 | 1, 2], limit: 10) == Array("ababababab".utf8))
    }

    @Test func `chunks are joined, and unknown ones passed over`() throws {
        let (first, second) = (Array("first ".utf8), Array("second".utf8))
        let stream =
            Self.identifier + Self.chunk(0, Self.checksum(first) + Self.block(first)) + Self.chunk(0xFE, [0, 0])
            + Self.chunk(0x80, [1, 2, 3]) + Self.identifier + Self.chunk(1, Self.checksum(second) + second)
        #expect(try Snappy.decompress(stream, limit: 12) == first + second)
        #expect(throws: CompressionError.tooLarge(limit: 11)) { try Snappy.decompress(stream, limit: 11) }
        #expect(throws: CompressionError.tooLarge(limit: 3)) { try Snappy.decompress(stream, limit: 3) }
        for length in 1..<stream.count {
            let cut = Array(stream.prefix(length))
            // At a chunk's end nothing tells that there was more.
            if let plain = try? Snappy.decompress(cut, limit: 12) { #expect((first + second).starts(with: plain)) }
        }
        #expect(throws: CompressionError.unsupported) {
            try Snappy.decompress(Self.identifier + Self.chunk(2, [0]), limit: 10)
        }
    }

    @Test func `what is damaged is refused`() {
        let (plain, block) = (Self.plain, Self.block(Self.plain))
        for i in 0..<4 {
            var checksum = Self.checksum(plain)
            checksum[i] ^= 1
            #expect(throws: CompressionError.corrupt) {
                try Snappy.decompress(Self.identifier + Self.chunk(0, checksum + block), limit: 1000)
            }
        }
        for length in 0..<block.count {
            #expect(throws: CompressionError.corrupt) {
                try Snappy.decompress(Array(block.prefix(length)), limit: 1000)
            }
        }
        #expect(throws: CompressionError.corrupt) {
            try Snappy.decompress([10, 1 << 2, 97, 98, (8 - 4) << 2 | 1, 3], limit: 10)
        }
        #expect(throws: CompressionError.tooLarge(limit: 60)) { try Snappy.decompress(block, limit: 60) }
        // A length of almost 4 GiB, and nothing behind it.
        #expect(throws: CompressionError.corrupt) {
            try Snappy.decompress([0xFF, 0xFF, 0xFF, 0xFF, 0x0F], limit: .max)
        }
    }
}

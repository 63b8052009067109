import Testing

@testable import Compression

@Suite struct LZ4Tests {
    @Test(arguments: [0, 1, 2, 100, 4096, 300_000])
    func `a block gives back what it took`(count: Int) throws {
        let plain = bytes(count)
        var block: [UInt8] = []
        let added = plain.withUnsafeBytes { LZ4.compress($0, into: &block) }
        #expect(block.count == added)
        #expect(try decompressed(block, count) == plain)
        #expect(throws: CompressionError.corrupt) { try decompressed(block, count + 1) }
        for length in 0..<min(block.count, 50) {
            #expect(throws: CompressionError.corrupt) { try decompressed(Array(block.prefix(length)), count) }
        }
    }

    private func decompressed(_ block: [UInt8], _ count: Int) throws -> [UInt8] {
        var plain = [UInt8](repeating: 0xEE, count: count)
        try plain.withUnsafeMutableBytes { target in
            try block.withUnsafeBytes { try LZ4.decompress($0, into: target) }
        }
        return plain
    }
}

/// Frames as the command `lz4` and senders make them.
@Suite struct LZ4FrameTests {
    /// "abc" twelve times and "!", by liblz4.
    private static let frame: [UInt8] = [
        0x04, 0x22, 0x4D, 0x18, 0x60, 0x40, 0x82, 0x0D, 0x00, 0x00, 0x00, 0x3F, 0x61, 0x62, 0x63, 0x03, 0x00, 0x0A,
        0x50, 0x63, 0x61, 0x62, 0x63, 0x21, 0x00, 0x00, 0x00, 0x00,
    ]
    private static let plain = Array((String(repeating: "abc", count: 12) + "!").utf8)

    @Test func `frames give back what they have, one behind the other`() throws {
        #expect(try LZ4.decompress(framed: Self.frame, limit: 37) == Self.plain)
        #expect(try LZ4.decompress(framed: Self.frame + Self.frame, limit: 74) == Self.plain + Self.plain)
        #expect(throws: CompressionError.tooLarge(limit: 36)) { try LZ4.decompress(framed: Self.frame, limit: 36) }
        #expect(throws: CompressionError.tooLarge(limit: 73)) {
            try LZ4.decompress(framed: Self.frame + Self.frame, limit: 73)
        }
    }

    @Test func `what is damaged is refused, and the next frame is not the worse for it`() throws {
        for length in 0..<Self.frame.count {
            #expect(throws: CompressionError.corrupt) {
                try LZ4.decompress(framed: Array(Self.frame.prefix(length)), limit: 1000)
            }
        }
        for i in 0..<7 {
            var damaged = Self.frame
            damaged[i] ^= 0xFF
            #expect(throws: CompressionError.corrupt) { try LZ4.decompress(framed: damaged, limit: 1000) }
        }
        #expect(try LZ4.decompress(framed: Self.frame, limit: 37) == Self.plain)
    }
}

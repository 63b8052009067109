import Testing

@testable import Compression

func bytes(_ count: Int, seed: Int = 1) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: ($0 / 7) &* 31 &+ seed &* ($0 % 5)) }
}

@Suite struct ZstdTests {
    @Test(arguments: [0, 1, 2, 100, 4096, 300_000], [-3, 1, 6, 19] as [Int32])
    func `a frame gives back what it took`(count: Int, level: Int32) throws {
        let plain = bytes(count)
        var frame: [UInt8] = [9]
        let added = plain.withUnsafeBytes { Zstd.compress($0, level: level, into: &frame) }
        #expect(frame.count == added + 1)
        frame.removeFirst()
        #expect(try decompressed(frame, count) == plain)
        #expect(try streamed(frame, limit: count) == plain)
        #expect(throws: CompressionError.corrupt) { try decompressed(frame, count + 1) }
        if count > 0 {
            #expect(throws: CompressionError.corrupt) { try decompressed(frame, count - 1) }
            #expect(throws: CompressionError.tooLarge(limit: count - 1)) { try streamed(frame, limit: count - 1) }
        }
    }

    @Test func `a body may hold several frames`() throws {
        let parts = [bytes(10), [], bytes(70_000, seed: 3), bytes(1)]
        var body: [UInt8] = []
        for part in parts { part.withUnsafeBytes { _ = Zstd.compress($0, level: 1, into: &body) } }
        let whole = Array(parts.joined())
        #expect(try streamed(body, limit: 1 << 20) == whole)
        #expect(try streamed(body, limit: whole.count) == whole)
        #expect(throws: CompressionError.tooLarge(limit: whole.count - 1)) {
            try streamed(body, limit: whole.count - 1)
        }
    }

    @Test func `a bomb stops at the limit`() {
        var frame: [UInt8] = []
        [UInt8](repeating: 0, count: 64 << 20).withUnsafeBytes { _ = Zstd.compress($0, level: 1, into: &frame) }
        #expect(frame.count < 1 << 14)
        #expect(throws: CompressionError.tooLarge(limit: 1 << 20)) { try streamed(frame, limit: 1 << 20) }
    }

    @Test func `every cut and every flipped byte throws or differs, and never traps`() {
        let plain = bytes(2000)
        var frame: [UInt8] = []
        plain.withUnsafeBytes { _ = Zstd.compress($0, level: 1, into: &frame) }
        for length in 0..<frame.count {
            #expect(throws: CompressionError.corrupt) { try decompressed(Array(frame.prefix(length)), 2000) }
            #expect(throws: CompressionError.corrupt) { try streamed(Array(frame.prefix(length)), limit: 1 << 20) }
            var flipped = frame
            flipped[length] ^= 0x41
            _ = try? decompressed(flipped, 2000)
            _ = try? streamed(flipped, limit: 1 << 20)
        }
    }

    @Test func `a window above 8 MiB is refused`() {
        // RFC 8878 §3.1.1.1: no single segment, window descriptor exponent 20: 2^30 bytes.
        let frame: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD, 0x00, 20 << 3, 0x01, 0x00, 0x00]
        #expect(throws: CompressionError.unsupported) { try streamed(frame, limit: 1 << 20) }
    }

    private func decompressed(_ frame: [UInt8], _ count: Int) throws -> [UInt8] {
        var plain = [UInt8](repeating: 0xEE, count: count)
        try plain.withUnsafeMutableBytes { target in
            try frame.withUnsafeBytes { try Zstd.decompress($0, into: target) }
        }
        return plain
    }

    private func streamed(_ body: [UInt8], limit: Int) throws -> [UInt8] {
        try body.withUnsafeBytes { try Zstd.decompress(streamed: $0, limit: limit) }
    }
}

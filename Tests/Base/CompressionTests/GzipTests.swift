import Testing

@testable import Compression

@Suite struct GzipTests {
    @Test(arguments: [0, 1, 100, 70_000, 2_000_000], [1, 6, 12] as [Int32])
    func `decompress undoes compress`(count: Int, level: Int32) throws {
        let plain = bytes(count)
        let body = Gzip.compress(plain, level: level)
        #expect(try Gzip.decompress(body, limit: count) == plain)
        if count > 0 {
            #expect(throws: CompressionError.tooLarge(limit: count - 1)) { try Gzip.decompress(body, limit: count - 1) }
        }
    }

    @Test func `several members follow each other`() throws {
        let parts = [bytes(10), [], bytes(70_000, seed: 3), bytes(1)]
        let body = parts.flatMap { Gzip.compress($0, level: 6) }
        let whole = Array(parts.joined())
        #expect(try Gzip.decompress(body, limit: whole.count) == whole)
        #expect(throws: CompressionError.tooLarge(limit: 1000)) { try Gzip.decompress(body, limit: 1000) }
    }

    @Test func `a bomb stops at the limit`() {
        let body = Gzip.compress([UInt8](repeating: 0, count: 64 << 20), level: 6)
        #expect(throws: CompressionError.tooLarge(limit: 1 << 20)) { try Gzip.decompress(body, limit: 1 << 20) }
    }

    @Test func `a false length at the end is corrupt, whatever it announces`() {
        var body = Gzip.compress(bytes(1000), level: 6)
        for last in [0, 1, 0xFF] as [UInt8] {
            body.replaceSubrange((body.count - 4)..., with: [last, last, last, last])
            #expect(throws: CompressionError.corrupt) { try Gzip.decompress(body, limit: 1 << 30) }
        }
    }

    @Test func `every cut and every flipped byte throws or differs, and never traps`() {
        let body = Gzip.compress(bytes(2000), level: 6)
        for length in 0..<body.count {
            #expect(throws: CompressionError.corrupt) {
                try Gzip.decompress(Array(body.prefix(length)), limit: 1 << 20)
            }
            var flipped = body
            flipped[length] ^= 0x41
            _ = try? Gzip.decompress(flipped, limit: 1 << 20)
        }
    }

    /// "hello hello hello hello": made by zlib's compressobj with wbits 15 and -15.
    @Test(
        arguments: [
            [0x78, 0x9C, 0xCB, 0x48, 0xCD, 0xC9, 0xC9, 0x57, 0xC8, 0x40, 0x27, 0x01, 0x68, 0x03, 0x08, 0xB1],
            [0xCB, 0x48, 0xCD, 0xC9, 0xC9, 0x57, 0xC8, 0x40, 0x27, 0x01],
        ] as [[UInt8]])
    func `deflate may be a zlib or a raw stream`(body: [UInt8]) throws {
        #expect(try Gzip.inflate(body, limit: 100) == Array("hello hello hello hello".utf8))
        #expect(throws: CompressionError.tooLarge(limit: 5)) { try Gzip.inflate(body, limit: 5) }
        #expect(throws: CompressionError.corrupt) { try Gzip.inflate(Array(body.dropLast()), limit: 100) }
    }
}

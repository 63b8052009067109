import Randomness
import Testing

@testable import Encoding

@Suite struct PageRecompressorTests {
    private func lines(_ count: Int, _ random: inout SeededRandom) -> [String] {
        (0..<count).map { i in
            "GET /api/products/\(random.next() % 10_000) from 10.\(random.next() % 256).0.\(i % 256) took \(i * 7 % 991) ms"
        }
    }

    @Test func `text is stored shorter at a higher level and reads the same`() throws {
        var random = SeededRandom(seed: 11)
        var recompressor = PageRecompressor(zstdLevel: 9)
        for count in [0, 1, 7, 130, 2000, 8192] {
            let texts = lines(count, &random)
            var page = Page(strings: texts)
            guard page.header.encoding == .strings,
                page.header.compression == .none,
                let better = recompressor.recompress(strings: page.bytes[...])
            else {
                #expect(count < 2000, "\(count) lines were not compressed again")
                continue
            }
            #expect(better.count < page.bytes.count)
            page.bytes = better
            page.header.rawLength = better.count
            #expect(try page.strings() == texts.map { Array($0.utf8) })
        }
    }

    @Test func `a payload that is no page of strings is left alone`() {
        var random = SeededRandom(seed: 12)
        var recompressor = PageRecompressor(zstdLevel: 9)
        let whole = Page(strings: lines(3000, &random)).bytes
        for _ in 0..<400 {
            var bytes = whole
            if random.next() % 2 == 0 { bytes.removeLast(Int(random.next() % UInt64(bytes.count))) }
            if !bytes.isEmpty { bytes[Int(random.next() % UInt64(bytes.count))] ^= UInt8(1 + random.next() % 255) }
            _ = recompressor.recompress(strings: bytes[...])
        }
    }
}

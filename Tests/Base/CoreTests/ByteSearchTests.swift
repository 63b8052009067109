import Core
import Testing

/// Searches in bytes find what a loop over them finds.
struct ByteSearchTests {
    private static func random(_ generator: inout SystemRandomNumberGenerator, _ count: Int) -> [UInt8] {
        // Neighbours of the wanted bytes, and those that differ from them by the top or the lowest bit.
        let alphabet: [UInt8] = [0x21, 0x22, 0x23, 0x5B, 0x5C, 0x5D, 0xA2, 0xDC, 0x00, 0xFF, 0x61]
        let isSparse = Bool.random(using: &generator)
        return (0..<count).map { _ in
            isSparse && UInt8.random(in: 0..<16, using: &generator) > 0
                ? 0x61 : alphabet.randomElement(using: &generator) ?? 0
        }
    }

    @Test func `the first quotation mark or backslash is found from every start`() {
        var generator = SystemRandomNumberGenerator()
        for count in 0..<200 {
            let bytes = Self.random(&generator, count)
            for start in 0...count {
                let expected = bytes[start...].firstIndex { $0 == 0x22 || $0 == 0x5C } ?? count
                #expect(bytes.span.indexOfQuoteOrBackslash(from: start) == expected, "\(bytes) from \(start)")
            }
        }
    }

    @Test func `needles of all lengths are found where they begin first`() {
        var generator = SystemRandomNumberGenerator()
        for length in [0, 1, 2, 3, 15, 16, 17, 31, 32, 33, 40, 63, 64, 65, 100] {
            for _ in 0..<100 {
                let bytes = Self.random(&generator, Int.random(in: length...(length + 150), using: &generator))
                let from = Int.random(in: 0...(bytes.count - length), using: &generator)
                var needle = Array(bytes[from..<(from + length)])
                if Bool.random(using: &generator), !needle.isEmpty { needle[length - 1] ^= 1 }
                for start in [0, from, min(from + 1, bytes.count), bytes.count] {
                    let expected = (start..<max(start, bytes.count - length + 1)).first {
                        bytes[$0..<($0 + length)].elementsEqual(needle)
                    }
                    let found = bytes.span.index(of: needle.span, from: start)
                    #expect(found == (length == 0 ? start : expected), "\(needle) in \(bytes) from \(start)")
                }
            }
        }
    }

    @Test func `a text of almost needles is searched in time that grows with the text alone`() {
        let text = [UInt8](repeating: 0x61, count: 1 << 20)
        // Every place looks like the needle up to its last byte: compared one by one, that takes 10^11 steps.
        let needle = [UInt8](repeating: 0x61, count: 1 << 17) + [0x62]
        #expect(text.span.index(of: needle.span) == nil)
        #expect((text + needle).span.index(of: needle.span) == text.count)
    }

    @Test func `bytes are equal if all of them are`() {
        var generator = SystemRandomNumberGenerator()
        for count in 0..<64 {
            let bytes = Self.random(&generator, count)
            for changed in -1..<count {
                var other = bytes
                if changed >= 0 { other[changed] ^= 1 }
                bytes.withUnsafeBytes { raw in
                    #expect(raw.isEqual(to: other) == (changed < 0))
                    #expect(!raw.isEqual(to: other + [0]))
                }
            }
        }
    }
}

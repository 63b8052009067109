import Randomness
import Testing

@testable import Encoding

@Suite struct IntegerCodecTests {
    @Test(arguments: IntegerShape.allCases)
    func `decode undoes encode for every length 0...130`(shape: IntegerShape) throws {
        var random = SeededRandom(seed: 1)
        for count in 0...130 {
            let values = shape.values(count, &random)
            let page = Page(integers: values)
            #expect(page.header.count == count)
            #expect(try page.integers() == values)
        }
    }

    @Test(arguments: IntegerShape.allCases)
    func `decode undoes encode for blocks of any length`(shape: IntegerShape) throws {
        let seed = UInt64.random(in: 0 ... .max)
        print("seed \(seed)")
        var random = SeededRandom(seed: seed)
        for count in [1023, 1024, 1025, 2048, 8191, 8192, Int.random(in: 1...20_000, using: &random)] {
            let values = shape.values(count, &random)
            let page = Page(integers: values)
            #expect(try page.integers() == values, "\(count) values")
            let codes = values.map { UInt32(truncatingIfNeeded: $0) }
            #expect(try Page(codes: codes).codes() == codes, "\(count) codes")
        }
    }

    @Test func `a constant page takes at most 16 bytes`() {
        #expect(Page(integers: Array(repeating: -77, count: 8192)).bytes.count <= 16)
        #expect(Page(codes: Array(repeating: 77, count: 8192)).bytes.count <= 16)
        #expect(Page(floats: Array(repeating: .nan, count: 8192)).bytes.count <= 16)
    }

    @Test(arguments: 0...64)
    func `packing keeps the low bits of every width`(width: Int) {
        var random = SeededRandom(seed: UInt64(width))
        for count in [0, 1, 2, 7, 63, 64, 65, 1000, 1023, 1024] {
            let values = (0..<count).map { _ in random.next() }
            let mask = width == 64 ? UInt64.max : (1 << UInt64(width)) - 1
            let byteCount = BitPacking.byteCount(count: count, width: width)
            var packed = [UInt8](repeating: 0xEE, count: byteCount + BitPacking.slack + 4)
            packed.withUnsafeMutableBytes { target in
                values.withUnsafeBufferPointer {
                    guard let base = $0.baseAddress, let target = target.baseAddress else { return }
                    BitPacking.pack(base, count: count, width: width, to: target)
                }
            }
            #expect(packed.suffix(4).allSatisfy { $0 == 0xEE })
            if count == 1024 { #expect(Array(packed.prefix(byteCount)) == naivePack(values, width)) }
            var wide = [Int64](repeating: 9, count: count + 1)
            var narrow = [UInt32](repeating: 9, count: count + 1)
            packed.withUnsafeBytes { source in
                let source = UnsafeRawBufferPointer(rebasing: source[..<byteCount])
                wide.withUnsafeMutableBufferPointer {
                    BitPacking.unpack(source, count: count, width: width, reference: 5, into: $0.baseAddress!)
                }
                narrow.withUnsafeMutableBufferPointer {
                    BitPacking.unpack(source, count: count, width: width, reference: 5, into: $0.baseAddress!)
                }
            }
            #expect(wide == values.map { Int64(bitPattern: ($0 & mask) &+ 5) } + [9])
            #expect(narrow == values.map { UInt32(truncatingIfNeeded: $0 & mask) &+ 5 } + [9])
        }
    }

    /// The layout as docs/FORMAT.md words it, bit by bit.
    private func naivePack(_ values: [UInt64], _ width: Int) -> [UInt8] {
        let wordBits = width <= 32 ? 32 : 64
        let subcolumns = 1024 / wordBits
        var bytes = [UInt8](repeating: 0, count: 128 * width)
        for (i, value) in values.enumerated() {
            for bit in 0..<width where value >> UInt64(bit) & 1 == 1 {
                let subcolumnBit = i / subcolumns * width + bit
                let word = subcolumnBit / wordBits * subcolumns + i % subcolumns
                let position = word * wordBits + subcolumnBit % wordBits
                bytes[position / 8] |= 1 << UInt8(position % 8)
            }
        }
        return bytes
    }
}

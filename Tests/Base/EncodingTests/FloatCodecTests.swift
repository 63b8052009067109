import Randomness
import Testing

@testable import Encoding

/// Columns of doubles of the shapes that metrics hold, and of those that break codecs.
enum FloatShape: CaseIterable {
    case zeros, integers, decimals, decimalsWithExceptions, stale, full, walk, anyBits, specials, runs, fewDistinct,
        sums,
        huge, tiny

    private static let oddities: [UInt64] = [
        0, 1 << 63, 0x7FF0_0000_0000_0000, 0xFFF0_0000_0000_0000, 0x7FF8_0000_0000_0000, 0x7FF0_0000_0000_0002,
        0xFFF8_0000_0000_1234, 1, 0x000F_FFFF_FFFF_FFFF, 0x7FEF_FFFF_FFFF_FFFF, 0x4340_0000_0000_0000,
        0x4320_0000_0000_0001, 0xC320_0000_0000_0001,
    ]

    func values(_ count: Int, _ random: inout SeededRandom) -> [Double] {
        var last = 100.0
        return (0..<count).map { i in
            switch self {
            case .zeros: return 0
            case .integers: return Double(Int64.random(in: -(1 << 50)...(1 << 50), using: &random))
            case .decimals: return Double(Int.random(in: -1_000_000...1_000_000, using: &random)) / 1000
            case .decimalsWithExceptions:
                let bits = Self.oddities.randomElement(using: &random) ?? 0
                return random.next() % 20 == 0 ? Double(bitPattern: bits) : Double(random.next() % 5000) / 100
            case .stale: return i % 60 == 59 ? Double(bitPattern: 0x7FF0_0000_0000_0002) : Double(i / 7)
            case .full: return .random(in: 0...1, using: &random)
            case .walk:
                last += .random(in: -0.1...0.1, using: &random)
                return last
            case .anyBits: return Double(bitPattern: random.next())
            case .specials: return Double(bitPattern: Self.oddities.randomElement(using: &random) ?? 0)
            case .runs:
                if random.next() % 30 == 0 { last = Double(bitPattern: random.next()) }
                return last
            case .fewDistinct: return 1 / Double(3 + random.next() % 20)
            case .sums:
                // A counter of hundredths, as a double that was added up; now and then it starts again or is stale.
                if random.next() % 400 == 0 { last = 0 }
                last += Double(random.next() % 300) / 100
                return random.next() % 700 == 0 ? Double(bitPattern: 0x7FF0_0000_0000_0002) : last
            case .huge: return Double(random.next() % 900 + 1) * 1e300
            case .tiny: return Double(random.next() % 900 + 1) * 1e-12
            }
        }
    }
}

@Suite struct FloatCodecTests {
    @Test(arguments: FloatShape.allCases)
    func `decode gives back every bit, for every length 0...130`(shape: FloatShape) throws {
        var random = SeededRandom(seed: 2)
        for count in 0...130 { try expectExact(shape.values(count, &random)) }
    }

    @Test(arguments: FloatShape.allCases)
    func `decode gives back every bit, for blocks of any length`(shape: FloatShape) throws {
        let seed = UInt64.random(in: 0 ... .max)
        print("seed \(seed)")
        var random = SeededRandom(seed: seed)
        for count in [1024, 8192, Int.random(in: 1...20_000, using: &random)] {
            try expectExact(shape.values(count, &random))
        }
    }

    private func expectExact(_ values: [Double]) throws {
        let decoded = try Page(floats: values).floats()
        #expect(decoded.map(\.bitPattern) == values.map(\.bitPattern))
    }

    @Test(
        arguments: [
            (FloatShape.decimals, EncodingID.decimal), (.integers, .decimal), (.stale, .decimal), (.runs, .runs),
            (.walk, .planes),
            (.anyBits, .plain),
        ] as [(FloatShape, EncodingID)])
    func `a shape has the encoding made for it`(shape: FloatShape, encoding: EncodingID) {
        var random = SeededRandom(seed: 4)
        #expect(Page(floats: shape.values(8192, &random)).header.encoding == encoding)
    }

    @Test(arguments: 0...15)
    func `decimals of every number of digits need no exceptions`(digits: Int) throws {
        // As text is read: the double nearest to the decimal.
        var random = SeededRandom(seed: UInt64(digits))
        let values = (0..<1024).map { _ in Double("\(Int(random.next() % 1_000_000))e-\(digits)") ?? 0 }
        let page = Page(floats: values)
        #expect(page.header.encoding == .decimal)
        #expect(page.bytes.count < 1024 * 3)
        #expect(try page.floats() == values)
    }
}

import Randomness
import Testing

@testable import Encoding

/// Columns of ids as tables hold them.
enum IDShape: CaseIterable {
    case zero, constant, random, runs, sparse, sparseRuns, returning, sparseReturning, two

    func bytes(_ count: Int, width: Int, _ random: inout SeededRandom) -> [UInt8] {
        func fresh() -> [UInt8] { (0..<width).map { _ in UInt8(truncatingIfNeeded: random.next()) } }
        let zero = [UInt8](repeating: 0, count: width)
        var last = fresh()
        var recent = (0..<10).map { _ in fresh() }
        return (0..<count).flatMap { _ -> [UInt8] in
            let dice = random.next() % 12
            switch self {
            case .zero: return zero
            case .constant: return last
            case .random: return fresh()
            case .runs: if dice == 0 { last = fresh() }
            case .sparse: return dice < 4 ? zero : fresh()
            case .sparseRuns: if dice < 2 { last = dice == 0 ? zero : fresh() }
            case .returning, .sparseReturning:
                if self == .sparseReturning && dice < 4 { return zero }
                let place = Int(random.next() % 10)
                if dice == 11 { recent[place] = fresh() }
                return recent[place]
            case .two: return recent[Int(dice % 2)]
            }
            return last
        }
    }
}

@Suite struct FixedCodecTests {
    @Test(arguments: IDShape.allCases, [1, 4, 8, 16, 20])
    func `decode undoes encode for every length 0...130`(shape: IDShape, width: Int) throws {
        var random = SeededRandom(seed: 3)
        for count in 0...130 {
            let bytes = shape.bytes(count, width: width, &random)
            #expect(try Page(fixed: bytes, width: width).fixed(width: width) == bytes)
        }
    }

    @Test(arguments: IDShape.allCases, [8, 16])
    func `decode undoes encode for blocks of any length`(shape: IDShape, width: Int) throws {
        let seed = UInt64.random(in: 0 ... .max)
        print("seed \(seed)")
        var random = SeededRandom(seed: seed)
        for count in [8192, Int.random(in: 1...10_000, using: &random)] {
            let bytes = shape.bytes(count, width: width, &random)
            #expect(try Page(fixed: bytes, width: width).fixed(width: width) == bytes)
        }
    }

    @Test(
        arguments: [
            (IDShape.zero, EncodingID.constant, 0.01), (.random, .plain, 16.0), (.runs, .runs, 2),
            (.sparse, .sparse, 11.2),
            (.returning, .dictionary, 3), (.sparseReturning, .sparse, 3),
        ] as [(IDShape, EncodingID, Double)])
    func `a shape has the encoding made for it`(shape: IDShape, encoding: EncodingID, bytesPerValue: Double) {
        var random = SeededRandom(seed: 4)
        let page = Page(fixed: shape.bytes(8192, width: 16, &random), width: 16)
        #expect(page.header.encoding == encoding)
        #expect(Double(page.bytes.count) <= bytesPerValue * 8192)
    }
}

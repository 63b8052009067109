import Randomness
import Testing

@testable import Encoding

/// Ids and those that they refer to.
enum FamilyShape: CaseIterable {
    case trees, roots, strangers, later, themselves, twins, colliding

    func family(_ count: Int, _ random: inout SeededRandom) -> (ids: [UInt8], siblings: [UInt8]) {
        var siblings: [UInt64] = (0..<count).map { _ in random.next() | 1 }
        // Ids whose hash has the same upper bits: all want one slot.
        if self == .colliding { siblings = (0..<count).map { UInt64($0) &* 0xF1DE_83E1_9937_733D } }
        if self == .twins { for i in siblings.indices { siblings[i] = siblings[i / 3] } }
        let ids: [UInt64] = (0..<count).map { row in
            let dice = random.next() % 10
            switch self {
            case .trees, .twins, .colliding:
                if dice == 0 || row == 0 { return dice % 2 == 0 ? 0 : random.next() }
                return siblings[max(0, row - 1 - Int(random.next() % 12))]
            case .roots: return 0
            case .strangers: return random.next()
            case .later: return siblings[Int.random(in: 0..<count, using: &random)]
            case .themselves: return siblings[dice < 5 ? row : row / 2]
            }
        }
        return (Self.bytes(ids), Self.bytes(siblings))
    }

    private static func bytes(_ words: [UInt64]) -> [UInt8] {
        words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
    }
}

@Suite struct DistanceCodecTests {
    @Test(arguments: FamilyShape.allCases)
    func `decode undoes encode for every length 0...130`(shape: FamilyShape) throws {
        var random = SeededRandom(seed: 11)
        for count in 0...130 {
            let (ids, siblings) = shape.family(count, &random)
            #expect(try Page(ids: ids, beside: siblings).ids(beside: siblings) == ids)
        }
    }

    @Test(arguments: FamilyShape.allCases)
    func `decode undoes encode for blocks of any length`(shape: FamilyShape) throws {
        let seed = UInt64.random(in: 0 ... .max)
        print("seed \(seed)")
        var random = SeededRandom(seed: seed)
        for count in [8192, Int.random(in: 1...10_000, using: &random)] {
            let (ids, siblings) = shape.family(count, &random)
            #expect(try Page(ids: ids, beside: siblings).ids(beside: siblings) == ids)
        }
    }

    @Test(
        arguments: [
            (FamilyShape.trees, EncodingID.distances, 1.2), (.later, .distances, 2), (.roots, .constant, 0.01),
            (.strangers, .plain, 8),
        ] as [(FamilyShape, EncodingID, Double)])
    func `a shape has the encoding made for it`(shape: FamilyShape, encoding: EncodingID, bytesPerValue: Double) {
        var random = SeededRandom(seed: 12)
        let (ids, siblings) = shape.family(8192, &random)
        let page = Page(ids: ids, beside: siblings)
        #expect(page.header.encoding == encoding)
        #expect(Double(page.bytes.count) <= bytesPerValue * 8192)
    }

    /// The payload as docs/FORMAT-encodings.md describes it, read with plain code.
    @Test func `codes say which row an id stands in`() throws {
        // 0 no parent, 1 a literal, 2 d the row d above, 2 d + 1 the row d below.
        let codes: [UInt8] = [0, 2, 5, 1, 6, 4]
        let siblings = (0..<6).flatMap { row in [UInt8](repeating: UInt8(row + 1), count: 8) }
        let literal: [UInt8] = [9, 8, 7, 6, 5, 4, 3, 2]
        let words = codes.flatMap { [$0] + [UInt8](repeating: 0, count: 7) }
        // One literal; a plain section of 48 bytes; a plain section of 8 bytes.
        let payload: [UInt8] = [1] + [0, 0, 48] + words + [0, 0, 8] + literal
        var page = Page(ids: literal, beside: literal)
        page.bytes = payload
        page.header = EncodedPage(
            encoding: .distances, compression: .none, count: 6, rawLength: payload.count, bytes: 0..<payload.count)
        let rows = try page.ids(beside: siblings)
        let expected: [[UInt8]] = [
            Array(repeating: 0, count: 8), Array(repeating: 1, count: 8), Array(repeating: 5, count: 8), literal,
            Array(repeating: 2, count: 8), Array(repeating: 4, count: 8),
        ]
        #expect(rows == expected.flatMap { $0 })
    }

    @Test(arguments: [[0, 4], [5, 0], [0, 1, 1], [0, 0, 0, 1]] as [[UInt8]])
    func `codes that point out of the block, and wrong numbers of literals, are refused`(codes: [UInt8]) {
        let words = codes.flatMap { [$0] + [UInt8](repeating: 0, count: 7) }
        // No literals for the first two, and one too few or too many for the others.
        let kept: UInt8 = codes.count == 3 ? 1 : codes.count == 4 ? 2 : 0
        let literals = [UInt8](repeating: 7, count: Int(kept) * 8)
        let payload = [kept] + [0, 0, UInt8(words.count)] + words + [0, 0, UInt8(literals.count)] + literals
        var page = Page(fixed: [], width: 8)
        page.bytes = payload
        page.header = EncodedPage(
            encoding: .distances, compression: .none, count: codes.count, rawLength: payload.count,
            bytes: 0..<payload.count)
        #expect(throws: EncodingError.self) {
            try page.ids(beside: [UInt8](repeating: 1, count: codes.count * 8))
        }
    }

    @Test func `a page is not decoded without its siblings, or beside too few`() throws {
        var random = SeededRandom(seed: 13)
        let (ids, siblings) = FamilyShape.trees.family(100, &random)
        let page = Page(ids: ids, beside: siblings)
        #expect(page.header.encoding == .distances)
        #expect(throws: EncodingError.wrongType(.distances)) { try page.fixed(width: 8) }
        #expect(throws: EncodingError.corrupt) { try page.ids(beside: Array(siblings.dropLast(8))) }
    }
}

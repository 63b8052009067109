import Randomness
import Testing

@testable import Encoding

/// Columns of strings as tables hold them.
enum StringShape: CaseIterable {
    case empty, constant, bytes, bodies, names, uuids, upperUUIDs, hex, unevenHex, oddHex, decimals, zeroPadded,
        longDecimals
    case addresses, badAddresses, sparseUUIDs, sparseDecimals, repeatedUUIDs

    func strings(_ count: Int, _ random: inout SeededRandom) -> [[UInt8]] {
        let some = (0..<8).map { _ in uuid(&random) }
        return (0..<count).map { i -> [UInt8] in
            let word = random.next()
            switch self {
            case .empty: return []
            case .constant: return Array("checkout".utf8)
            case .bytes: return (0..<(word % 40)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            case .bodies: return Array("user \(word % 1000) waited \(word % 77)ms for cart".utf8)
            case .names: return Array("name-\(word % 9)".utf8)
            case .uuids: return Array(uuid(&random).utf8)
            case .upperUUIDs: return Array(uuid(&random).uppercased().utf8)
            case .hex: return Array((String(word | 1 << 63, radix: 16)).utf8)
            case .unevenHex: return Array((String(word | 1 << 63, radix: 16)).utf8.prefix(Int(2 + word % 8 * 2)))
            case .oddHex: return Array((String(word | 1 << 63, radix: 16)).utf8.prefix(Int(1 + word % 8)))
            case .decimals: return Array("\(word % 1_000_000_000_000_000_000 >> (word % 60))".utf8)
            case .zeroPadded: return Array("0\(word % 1000)".utf8)
            case .longDecimals: return Array("\(word | 1 << 63)".utf8)
            case .addresses: return Array(address(word).utf8)
            case .badAddresses: return Array((i % 50 == 49 ? "10.0.0.256" : address(word)).utf8)
            case .sparseUUIDs: return word % 3 == 0 ? [] : Array(uuid(&random).utf8)
            case .sparseDecimals: return word % 3 == 0 ? [] : Array("\(word % 100_000)".utf8)
            case .repeatedUUIDs: return Array(some[Int(word % 8)].utf8)
            }
        }
    }

    private func address(_ word: UInt64) -> String {
        "\(word & 255).\(word >> 8 & 255).\(word >> 16 & 3).\(word >> 24 & 255)"
    }

    private func uuid(_ random: inout SeededRandom) -> String {
        let digits = Array(String(random.next() | 1 << 63, radix: 16) + String(random.next() | 1 << 63, radix: 16))
        return [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map { String(digits[$0]) }.joined(separator: "-")
    }
}

@Suite struct StringCodecTests {
    @Test(arguments: StringShape.allCases)
    func `decode undoes encode for every length 0...130`(shape: StringShape) throws {
        var random = SeededRandom(seed: 5)
        for count in 0...130 {
            let strings = shape.strings(count, &random)
            #expect(try Page(strings: strings).strings() == strings)
        }
    }

    @Test(arguments: StringShape.allCases)
    func `decode undoes encode for blocks of any length`(shape: StringShape) throws {
        let seed = UInt64.random(in: 0 ... .max)
        print("seed \(seed)")
        var random = SeededRandom(seed: seed)
        for count in [8192, Int.random(in: 1...6000, using: &random)] {
            let strings = shape.strings(count, &random)
            #expect(try Page(strings: strings).strings() == strings)
        }
    }

    @Test(
        arguments: [
            (StringShape.constant, EncodingID.constant), (.empty, .constant), (.bodies, .strings),
            (.names, .dictionary),
            (.uuids, .canonical), (.upperUUIDs, .strings), (.hex, .canonical), (.unevenHex, .canonical),
            (.oddHex, .strings),
            (.decimals, .canonical), (.zeroPadded, .strings), (.addresses, .canonical), (.badAddresses, .strings),
            (.sparseUUIDs, .canonical), (.repeatedUUIDs, .dictionary),
        ] as [(StringShape, EncodingID)])
    func `a shape has the encoding made for it`(shape: StringShape, encoding: EncodingID) {
        var random = SeededRandom(seed: 4)
        #expect(Page(strings: shape.strings(2000, &random)).header.encoding == encoding)
    }

    @Test(
        arguments: [
            (["a", "", "a"], 32), (["0", "7", "12"], 33), (["00", "01"], 33), (["1.2.3.4", "255.255.255.255"], 33),
            (["1.2.3.04", "1.2.3.4"], 32), (["1.2.3", "4"], 32), (["", ""], 1), (["999999999999999999"], 1),
            (["999999999999999999", "1000000000000000000"], 32), (["deadbeef", "DEADBEEF"], 32),
        ] as [([String], UInt8)])
    func `the limits of canonical forms`(strings: [String], encoding: UInt8) throws {
        let page = Page(strings: strings)
        #expect(page.header.encoding.rawValue == encoding)
        #expect(try page.strings() == strings.map { Array($0.utf8) })
    }
}

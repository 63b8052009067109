import Randomness
import Testing

@testable import Encoding

/// Pages whose bytes were changed: decoding throws or gives some values, and never traps or writes outside its
/// target.
@Suite struct HostilePageTests {
    private struct Case {
        var page: Page
        var decode: (Page) throws -> Void
    }

    private func cases(_ random: inout SeededRandom) -> [Case] {
        var cases: [Case] = []
        for shape in IntegerShape.allCases {
            for count in [5, 300, 2100] {
                let values = shape.values(count, &random)
                cases.append(Case(page: Page(integers: values)) { _ = try $0.integers() })
                cases.append(
                    Case(page: Page(codes: values.map { UInt32(truncatingIfNeeded: $0) })) { _ = try $0.codes() })
            }
        }
        for shape in FloatShape.allCases {
            cases.append(Case(page: Page(floats: shape.values(400, &random))) { _ = try $0.floats() })
        }
        for shape in IDShape.allCases {
            let page = Page(fixed: shape.bytes(400, width: 16, &random), width: 16)
            cases.append(Case(page: page) { _ = try $0.fixed(width: 16) })
        }
        for shape in ListedShape.allCases {
            let (rows, list) = shape.ids(400, &random)
            var index = IDIndex()
            list.withUnsafeBufferPointer { index.insert($0) }
            let page = Page { encoder in
                let made = rows.withUnsafeBufferPointer { encoder.encode(ids: $0, entriesOf: index) }
                return made?.page ?? rows.withUnsafeBufferPointer { encoder.encode(fixed: $0, width: 16) }
            }
            cases.append(Case(page: page) { _ = try $0.ids(list: list, first: 0) })
        }
        for shape in FamilyShape.allCases {
            let family = shape.family(400, &random)
            cases.append(
                Case(page: Page(ids: family.ids, beside: family.siblings)) { _ = try $0.ids(beside: family.siblings) })
        }
        for shape in StringShape.allCases {
            cases.append(Case(page: Page(strings: shape.strings(300, &random))) { _ = try $0.strings() })
        }
        let rows = (0..<200).map { row in (0..<(row % 3 + 2)).map { Int64(row * $0) } }
        cases.append(Case(page: Page(rows: rows)) { _ = try $0.rows() })
        cases.append(Case(page: Page(floatRows: rows.map { $0.map { Double($0) / 3 } })) { _ = try $0.floatRows() })
        return cases
    }

    @Test func `flipped bits, cut ends and wrong headers never trap`() {
        let seed = UInt64.random(in: 0 ... .max)
        print("seed \(seed)")
        var random = SeededRandom(seed: seed)
        for hostile in cases(&random) {
            for _ in 0..<60 {
                var page = hostile.page
                change(&page, &random)
                do { try hostile.decode(page) } catch {}
            }
        }
    }

    private func change(_ page: inout Page, _ random: inout SeededRandom) {
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            switch random.next() % 8 {
            case 0...3:
                guard !page.bytes.isEmpty else { continue }
                // Headers of payloads lie at the front: change these more often.
                let range = random.next() % 2 == 0 ? min(page.bytes.count, 24) : page.bytes.count
                let place = Int.random(in: 0..<range, using: &random)
                page.bytes[place] =
                    random.next() % 2 == 0
                    ? page.bytes[place] ^ 1 << UInt8(random.next() % 8) : UInt8(truncatingIfNeeded: random.next())
            case 4: page.bytes.removeLast(min(page.bytes.count, Int(random.next() % 40)))
            case 5: page.header.count = Int(random.next() % 3000)
            case 6:
                page.header.encoding = EncodingID.allCases.randomElement(using: &random) ?? .plain
                page.header.compression = .none
                page.header.rawLength = page.bytes.count
            default: page.header.rawLength = Int(random.next() % 20_000)
            }
        }
        if page.header.compression == .none && random.next() % 4 != 0 { page.header.rawLength = page.bytes.count }
    }

    @Test func `every page cut short throws`() {
        var random = SeededRandom(seed: 11)
        for hostile in cases(&random) where hostile.page.header.encoding != .constant {
            for length in 0..<min(hostile.page.bytes.count, 200) {
                var page = hostile.page
                page.bytes = Array(page.bytes.prefix(length))
                if page.header.compression == .none { page.header.rawLength = length }
                #expect(throws: EncodingError.self) { try hostile.decode(page) }
            }
        }
    }

    @Test func `payloads nested without end are refused`() {
        // Runs of runs of runs: each holds one run, whose values are the next.
        var payload: [UInt8] = []
        for _ in 0..<100_000 {
            let length = payload.count
            var header: [UInt8] = [1, EncodingID.runs.rawValue, 0]
            var rest = UInt64(length)
            while rest >= 0x80 {
                header.append(UInt8(truncatingIfNeeded: rest) | 0x80)
                rest >>= 7
            }
            payload = header + [UInt8(rest)] + payload.prefix(64)
        }
        var page = Page(integers: [1, 2])
        page.bytes = payload
        page.header = EncodedPage(
            encoding: .runs, compression: .none, count: 1, rawLength: payload.count, bytes: 0..<payload.count)
        #expect(throws: EncodingError.self) { try page.integers() }
    }

    @Test func `a small page cannot become more strings than the limit`() {
        var page = Page(strings: Array(repeating: String(repeating: "x", count: 4000), count: 4))
        page.header.count = 1 << 20
        #expect(throws: EncodingError.tooLarge(limit: 64 << 20)) { try page.strings() }
    }
}

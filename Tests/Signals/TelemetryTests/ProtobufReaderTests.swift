import EngineFixtures
import Randomness
import Telemetry
import Testing

/// The reader of protobuf against its slow twin, and where it must refuse.
struct ProtobufReaderTests {
    private func fields(_ bytes: [UInt8]) throws -> Int {
        try bytes.withUnsafeBytes { raw in
            var reader = ProtobufReader(ProtobufSlice(raw))
            var count = 0
            while !reader.isAtEnd {
                try reader.skip(reader.tag())
                count += 1
            }
            return count
        }
    }

    @Test(
        arguments: [
            ([], 0), ([0x08, 0], 1), ([0x08, 0x80, 0], 1), ([0x0A, 0], 1), ([0x0A, 2, 1, 2, 0x10, 1], 2),
            ([0x08, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1], 1),
            ([0x09, 1, 2, 3, 4, 5, 6, 7, 8, 0x0D, 1, 2, 3, 4], 2), ([0xF8, 0xFF, 0xFF, 0xFF, 0x0F, 1], 1),
            ([0x0B, 0x0C], 1), ([0x0B, 0x08, 1, 0x12, 1, 0x0C, 0x13, 0x0B, 0x0C, 0x14, 0x0C, 0x08, 1], 2),
        ] as [([UInt8], Int)])
    func `fields are passed over`(bytes: [UInt8], count: Int) throws {
        #expect(try fields(bytes) == count)
        #expect(try NaiveMessage(bytes).fields.count == count)
    }

    @Test(
        arguments: [
            ([0x08], ProtobufError.truncated), ([0x08, 0x80], .truncated), ([0x0A, 1], .truncated),
            ([0x0A, 0x7F, 0], .truncated),
            ([0x09, 1, 2, 3, 4, 5, 6, 7], .truncated), ([0x0D, 1, 2, 3], .truncated),
            ([0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1], .truncated),
            ([0x00], .malformed), ([0x07, 0], .malformed), ([0x0B], .truncated), ([0x0C], .malformed),
            ([0x0B, 0x14], .malformed), ([0x0B, 0x0F, 0x0C], .malformed), ([0x0B, 0x0A, 2, 0x0C], .truncated),
            ([0x0E], .malformed),
            ([0x0F], .malformed), ([0x80, 0x80, 0x80, 0x80, 0x10, 1], .malformed),
            ([0x08, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 2], .malformed),
            ([0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0], .malformed),
        ] as [([UInt8], ProtobufError)])
    func `what is no message is refused`(bytes: [UInt8], error: ProtobufError) {
        #expect(throws: error) { try fields(bytes) }
        #expect(throws: NaiveMessage.Malformed.self) { try NaiveMessage(bytes) }
    }

    @Test func `groups are nested as deep as values may be`() throws {
        func nested(_ depth: Int) -> [UInt8] {
            Array(repeating: 0x0B, count: depth) + Array(repeating: 0x0C, count: depth)
        }
        #expect(try fields(nested(ProtobufReader.deepest)) == 1)
        #expect(throws: ProtobufError.tooDeep) { try fields(nested(ProtobufReader.deepest + 1)) }
        #expect(throws: ProtobufError.tooDeep) { try fields(Array(repeating: 0x0B, count: 1 << 20)) }
    }

    @Test(arguments: 1...200 as ClosedRange<UInt64>)
    func `random bytes are read alike by both`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        for _ in 0..<50 {
            // Short fields, so that some messages are whole.
            let bytes = (0..<random.below(12)).map { _ in
                random.pick(
                    [0x08, 0x0A, 0x0B, 0x0C, 0x10, 0x12, 0x13, 0x14, 0x09, 0x0D, 0, 1, 2, 3, 0x80, 0xFF] as [UInt8])
            }
            #expect((try? fields(bytes)) == (try? NaiveMessage(bytes))?.fields.count, "\(bytes)")
        }
    }
}

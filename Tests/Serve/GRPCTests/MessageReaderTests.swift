import HTTP
import Testing

@testable import GRPC

/// The one message of a unary call (rule O-30), out of pieces of any length.
struct MessageReaderTests {
    private typealias Failure = MessageReader.Failure

    private static let limit = 300

    private func read(
        _ pieces: [[UInt8]], limit: Int = Self.limit, memory: BodyMemory? = nil
    ) throws(Failure) -> (message: [UInt8], isCompressed: Bool) {
        var reader = MessageReader(limit: limit, memory: memory)
        for piece in pieces {
            try piece.withUnsafeBufferPointer { bytes throws(Failure) in try reader.read(UnsafeRawBufferPointer(bytes))
            }
        }
        return try reader.finish()
    }

    @Test(
        arguments: [
            ([0, 0, 0, 0, 0], [], false), ([0, 0, 0, 0, 2, 7, 8], [7, 8], false), ([1, 0, 0, 0, 1, 9], [9], true),
            ([0, 0, 0, 1, 0] + [UInt8](repeating: 3, count: 256), [UInt8](repeating: 3, count: 256), false),
        ] as [([UInt8], [UInt8], Bool)])
    func `a message is what its prefix says, however it is cut`(bytes: [UInt8], message: [UInt8], isCompressed: Bool)
        throws
    {
        for size in [1, 2, 3, 4, 5, 6, 1000] {
            let pieces = stride(from: 0, to: bytes.count, by: size).map {
                Array(bytes[$0..<min($0 + size, bytes.count)])
            }
            let found = try read(pieces + [[]])
            #expect(found.message == message && found.isCompressed == isCompressed)
        }
    }

    @Test(
        arguments: [
            ([], .noMessage), ([0], .truncated), ([0, 0, 0, 0, 1], .truncated), ([0, 0, 0, 0, 2, 1], .truncated),
            ([2, 0, 0, 0, 0], .unknownFlag(2)), ([0x80, 0, 0, 0, 0], .unknownFlag(0x80)),
            ([0, 0, 0, 1, 45], .tooLarge(limit: 300)), ([0, 0xFF, 0xFF, 0xFF, 0xFF], .tooLarge(limit: 300)),
            ([0, 0, 0, 0, 1, 1, 0], .severalMessages), ([0, 0, 0, 0, 0, 0, 0, 0, 0, 0], .severalMessages),
        ] as [([UInt8], MessageReader.Failure)])
    func `whatever is not one message is refused`(bytes: [UInt8], failure: MessageReader.Failure) {
        #expect(throws: failure) { try read([bytes]) }
        #expect(throws: failure) { try read(bytes.map { [$0] }) }
    }

    @Test func `a length is believed only as far as bytes arrive, and these count among all bodies`() throws {
        let pool = BodyMemory.Pool(limit: 10)
        let memory = BodyMemory(pool: pool)
        // 4 GiB are announced, and nothing is sent.
        #expect(throws: MessageReader.Failure.truncated) {
            try read([[0, 0xFF, 0xFF, 0xFF, 0xFF]], limit: .max, memory: memory)
        }
        #expect(throws: MessageReader.Failure.overloaded) {
            try read([[0, 0, 0, 0, 20] + [UInt8](repeating: 1, count: 11)], memory: memory)
        }
        _ = try read([[0, 0, 0, 0, 10] + [UInt8](repeating: 1, count: 10)], memory: memory)
    }

    @Test(
        arguments: [
            ("1S", .seconds(1)), ("99999999H", .seconds(99_999_999 * 3600)), ("2M", .seconds(120)),
            ("5m", .milliseconds(5)),
            ("7u", .microseconds(7)), ("0n", .zero), ("", nil), ("S", nil), ("1", nil), ("1s", nil), ("-1S", nil),
            ("123456789S", nil), ("1 S", nil),
        ] as [(String, Duration?)])
    func `timeouts are up to eight digits and a unit`(text: String, expected: Duration?) {
        #expect(CallTimeout.parse(text) == expected)
    }
}

import GRPC

/// The reader of a unary call's message. However the bytes are cut, the answer is that of a reader that has them all at once.
extension FuzzTarget {
    private static let messageLimit = 4096

    static let message = FuzzTarget(
        "message",
        seeds: {
            [
                [3, 0, 0, 0, 0, 4, 1, 2, 3, 4], [1, 1, 0, 0, 0, 0],
                [7, 0, 0, 0, 16, 0] + [UInt8](repeating: 5, count: 4096),
                [2, 0, 0, 0, 0, 1, 9, 0, 0, 0, 0, 1, 9], [5, 0, 0xFF, 0xFF, 0xFF, 0xFF], [9, 2, 0, 0, 0, 0],
            ]
        },
        run: { bytes in
            guard let seed = bytes.first else { return }
            let call = Array(bytes.dropFirst())
            let expected = whole(call)
            var reader = MessageReader(limit: messageLimit, memory: nil)
            var (start, length) = (0, Int(seed))
            do throws(MessageReader.Failure) {
                while start < call.count {
                    let piece = Array(call[start..<min(start + length, call.count)])
                    try piece.withUnsafeBufferPointer { piece throws(MessageReader.Failure) in
                        try reader.read(UnsafeRawBufferPointer(piece))
                    }
                    start += length
                    length = (length &* 5 &+ 1) % 257
                }
                let (message, isCompressed) = try reader.finish()
                precondition(expected == message && isCompressed == (call[0] == 1), "another message than was sent")
            } catch {
                precondition(expected == nil, "a message was refused: \(error)")
            }
        })

    /// The message, if the call is one and no more.
    private static func whole(_ call: [UInt8]) -> [UInt8]? {
        guard call.count >= 5, call[0] <= 1 else { return nil }
        let length = call[1..<5].reduce(0) { $0 << 8 | Int($1) }
        return length <= messageLimit && call.count == 5 + length ? Array(call[5...]) : nil
    }
}

private import CLZ4

/// LZ4 frames, as request bodies have them.
extension LZ4 {
    private static let frames = ContextPool(
        make: {
            var context: OpaquePointer?
            LZ4F_createDecompressionContext(&context, UInt32(LZ4F_VERSION))
            return context
        },
        free: { LZ4F_freeDecompressionContext($0) })

    /// One frame that holds `bytes`; empty if there is no memory for it.
    package static func frame(of bytes: UnsafeRawBufferPointer) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: LZ4F_compressFrameBound(bytes.count, nil)) { memory, written in
            let length = LZ4F_compressFrame(memory.baseAddress, memory.count, bytes.baseAddress, bytes.count, nil)
            written = LZ4F_isError(length) == 0 ? length : 0
        }
    }

    /// Decompresses one or more frames of unknown size, at most `limit` bytes in all.
    ///
    /// - Throws: `.tooLarge` once more than `limit` bytes come out; memory stays within twice that.
    package static func decompress(framed bytes: [UInt8], limit: Int) throws(CompressionError) -> [UInt8] {
        try bytes.withUnsafeBufferPointer { bytes throws(CompressionError) in
            try decompress(framed: UnsafeRawBufferPointer(bytes), limit: limit)
        }
    }

    private static func decompress(
        framed bytes: UnsafeRawBufferPointer, limit: Int
    ) throws(CompressionError) -> [UInt8] {
        guard let start = bytes.baseAddress, !bytes.isEmpty else { throw .corrupt }
        let context = frames.take()
        defer { frames.putBack(context) }
        LZ4F_resetDecompressionContext(context)
        var output = GrowingOutput(firstGuess: bytes.count &* 4, limit: limit)
        var position = 0
        while true {
            var outcome = (hint: 0, consumed: 0, written: 0, isFull: false)
            output.append { memory in
                while !outcome.isFull {
                    var (written, consumed) = (memory.count - outcome.written, bytes.count - position)
                    let target = memory.baseAddress.map { $0 + outcome.written }
                    outcome.hint = LZ4F_decompress(context, target, &written, start + position, &consumed, nil)
                    guard LZ4F_isError(outcome.hint) == 0 else { break }
                    outcome.written += written
                    position += consumed
                    outcome.isFull = outcome.written == memory.count
                    // At the end of a frame another may begin, but for which the input has ended.
                    let isOver = outcome.hint == 0 && position == bytes.count
                    if isOver || (written == 0 && consumed == 0) { break }
                }
                return outcome.written
            }
            if LZ4F_isError(outcome.hint) != 0 { throw .corrupt }
            if output.isOverLimit { throw .tooLarge(limit: limit) }
            if outcome.hint == 0, position == bytes.count { return output.bytes }
            guard outcome.isFull, output.grow() else { throw .corrupt }
        }
    }
}

private import CZstd

/// Zstandard frames (RFC 8878): pages in the store, and request bodies.
package enum Zstd {
    /// RFC 9659: a receiver of `Content-Encoding: zstd` need not accept windows above 8 MiB.
    private static let windowLogLimit: Int32 = 23

    private static let compressors = ContextPool(
        make: { ZSTD_createCCtx() }, free: { _ = ZSTD_freeCCtx($0) })

    private static let decompressors = ContextPool(
        make: { ZSTD_createDCtx() }, free: { _ = ZSTD_freeDCtx($0) })

    /// Streams keep a window of their own; they do not share contexts with pages, which stay small.
    private static let streams = ContextPool(
        make: {
            let context = ZSTD_createDCtx()
            _ = ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, windowLogLimit)
            return context
        },
        free: { _ = ZSTD_freeDCtx($0) })

    /// The most bytes that `count` bytes can become.
    package static func bound(_ count: Int) -> Int { ZSTD_compressBound(count) }

    /// Appends one frame that holds `bytes`; returns its length.
    @discardableResult
    package static func compress(_ bytes: UnsafeRawBufferPointer, level: Int32, into output: inout [UInt8]) -> Int {
        let frame = frame(of: bytes, level: level)
        output.append(contentsOf: frame)
        return frame.count
    }

    /// One frame that holds `bytes`; empty if there is no memory for it.
    package static func frame(of bytes: UnsafeRawBufferPointer, level: Int32) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: bound(bytes.count)) { memory, written in
            written = compress(bytes, level: level, into: UnsafeMutableRawBufferPointer(memory)) ?? 0
        }
    }

    /// Writes one frame that holds `bytes` into `output`; nil if it does not fit. It always fits into
    /// `bound(bytes.count)`.
    package static func compress(
        _ bytes: UnsafeRawBufferPointer, level: Int32, into output: UnsafeMutableRawBufferPointer
    ) -> Int? {
        let context = compressors.take()
        defer { compressors.putBack(context) }
        let written = ZSTD_compressCCtx(
            context, output.baseAddress, output.count, bytes.baseAddress, bytes.count, level)
        return ZSTD_isError(written) == 0 ? written : nil
    }

    /// Decompresses one frame that holds exactly `output.count` bytes.
    package static func decompress(
        _ bytes: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) {
        guard !bytes.isEmpty else { throw .corrupt }
        let context = decompressors.take()
        defer { decompressors.putBack(context) }
        let written = ZSTD_decompressDCtx(
            context, output.baseAddress, output.count, bytes.baseAddress, bytes.count)
        guard ZSTD_isError(written) == 0, written == output.count else { throw .corrupt }
    }

    /// Decompresses a request body: one or more frames of unknown size, at most `limit` bytes in all.
    ///
    /// - Throws: `.tooLarge` once more than `limit` bytes come out; memory stays within twice that.
    package static func decompress(
        streamed bytes: UnsafeRawBufferPointer, limit: Int
    ) throws(CompressionError) -> [UInt8] {
        let context = streams.take()
        defer { streams.putBack(context) }
        _ = ZSTD_DCtx_reset(context, ZSTD_reset_session_only)
        var input = ZSTD_inBuffer(src: bytes.baseAddress, size: bytes.count, pos: 0)
        var output = GrowingOutput(firstGuess: bytes.count &* 4, limit: limit)
        var state = StreamState.insideFrame
        while true {
            output.append { memory in
                var target = ZSTD_outBuffer(dst: memory.baseAddress, size: memory.count, pos: 0)
                state = decompress(&input, into: &target, context)
                return target.pos
            }
            if output.isOverLimit { throw .tooLarge(limit: limit) }
            switch state {
            case .ended: return output.bytes
            case .outputFull: _ = output.grow()  // cannot fail: at the limit the output is over it
            case .insideFrame: throw .corrupt
            case .failed(let code): throw refusal(code)
            }
        }
    }

    package static func decompress(streamed bytes: [UInt8], limit: Int) throws(CompressionError) -> [UInt8] {
        try bytes.withUnsafeBufferPointer { bytes throws(CompressionError) in
            try decompress(streamed: UnsafeRawBufferPointer(bytes), limit: limit)
        }
    }

    private enum StreamState {
        case ended, outputFull, insideFrame
        case failed(Int)
    }

    /// Runs until the input is used up at a frame's end, the output is full, or nothing moves any more.
    private static func decompress(
        _ input: inout ZSTD_inBuffer, into target: inout ZSTD_outBuffer, _ context: OpaquePointer
    ) -> StreamState {
        while true {
            let before = (input.pos, target.pos)
            let hint = ZSTD_decompressStream(context, &target, &input)
            if ZSTD_isError(hint) != 0 { return .failed(hint) }
            if hint == 0 && input.pos == input.size { return .ended }
            if target.pos == target.size { return .outputFull }
            if before == (input.pos, target.pos) { return .insideFrame }
        }
    }

    private static func refusal(_ code: Int) -> CompressionError {
        switch ZSTD_getErrorCode(code) {
        case ZSTD_error_frameParameter_windowTooLarge, ZSTD_error_dictionary_wrong: .unsupported
        default: .corrupt
        }
    }
}

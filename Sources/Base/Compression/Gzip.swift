private import CDeflate

/// The gzip and deflate content codings of HTTP (RFC 1952, 1950, 1951).
package enum Gzip {
    private static let decompressors = ContextPool(
        make: { libdeflate_alloc_decompressor() }, free: { libdeflate_free_decompressor($0) })

    /// One pool per level, 1 to 12.
    private static let compressors: [ContextPool] = (1...12).map { level in
        ContextPool(make: { libdeflate_alloc_compressor(level) }, free: { libdeflate_free_compressor($0) })
    }

    /// Decompresses a gzip body of one or more members, at most `limit` bytes in all.
    ///
    /// - Throws: `.tooLarge` if more than `limit` bytes would come out; memory stays within twice that.
    package static func decompress(
        _ bytes: UnsafeRawBufferPointer, limit: Int
    ) throws(CompressionError) -> [UInt8] {
        guard bytes.count >= 18 else { throw .corrupt }
        // The last four bytes hold the last member's length: with one member, the first guess is right.
        let announced = bytes.loadUnaligned(fromByteOffset: bytes.count - 4, as: UInt32.self)
        return try members(of: bytes, limit: limit, firstGuess: Int(UInt32(littleEndian: announced)) + 1) {
            libdeflate_gzip_decompress_ex($0, $1, $2, $3, $4, $5, $6)
        }
    }

    package static func decompress(_ bytes: [UInt8], limit: Int) throws(CompressionError) -> [UInt8] {
        try Self.withBytes(bytes) { memory throws(CompressionError) in try decompress(memory, limit: limit) }
    }

    /// Decompresses HTTP's `deflate` coding: a zlib stream, or, as some clients send, a raw deflate stream.
    package static func inflate(
        _ bytes: UnsafeRawBufferPointer, limit: Int
    ) throws(CompressionError) -> [UInt8] {
        guard let first = bytes.first else { throw .corrupt }
        let guess = bytes.count &* 4
        let header = bytes.count < 2 ? 0 : Int(first) << 8 | Int(bytes[1])
        if first & 0x0F == 8 && bytes.count >= 6 && header % 31 == 0 {
            do {
                return try members(of: bytes, limit: limit, firstGuess: guess) {
                    libdeflate_zlib_decompress_ex($0, $1, $2, $3, $4, $5, $6)
                }
            } catch .corrupt {
                // A raw stream may begin like a zlib header; then it is valid as such.
            }
        }
        return try members(of: bytes, limit: limit, firstGuess: guess) {
            libdeflate_deflate_decompress_ex($0, $1, $2, $3, $4, $5, $6)
        }
    }

    package static func inflate(_ bytes: [UInt8], limit: Int) throws(CompressionError) -> [UInt8] {
        try Self.withBytes(bytes) { memory throws(CompressionError) in try inflate(memory, limit: limit) }
    }

    /// One gzip member that holds `bytes`, for answers. Levels run from 1 (fast) to 12.
    package static func compress(_ bytes: [UInt8], level: Int32) -> [UInt8] {
        let pool = compressors[Int(min(max(level, 1), 12)) - 1]
        let context = pool.take()
        defer { pool.putBack(context) }
        let bound = libdeflate_gzip_compress_bound(context, bytes.count)
        return [UInt8](unsafeUninitializedCapacity: bound) { memory, written in
            written = bytes.withUnsafeBytes {
                libdeflate_gzip_compress(context, $0.baseAddress, $0.count, memory.baseAddress, memory.count)
            }
        }
    }

    private typealias Decompress = (
        OpaquePointer?, UnsafeRawPointer?, Int, UnsafeMutableRawPointer?, Int, UnsafeMutablePointer<Int>?,
        UnsafeMutablePointer<Int>?
    ) -> libdeflate_result

    /// Decompresses stream after stream until the input is used up.
    ///
    /// libdeflate wants the whole output at once: where it does not fit, the member starts over in twice the memory.
    private static func members(
        of bytes: UnsafeRawBufferPointer, limit: Int, firstGuess: Int, decompress: Decompress
    ) throws(CompressionError) -> [UInt8] {
        let context = decompressors.take()
        defer { decompressors.putBack(context) }
        // Deflate cannot expand more than 1032-fold: a larger announcement is a lie.
        let most = bytes.count.multipliedReportingOverflow(by: 1032)
        let guess = most.overflow ? firstGuess : min(firstGuess, most.partialValue)
        var output = GrowingOutput(firstGuess: guess, limit: limit)
        var position = 0
        while position < bytes.count {
            var used = 0
            var result = LIBDEFLATE_BAD_DATA
            output.append { memory in
                var written = 0
                let input = UnsafeRawBufferPointer(rebasing: bytes[position...])
                result = decompress(
                    context, input.baseAddress, input.count, memory.baseAddress, memory.count, &used, &written)
                return result == LIBDEFLATE_SUCCESS ? written : 0
            }
            switch result {
            case LIBDEFLATE_SUCCESS:
                if output.isOverLimit { throw .tooLarge(limit: limit) }
                guard used > 0 else { throw .corrupt }
                position += used
            case LIBDEFLATE_INSUFFICIENT_SPACE:
                guard output.grow() else { throw .tooLarge(limit: limit) }
            default:
                throw .corrupt
            }
        }
        return output.bytes
    }

    private static func withBytes<R>(
        _ bytes: [UInt8], _ body: (UnsafeRawBufferPointer) throws(CompressionError) -> R
    ) throws(CompressionError) -> R {
        let result: Result<R, CompressionError> = bytes.withUnsafeBytes { memory in
            do throws(CompressionError) { return .success(try body(memory)) } catch { return .failure(error) }
        }
        return try result.get()
    }
}

private import CLZ4

/// LZ4 blocks, whose lengths the caller keeps: for pages that must be read faster than zstd allows.
package enum LZ4 {
    /// The longest input of one block.
    package static let mostBytes = 0x7E00_0000

    /// The most bytes that `count` bytes can become.
    package static func bound(_ count: Int) -> Int {
        precondition(count <= mostBytes, "too long for an LZ4 block")
        return Int(LZ4_compressBound(Int32(count)))
    }

    /// Appends one block that holds `bytes`; returns its length.
    @discardableResult
    package static func compress(_ bytes: UnsafeRawBufferPointer, into output: inout [UInt8]) -> Int {
        let block = [UInt8](unsafeUninitializedCapacity: bound(bytes.count)) { memory, written in
            written = compress(bytes, into: UnsafeMutableRawBufferPointer(memory)) ?? 0
        }
        output.append(contentsOf: block)
        return block.count
    }

    /// Writes one block that holds `bytes` into `output`; nil if it does not fit. It always fits into
    /// `bound(bytes.count)`.
    package static func compress(
        _ bytes: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) -> Int? {
        precondition(bytes.count <= mostBytes, "too long for an LZ4 block")
        var empty: CChar = 0
        let written = withUnsafePointer(to: &empty) { nothing in
            LZ4_compress_default(
                bytes.baseAddress?.assumingMemoryBound(to: CChar.self) ?? nothing,
                output.baseAddress?.assumingMemoryBound(to: CChar.self),
                Int32(bytes.count), Int32(clamping: output.count))
        }
        return written > 0 ? Int(written) : nil
    }

    /// Decompresses one block that holds exactly `output.count` bytes.
    package static func decompress(
        _ bytes: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) {
        guard let source = bytes.baseAddress, !bytes.isEmpty,
            let length = Int32(exactly: bytes.count), let room = Int32(exactly: output.count)
        else { throw .corrupt }
        var nothing: CChar = 0
        let written = withUnsafeMutablePointer(to: &nothing) { nothing in
            LZ4_decompress_safe(
                source.assumingMemoryBound(to: CChar.self),
                output.baseAddress?.assumingMemoryBound(to: CChar.self) ?? nothing, length, room)
        }
        guard written >= 0, Int(written) == output.count else { throw .corrupt }
    }
}

private import CSnappy

/// Bodies in Snappy, of both kinds that senders call by that name: a block, which begins with its length, or the framing format, which
/// begins with a chunk that says so.
///
/// ```
/// chunk     type 1 byte, length 3 bytes little-endian, content
/// 0xFF      "sNaPpY", at the beginning, and where streams are joined
/// 0x00      checksum 4 bytes, a block of at most 64 KiB of content
/// 0x01      checksum 4 bytes, content as it is, as long
/// 0x02-7F   must be known;  0x80-FE need not be
/// ```
///
/// Source: https://github.com/google/snappy/blob/main/framing_format.txt
package enum Snappy {
    private static let identifier: [UInt8] = [0xFF, 6, 0, 0] + Array("sNaPpY".utf8)
    private static let longestChunk = 64 << 10

    package static func decompress(_ bytes: [UInt8], limit: Int) throws(CompressionError) -> [UInt8] {
        try bytes.withUnsafeBufferPointer { bytes throws(CompressionError) in
            let bytes = UnsafeRawBufferPointer(bytes)
            if bytes.starts(with: identifier) { return try decompress(framed: bytes, limit: limit) }
            var output: [UInt8] = []
            try append(block: bytes, limit: limit, to: &output)
            return output
        }
    }

    private static func decompress(framed bytes: UnsafeRawBufferPointer, limit: Int) throws(CompressionError) -> [UInt8]
    {
        var output: [UInt8] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            guard rest.count >= 4 else { throw .corrupt }
            let head = Array(rest.prefix(4))
            let length = Int(head[1]) | Int(head[2]) << 8 | Int(head[3]) << 16
            guard rest.count - 4 >= length else { throw .corrupt }
            let content = UnsafeRawBufferPointer(rebasing: rest.dropFirst(4).prefix(length))
            rest = rest.dropFirst(4 + length)
            switch head[0] {
            case 0xFF:
                guard content.elementsEqual(identifier.dropFirst(4)) else { throw .corrupt }
            case 0, 1: try append(chunk: content, isCompressed: head[0] == 0, limit: limit, to: &output)
            case 0x02...0x7F: throw .unsupported
            default: continue
            }
        }
        return output
    }

    private static func append(
        chunk: UnsafeRawBufferPointer, isCompressed: Bool, limit: Int, to output: inout [UInt8]
    ) throws(CompressionError) {
        guard chunk.count >= 4 else { throw .corrupt }
        let checksum = UInt32(littleEndian: chunk.loadUnaligned(as: UInt32.self))
        let content = UnsafeRawBufferPointer(rebasing: chunk.dropFirst(4))
        let start = output.count
        if isCompressed {
            do throws(CompressionError) {
                try append(block: content, limit: min(longestChunk, limit - start), to: &output)
            } catch {
                guard case .tooLarge = error else { throw error }
                throw limit - start < longestChunk ? .tooLarge(limit: limit) : .corrupt
            }
        } else {
            guard content.count <= longestChunk else { throw .corrupt }
            guard content.count <= limit - start else { throw .tooLarge(limit: limit) }
            output.append(contentsOf: content)
        }
        let found = output[start...].withUnsafeBytes { CRC32C.masked($0) }
        guard found == checksum else { throw .corrupt }
    }

    private static func append(
        block: UnsafeRawBufferPointer, limit: Int, to output: inout [UInt8]
    ) throws(CompressionError) {
        guard let source = block.baseAddress?.assumingMemoryBound(to: CChar.self) else { throw .corrupt }
        var length = 0
        guard snappy_uncompressed_length(source, block.count, &length) == SNAPPY_OK else { throw .corrupt }
        guard length <= limit else { throw .tooLarge(limit: limit) }
        // A length is believed only of a block that has it.
        guard snappy_validate_compressed_buffer(source, block.count) == SNAPPY_OK else { throw .corrupt }
        var isWhole = false
        let content = [UInt8](unsafeUninitializedCapacity: max(length, 1)) { memory, count in
            var written = length
            let target = UnsafeMutableRawBufferPointer(memory).baseAddress?.assumingMemoryBound(to: CChar.self)
            isWhole = snappy_uncompress(source, block.count, target, &written) == SNAPPY_OK && written == length
            count = isWhole ? length : 0
        }
        guard isWhole else { throw .corrupt }
        if output.isEmpty { output = content } else { output += content }
    }
}

/// The checksum of Castagnoli's polynomial, as the framing format of Snappy has it.
enum CRC32C {
    private static let table: [UInt32] = (0..<256).map { byte in
        (0..<8).reduce(UInt32(byte)) { value, _ in value & 1 == 1 ? value >> 1 ^ 0x82F6_3B78 : value >> 1 }
    }

    static func value(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        table.withUnsafeBufferPointer { table in
            var value = UInt32.max
            for byte in bytes { value = value >> 8 ^ table[Int(UInt8(truncatingIfNeeded: value) ^ byte)] }
            return ~value
        }
    }

    /// Rotated, and more: checksums of data that hold checksums are none.
    static func masked(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        let value = value(bytes)
        return (value >> 15 | value << 17) &+ 0xA282_EAD8
    }
}

import Compression

/// The decompressors of what clients send and parts hold; what they yield stays within its limit.
extension FuzzTarget {
    private static let limit = 1 << 20
    private static let text: [UInt8] = {
        let lines = (0..<40).map { row in "card \(row % 7) refused by acquirer \(row * 31 % 11)\n" }
        return Array(lines.joined().utf8)
    }()

    static let gzip = FuzzTarget("gzip", seeds: { [Gzip.compress(text, level: 6), Gzip.compress([], level: 1)] }) {
        let input = Array($0)
        if let output = try? Gzip.decompress(input, limit: limit) { precondition(output.count <= limit) }
        if let output = try? Gzip.inflate(input, limit: limit) { precondition(output.count <= limit) }
    }

    static let zstd = FuzzTarget("zstd", seeds: { [frame] }) { bytes in
        if let output = try? Zstd.decompress(streamed: bytes, limit: limit) { precondition(output.count <= limit) }
    }

    private static let frame: [UInt8] = {
        var frame: [UInt8] = []
        text.withUnsafeBytes { _ = Zstd.compress($0, level: 1, into: &frame) }
        return frame
    }()

    static let snappy = FuzzTarget(
        "snappy", seeds: { [[6, 5 << 2] + Array("abcdef".utf8), [10, 1 << 2, 97, 98, 4 << 2 | 1, 2], snappyStream] }
    ) {
        if let output = try? Snappy.decompress(Array($0), limit: limit) { precondition(output.count <= limit) }
    }

    /// Chunks that are passed over, since fuzzing finds no checksum.
    private static let snappyStream: [UInt8] =
        [0xFF, 6, 0, 0] + Array("sNaPpY".utf8) + [0x80, 1, 0, 0, 7] + [0, 12, 0, 0, 1, 2, 3, 4, 6, 5 << 2]
        + Array("abcdef".utf8)

    static let lz4Frames = FuzzTarget("lz4-frames", seeds: { [lz4Frame] }) {
        if let output = try? LZ4.decompress(framed: Array($0), limit: limit) { precondition(output.count <= limit) }
    }

    /// "abc" twelve times and "!", by liblz4.
    private static let lz4Frame: [UInt8] = [
        0x04, 0x22, 0x4D, 0x18, 0x60, 0x40, 0x82, 0x0D, 0, 0, 0, 0x3F, 0x61, 0x62, 0x63, 0x03, 0, 0x0A, 0x50, 0x61,
        0x63,
        0x61, 0x62, 0x63, 0x21, 0, 0, 0, 0,
    ]

    static let lz4 = FuzzTarget("lz4", seeds: { [block] }) { bytes in
        // Exactly as much room as the text needs, so that a byte more is out of bounds.
        let target = UnsafeMutableRawBufferPointer.allocate(byteCount: text.count, alignment: 1)
        defer { target.deallocate() }
        try? LZ4.decompress(bytes, into: target)
    }

    private static let block: [UInt8] = {
        var block: [UInt8] = []
        text.withUnsafeBytes { _ = LZ4.compress($0, into: &block) }
        return block
    }()
}

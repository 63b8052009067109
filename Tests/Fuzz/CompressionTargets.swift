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

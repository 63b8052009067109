import Testing

@testable import Compression

@Suite struct LZ4Tests {
    @Test(arguments: [0, 1, 2, 100, 4096, 300_000])
    func `a block gives back what it took`(count: Int) throws {
        let plain = bytes(count)
        var block: [UInt8] = []
        let added = plain.withUnsafeBytes { LZ4.compress($0, into: &block) }
        #expect(block.count == added)
        #expect(try decompressed(block, count) == plain)
        #expect(throws: CompressionError.corrupt) { try decompressed(block, count + 1) }
        for length in 0..<min(block.count, 50) {
            #expect(throws: CompressionError.corrupt) { try decompressed(Array(block.prefix(length)), count) }
        }
    }

    private func decompressed(_ block: [UInt8], _ count: Int) throws -> [UInt8] {
        var plain = [UInt8](repeating: 0xEE, count: count)
        try plain.withUnsafeMutableBytes { target in
            try block.withUnsafeBytes { try LZ4.decompress($0, into: target) }
        }
        return plain
    }
}

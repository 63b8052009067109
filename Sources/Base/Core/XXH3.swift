private import CXXHash

/// XXH3-64, the hash of checksums, dictionaries and skip indexes. Source: the xxHash specification, version 0.8.
package enum XXH3 {

    package static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        varve_xxh3_64(bytes.baseAddress, bytes.count)
    }

    package static func hash(_ bytes: UnsafeRawBufferPointer, seed: UInt64) -> UInt64 {
        varve_xxh3_64_seed(bytes.baseAddress, bytes.count, seed)
    }

    package static func hash(_ bytes: [UInt8]) -> UInt64 { hash(bytes.span) }

    package static func hash(_ bytes: Span<UInt8>) -> UInt64 { bytes.withUnsafeBytes { hash($0) } }

    package static func hash(_ bytes: Span<UInt8>, seed: UInt64) -> UInt64 {
        bytes.withUnsafeBytes { hash($0, seed: seed) }
    }

    package static func hash(_ text: String) -> UInt64 {
        var text = text
        return text.withUTF8 { hash(UnsafeRawBufferPointer($0)) }
    }
}

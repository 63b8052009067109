internal import Compression
internal import Core

/// The bytes of one file of the archive (docs/FORMAT.md):
///
///     0   "VARVEA01"        8
///     8   document's size   8
///     16  checksum          8    XXH3-64 of the bytes from 24 on, whose seed is that of the bytes before 16
///     24  the document, one zstd frame
package enum TraceFile {
    private static let magic = Array("VARVEA01".utf8)
    private static let headerSize = 24
    private static let level: Int32 = 3

    static func longest(document: Int) -> Int { headerSize + Zstd.bound(document) }

    package static func bytes(of document: [UInt8]) -> [UInt8] {
        var file = magic
        append(UInt64(document.count), to: &file)
        append(0, to: &file)
        unsafe document.withUnsafeBytes { _ = unsafe Zstd.compress($0, level: level, into: &file) }
        let sum = checksum(of: file)
        for (place, byte) in littleEndian(sum).enumerated() { file[16 + place] = byte }
        return file
    }

    /// - Returns: nil if the bytes are not those of a file, or its document is larger than `limit`.
    package static func document(in file: [UInt8], limit: Int) -> [UInt8]? {
        guard file.count > headerSize, file.starts(with: magic), number(file, at: 16) == checksum(of: file) else {
            return nil
        }
        guard let size = Int(exactly: number(file, at: 8)), size <= limit else { return nil }
        var document = [UInt8](repeating: 0, count: size)
        do throws(CompressionError) {
            try decompress(file, into: &document)
        } catch {
            return nil
        }
        return document
    }

    private static func decompress(_ file: [UInt8], into document: inout [UInt8]) throws(CompressionError) {
        var failure: CompressionError?
        unsafe document.withUnsafeMutableBytes { output in
            unsafe file.withUnsafeBytes { bytes in
                do throws(CompressionError) {
                    try unsafe Zstd.decompress(UnsafeRawBufferPointer(rebasing: bytes[headerSize...]), into: output)
                } catch {
                    failure = error
                }
            }
        }
        if let failure { throw failure }
    }

    private static func checksum(of file: [UInt8]) -> UInt64 {
        unsafe file.withUnsafeBytes { bytes in
            let head = unsafe XXH3.hash(UnsafeRawBufferPointer(rebasing: bytes[..<16]))
            return unsafe XXH3.hash(UnsafeRawBufferPointer(rebasing: bytes[headerSize...]), seed: head)
        }
    }

    private static func append(_ number: UInt64, to bytes: inout [UInt8]) { bytes += littleEndian(number) }

    private static func littleEndian(_ number: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: number >> UInt64(8 * $0)) }
    }

    private static func number(_ bytes: [UInt8], at place: Int) -> UInt64 {
        (0..<8).reduce(0) { $0 | UInt64(bytes[place + $1]) << UInt64(8 * $1) }
    }
}

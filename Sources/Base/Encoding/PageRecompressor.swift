/// Compresses stored pages better, without looking at their values: the last merge of a partition has time for that.
package struct PageRecompressor: ~Copyable {
    private let compressor: Compressor
    private var raw: [UInt8] = []

    package init(zstdLevel: Int32) { compressor = Compressor(kind: .zstd, level: zstdLevel) }

    /// The page's payload at this level, or nil if that would not be shorter, or it cannot be read.
    ///
    /// - Parameter stored: a page that zstd compressed, and that decompresses to `rawLength` bytes.
    package mutating func recompress(_ stored: ArraySlice<UInt8>, rawLength: Int) -> [UInt8]? {
        guard rawLength > 0, rawLength <= PageDecoder.defaultByteLimit else { return nil }
        if raw.count < rawLength { raw = [UInt8](repeating: 0, count: rawLength) }
        let isRead = raw.withUnsafeMutableBytes { raw in
            stored.withUnsafeBytes { stored in
                let target = UnsafeMutableRawBufferPointer(rebasing: raw[..<rawLength])
                do throws(EncodingError) {
                    try Compressor.decompress(stored, .zstd, into: target)
                    return true
                } catch {
                    return false
                }
            }
        }
        guard isRead else { return nil }
        var sink = ByteSink(capacity: 0)
        let compression = raw.withUnsafeBytes {
            compressor.append(UnsafeRawBufferPointer(rebasing: $0[..<rawLength]), effort: .full, to: &sink)
        }
        guard compression == .zstd, sink.count < stored.count else { return nil }
        return Array(sink.bytes)
    }
}

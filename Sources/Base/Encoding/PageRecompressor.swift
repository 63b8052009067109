/// Compresses stored pages better, without looking at their values: the last merge of a partition has time for that.
package struct PageRecompressor: ~Copyable {
    private let compressor: Compressor
    private var raw: [UInt8] = []

    package init(zstdLevel: Int32) { compressor = Compressor(kind: .zstd, level: zstdLevel) }

    /// The page's payload at this level, or nil if that would not be shorter, or it cannot be read.
    ///
    /// - Parameter stored: a page that zstd compressed, and that decompresses to `rawLength` bytes.
    package mutating func recompress(_ stored: ArraySlice<UInt8>, rawLength: Int) -> [UInt8]? {
        stored.withUnsafeBytes { recompress($0, rawLength: rawLength) }
    }

    /// The same for a page of strings that was not compressed as a whole: the bytes of its strings are a section of their own.
    ///
    /// - Parameter payload: a page whose encoding is `strings`.
    package mutating func recompress(strings payload: ArraySlice<UInt8>) -> [UInt8]? {
        payload.withUnsafeBytes { payload in
            var source = ByteSource(payload)
            do throws(EncodingError) {
                try Section.skip(&source, limit: PageDecoder.defaultByteLimit)
                _ = try source.varint()
                let head = payload.count - source.rest.count
                let section = try Section.stored(&source, limit: PageDecoder.defaultByteLimit)
                try source.end()
                guard section.encoding == .plain, section.compression == .zstd,
                    let better = recompress(section.bytes, rawLength: section.rawLength)
                else { return nil }
                var sink = ByteSink(capacity: head + better.count + 16)
                sink.append(UnsafeRawBufferPointer(rebasing: payload[..<head]))
                sink.append(section.encoding.rawValue)
                sink.append(section.compression.rawValue)
                sink.append(varint: section.rawLength)
                sink.append(varint: better.count)
                better.withUnsafeBytes { sink.append($0) }
                return Array(sink.bytes)
            } catch {
                return nil
            }
        }
    }

    private mutating func recompress(_ stored: UnsafeRawBufferPointer, rawLength: Int) -> [UInt8]? {
        guard rawLength > 0, rawLength <= PageDecoder.defaultByteLimit else { return nil }
        if raw.count < rawLength { raw = [UInt8](repeating: 0, count: rawLength) }
        let isRead = raw.withUnsafeMutableBytes { raw in
            let target = UnsafeMutableRawBufferPointer(rebasing: raw[..<rawLength])
            do throws(EncodingError) {
                try Compressor.decompress(stored, .zstd, into: target)
                return true
            } catch {
                return false
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

/// Integers as variable-length bytes: what repeats among them, zstd finds.
enum Varints {
    /// Mode 1: zigzag differences, the first from zero.
    private static let differences: UInt8 = 1

    static func appendDifferences(_ values: UnsafeBufferPointer<Int64>, to sink: inout ByteSink) {
        guard let base = values.baseAddress, let first = values.first else { return }
        sink.append(differences)
        sink.append(word: UInt64(bitPattern: first))
        let start = sink.reserve((values.count - 1) * Varint.mostBytes)
        var target = start
        for i in 1..<max(values.count, 1) {
            target += Varint.write(ZigZag.encode(base[i] &- base[i &- 1]), to: target)
        }
        sink.advance(target - start)
    }

    static func decode<Value: Unpackable>(
        _ source: inout ByteSource, count: Int, into target: UnsafeMutablePointer<Value>
    ) throws(EncodingError) {
        guard count > 0 else { return }
        guard try source.byte() == differences else { throw .corrupt }
        let first = Value(truncatingIfNeeded: try source.word())
        target[0] = first
        var sum = first
        var done = 1
        let used = decodeWords(source.rest, count: count, &done, &sum, into: target)
        _ = try source.take(used)
        while done < count {
            sum &+= Value(truncatingIfNeeded: ZigZag.decode(try source.varint()))
            target[done] = sum
            done &+= 1
        }
    }

    /// Decodes while eight bytes are left and a value ends in them; returns how many bytes that took.
    ///
    /// Neighbours often have the same length. As long as they do, where the next begins does not wait for this
    /// one's bytes.
    private static func decodeWords<Value: Unpackable>(
        _ bytes: UnsafeRawBufferPointer, count: Int, _ done: inout Int, _ sum: inout Value,
        into target: UnsafeMutablePointer<Value>
    ) -> Int {
        guard let base = bytes.baseAddress else { return 0 }
        let last = bytes.count &- 8
        var place = 0
        var i = done
        var value = sum
        while i < count, place <= last {
            var word = UInt64(littleEndian: base.loadUnaligned(fromByteOffset: place, as: UInt64.self))
            let ends = ~word & tops
            if ends == 0 { break }
            if ends == tops && i &+ 8 <= count {
                for k in 0..<8 {
                    let byte = (word &>> UInt64(truncatingIfNeeded: 8 &* k)) & 0x7F
                    value &+= Value(truncatingIfNeeded: ZigZag.decode(byte))
                    target[i &+ k] = value
                }
                i &+= 8
                place &+= 8
                continue
            }
            let bits = ends.trailingZeroBitCount &+ 1
            let mask = UInt64.max &>> UInt64(truncatingIfNeeded: 64 &- bits)
            let length = bits / 8
            repeat {
                value &+= Value(truncatingIfNeeded: ZigZag.decode(Varint.gather(word & mask)))
                target[i] = value
                i &+= 1
                place &+= length
                if i == count || place > last { break }
                word = UInt64(littleEndian: base.loadUnaligned(fromByteOffset: place, as: UInt64.self))
            } while ~word & tops & mask == 1 &<< UInt64(truncatingIfNeeded: bits &- 1)
        }
        done = i
        sum = value
        return place
    }

    /// The top bit of each byte.
    private static let tops: UInt64 = 0x8080_8080_8080_8080
}

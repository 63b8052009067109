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
            let bits = UInt64(truncatingIfNeeded: ends.trailingZeroBitCount &+ 1)
            let first = word & (UInt64.max &>> (64 &- bits))
            value &+= Value(truncatingIfNeeded: ZigZag.decode(Varint.gather(first)))
            target[i] = value
            i &+= 1
            let others = ends & (ends &- 1)
            if others == 0 || i == count {
                place &+= Int(truncatingIfNeeded: bits &>> 3)
                continue
            }
            // Two end in the word mostly: where the next begins waits for one load, then, instead of two.
            let both = UInt64(truncatingIfNeeded: others.trailingZeroBitCount &+ 1)
            word = (word & (UInt64.max &>> (64 &- both))) &>> bits
            value &+= Value(truncatingIfNeeded: ZigZag.decode(Varint.gather(word)))
            target[i] = value
            i &+= 1
            place &+= Int(truncatingIfNeeded: both &>> 3)
        }
        done = i
        sum = value
        return place
    }

    /// The top bit of each byte.
    private static let tops: UInt64 = 0x8080_8080_8080_8080
}

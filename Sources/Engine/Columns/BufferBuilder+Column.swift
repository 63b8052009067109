package import Core

extension BufferBuilder where Element == Int64 {
    package func column(_ rows: Int) -> Column { .integers(snapshot()[0..<rows]) }

    /// The least and the greatest element from `row` on; nil if there are none.
    package func bounds(from row: Int) -> ClosedRange<Int64>? {
        guard row < count else { return nil }
        var (least, greatest) = (Int64.max, Int64.min)
        for i in row..<count {
            least = min(least, base[i])
            greatest = max(greatest, base[i])
        }
        return least...greatest
    }
}

extension BufferBuilder where Element == Double {
    package func column(_ rows: Int) -> Column { .floats(snapshot()[0..<rows]) }
}

extension BufferBuilder where Element == UInt8 {
    /// Of bytes that are `width` for each row.
    package func fixed(_ rows: Int, width: Int) -> Column {
        .fixed(FixedColumn(width: width, bytes: snapshot()[0..<(rows * width)]))
    }
}

extension BufferBuilder where Element == UInt32 {
    /// For the ends of lists: one zero, the start of the first.
    package static func offsets() -> BufferBuilder {
        var builder = BufferBuilder(capacity: 16)
        builder.append(0)
        return builder
    }
}

/// The least and the greatest of some integers, four at a time: a chain of comparisons alone takes three cycles
/// a value.
struct Extent {
    let least: Int64
    let greatest: Int64

    init(_ values: UnsafePointer<Int64>, count: Int) {
        var low = (values[0], values[0], values[0], values[0])
        var high = low
        var i = 0
        while i &+ 4 <= count {
            low.0 = min(low.0, values[i])
            low.1 = min(low.1, values[i &+ 1])
            low.2 = min(low.2, values[i &+ 2])
            low.3 = min(low.3, values[i &+ 3])
            high.0 = max(high.0, values[i])
            high.1 = max(high.1, values[i &+ 1])
            high.2 = max(high.2, values[i &+ 2])
            high.3 = max(high.3, values[i &+ 3])
            i &+= 4
        }
        while i < count {
            low.0 = min(low.0, values[i])
            high.0 = max(high.0, values[i])
            i &+= 1
        }
        least = min(min(low.0, low.1), min(low.2, low.3))
        greatest = max(max(high.0, high.1), max(high.2, high.3))
    }

    /// The distance from the least to the greatest.
    var span: UInt64 { UInt64(bitPattern: greatest &- least) }
}

/// Where most of a group's values lie, from a sorted sample.
struct Spread {
    private static let samples = 31

    let median: Int64
    /// About a fifth of the values is below, and as many are above: so many may be outliers.
    private let low: Int64
    private let high: Int64

    init(_ values: UnsafePointer<Int64>, count: Int) {
        (low, median, high) = withUnsafeTemporaryAllocation(of: Int64.self, capacity: Self.samples) { sorted in
            for i in 0..<Self.samples {
                let value = values[i &* count / Self.samples]
                var j = i
                while j > 0 && sorted[j &- 1] > value {
                    sorted.initializeElement(at: j, to: sorted[j &- 1])
                    j &-= 1
                }
                sorted.initializeElement(at: j, to: value)
            }
            return (sorted[6], sorted[Self.samples / 2], sorted[Self.samples - 7])
        }
    }

    private static func bits(_ from: Int64, _ to: Int64) -> Int {
        64 - UInt64(bitPattern: to &- from).leadingZeroBitCount
    }

    /// Whether the least value lies so far below the others that it would cost them two bits each.
    func hasLowOutlier(_ least: Int64) -> Bool {
        Self.bits(least, low) >= Self.bits(low, high) + 2
    }

    /// Whether the greatest value costs most others a bit each.
    func hasHighOutlier(_ extent: Extent) -> Bool {
        Self.bits(extent.least, extent.greatest) >= Self.bits(extent.least, high) + 1
    }
}

/// A reference for groups whose least value is an outlier: the least of the values near the median.
///
/// Differences at the border between two series are large and negative; measured from them, every ordinary
/// difference would need their width. Offsets below the reference wrap to large naturals and become exceptions.
enum BulkReference {
    static func find(_ values: UnsafePointer<Int64>, count: Int, near median: Int64) -> Int64 {
        withUnsafeTemporaryAllocation(of: Int32.self, capacity: 65) { widths in
            widths.initialize(repeating: 0)
            for i in 0..<count {
                widths[64 &- ZigZag.encode(values[i] &- median).leadingZeroBitCount] &+= 1
            }
            var bestWidth = 64
            var bestCost = Int.max
            var above = 0
            for width in stride(from: 64, through: 0, by: -1) {
                let cost = count * width + above * (16 + 8 * ((64 - width + 6) / 7))
                if cost < bestCost && above <= count / 4 {
                    bestCost = cost
                    bestWidth = width
                }
                above += Int(widths[width])
            }
            var least = median
            for i in 0..<count where 64 &- ZigZag.encode(values[i] &- median).leadingZeroBitCount <= bestWidth {
                least = min(least, values[i])
            }
            return least
        }
    }
}

internal import Columns
internal import Core
internal import Plans

/// The rows of a block as runs of rows in the same bucket of time.
struct TimeRuns {
    struct Run {
        /// The row behind the last; the run before ends where this one begins.
        var end: Int
        /// Nil: in none.
        var bucket: Int64?
    }

    private(set) var all: [Run] = []

    mutating func set(all count: Int, bucket: Int64) {
        all.removeAll(keepingCapacity: true)
        all.append(Run(end: count, bucket: bucket))
    }

    /// - Parameter isSorted: whether times ascend: then the ends of runs are found by halving.
    mutating func set(_ times: Buffer<Int64>, _ buckets: TimeBuckets, isSorted: Bool) {
        all.removeAll(keepingCapacity: true)
        let base = times.base
        var start = 0
        while start < times.count {
            let bucket = buckets.bucket(of: base[start])
            let range = bucket?.times ?? buckets.gap(around: base[start])
            let end =
                isSorted
                ? Self.end(base, start + 1, times.count, through: range.upperBound)
                : Self.end(base, start + 1, times.count, inside: range)
            all.append(Run(end: end, bucket: bucket?.number))
            start = end
        }
        withExtendedLifetime(times) {}
    }

    private static func end(
        _ times: UnsafePointer<Int64>, _ first: Int, _ count: Int, through last: Int64
    ) -> Int {
        var (low, high) = (first, count)
        while low < high {
            let middle = (low + high) / 2
            if times[middle] <= last { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private static func end(
        _ times: UnsafePointer<Int64>, _ first: Int, _ count: Int, inside range: ClosedRange<Int64>
    ) -> Int {
        let least = range.lowerBound
        let span = UInt64(bitPattern: range.upperBound &- least)
        var end = first
        // Several at a time, without a branch for each.
        while end + 16 <= count {
            var isOutside = false
            for index in end..<(end + 16) {
                isOutside = isOutside || UInt64(bitPattern: times[index] &- least) > span
            }
            if isOutside { break }
            end += 16
        }
        while end < count, UInt64(bitPattern: times[end] &- least) <= span { end += 1 }
        return end
    }
}

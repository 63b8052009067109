import Glibc
import QueryModel

/// Estimates from a native histogram's buckets (rules of §3.5): inside a bucket observations spread evenly on a logarithmic scale,
/// inside the zero bucket on a linear one.
extension NativeHistogram {
    private struct Bucket {
        var lower: Double
        var upper: Double
        let count: Double

        var holdsZero: Bool { lower <= 0 && upper >= 0 }

        /// The value below which `fraction` of the bucket's observations lie.
        func value(at fraction: Double) -> Double {
            if holdsZero { return lower + (upper - lower) * fraction }
            let (low, high) = (log2(abs(lower)), log2(abs(upper)))
            return lower > 0
                ? exp2(low + (high - low) * fraction) : -exp2(high + (low - high) * (1 - fraction))
        }

        /// The part of the bucket's observations that lie below `value`, which is inside it.
        func fraction(below value: Double) -> Double {
            if holdsZero { return (value - lower) / (upper - lower) }
            let (low, high) = (log2(abs(lower)), log2(abs(upper)))
            let position = log2(abs(value))
            return lower > 0 ? (position - low) / (high - low) : 1 - (position - high) / (low - high)
        }
    }

    /// The filled buckets in ascending order. A zero bucket at one end reaches only to zero.
    private var filledBuckets: [Bucket] {
        var buckets: [Bucket] = []
        for (i, count) in negative.enumerated().reversed() where count != 0 {
            let index = Int(negativeOffset) + i
            buckets.append(Bucket(lower: -upperBound(index), upper: -upperBound(index - 1), count: count))
        }
        if zeroCount != 0 {
            let onlyPositive = negative.isEmpty && !positive.isEmpty
            let onlyNegative = positive.isEmpty && !negative.isEmpty
            buckets.append(
                Bucket(
                    lower: onlyPositive ? 0 : -zeroThreshold, upper: onlyNegative ? 0 : zeroThreshold,
                    count: zeroCount))
        }
        for (i, count) in positive.enumerated() where count != 0 {
            let index = Int(positiveOffset) + i
            buckets.append(Bucket(lower: upperBound(index - 1), upper: upperBound(index), count: count))
        }
        return buckets
    }

    func quantile(_ quantile: Double) -> Double {
        if quantile < 0 { return -.infinity }
        if quantile > 1 { return .infinity }
        guard count != 0, !quantile.isNaN else { return .nan }
        let buckets = filledBuckets
        guard let last = buckets.last else { return .nan }
        let rank = quantile * count
        var below = 0.0
        for bucket in buckets {
            if below + bucket.count >= rank {
                return bucket.value(at: (rank - below) / bucket.count)
            }
            below += bucket.count
        }
        // Observations of NaN are in the count, but in no bucket.
        return sum.isNaN ? .nan : last.upper
    }

    func fraction(from lower: Double, to upper: Double) -> Double {
        guard count != 0, !lower.isNaN, !upper.isNaN else { return .nan }
        if lower >= upper { return 0 }
        return (observations(below: upper) - observations(below: lower)) / count
    }

    private func observations(below value: Double) -> Double {
        var below = 0.0
        for bucket in filledBuckets {
            if value <= bucket.lower { break }
            if value < bucket.upper { return below + bucket.count * bucket.fraction(below: value) }
            below += bucket.count
        }
        return below
    }

    /// The variance, each observation taken to be at the geometric middle of its bucket.
    var variance: Double {
        let mean = sum / count
        var squares = CompensatedSum()
        for bucket in filledBuckets {
            let middle: Double
            if bucket.holdsZero {
                middle = 0
            } else {
                let magnitude = (bucket.lower * bucket.upper).squareRoot()
                middle = bucket.upper < 0 ? -magnitude : magnitude
            }
            squares.add(bucket.count * (middle - mean) * (middle - mean))
        }
        return squares.value / count
    }

    /// Whether a counter started anew between `earlier` and this.
    func isReset(from earlier: NativeHistogram) -> Bool {
        if count < earlier.count || zeroCount < earlier.zeroCount { return true }
        if schema > earlier.schema || zeroThreshold < earlier.zeroThreshold { return true }
        guard let difference = combined(with: earlier, subtracting: true) else { return true }
        return difference.positive.contains { $0 < 0 } || difference.negative.contains { $0 < 0 }
    }
}

import Glibc

/// Adding, subtracting and scaling native histograms (rule of §3.3).
///
/// Two histograms are brought to the coarser of their schemas, where bucket `i` goes to `ceil(i / 2^d)`, and to one width of the
/// zero bucket: the wider one, widened further to the end of any bucket that it would cut.
extension NativeHistogram {
    /// The most buckets on one side of a result; wider ones cannot come from doubles, only from made-up offsets.
    private static let mostBuckets = 1 << 16

    /// - Returns: nil if the buckets lie too far apart to be held side by side.
    package func combined(with other: NativeHistogram, subtracting: Bool) -> NativeHistogram? {
        let common = min(schema, other.schema)
        var (left, right) = (reduced(to: common), other.reduced(to: common))
        if left.zeroThreshold != right.zeroThreshold {
            let threshold = Self.commonZeroThreshold(left, right)
            left.absorbIntoZero(upTo: threshold)
            right.absorbIntoZero(upTo: threshold)
        }
        let sign: Double = subtracting ? -1 : 1
        guard
            let positive = Self.merge(
                (left.positiveOffset, left.positive), (right.positiveOffset, right.positive), sign),
            let negative = Self.merge(
                (left.negativeOffset, left.negative), (right.negativeOffset, right.negative), sign)
        else { return nil }
        left.count += sign * right.count
        left.sum += sign * right.sum
        left.zeroCount += sign * right.zeroCount
        (left.positiveOffset, left.positive) = positive
        (left.negativeOffset, left.negative) = negative
        return left
    }

    package func scaled(_ scale: (Double) -> Double) -> NativeHistogram {
        var result = self
        result.count = scale(count)
        result.sum = scale(sum)
        result.zeroCount = scale(zeroCount)
        result.positive = positive.map(scale)
        result.negative = negative.map(scale)
        return result
    }

    /// With the coarser schema `target`.
    package func reduced(to target: Int32) -> NativeHistogram {
        guard target < schema else { return self }
        let shift = Int(schema) - Int(target)
        var result = self
        result.schema = target
        (result.positiveOffset, result.positive) = Self.reduce(positiveOffset, positive, by: shift)
        (result.negativeOffset, result.negative) = Self.reduce(negativeOffset, negative, by: shift)
        return result
    }

    private static func reduce(
        _ offset: Int32, _ buckets: [Double], by shift: Int
    ) -> (Int32, [Double]) {
        guard !buckets.isEmpty else { return (0, []) }
        func target(_ position: Int) -> Int { ((Int(offset) + position - 1) >> shift) + 1 }
        let first = target(0)
        var merged = Array(repeating: 0.0, count: target(buckets.count - 1) - first + 1)
        for (position, count) in buckets.enumerated() { merged[target(position) - first] += count }
        return (Int32(clamping: first), merged)
    }

    private static func merge(
        _ left: (offset: Int32, buckets: [Double]), _ right: (offset: Int32, buckets: [Double]),
        _ sign: Double
    ) -> (Int32, [Double])? {
        if right.buckets.isEmpty { return left }
        if left.buckets.isEmpty { return (right.offset, right.buckets.map { sign * $0 }) }
        let first = min(Int(left.offset), Int(right.offset))
        let end = max(Int(left.offset) + left.buckets.count, Int(right.offset) + right.buckets.count)
        guard end - first <= mostBuckets else { return nil }
        var merged = Array(repeating: 0.0, count: end - first)
        for (i, count) in left.buckets.enumerated() { merged[Int(left.offset) - first + i] = count }
        for (i, count) in right.buckets.enumerated() {
            merged[Int(right.offset) - first + i] += sign * count
        }
        return (Int32(clamping: first), merged)
    }

    /// The upper bound of the bucket with `index`, of the positive side.
    package func upperBound(_ index: Int) -> Double { exp2(Double(index) * exp2(-Double(schema))) }

    private static func commonZeroThreshold(
        _ left: NativeHistogram, _ right: NativeHistogram
    ) -> Double {
        var threshold = max(left.zeroThreshold, right.zeroThreshold)
        while true {
            let next = max(left.zeroThresholdCovering(threshold), right.zeroThresholdCovering(threshold))
            if next <= threshold { return threshold }
            threshold = next
        }
    }

    /// `threshold`, or the upper bound of a filled bucket that it would cut.
    private func zeroThresholdCovering(_ threshold: Double) -> Double {
        var result = threshold
        for (offset, buckets) in [(positiveOffset, positive), (negativeOffset, negative)] {
            for (i, count) in buckets.enumerated() where count != 0 {
                let index = Int(offset) + i
                if upperBound(index - 1) >= threshold { break }
                result = max(result, upperBound(index))
            }
        }
        return result
    }

    private mutating func absorbIntoZero(upTo threshold: Double) {
        func absorb(_ offset: inout Int32, _ buckets: inout [Double], _ zeroCount: inout Double) {
            var absorbed = 0
            while absorbed < buckets.count, upperBound(Int(offset) + absorbed) <= threshold {
                zeroCount += buckets[absorbed]
                absorbed += 1
            }
            buckets.removeFirst(absorbed)
            offset = buckets.isEmpty ? 0 : Int32(clamping: Int(offset) + absorbed)
        }
        var (offset, buckets, zero) = (positiveOffset, positive, zeroCount)
        absorb(&offset, &buckets, &zero)
        (positiveOffset, positive) = (offset, buckets)
        (offset, buckets) = (negativeOffset, negative)
        absorb(&offset, &buckets, &zero)
        (negativeOffset, negative, zeroCount) = (offset, buckets, zero)
        zeroThreshold = threshold
    }

    /// Whether both hold the same counts in the same buckets, however they are laid out.
    package func isEqual(to other: NativeHistogram) -> Bool {
        guard
            schema == other.schema, count == other.count, sum == other.sum,
            zeroThreshold == other.zeroThreshold, zeroCount == other.zeroCount
        else { return false }
        return Self.filled(positiveOffset, positive) == Self.filled(other.positiveOffset, other.positive)
            && Self.filled(negativeOffset, negative) == Self.filled(other.negativeOffset, other.negative)
    }

    private static func filled(_ offset: Int32, _ buckets: [Double]) -> [Int: Double] {
        var result: [Int: Double] = [:]
        for (i, count) in buckets.enumerated() where count != 0 { result[Int(offset) + i] = count }
        return result
    }
}

/// Operators between samples of which at least one is a histogram (rule of §3.3).
extension BinaryOperator {
    /// - Parameter dropped: set if the operator is not defined for these kinds of sample, so that the element is left out.
    package func apply(
        _ left: SampleValue, _ right: SampleValue, returnsBool: Bool, dropped: inout Bool
    ) -> SampleValue? {
        switch (left, right) {
        case (.float(let l), .float(let r)):
            return apply(l, r, returnsBool: returnsBool, kept: l).map(SampleValue.float)
        case (.histogram(let l), .histogram(let r)):
            return applyToHistograms(l, r, returnsBool: returnsBool, dropped: &dropped)
        case (.histogram(let histogram), .float(let number)):
            if self == .multiply { return .histogram(histogram.scaled { $0 * number }) }
            if self == .divide { return .histogram(histogram.scaled { $0 / number }) }
        case (.float(let number), .histogram(let histogram)):
            if self == .multiply { return .histogram(histogram.scaled { $0 * number }) }
        }
        dropped = true
        return nil
    }

    private func applyToHistograms(
        _ left: NativeHistogram, _ right: NativeHistogram, returnsBool: Bool, dropped: inout Bool
    ) -> SampleValue? {
        switch self {
        case .add, .subtract:
            guard let sum = left.combined(with: right, subtracting: self == .subtract) else { break }
            return .histogram(sum)
        case .equal, .notEqual:
            let holds = left.isEqual(to: right) == (self == .equal)
            if returnsBool { return .float(holds ? 1 : 0) }
            return holds ? .histogram(left) : nil
        default: break
        }
        dropped = true
        return nil
    }
}

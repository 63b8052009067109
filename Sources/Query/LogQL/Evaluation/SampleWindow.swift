import QueryModel

/// What unwrapped samples of one window amount to.
struct SampleWindow {
    /// In order of time; at least one.
    let samples: ArraySlice<RangeSample>
    /// Nanoseconds.
    let range: Int64
    /// The window's end.
    let end: Int64

    /// Nil: the operation has no value for these samples. There is at least one.
    func value(_ operation: RangeOperation, parameter: Double?) -> Double? {
        switch operation {
        case .sum: return sum
        case .rate: return sum / seconds
        case .average: return mean
        case .minimum: return extreme { $0 < $1 }
        case .maximum: return extreme { $0 > $1 }
        case .standardVariance: return variance
        case .standardDeviation: return variance.squareRoot()
        case .quantile:
            var values = samples.map(\.value)
            return Quantile.value(parameter ?? .nan, of: &values)
        case .first: return samples.first?.value
        case .last: return samples.last?.value
        case .rateCounter: return counterRate
        case .count, .bytes, .bytesRate, .absent: return nil
        }
    }

    private var seconds: Double { Double(range) / 1e9 }

    private var sum: Double {
        var sum = CompensatedSum()
        for sample in samples { sum.add(sample.value) }
        return sum.value
    }

    private var mean: Double {
        var mean = CompensatedMean()
        for sample in samples { mean.add(sample.value) }
        return mean.value
    }

    private func extreme(_ isBetter: (Double, Double) -> Bool) -> Double {
        samples.dropFirst().reduce(samples.first?.value ?? .nan) { best, sample in
            best.isNaN || isBetter(sample.value, best) ? sample.value : best
        }
    }

    /// Of the whole population. Source: B. P. Welford (1962), as in the aggregation over series.
    private var variance: Double {
        var mean = 0.0
        var squares = 0.0
        for (index, sample) in samples.enumerated() {
            let delta = sample.value - mean
            mean += delta / Double(index + 1)
            squares += delta * (sample.value - mean)
        }
        return squares / Double(samples.count)
    }

    /// Prometheus's rate of a counter (rules of §3.6): the increase, made up for resets, extrapolated to the window's borders.
    private var counterRate: Double? {
        guard samples.count >= 2, let first = samples.first, let last = samples.last, last.time > first.time else {
            return nil
        }
        var delta = last.value - first.value
        for (before, after) in zip(samples, samples.dropFirst()) where after.value < before.value {
            delta += before.value
        }
        let covered = Double(last.time - first.time) / 1e9
        let average = covered / Double(samples.count - 1)
        var toStart = Double(first.time - (end - range)) / 1e9
        var toEnd = Double(end - last.time) / 1e9
        if toStart >= average * 1.1 { toStart = average / 2 }
        if delta > 0, first.value >= 0 { toStart = min(toStart, covered * first.value / delta) }
        if toEnd >= average * 1.1 { toEnd = average / 2 }
        return delta * ((covered + toStart + toEnd) / covered) / seconds
    }
}

/// A sum that keeps what rounding loses.
///
/// Source: A. Neumaier, "Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen" (1974), a variant of Kahan's
/// method that also holds when an addend is larger than the sum so far.
package struct CompensatedSum: Sendable {
    package private(set) var sum: Double
    package fileprivate(set) var compensation: Double

    package init(_ sum: Double = 0, compensation: Double = 0) {
        self.sum = sum
        self.compensation = compensation
    }

    package mutating func add(_ addend: Double) {
        let total = sum + addend
        if total.isInfinite {
            compensation = 0
        } else if abs(sum) >= abs(addend) {
            compensation += (sum - total) + addend
        } else {
            compensation += (addend - total) + sum
        }
        sum = total
    }

    package var value: Double { sum + compensation }
}

/// A mean that neither loses small addends nor overflows.
///
/// It sums as long as the sum is finite, and from then on corrects the mean value by value.
package struct CompensatedMean: Sendable {
    package fileprivate(set) var count = 0.0
    private(set) var total = CompensatedSum()
    private(set) var isIncremental = false

    package init() {}

    init(count: Double, total: CompensatedSum, isIncremental: Bool) {
        self.count = count
        self.total = total
        self.isIncremental = isIncremental
    }

    package mutating func add(_ value: Double) {
        count += 1
        if !isIncremental {
            var next = total
            next.add(value)
            if count == 1 || !next.sum.isInfinite {
                total = next
                return
            }
            isIncremental = true
            total = CompensatedSum(
                total.sum / (count - 1), compensation: total.compensation / (count - 1))
        }
        addIncrementally(value)
    }

    private mutating func addIncrementally(_ value: Double) {
        let mean = total.sum
        if mean.isInfinite {
            // An infinite mean stays as it is, unless the other infinity or NaN makes it NaN.
            if value.isInfinite && (mean > 0) == (value > 0) { return }
            if !value.isInfinite && !value.isNaN { return }
        }
        let weight = (count - 1) / count
        var next = CompensatedSum(weight * mean, compensation: weight * total.compensation)
        next.add(value / count)
        total = next
    }

    package var value: Double {
        isIncremental ? total.value : total.sum / count + total.compensation / count
    }
}

extension CompensatedSum {
    /// Adds what another sum came to.
    package mutating func merge(_ other: CompensatedSum) {
        add(other.sum)
        if !sum.isInfinite { compensation += other.compensation }
    }
}

extension CompensatedMean {
    /// Makes it the mean of all values of both.
    package mutating func merge(_ other: CompensatedMean) {
        guard other.count > 0 else { return }
        guard count > 0 else { return self = other }
        let all = count + other.count
        var next = total
        next.merge(other.total)
        if isIncremental || other.isIncremental || next.sum.isInfinite {
            next = scaled(to: all)
            next.merge(other.scaled(to: all))
            isIncremental = true
        }
        total = next
        count = all
    }

    /// Its share in the mean of `all` values.
    private func scaled(to all: Double) -> CompensatedSum {
        let weight = isIncremental ? count / all : 1 / all
        return CompensatedSum(total.sum * weight, compensation: total.compensation * weight)
    }
}

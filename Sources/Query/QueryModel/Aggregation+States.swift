/// What an aggregation keeps of one group at one point in time.
protocol SampleAggregator {
    /// Whether a histogram counts like any number.
    static var takesHistograms: Bool { get }
    init()
    mutating func add(_ value: Double)
    var count: Int { get }
    /// Only asked for if something was added.
    var value: Double { get }
}

extension SampleAggregator {
    static var takesHistograms: Bool { false }
}

struct Minimum: SampleAggregator {
    var count = 0
    var value = 0.0

    mutating func add(_ next: Double) {
        // NaN only stays where there is nothing else.
        if count == 0 || next < value || value.isNaN { value = next }
        count += 1
    }
}

struct Maximum: SampleAggregator {
    var count = 0
    var value = 0.0

    mutating func add(_ next: Double) {
        if count == 0 || next > value || value.isNaN { value = next }
        count += 1
    }
}

struct Count: SampleAggregator {
    static var takesHistograms: Bool { true }
    var count = 0
    var value: Double { Double(count) }

    mutating func add(_ next: Double) { count += 1 }
}

struct Presence: SampleAggregator {
    static var takesHistograms: Bool { true }
    var count = 0
    var value: Double { 1 }

    mutating func add(_ next: Double) { count += 1 }
}

/// Source: B. P. Welford, "Note on a Method for Calculating Corrected Sums of Squares and Products" (1962).
package struct Variance: SampleAggregator {
    package private(set) var count = 0
    private var mean = 0.0
    private var squares = 0.0

    package init() {}

    package mutating func add(_ next: Double) {
        count += 1
        let delta = next - mean
        mean += delta / Double(count)
        squares += delta * (next - mean)
    }

    package var value: Double { squares / Double(count) }
}

struct StandardDeviation: SampleAggregator {
    private var variance = Variance()

    mutating func add(_ next: Double) { variance.add(next) }

    var count: Int { variance.count }
    var value: Double { variance.value.squareRoot() }
}

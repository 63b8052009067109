/// A series' values over a `TimeGrid`: one place for each timestamp, which may be empty.
///
/// An empty place holds the stale marker: evaluation never sees it as a value, and ordinary NaNs stay values.
package struct GridSeries: Sendable {
    package var labels: Labels
    package var values: [Double]
    /// Empty if no place holds a histogram; otherwise as many as `values`, and the value beside a histogram is `absent`.
    package var histograms: [NativeHistogram?]

    package static var absent: Double { Staleness.marker }

    package init(labels: Labels, values: [Double], histograms: [NativeHistogram?] = []) {
        assert(histograms.isEmpty || histograms.count == values.count)
        self.labels = labels
        self.values = values
        self.histograms = histograms
    }

    /// A series whose places are all empty.
    package init(labels: Labels, empty count: Int) {
        self.init(labels: labels, values: Array(repeating: Self.absent, count: count))
    }

    package static func isAbsent(_ value: Double) -> Bool { Staleness.isMarker(value) }

    /// Whether the place holds a number or a histogram.
    package func isPresent(_ step: Int) -> Bool {
        !Self.isAbsent(values[step]) || (!histograms.isEmpty && histograms[step] != nil)
    }

    package var hasAnyValue: Bool {
        values.contains { !Self.isAbsent($0) } || histograms.contains { $0 != nil }
    }

    /// What is at a place, or nil if it is empty.
    package subscript(step: Int) -> SampleValue? {
        get {
            if !histograms.isEmpty, let histogram = histograms[step] { return .histogram(histogram) }
            return Self.isAbsent(values[step]) ? nil : .float(values[step])
        }
        set {
            values[step] = Self.absent
            if !histograms.isEmpty { histograms[step] = nil }
            switch newValue {
            case nil: break
            case .float(let value): values[step] = value
            case .histogram(let histogram):
                if histograms.isEmpty { histograms = Array(repeating: nil, count: values.count) }
                histograms[step] = histogram
            }
        }
    }

    /// Bytes to charge to the query's budget for a series over `count` timestamps.
    package static func cost(steps count: Int) -> Int { count * MemoryLayout<Double>.stride + 128 }
}

/// A sample's value: PromQL's samples are numbers or native histograms.
package enum SampleValue: Hashable, Sendable {
    case float(Double)
    case histogram(NativeHistogram)
}

/// Puts series together by label set, each place at most once.
package struct GridSeriesCollector: Sendable {
    package private(set) var series: [GridSeries] = []
    private var positions: [Labels: Int] = [:]

    package init() {}

    /// - Returns: false if a place of `added` is already taken; the collector is then of no more use.
    package mutating func insert(_ added: GridSeries) -> Bool {
        guard let position = positions[added.labels] else {
            positions[added.labels] = series.count
            series.append(added)
            return true
        }
        for step in added.values.indices {
            guard let value = added[step] else { continue }
            if series[position].isPresent(step) { return false }
            series[position][step] = value
        }
        return true
    }
}

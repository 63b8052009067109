package import QueryModel

/// What a query evaluates to (rule P-7), and what there is to say about it.
package struct QueryAnswer: Sendable {
    package enum Value: Sendable {
        /// Times are milliseconds since the epoch, here and below.
        case scalar(Int64, Double)
        case string(Int64, String)
        case vector([Element])
        case matrix([MatrixSeries])
    }

    /// An element of an instant vector.
    package struct Element: Sendable {
        package var labels: Labels
        package var timestamp: Int64
        package var value: SampleValue
    }

    package var value: Value
    package var annotations: Annotations
    package var statistics: EvaluationStatistics
}

/// A series of a matrix: numbers and histograms, each ascending in time.
package struct MatrixSeries: Sendable {
    package var labels: Labels
    package var floats: [(timestamp: Int64, value: Double)]
    package var histograms: [(timestamp: Int64, value: NativeHistogram)]

    package init(
        labels: Labels, floats: [(timestamp: Int64, value: Double)],
        histograms: [(timestamp: Int64, value: NativeHistogram)] = []
    ) {
        self.labels = labels
        self.floats = floats
        self.histograms = histograms
    }

    init(_ series: GridSeries, over grid: TimeGrid) {
        self.init(labels: series.labels, floats: [])
        for step in grid.indices {
            switch series[step] {
            case nil: break
            case .float(let value): floats.append((grid[step], value))
            case .histogram(let value): histograms.append((grid[step], value))
            }
        }
    }
}

/// Remarks on an answer that is valid all the same (rule P-1), each at most once, in order.
package struct Annotations: Sendable {
    package private(set) var warnings: [String] = []
    package private(set) var infos: [String] = []
    private var known: Set<String> = []

    package init() {}

    package var isEmpty: Bool { known.isEmpty }

    mutating func add(_ others: Annotations) {
        for text in others.warnings where known.insert(text).inserted { warnings.append(text) }
        for text in others.infos where known.insert(text).inserted { infos.append(text) }
    }

    package mutating func warn(_ message: String) {
        let text = "PromQL warning: " + message
        if known.insert(text).inserted { warnings.append(text) }
    }

    package mutating func inform(_ message: String) {
        let text = "PromQL info: " + message
        if known.insert(text).inserted { infos.append(text) }
    }
}

/// How many samples an evaluation looked at, for the `stats` parameter.
package struct EvaluationStatistics: Sendable {
    /// Samples that each timestamp of the query looked at.
    package private(set) var queryableSamplesByStep: [Int]
    /// Samples that the source handed over, in all and at most at once.
    package private(set) var samplesRead = 0
    package private(set) var peakSamples = 0

    init(stepCount: Int) { queryableSamplesByStep = Array(repeating: 0, count: stepCount) }

    package var queryableSamples: Int { queryableSamplesByStep.reduce(0, +) }

    /// - Parameter step: nil for a timestamp of a subquery's own grid, which counts for the query's last one.
    @inline(__always)
    mutating func look(at count: Int, step: Int?) {
        queryableSamplesByStep[step ?? queryableSamplesByStep.count - 1] += count
    }

    /// What an evaluation of some steps looked at, the first of which is step `first` here.
    mutating func add(_ part: EvaluationStatistics, from first: Int) {
        for (step, count) in part.queryableSamplesByStep.enumerated() { queryableSamplesByStep[first + step] += count }
        samplesRead += part.samplesRead
        peakSamples = max(peakSamples, part.peakSamples)
    }

    mutating func read(_ count: Int) {
        samplesRead += count
        peakSamples = max(peakSamples, count)
    }
}

import QueryModel

/// The samples of one series in a window that is open on the left, sliding over the series.
struct SampleWindow: ~Copyable {
    private let samples: SampleSeries
    private var lower = 0
    private var upper = 0
    /// In milliseconds.
    let range: Int64
    private(set) var end: Int64 = 0
    /// The timestamp of the query that the window belongs to; `offset` and `@` set it apart from `end`.
    private(set) var evaluationTime: Int64 = 0

    init(_ samples: SampleSeries, range: Int64) {
        self.samples = samples
        self.range = range
    }

    /// Moves on to the window that ends at `end`, which must not be before the last one.
    mutating func slide(to end: Int64, evaluatedAt time: Int64) {
        self.end = end
        evaluationTime = time
        let timestamps = samples.timestamps
        while upper < timestamps.count, timestamps[upper] <= end { upper += 1 }
        let start = end - range
        while lower < upper, timestamps[lower] <= start { lower += 1 }
    }

    var start: Int64 { end - range }
    var labels: Labels { samples.labels }
    var count: Int { upper - lower }
    var isEmpty: Bool { lower == upper }
    var hasHistograms: Bool { !samples.histograms.isEmpty }

    @inline(__always)
    func time(_ i: Int) -> Int64 { samples.timestamps[lower + i] }

    @inline(__always)
    func value(_ i: Int) -> Double { samples.values[lower + i] }

    func histogram(_ i: Int) -> NativeHistogram { samples.histograms[lower + i] }

    /// The values in order of time.
    var values: ArraySlice<Double> { samples.values[lower..<upper] }
}

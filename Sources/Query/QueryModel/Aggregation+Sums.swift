/// `sum` and `avg`, which also add up native histograms.
extension Aggregation {
    func reduceSums(
        _ series: [GridSeries], averages: Bool, dropped: inout Bool
    ) throws(QueryError) -> [GridSeries] {
        if series.allSatisfy(\.histograms.isEmpty) {
            return averages
                ? try reduce(series, with: MeanAggregator.self, dropped: &dropped)
                : try reduce(series, with: SumAggregator.self, dropped: &dropped)
        }
        var output: [GridSeries] = []
        for (labels, members) in try groups(of: series) {
            try context.charge(bytes: GridSeries.cost(steps: stepCount))
            var result = GridSeries(labels: labels, empty: stepCount)
            for step in 0..<stepCount {
                if step % 64 == 0 { try context.proceed() }
                result[step] = sum(
                    of: members.lazy.compactMap { series[$0][step] }, averages: averages,
                    dropped: &dropped)
            }
            if result.hasAnyValue { output.append(result) }
        }
        return output
    }

    /// Numbers and histograms cannot be added up together: such an element is left out.
    private func sum(
        of values: some Sequence<SampleValue>, averages: Bool, dropped: inout Bool
    ) -> SampleValue? {
        var histogram: NativeHistogram?
        var mean = MeanAggregator()
        var total = SumAggregator()
        var histograms = 0.0
        for value in values {
            switch value {
            case .float(let number):
                if averages { mean.add(number) } else { total.add(number) }
            case .histogram(let next):
                histograms += 1
                guard let sum = histogram else {
                    histogram = next
                    continue
                }
                histogram = sum.combined(with: next, subtracting: false)
                if histogram == nil {
                    dropped = true
                    return nil
                }
            }
        }
        let numbers = mean.count + total.count
        if let histogram {
            if numbers > 0 {
                dropped = true
                return nil
            }
            return .histogram(averages ? histogram.scaled { $0 / histograms } : histogram)
        }
        if numbers == 0 { return nil }
        return .float(averages ? mean.value : total.value)
    }
}

struct SumAggregator: SampleAggregator {
    var count = 0
    private var sum = CompensatedSum()

    mutating func add(_ next: Double) {
        // The first value is taken as it is, so that a lone -0 stays one.
        if count == 0 { sum = CompensatedSum(next) } else { sum.add(next) }
        count += 1
    }

    var value: Double { sum.value }
}

struct MeanAggregator: SampleAggregator {
    private var mean = CompensatedMean()

    mutating func add(_ next: Double) { mean.add(next) }

    var count: Int { Int(mean.count) }
    var value: Double { mean.value }
}

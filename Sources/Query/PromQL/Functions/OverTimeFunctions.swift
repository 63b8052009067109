import JSON
import QueryModel

/// Aggregations of one series' samples over a window (rules of §3.5).
enum OverTimeFunctions {
    static let all: [FunctionDefinition] = [
        of("sum_over_time", adding(averages: false)),
        of("avg_over_time", adding(averages: true)),
        of("min_over_time", .numbers { window, _ in extreme(window) { $0 < $1 }.value }),
        of("max_over_time", .numbers { window, _ in extreme(window) { $0 > $1 }.value }),
        of("count_over_time", .samples { window, _ in .float(Double(window.count)) }),
        of("present_over_time", .samples { _, _ in .float(1) }),
        of("last_over_time", picking { $0 - 1 }),
        of("first_over_time", picking { _ in 0 }),
        of("stddev_over_time", .numbers { window, _ in variance(window).squareRoot() }),
        of("stdvar_over_time", .numbers { window, _ in variance(window) }),
        of("mad_over_time", .numbers { window, _ in medianDeviation(window) }),
        of("ts_of_first_over_time", .samples { window, _ in .float(seconds(window, 0)) }),
        of("ts_of_last_over_time", .samples { window, _ in .float(seconds(window, window.count - 1)) }),
        of("ts_of_min_over_time", .numbers { window, _ in seconds(window, extreme(window) { $0 <= $1 }.index) }),
        of("ts_of_max_over_time", .numbers { window, _ in seconds(window, extreme(window) { $0 >= $1 }.index) }),
        FunctionDefinition("quantile_over_time", [.scalar, .rangeVector], .window(quantile)),
        FunctionDefinition(
            "double_exponential_smoothing", [.rangeVector, .scalar, .scalar],
            .window(WindowFunction(floats: smooth))),
        FunctionDefinition("absent_over_time", [.rangeVector], .general(absentOverTime)),
    ]

    private static func of(_ name: String, _ function: WindowFunction) -> FunctionDefinition {
        FunctionDefinition(name, [.rangeVector], .window(function))
    }

    private static func adding(averages: Bool) -> WindowFunction {
        WindowFunction(
            floats: { window, _ in
                if averages {
                    var mean = CompensatedMean()
                    for i in 0..<window.count { mean.add(window.value(i)) }
                    return .float(mean.value)
                }
                var sum = CompensatedSum()
                for i in 0..<window.count { sum.add(window.value(i)) }
                return .float(sum.value)
            },
            histograms: { window, _ in
                var sum: NativeHistogram? = window.histogram(0)
                for i in 1..<max(window.count, 1) {
                    sum = sum?.combined(with: window.histogram(i), subtracting: false)
                }
                guard let sum else { return nil }
                let count = Double(window.count)
                return .histogram(averages ? sum.scaled { $0 / count } : sum)
            })
    }

    private static func picking(_ position: @escaping @Sendable (Int) -> Int) -> WindowFunction {
        var function = WindowFunction.samples { window, _ in
            let i = position(window.count)
            return window.hasHistograms ? .histogram(window.histogram(i)) : .float(window.value(i))
        }
        function.keepsName = true
        return function
    }

    /// The best value and where it stands; NaN only if there is nothing else.
    private static func extreme(
        _ window: borrowing SampleWindow, isBetter: (Double, Double) -> Bool
    ) -> (value: Double, index: Int) {
        var best = (value: window.value(0), index: 0)
        for i in 1..<max(window.count, 1) {
            let value = window.value(i)
            if isBetter(value, best.value) || best.value.isNaN { best = (value, i) }
        }
        return best
    }

    private static func seconds(_ window: borrowing SampleWindow, _ i: Int) -> Double {
        Double(window.time(i)) / 1000
    }

    private static func variance(_ window: borrowing SampleWindow) -> Double {
        var variance = Variance()
        for i in 0..<window.count { variance.add(window.value(i)) }
        return variance.value
    }

    private static func medianDeviation(_ window: borrowing SampleWindow) -> Double {
        var values = Array(window.values)
        let median = Quantile.value(0.5, of: &values)
        var deviations = values.map { abs($0 - median) }
        return Quantile.value(0.5, of: &deviations)
    }

    private static let quantile = WindowFunction(
        floats: { window, scalars in
            var values = Array(window.values)
            return .float(Quantile.value(scalars[0], of: &values))
        },
        expectsQuantile: true)

    /// Holt's linear method: a smoothed value and a smoothed trend.
    private static func smooth(
        _ window: borrowing SampleWindow, _ scalars: ScalarArguments.Row
    ) throws(QueryError) -> SampleValue? {
        let (smoothing, trending) = (scalars[0], scalars[1])
        guard smoothing > 0, smoothing < 1 else {
            throw .execution(
                "invalid smoothing factor. Expected: 0 < sf < 1, got: \(PrometheusNumber.format(smoothing))")
        }
        guard trending > 0, trending < 1 else {
            throw .execution(
                "invalid trend factor. Expected: 0 < tf < 1, got: \(PrometheusNumber.format(trending))")
        }
        guard window.count >= 2 else { return nil }
        var before = 0.0
        var level = window.value(0)
        var trend = window.value(1) - window.value(0)
        for i in 1..<window.count {
            if i > 1 { trend = trending * (level - before) + (1 - trending) * trend }
            let next = smoothing * window.value(i) + (1 - smoothing) * (level + trend)
            before = level
            level = next
        }
        return .float(level)
    }

    private static func absentOverTime(_ frame: CallFrame) throws(QueryError) -> Evaluator.Value {
        let argument = frame.call.arguments[0]
        let input = try frame.evaluator.rangeVector(argument, on: frame.grid)
        try frame.evaluator.chargeSteps(of: frame.grid)
        var isPresent = Array(repeating: false, count: frame.grid.count)
        for samples in input.series {
            try frame.evaluator.context.proceed()
            var window = SampleWindow(samples, range: input.range)
            for step in frame.grid.indices {
                window.slide(to: input.times[step], evaluatedAt: frame.grid[step])
                if !window.isEmpty { isPresent[step] = true }
            }
        }
        return VectorFunctions.absent(isPresent, described: argument)
    }
}

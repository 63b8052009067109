import QueryModel

/// How fast a series changes (rules of §3.5 and §3.6).
enum RateFunctions {
    static let all: [FunctionDefinition] = [
        of("rate", extrapolating(isCounter: true, perSecond: true)),
        of("increase", extrapolating(isCounter: true, perSecond: false)),
        of("delta", extrapolating(isCounter: false, perSecond: false)),
        of("irate", lastTwo(isRate: true)),
        of("idelta", lastTwo(isRate: false)),
        of("changes", .samples { window, _ in .float(changes(window)) }),
        of("resets", .samples { window, _ in .float(resets(window)) }),
        of(
            "deriv",
            .numbers { window, _ in
                window.count < 2 ? nil : LinearRegression(window, origin: window.time(0)).slope
            }),
        FunctionDefinition(
            "predict_linear", [.rangeVector, .scalar],
            .window(
                WindowFunction(
                    floats: { window, scalars in
                        if window.count < 2 { return nil }
                        let line = LinearRegression(window, origin: window.evaluationTime)
                        return .float(line.slope * scalars[0] + line.intercept)
                    }, dependsOnTime: true))),
    ]

    private static func of(_ name: String, _ function: WindowFunction) -> FunctionDefinition {
        FunctionDefinition(name, [.rangeVector], .window(function))
    }

    // MARK: rate, increase, delta

    private static func extrapolating(isCounter: Bool, perSecond: Bool) -> WindowFunction {
        WindowFunction(
            floats: { window, _ in
                guard window.count >= 2 else { return nil }
                var delta = window.value(window.count - 1) - window.value(0)
                if isCounter {
                    for i in 1..<window.count where window.value(i) < window.value(i - 1) {
                        delta += window.value(i - 1)
                    }
                }
                let factor = extrapolation(
                    window, delta: isCounter ? delta : nil, first: window.value(0), perSecond: perSecond)
                return .float(delta * factor)
            },
            histograms: { window, _ in
                guard window.count >= 2,
                    let delta = histogramDelta(window, isCounter: isCounter)
                else { return nil }
                let factor = extrapolation(window, delta: nil, first: 0, perSecond: perSecond)
                return .histogram(delta.scaled { $0 * factor })
            },
            expectsCounter: isCounter)
    }

    /// By how much the change between the first and the last sample falls short of the change over the whole window.
    ///
    /// The samples are taken to go on beyond both ends, up to the window's bound if that is about as near as the next sample would
    /// be, otherwise for half an interval; but a counter not to before it was zero.
    ///
    /// - Parameter delta: nil unless the series is a counter.
    private static func extrapolation(
        _ window: borrowing SampleWindow, delta: Double?, first: Double, perSecond: Bool
    ) -> Double {
        let last = window.count - 1
        let sampled = Double(window.time(last) - window.time(0)) / 1000
        let average = sampled / Double(last)
        let threshold = average * 1.1
        var toStart = Double(window.time(0) - window.start) / 1000
        var toEnd = Double(window.end - window.time(last)) / 1000
        if toStart >= threshold { toStart = average / 2 }
        if let delta, delta > 0, first >= 0 { toStart = min(toStart, sampled * (first / delta)) }
        if toEnd >= threshold { toEnd = average / 2 }
        let factor = (sampled + toStart + toEnd) / sampled
        return perSecond ? factor / (Double(window.range) / 1000) : factor
    }

    private static func histogramDelta(
        _ window: borrowing SampleWindow, isCounter: Bool
    ) -> NativeHistogram? {
        let last = window.count - 1
        var delta = window.histogram(last).combined(with: window.histogram(0), subtracting: true)
        guard isCounter else { return delta }
        for i in 1...last where window.histogram(i).isReset(from: window.histogram(i - 1)) {
            delta = delta?.combined(with: window.histogram(i - 1), subtracting: false)
        }
        return delta
    }

    // MARK: irate, idelta

    private static func lastTwo(isRate: Bool) -> WindowFunction {
        WindowFunction(
            floats: { window, _ in
                guard window.count >= 2 else { return nil }
                let (before, last) = (window.value(window.count - 2), window.value(window.count - 1))
                let delta = isRate && last < before ? last : last - before
                return .float(isRate ? delta / lastInterval(window) : delta)
            },
            histograms: { window, _ in
                guard window.count >= 2 else { return nil }
                let (before, last) = (window.histogram(window.count - 2), window.histogram(window.count - 1))
                let delta = isRate && last.isReset(from: before) ? last : last.combined(with: before, subtracting: true)
                guard let delta else { return nil }
                let interval = isRate ? lastInterval(window) : 1
                return .histogram(delta.scaled { $0 / interval })
            })
    }

    /// In seconds.
    private static func lastInterval(_ window: borrowing SampleWindow) -> Double {
        Double(window.time(window.count - 1) - window.time(window.count - 2)) / 1000
    }

    // MARK: changes, resets

    private static func changes(_ window: borrowing SampleWindow) -> Double {
        var count = 0.0
        for i in 1..<max(window.count, 1) {
            if window.hasHistograms {
                if !window.histogram(i).isEqual(to: window.histogram(i - 1)) { count += 1 }
            } else {
                let (before, value) = (window.value(i - 1), window.value(i))
                if value != before && !(value.isNaN && before.isNaN) { count += 1 }
            }
        }
        return count
    }

    private static func resets(_ window: borrowing SampleWindow) -> Double {
        var count = 0.0
        for i in 1..<max(window.count, 1) {
            let isReset =
                window.hasHistograms
                ? window.histogram(i).isReset(from: window.histogram(i - 1)) : window.value(i) < window.value(i - 1)
            if isReset { count += 1 }
        }
        return count
    }
}

/// The line of least squares through a window's samples; x is in seconds from `origin`.
struct LinearRegression {
    let slope: Double
    let intercept: Double

    init(_ window: borrowing SampleWindow, origin: Int64) {
        let count = Double(window.count)
        let first = window.value(0)
        if (0..<window.count).allSatisfy({ window.value($0) == first }) {
            slope = first.isInfinite ? .nan : 0
            intercept = first.isInfinite ? .nan : first
            return
        }
        var (x, y, xy, xx) = (CompensatedSum(), CompensatedSum(), CompensatedSum(), CompensatedSum())
        for i in 0..<window.count {
            let seconds = Double(window.time(i) - origin) / 1000
            x.add(seconds)
            y.add(window.value(i))
            xy.add(seconds * window.value(i))
            xx.add(seconds * seconds)
        }
        let covariance = xy.value - x.value * y.value / count
        let variance = xx.value - x.value * x.value / count
        slope = covariance / variance
        intercept = y.value / count - slope * x.value / count
    }
}

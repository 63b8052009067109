import QueryModel
import Randomness

/// Two hours of series for the comparison with Prometheus.
enum DifferentialData {
    /// A whole multiple of an hour, in milliseconds.
    static let start: Int64 = 1_600_002_000_000

    static func series(using generator: inout SeededRandom) -> [SampleSeries] {
        var all: [SampleSeries] = []
        for job in ["api", "web", "db"] {
            for instance in ["0", "1", "2"] where !(job == "db" && instance == "2") {
                let labels = [Label("job", job), Label("instance", instance)]
                all.append(gauge("temperature", labels, using: &generator))
                all.append(gauge("load", labels + [Label("cpu", "a")], using: &generator))
                all.append(counter("requests_total", labels + [Label("code", "200")], using: &generator))
                all.append(counter("requests_total", labels + [Label("code", "500")], using: &generator))
            }
            all.append(gauge("odd", [Label("job", job)], using: &generator))
            all.append(gauge("quota", [Label("job", job)], using: &generator))
            all += histogram("latency_bucket", [Label("job", job)], using: &generator)
        }
        return all
    }

    /// Samples of about every 15 s at odd milliseconds, with gaps.
    private static func times(using generator: inout SeededRandom) -> [Int64] {
        var times: [Int64] = []
        var time = start + Int64.random(in: 0..<15, using: &generator) * 1000 + 7
        let hasGaps = Bool.random(using: &generator)
        while time < start + 7_200_000 {
            times.append(time)
            let isGap = hasGaps && Int.random(in: 0..<40, using: &generator) == 0
            time += isGap ? Int64.random(in: 60...600, using: &generator) * 1000 : 15_000
        }
        return times
    }

    private static func labels(_ name: String, _ labels: [Label]) -> Labels {
        Labels(labels + [Label(Labels.metricName, name)])
    }

    private static func gauge(_ name: String, _ others: [Label], using generator: inout SeededRandom) -> SampleSeries {
        let times = times(using: &generator)
        let values = times.map { _ in
            name == "odd" && Int.random(in: 0..<5, using: &generator) == 0
                ? [Double.nan, .infinity, -.infinity][Int.random(in: 0...2, using: &generator)]
                : Double(Int.random(in: -80...800, using: &generator)) / 8
        }
        return SampleSeries(labels: labels(name, others), timestamps: times, values: values)
    }

    /// Begins far above zero and falls back once, to far above what it gains in a window, since 2.x bounds the extrapolation to
    /// zero in another order.
    private static func counter(_ name: String, _ others: [Label], using generator: inout SeededRandom)
        -> SampleSeries
    {
        let times = times(using: &generator)
        var value = Double(Int.random(in: 100_000...200_000, using: &generator))
        let reset = Int.random(in: 0..<2 * times.count, using: &generator)
        let values = times.indices.map { i in
            value += Double(Int.random(in: 0...80, using: &generator)) / 8
            if i == reset { value = 1000 }
            return value
        }
        return SampleSeries(labels: labels(name, others), timestamps: times, values: values)
    }

    private static func histogram(_ name: String, _ others: [Label], using generator: inout SeededRandom)
        -> [SampleSeries]
    {
        let times = times(using: &generator)
        let bounds = ["0.1", "0.5", "1", "5", "+Inf"]
        var values = Array(repeating: [Double](), count: bounds.count)
        var counts = Array(repeating: 10_000.0, count: bounds.count)
        for _ in times {
            for i in counts.indices { counts[i] += Double(Int.random(in: 0...20, using: &generator)) }
            var sum = 0.0
            for i in counts.indices {
                sum += counts[i]
                values[i].append(sum)
            }
        }
        return zip(bounds, values).map { bound, values in
            SampleSeries(labels: labels(name, others + [Label("le", bound)]), timestamps: times, values: values)
        }
    }
}

/// Makes expressions of the language that both engines share.
struct ExpressionGenerator {
    var generator: SeededRandom

    /// What random expressions seldom reach.
    static let fixed = [
        "histogram_quantile(0.9, sum by (le, job) (rate(latency_bucket[5m])))",
        "histogram_quantile(0.5, latency_bucket)",
        "sum by (job) (rate(requests_total{code=\"500\"}[5m])) / sum by (job) (rate(requests_total[5m]))",
        "topk(3, rate(requests_total[10m]))", "count_values(\"v\", floor(temperature / 20))", "absent(nope{a=\"b\"})",
        "label_replace(quota, \"x\", \"$1-y\", \"job\", \"(.).*\")",
        "label_join(quota, \"x\", \"-\", \"job\", \"job\")",
        "requests_total * on (job) group_left quota", "quota * on (job) group_right () temperature",
        "temperature > on (job) group_left quota", "temperature == bool load", "temperature and on (job) quota > 50",
        "temperature unless ignoring (cpu) load > 0", "max_over_time(rate(requests_total[2m])[10m:1m])",
        "avg_over_time(temperature[7m] @ 1600004000)", "rate(requests_total[5m] @ end())",
        "sum(requests_total @ start())",
        "predict_linear(load[10m], 600)", "deriv(load[10m])", "double_exponential_smoothing(load[3m], 0.3, 0.6)",
        "scalar(quota{job=\"db\"}) + 1",
        "day_of_week()", "hour(vector(time() * 7))", "days_in_month(vector(time() * 3))",
        "year(temperature * 10000000)",
        "timestamp(temperature)", "timestamp(temperature offset 3m)", "vector(time()) % 1000", "sort_desc(quota)",
        "sgn(temperature)",
        "quantile by (job) (0.3, temperature)", "quantile_over_time(0.7, load[10m])", "-temperature ^ 2", "2 ^ 3 ^ 2",
        "temperature atan2 load", "clamp(temperature, 10, 40)", "round(temperature, 5)",
        "absent_over_time(load{cpu=\"b\"}[5m])",
        "temperature + ignoring (cpu) load", "temperature / on (job) quota", "stddev by (job) (temperature)",
        "resets(load[10m])",
        "stdvar_over_time(load[10m])", "bottomk by (job) (1, temperature)", "group by (job) (load)",
        "present_over_time(load[5m])",
        "changes(temperature[10m])", "irate(requests_total[1m])", "idelta(load[1m])", "delta(load[5m])",
        "last_over_time(load[1m])",
        "exp(load / 10)", "ln(load)", "round(load)", "ceil(load)", "floor(load)", "odd", "sum_over_time(odd[3m])",
        "avg_over_time(odd[3m])", "max_over_time(odd[3m])",
        "min_over_time(odd[3m])", "quantile_over_time(0.4, odd[3m])", "sum(odd)", "min(odd)", "max(odd)",
        "quantile(0.4, odd)",
        "sort(odd)", "odd > 0", "odd == bool odd", "changes(odd[5m])", "resets(odd[5m])", "count_values(\"v\", odd)",
        "odd % 7", "-odd",
        "delta(odd[2m])", "irate(odd[2m])", "clamp_min(odd, 0)", "clamp_max(odd, 5)", "sgn(odd)",
        // Of equal values, and of NaNs, it depends on the order of the series which are chosen.
        "sum(topk(1, odd))", "sum(bottomk(2, odd))",
    ]

    private mutating func pick<T>(_ choices: [T]) -> T { choices[Int.random(in: 0..<choices.count, using: &generator)] }

    private mutating func selector() -> String {
        let name = pick(["temperature", "load", "requests_total", "quota", "latency_bucket"])
        let matchers = pick([
            "", "", "{job=\"api\"}", "{job!=\"db\"}", "{job=~\"a.*|w.*\"}", "{instance!~\"1|2\"}", "{instance=\"\"}",
            "{code=\"500\"}",
        ])
        return name + matchers
    }

    private mutating func modifiers() -> String {
        pick(["", "", "", "", " offset 5m", " offset -4m", " @ 1600005001", " @ end()", " offset 2m @ start()"])
    }

    private var isInSubquery = false

    init(generator: SeededRandom) { self.generator = generator }

    private mutating func range(depth: Int) -> String {
        if depth > 0 && !isInSubquery && Int.random(in: 0..<5, using: &generator) == 0 {
            // The query's timestamps are no multiples of these steps, so that no window's bound is one; a subquery's timestamps are,
            // so that none stands inside another.
            isInSubquery = true
            defer { isInSubquery = false }
            return "(\(vector(depth: depth - 1)))[\(pick(["7m", "11m"])):\(pick(["1m", "2m"]))]"
                + pick(["", " offset 3m"])
        }
        return "\(selector())[\(pick(["1m", "5m", "13m", "1h"]))]" + modifiers()
    }

    private mutating func grouping() -> String {
        pick([
            " ", " by (job) ", " by (instance, job) ", " without (instance) ", " by () ", " without () ", " by (nope) ",
        ])
    }

    private mutating func scalar() -> String {
        pick(["2", "0.5", "-3", "1e2", "scalar(quota{job=\"api\"})", "time() / 1e6", "pi()", "(1 + 2)"])
    }

    private mutating func counterRange() -> String {
        pick(["requests_total", "requests_total{code=\"500\"}", "latency_bucket"])
            + "[\(pick(["1m", "5m", "13m", "1h"]))]" + modifiers()
    }

    mutating func vector(depth: Int) -> String {
        guard depth > 0 else { return selector() + modifiers() }
        switch Int.random(in: 0..<12, using: &generator) {
        case 0: return selector() + modifiers()
        case 1, 2:
            // Only of counters far above zero: 2.x bounds the extrapolation to zero in another order.
            return "\(pick(["rate", "increase", "irate"]))(\(counterRange()))"
        case 3, 4:
            let function = pick([
                "delta", "idelta", "deriv", "changes", "resets", "avg_over_time", "min_over_time", "max_over_time",
                "sum_over_time",
                "count_over_time", "last_over_time", "stddev_over_time", "present_over_time",
            ])
            return "\(function)(\(range(depth: depth)))"
        case 5, 6:
            return "\(pick(["sum", "avg", "min", "max", "count", "group"]))\(grouping())(\(vector(depth: depth - 1)))"
        // Deviations of NaN, choices among equals and rounding of halves differ between versions or are not specified.
        case 7: return "\(pick(["stddev", "stdvar"]))\(grouping())(\(selector())\(modifiers()))"
        case 8:
            return
                "\(pick(["topk", "bottomk"]))\(grouping())(\(pick(["1", "3"])), deriv(\(pick(["load", "temperature"]))[13m]\(modifiers())))"
        case 9:
            let function = pick(["abs", "sqrt", "sort", "-", "absent"])
            return "\(function)(\(vector(depth: depth - 1)))"
        case 10:
            let sign = pick(["+", "-", "*", "/", "%", "==", "!=", ">", "< bool", ">= bool"])
            let operand = vector(depth: depth - 1)
            return Bool.random(using: &generator)
                ? "(\(operand)) \(sign) \(scalar())" : "\(scalar()) \(sign) (\(operand))"
        default:
            let sign = pick(["+", "-", "*", "/", "> bool", "<", "and", "or", "unless"])
            let matching = pick(["", " ignoring (cpu)", " on (job, instance)", " on (job)", " ignoring (code, cpu)"])
            return "(\(vector(depth: depth - 1))) \(sign)\(matching) (\(vector(depth: depth - 1)))"
        }
    }
}

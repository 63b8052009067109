import QueryModel

/// Functions of histograms, classic ones with a series for each `le`, and native ones (rules of §3.5 and §3.6).
enum HistogramFunctions {
    static let all: [FunctionDefinition] = [
        FunctionDefinition("histogram_quantile", [.scalar, .instantVector], .general(quantile)),
        FunctionDefinition("histogram_fraction", [.scalar, .scalar, .instantVector], .general(fraction)),
        of("histogram_count") { $0.count },
        of("histogram_sum") { $0.sum },
        of("histogram_avg") { $0.sum / $0.count },
        of("histogram_stdvar") { $0.variance },
        of("histogram_stddev") { $0.variance.squareRoot() },
    ]

    /// A function of each native histogram; numbers are left out.
    private static func of(
        _ name: String, _ body: @escaping @Sendable (NativeHistogram) -> Double
    ) -> FunctionDefinition {
        FunctionDefinition(
            name, [.instantVector],
            .general { frame throws(QueryError) in
                let output = try frame.vector(0).compactMap { series -> GridSeries? in
                    if series.histograms.isEmpty { return nil }
                    let values = series.histograms.map { $0.map(body) ?? GridSeries.absent }
                    return GridSeries(labels: series.labels.withoutMetricName, values: values)
                }
                return .vector(try frame.evaluator.merged(output))
            })
    }

    private static func quantile(_ frame: CallFrame) throws(QueryError) -> Evaluator.Value {
        let quantiles = try frame.scalar(0)
        frame.evaluator.checkQuantile(quantiles, at: frame.call.arguments[0])
        var fixed: Set<String> = []
        let output = try evaluate(
            try frame.vector(1), frame, vectorArgument: frame.call.arguments[1],
            classic: { buckets, step, name in
                let result = ClassicBuckets.quantile(quantiles[step], of: &buckets)
                if result.wasForced { fixed.insert(name) }
                return result.value
            },
            native: { histogram, step in histogram.quantile(quantiles[step]) })
        for name in fixed.sorted() {
            frame.evaluator.inform(
                "input to histogram_quantile needed to be fixed for monotonicity for metric name "
                    + QuotedText.quote(name), at: frame.call.arguments[1])
        }
        return .vector(output)
    }

    private static func fraction(_ frame: CallFrame) throws(QueryError) -> Evaluator.Value {
        let (lower, upper) = (try frame.scalar(0), try frame.scalar(1))
        let output = try evaluate(
            try frame.vector(2), frame, vectorArgument: frame.call.arguments[2],
            classic: { buckets, step, _ in ClassicBuckets.fraction(lower[step], upper[step], of: &buckets) },
            native: { histogram, step in histogram.fraction(from: lower[step], to: upper[step]) })
        return .vector(output)
    }

    /// Applies one of two functions at each timestamp: to the buckets of each group of classic series, and to native histograms.
    private static func evaluate(
        _ input: [GridSeries], _ frame: CallFrame, vectorArgument: Expression,
        classic: (inout [ClassicBuckets.Bucket], Int, String) -> Double,
        native: (NativeHistogram, Int) -> Double
    ) throws(QueryError) -> [GridSeries] {
        var output: [GridSeries] = []
        let context = frame.evaluator.context
        for group in try groups(input, frame, vectorArgument: vectorArgument) {
            try context.charge(bytes: GridSeries.cost(steps: frame.grid.count))
            var result = GridSeries(labels: group.labels, empty: frame.grid.count)
            var buckets: [ClassicBuckets.Bucket] = []
            for step in frame.grid.indices {
                if step % 64 == 0 { try context.proceed() }
                buckets.removeAll(keepingCapacity: true)
                for (bound, member) in group.members {
                    let count = input[member].values[step]
                    if !GridSeries.isAbsent(count) { buckets.append(.init(upperBound: bound, count: count)) }
                }
                if !buckets.isEmpty { result.values[step] = classic(&buckets, step, group.name) }
            }
            if result.hasAnyValue { output.append(result) }
        }
        for series in input where !series.histograms.isEmpty {
            try context.proceed()
            let values = series.histograms.enumerated().map { step, histogram in
                histogram.map { native($0, step) } ?? GridSeries.absent
            }
            output.append(GridSeries(labels: series.labels.withoutMetricName, values: values))
        }
        return try frame.evaluator.merged(output)
    }

    private struct Group {
        let labels: Labels
        let name: String
        /// Ascending in bounds.
        var members: [(bound: Double, series: Int)] = []
    }

    /// Series by all labels but `le` and the name.
    private static func groups(
        _ input: [GridSeries], _ frame: CallFrame, vectorArgument: Expression
    ) throws(QueryError) -> [Group] {
        var groups: [Group] = []
        var positions: [Labels: Int] = [:]
        for (member, series) in input.enumerated()
        where series.values.contains(where: { !GridSeries.isAbsent($0) }) {
            guard let bound = upperBound(series.labels["le"]) else {
                frame.evaluator.warn(
                    "bucket label \"le\" is missing or has a malformed value of "
                        + "\(QuotedText.quote(series.labels["le"])) for metric name "
                        + QuotedText.quote(series.labels.metricName), at: vectorArgument)
                continue
            }
            let labels = series.labels.removing(["le", Labels.metricName])
            if let position = positions[labels] {
                groups[position].members.append((bound, member))
            } else {
                positions[labels] = groups.count
                groups.append(Group(labels: labels, name: series.labels.metricName, members: [(bound, member)]))
            }
        }
        for i in groups.indices { groups[i].members.sort { $0.bound < $1.bound } }
        return groups
    }

    private static func upperBound(_ text: String) -> Double? {
        switch text.lowercased() {
        case "+inf", "inf": .infinity
        case "-inf": -.infinity
        case "": nil
        default: text.utf8.allSatisfy { $0 < 0x80 } && !text.contains(" ") ? Double(text) : nil
        }
    }
}

/// Classic buckets: cumulative counts of observations up to a bound (rules of §3.6).
enum ClassicBuckets {
    struct Bucket {
        var upperBound: Double
        var count: Double
    }

    /// Counts whose difference is this small a part of them differ by rounding alone.
    private static let tolerance = 1e-12

    /// Puts buckets of one bound together, and makes counts ascend.
    ///
    /// - Returns: whether a count had to be raised by more than rounding explains.
    private static func normalize(_ buckets: inout [Bucket]) -> Bool {
        var last = 0
        for i in buckets.indices.dropFirst() {
            if buckets[i].upperBound == buckets[last].upperBound {
                buckets[last].count += buckets[i].count
            } else {
                last += 1
                buckets[last] = buckets[i]
            }
        }
        buckets.removeLast(buckets.count - 1 - last)
        var wasForced = false
        for i in buckets.indices.dropFirst() {
            let (before, count) = (buckets[i - 1].count, buckets[i].count)
            if before == count { continue }
            if isNearlyEqual(before, count) {
                buckets[i].count = before
            } else if count < before {
                buckets[i].count = before
                wasForced = true
            }
        }
        return wasForced
    }

    private static func isNearlyEqual(_ left: Double, _ right: Double) -> Bool {
        let sum = abs(left) + abs(right)
        let difference = abs(left - right)
        if left == 0 || right == 0 || sum < .leastNormalMagnitude {
            return difference < tolerance * .leastNormalMagnitude
        }
        return difference / min(sum, .greatestFiniteMagnitude) < tolerance
    }

    /// - Parameter buckets: ascending in bounds; not empty.
    static func quantile(_ quantile: Double, of buckets: inout [Bucket]) -> (value: Double, wasForced: Bool) {
        if quantile.isNaN { return (.nan, false) }
        if quantile < 0 { return (-.infinity, false) }
        if quantile > 1 { return (.infinity, false) }
        guard buckets[buckets.count - 1].upperBound == .infinity else { return (.nan, false) }
        let wasForced = normalize(&buckets)
        let last = buckets.count - 1
        guard last >= 1, buckets[last].count != 0 else { return (.nan, wasForced) }
        var rank = quantile * buckets[last].count
        guard !rank.isNaN else { return (.nan, wasForced) }
        let found = buckets[..<last].firstIndex { $0.count >= rank } ?? last
        if found == last { return (buckets[last - 1].upperBound, wasForced) }
        let end = buckets[found].upperBound
        if found == 0 && end <= 0 { return (end, wasForced) }
        var count = buckets[found].count
        var start = 0.0
        if found > 0 {
            start = buckets[found - 1].upperBound
            count -= buckets[found - 1].count
            rank -= buckets[found - 1].count
        }
        return (start + (end - start) * (rank / count), wasForced)
    }

    /// The part of the observations that lies between two values.
    ///
    /// - Parameter buckets: ascending in bounds; not empty.
    static func fraction(_ lower: Double, _ upper: Double, of buckets: inout [Bucket]) -> Double {
        guard buckets[buckets.count - 1].upperBound == .infinity else { return .nan }
        _ = normalize(&buckets)
        guard let total = buckets.last?.count, total != 0, !lower.isNaN, !upper.isNaN else { return .nan }
        if lower >= upper { return 0 }
        return (rank(of: upper, in: buckets) - rank(of: lower, in: buckets)) / total
    }

    /// How many observations are estimated to be at most `value`.
    private static func rank(of value: Double, in buckets: [Bucket]) -> Double {
        var lowerBound = buckets[0].upperBound > 0 ? 0.0 : -.infinity
        var lowerCount = 0.0
        for bucket in buckets {
            if value <= lowerBound { return lowerCount }
            if value < bucket.upperBound {
                if bucket.upperBound == .infinity || lowerBound == -.infinity { return lowerCount }
                let part = (value - lowerBound) / (bucket.upperBound - lowerBound)
                return lowerCount + (bucket.count - lowerCount) * part
            }
            lowerBound = bucket.upperBound
            lowerCount = bucket.count
        }
        return lowerCount
    }
}

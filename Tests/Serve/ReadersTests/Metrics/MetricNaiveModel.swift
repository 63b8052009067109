import Core
import QueryModel

/// What Prometheus should see of data points, worked out point by point from the rules of §2.11, slowly and without columns.
///
/// It knows names and labels that need no translation; `MetricTranslationTests` has those that do. Streams must not share label
/// sets.
struct MetricNaiveModel {
    enum Sample: Equatable {
        case bits(UInt64)
        case histogram([UInt64])

        static func float(_ value: Double) -> Sample { .bits(value.bitPattern) }
        static let stale = Sample.bits(Staleness.bits)
    }

    private var streams: [Labels: (metric: MetricRequest.Metric, points: [MetricRequest.Point])] = [:]

    mutating func add(_ points: [MetricRequest.Point]) {
        for point in points {
            let labels = Labels(
                point.attributes.map { Label($0.key, $0.value.text) } + [
                    Label("job", "shop"), Label("__name__", point.metric.name),
                ])
            streams[labels, default: (point.metric, [])].points.append(point)
        }
    }

    func series(_ matchers: [LabelMatcher], in range: TimeRange) -> [Labels: [Int64: Sample]] {
        var result: [Labels: [Int64: Sample]] = [:]
        for (labels, stream) in streams {
            var latest: [Int64: MetricRequest.Point] = [:]
            for point in stream.points { latest[point.time] = point }
            let points = latest.values.filter { $0.time < range.end.nanoseconds }.sorted { $0.time < $1.time }
            let shown = stream.metric.temporality == 1 ? Self.accumulated(points) : points
            let inRange = shown.filter { range.contains(Timestamp(nanoseconds: $0.time)) }
            for (sampleLabels, time, sample) in samples(labels, stream.metric, inRange)
            where matchers.matches(sampleLabels) {
                result[sampleLabels, default: [:]][time] = sample
            }
        }
        return result
    }

    // MARK: Samples

    private func samples(
        _ base: Labels, _ metric: MetricRequest.Metric, _ points: [MetricRequest.Point]
    ) -> [(Labels, Int64, Sample)] {
        let name = metric.name
        var result: [(Labels, Int64, Sample)] = []
        func named(_ suffix: String, _ extra: Label? = nil) -> Labels {
            let labels = base.setting("__name__", to: name + suffix)
            return extra.map { labels.setting($0.name, to: $0.value) } ?? labels
        }
        var extras: Set<Label> = []
        for point in points where point.flags & 1 == 0 {
            let time = point.time / 1_000_000
            switch point.value {
            case .none: break
            case .int(let value): result.append((named("_total"), time, .float(Double(value))))
            case .double(let value): result.append((named(""), time, .float(value)))
            case .histogram(let count, let sum, _, _, let bounds, let counts):
                result.append((named("_count"), time, .float(Double(count))))
                if let sum { result.append((named("_sum"), time, .float(sum))) }
                for (i, bound) in bounds.enumerated() {
                    let le = Label("le", "\(Int(bound))")
                    extras.insert(le)
                    result.append((named("_bucket", le), time, .float(Double(counts[0...i].reduce(0, +)))))
                }
                extras.insert(Label("le", "+Inf"))
                result.append((named("_bucket", Label("le", "+Inf")), time, .float(Double(count))))
            case .exponential: result.append((named(""), time, .histogram(Self.native(point.value).bits)))
            case .summary(let count, let sum, let quantiles):
                result.append((named("_count"), time, .float(Double(count))))
                result.append((named("_sum"), time, .float(sum)))
                for (quantile, value) in quantiles {
                    let label = Label("quantile", "\(quantile)")
                    extras.insert(label)
                    result.append((named("", label), time, .float(value)))
                }
            }
        }
        for point in points where point.flags & 1 == 1 {
            let time = point.time / 1_000_000
            let plain: [String]
            switch metric.kind {
            case 9, 11: plain = ["_count", "_sum"]
            case 10:
                plain = []
                result.append((named(""), time, .histogram(Self.stale.bits)))
            default: plain = [metric.isMonotonic ? "_total" : ""]
            }
            for suffix in plain { result.append((named(suffix), time, .stale)) }
            for extra in extras { result.append((named(metric.kind == 9 ? "_bucket" : "", extra), time, .stale)) }
        }
        return result
    }

    private static let stale = NativeHistogram(
        schema: 0, count: 0, sum: Staleness.marker, zeroThreshold: 1e-128, zeroCount: 0, positiveOffset: 0,
        positive: [], negativeOffset: 0, negative: [], isStale: true)

    private static func native(_ value: MetricRequest.Value) -> NativeHistogram {
        guard
            case .exponential(
                let count, let sum, let scale, let zeroCount, _, let offset, let positive, let other, let negative) =
                value
        else { return stale }
        return NativeHistogram(
            schema: scale, count: Double(count), sum: sum ?? 0, zeroThreshold: 1e-128, zeroCount: Double(zeroCount),
            positiveOffset: offset + 1, positive: positive.map { Double($0) }, negativeOffset: other + 1,
            negative: negative.map { Double($0) })
    }

    // MARK: Delta temporality

    /// Running totals that begin anew each day, with a zero a millisecond after the start of a day's first interval.
    private static func accumulated(_ points: [MetricRequest.Point]) -> [MetricRequest.Point] {
        var result: [MetricRequest.Point] = []
        let day: Int64 = 86_400_000_000_000
        for (_, points) in Dictionary(grouping: points, by: { $0.time / day }) {
            var points = points.sorted { $0.time < $1.time }
            if let first = points.first(where: { $0.flags & 1 == 0 }) {
                var zero = first
                zero.time = first.start + 1_000_000
                zero.value = sum(of: [first], times: 0)
                result.append(zero)
            }
            let counted = points.indices.filter { points[$0].flags & 1 == 0 }
            for index in counted.reversed() {
                let before = counted.filter { $0 <= index }.map { points[$0] }
                points[index].value = sum(of: before, times: 1)
            }
            result += points
        }
        return result
    }

    private static func sum(of points: [MetricRequest.Point], times factor: UInt64) -> MetricRequest.Value {
        guard let last = points.last else { return .none }
        switch last.value {
        case .int:
            let total = points.reduce(Int64(0)) { total, point in
                if case .int(let value) = point.value { total + value } else { total }
            }
            return .int(total * Int64(factor))
        case .histogram(_, _, _, _, let bounds, let counts):
            var totals = counts.map { _ in UInt64(0) }
            var sums = 0.0
            for case .histogram(_, let sum, _, _, _, let counts) in points.map(\.value) {
                for i in counts.indices { totals[i] += counts[i] * factor }
                sums += (sum ?? 0) * Double(factor)
            }
            return .histogram(
                count: totals.reduce(0, +), sum: sums, min: nil, max: nil, bounds: bounds, counts: totals)
        default: return last.value
        }
    }
}

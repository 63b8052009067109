package import PromQL
import QueryModel

/// Compares answers of the same query that were come to by different ways.
package enum AnswerDifference {
    /// How far numbers may lie apart, as a part of the greater one.
    package static let tolerance = 1e-12

    /// What differs first in series, their order, numbers, remarks or counts of samples; nil if nothing does.
    package static func find(_ left: QueryAnswer, _ right: QueryAnswer) -> String? {
        if left.annotations.warnings != right.annotations.warnings {
            return "warnings \(left.annotations.warnings) and \(right.annotations.warnings)"
        }
        if left.annotations.infos != right.annotations.infos {
            return "infos \(left.annotations.infos) and \(right.annotations.infos)"
        }
        let counts = [left, right].map { answer in
            [answer.statistics.samplesRead, answer.statistics.peakSamples] + answer.statistics.queryableSamplesByStep
        }
        if counts[0] != counts[1] { return "counts of samples \(counts[0]) and \(counts[1])" }
        return find(series(left.value), series(right.value))
    }

    private typealias Samples = [(time: Int64, value: SampleValue)]

    private static func series(_ value: QueryAnswer.Value) -> [(labels: Labels, samples: Samples)] {
        switch value {
        case .scalar(let time, let number): [(.empty, [(time, .float(number))])]
        case .string: []
        case .vector(let elements): elements.map { ($0.labels, [($0.timestamp, $0.value)]) }
        case .matrix(let matrix):
            matrix.map { one in
                let floats = one.floats.map { (time: $0.timestamp, value: SampleValue.float($0.value)) }
                let histograms = one.histograms.map { (time: $0.timestamp, value: SampleValue.histogram($0.value)) }
                return (one.labels, floats + histograms)
            }
        }
    }

    private static func find(
        _ left: [(labels: Labels, samples: Samples)], _ right: [(labels: Labels, samples: Samples)]
    ) -> String? {
        guard left.map(\.labels) == right.map(\.labels) else {
            return "series \(left.map(\.labels.text)) and \(right.map(\.labels.text))"
        }
        for (one, other) in zip(left, right) {
            guard one.samples.map(\.time) == other.samples.map(\.time) else {
                return "\(one.labels.text) has values at other times"
            }
            for (a, b) in zip(one.samples, other.samples) where !areEqual(a.value, b.value) {
                return "\(one.labels.text) at \(a.time): \(a.value) and \(b.value)"
            }
        }
        return nil
    }

    private static func areEqual(_ left: SampleValue, _ right: SampleValue) -> Bool {
        guard case .float(let a) = left, case .float(let b) = right else { return left == right }
        if a == b || a.isNaN && b.isNaN { return true }
        return abs(a - b) <= tolerance * max(abs(a), abs(b))
    }
}

internal import Core

/// Plans as people read them, in `explain` and the log.
extension SeriesPlan {
    /// `sum by (job) of rate over 300 s of {job="a"}, 61 times from 1700000000 every 60 s`; times are seconds.
    package var text: String {
        var text = ""
        if let reduction {
            let labels = reduction.grouping.labels.joined(separator: ", ")
            text = "\(reduction.operator.rawValue) \(reduction.grouping.isWithout ? "without" : "by") (\(labels)) of "
        }
        text += "\(function.rawValue) over \(Self.seconds(range)) s of \(matchers.text)"
        guard grid.count > 1 else { return text + " at \(Self.seconds(grid.start))" }
        return text + ", \(grid.count) times from \(Self.seconds(grid.start)) every \(Self.seconds(grid.step)) s"
    }

    private static func seconds(_ milliseconds: Int64) -> String {
        milliseconds % 1000 == 0 ? "\(milliseconds / 1000)" : (Double(milliseconds) / 1000).shortestText
    }
}

extension [LabelMatcher] {
    package var text: String { "{\(map(\.text).joined(separator: ", "))}" }
}

extension LabelMatcher {
    /// As PromQL has it.
    fileprivate var text: String { "\(name)\(`operator`.rawValue)\(value.debugDescription)" }
}

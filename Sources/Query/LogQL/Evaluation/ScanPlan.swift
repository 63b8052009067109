import Core
import QueryModel

/// How a selector is read: what the source is asked to apply, and what is left for the pipeline.
///
/// - Line filters in front of every stage that changes lines are the source's, which applies all of them. A form that only the
///   pipeline knows still tells the source which texts a line must hold.
/// - Conditions on labels that no earlier stage can change are the source's too. That they come earlier there makes no difference:
///   a filter of texts drops an entry whatever errors it has, and what comes before it only looks at one entry at a time.
/// - Lines and structured metadata are not asked for if nothing can depend on them.
struct ScanPlan: Sendable {
    let selector: [LabelMatcher]
    private(set) var lines: [LinePredicate] = []
    private(set) var labels: [LabelMatcher] = []
    private(set) var needsMetadata = true
    private(set) var metadataNames: Set<String>?
    private(set) var needsLine = true
    /// What is left of the stages.
    let stages: [PipelineStage]
    let pipeline: Pipeline

    /// The label that every stream has (rule M-3).
    static let universalLabel = "service_name"

    /// For a query that answers lines.
    init(logs selector: LogSelector) {
        self.selector = selector.matchers
        var rest: [PipelineStage] = []
        Self.plan(selector.stages, &lines, &labels, &rest)
        stages = rest
        pipeline = Pipeline(stages: rest)
    }

    /// For a query that counts or measures.
    ///
    /// - Parameters:
    ///   - observed: the labels that make a difference behind the pipeline.
    ///   - measuresLine: whether the length of the line does.
    init(metric selector: LogSelector, observing observed: ObservedLabels, measuresLine: Bool) {
        self.selector = selector.matchers
        var rest: [PipelineStage] = []
        Self.plan(selector.stages, &lines, &labels, &rest)
        stages = rest
        pipeline = Pipeline(stages: rest, observing: observed)
        needsLine = measuresLine || rest.contains(where: \.readsLine)
        let looked = rest.reduce(observed) { $0.union($1.readLabels) }
        if case .only(let names) = looked {
            let indexed = Set(selector.matchers.filter { !$0.matchesEmpty }.map(\.name))
                .union([Self.universalLabel, ErrorLabel.name, ErrorLabel.details])
            needsMetadata = !names.isSubset(of: indexed)
            // Whether a parser calls a label `a_extracted` depends on whether there is a label `a`.
            metadataNames = names.union(names.filter { $0.hasSuffix("_extracted") }.map { String($0.dropLast(10)) })
        }
    }

    private static func plan(
        _ stages: [PipelineStage], _ lines: inout [LinePredicate], _ labels: inout [LabelMatcher],
        _ rest: inout [PipelineStage]
    ) {
        var lineIsOriginal = true
        var changed = ObservedLabels.only([ErrorLabel.name, ErrorLabel.details])
        for stage in stages {
            switch stage {
            case .line(let filter) where lineIsOriginal:
                if let predicate = filter.predicate {
                    lines.append(predicate)
                    continue
                }
                lines += filter.necessaryPredicates
            case .label(let filter):
                let conjuncts = filter.conjuncts.filter { matcher in
                    if case .only(let names) = changed { !names.contains(matcher.name) } else { false }
                }
                labels += conjuncts
                if conjuncts.count == filter.leafCount { continue }
            default: break
            }
            lineIsOriginal = lineIsOriginal && !stage.changesLine
            changed = changed.union(stage.changedLabels)
            rest.append(stage)
        }
    }

    func request(_ range: TimeRange, order: ScanOrder) -> LogScanRequest {
        LogScanRequest(
            selector: selector, lines: lines, labels: labels, range: range, order: order,
            needsMetadata: needsMetadata, metadataNames: metadataNames, needsLine: needsLine)
    }
}

extension LabelFilter {
    /// How many comparisons it is made of.
    fileprivate var leafCount: Int {
        switch self {
        case .text, .number, .duration, .bytes, .address: 1
        case .all(let filters), .any(let filters): filters.reduce(0) { $0 + $1.leafCount }
        }
    }

    /// Conditions on texts that every accepted entry meets.
    fileprivate var conjuncts: [LabelMatcher] {
        switch self {
        case .text(let matcher): [matcher]
        case .all(let filters): filters.flatMap(\.conjuncts)
        case .number, .duration, .bytes, .address, .any: []
        }
    }
}

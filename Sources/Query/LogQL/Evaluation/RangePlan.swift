import Core
import QueryModel

/// How a range aggregation is read and added up: the same for all threads that work on it.
///
/// If the labels that make a series are known by name, and the pipeline runs on rows, an entry is never made: rows are counted by the
/// codes of their labels, or by what the program takes out of their lines. Otherwise each row that the program lets pass becomes
/// an entry, and goes through the pipeline as it is written.
final class RangePlan: Sendable {
    enum Form: Sendable {
        /// By the codes of labels: every row of the scan counts.
        case columns
        /// By what the program finds in each row.
        case rows
        case entries
    }

    let aggregation: RangeAggregation
    let grouping: Grouping?
    let windows: StepWindows
    let scan: ScanPlan
    let program: RowProgram
    let form: Form
    /// Of a `by`, sorted by name: the slots of its labels.
    let groupSlots: [Int]
    let unwrap: RowUnwrap?

    /// - Parameter grouping: what is left of the labels; an aggregation around this one may give its own, where grouping
    ///   earlier makes no difference.
    init(_ aggregation: RangeAggregation, grouping: Grouping?, grid: StepGrid) {
        let grouping = aggregation.operation == .absent ? .everything : grouping
        self.aggregation = aggregation
        self.grouping = grouping
        windows = StepWindows(grid: grid, range: aggregation.range, offset: aggregation.offset)
        var observed = ObservedLabels.all
        if let grouping, !grouping.isWithout { observed = .only(Set(grouping.labels)) }
        if let unwrap = aggregation.unwrap {
            let names = unwrap.filters.reduce(into: Set([unwrap.label])) { $0.formUnion($1.names) }
            observed = observed.union(.only(names))
        }
        let measuresLine = Self.measuresBytes(aggregation)
        scan = ScanPlan(metric: aggregation.selector, observing: observed, measuresLine: measuresLine)
        program = RowProgram(scan.stages, observing: observed)
        guard program.isWhole, let grouping, !grouping.isWithout else {
            form = .entries
            groupSlots = []
            unwrap = nil
            return
        }
        let slots = Dictionary(uniqueKeysWithValues: program.names.enumerated().map { ($1, $0) })
        groupSlots = Set(grouping.labels).sorted().compactMap { slots[$0] }
        unwrap = aggregation.unwrap.map { RowUnwrap($0, slots) }
        form = program.isEmpty && unwrap == nil ? .columns : .rows
    }

    private static func measuresBytes(_ aggregation: RangeAggregation) -> Bool {
        aggregation.operation == .bytes || aggregation.operation == .bytesRate
    }

    var measuresBytes: Bool { Self.measuresBytes(aggregation) }
    var countsEntries: Bool { aggregation.unwrap == nil || aggregation.operation == .absent }

    var needs: LogRowNeeds {
        LogRowNeeds(
            labels: program.names, lines: program.readsLine || measuresBytes, entries: form == .entries,
            isUniform: uniformity)
    }

    private var uniformity: (@Sendable (ClosedRange<Int64>) -> Bool)? {
        guard form == .columns, countsEntries, !measuresBytes else { return nil }
        let windows = windows
        return { times in
            windows.segment(around: Timestamp(nanoseconds: times.lowerBound)).timestamps.contains(times.upperBound)
        }
    }

    func request(_ range: TimeRange) -> LogScanRequest {
        scan.request(range, order: countsEntries ? .any : .oldestFirst)
    }
}

/// `unwrap` on the slots of rows.
struct RowUnwrap: Sendable {
    let slot: Int
    let conversion: Unwrap.Conversion
    let filters: [RowLabelFilter]

    init(_ unwrap: Unwrap, _ slots: [String: Int]) {
        guard let slot = slots[unwrap.label] else { preconditionFailure("what is observed has a slot") }
        self.slot = slot
        conversion = unwrap.conversion
        filters = unwrap.filters.map { RowLabelFilter($0, slots) }
    }

    /// As `Unwrap.value`.
    func value(_ machine: inout RowMachine) -> Double? {
        let converted = machine.values.withValue(slot) { text -> Double? in
            switch conversion {
            case .number: Numeral.parse(text)
            case .bytes: Quantity.bytes(text).map { Double($0) }
            case .duration, .durationSeconds: Quantity.duration(text).map { Double($0) / 1e9 }
            }
        }
        guard let converted else { return nil }
        if converted == nil, !machine.values.hasError { machine.fail(.sample) }
        if converted != nil { machine.remove(slot) }
        for filter in filters where !machine.accepts(filter) { return nil }
        return converted ?? 0
    }
}

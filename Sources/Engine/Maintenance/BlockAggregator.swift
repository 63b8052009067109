internal import Columns
internal import Core
internal import Rollups
internal import TableSchema

/// Aggregates runs of rows with equal keys of a view's column to one row each, by the column's aggregate.
struct BlockAggregator {
    private enum Function {
        /// All are equal.
        case key
        case sum
        case min
        case max
        /// The value of the row whose `by` is least, or greatest; of rows that tie, the least value.
        case choice(isLeast: Bool, by: MergedLeaf)
        case histogram
        case set
    }

    private let function: Function
    /// The rows that begin a run.
    private let heads: [Int]
    private let rowCount: Int

    /// Nil if there is nothing to aggregate.
    init?(_ view: RollupDefinition, _ column: ColumnDefinition, _ block: MergedBlock, _ survey: MergeSurvey) {
        guard block.hasEqualRows else { return nil }
        heads = block.heads
        rowCount = block.rowCount
        func leaf(_ id: ColumnID) -> MergedLeaf {
            guard let leaf = survey.leaf(ofColumn: id) else { preconditionFailure("Schema/ was checked") }
            return leaf
        }
        function =
            switch view.aggregates.first(where: { $0.column == column.id })?.function {
            case nil: .key
            case .count, .sum: .sum
            case .min: .min
            case .max: .max
            case .argMin(_, _, let key): .choice(isLeast: true, by: leaf(key))
            case .argMax(_, _, let key): .choice(isLeast: false, by: leaf(key))
            case .exponentialHistogram: .histogram
            case .groupUniqArray: .set
            case .counterIncrease, .counterResets: preconditionFailure("rows with counters are not aggregated")
            }
    }

    private func run(_ number: Int) -> Range<Int> {
        heads[number]..<(number + 1 < heads.count ? heads[number + 1] : rowCount)
    }

    /// - Parameter integers: the values of a leaf of integers, of the rows before they are aggregated.
    func aggregate(
        _ values: GatheredValues, integers: (MergedLeaf) throws(MergeFailure) -> [Int64]
    ) throws(MergeFailure) -> GatheredValues {
        switch (function, values) {
        case (.key, _): return taking(heads, of: values)
        case (.sum, .integers(let values)): return .integers(aggregated(values, &+))
        case (.min, .integers(let values)): return .integers(aggregated(values, Swift.min))
        case (.max, .integers(let values)): return .integers(aggregated(values, Swift.max))
        case (.sum, .floats(let values)): return .floats(aggregated(values, +))
        case (.min, .floats(let values)): return .floats(aggregated(values, Swift.min))
        case (.max, .floats(let values)): return .floats(aggregated(values, Swift.max))
        case (.choice(let isLeast, let by), _):
            return taking(choices(try integers(by), isLeast, of: values), of: values)
        case (.histogram, .strings(let lengths, let bytes)):
            return try states(lengths, bytes) { bytes, states in
                var sum = ExponentialHistogram()
                for state in states {
                    guard let histogram = ExponentialHistogram(bytes: bytes.extracting(state)) else { return nil }
                    sum.merge(histogram)
                }
                return sum.bytes
            }
        case (.set, .strings(let lengths, let bytes)):
            return try states(lengths, bytes) { ValueSet.union(of: $1, in: $0) }
        default: preconditionFailure("Schema/ was checked")
        }
    }

    private func aggregated<Value>(_ values: [Value], _ combine: (Value, Value) -> Value) -> [Value] {
        heads.indices.map { number in
            let run = run(number)
            return values[run].dropFirst().reduce(values[run.lowerBound], combine)
        }
    }

    // MARK: Choices

    private func choices(_ by: [Int64], _ isLeast: Bool, of values: GatheredValues) -> [Int] {
        heads.indices.map { number in
            var best = heads[number]
            for row in run(number).dropFirst() {
                let isBetter = isLeast ? by[row] < by[best] : by[row] > by[best]
                if isBetter || (by[row] == by[best] && values.isLess(row, best)) { best = row }
            }
            return best
        }
    }

    private func taking(_ rows: [Int], of values: GatheredValues) -> GatheredValues {
        switch values {
        case .integers(let values): return .integers(rows.map { values[$0] })
        case .floats(let values): return .floats(rows.map { values[$0] })
        case .codes(let codes): return .codes(rows.map { codes[$0] })
        case .fixed(let bytes, let width):
            return .fixed(rows.flatMap { bytes[$0 * width..<($0 + 1) * width] }, width: width)
        case .strings(let lengths, let bytes):
            let ends = GatheredValues.ends(lengths)
            return .strings(
                rows.map { lengths[$0] }, rows.flatMap { bytes[ends[$0] - Int(lengths[$0])..<ends[$0]] })
        case .integerRows, .floatRows: preconditionFailure("views have no lists")
        }
    }

    // MARK: States

    /// - Parameter unite: gives the state of several; nil if one of them is none.
    private func states(
        _ lengths: [UInt32], _ bytes: [UInt8], _ unite: (_ bytes: Span<UInt8>, _ states: [Range<Int>]) -> [UInt8]?
    ) throws(MergeFailure) -> GatheredValues {
        let ends = GatheredValues.ends(lengths)
        var newLengths: [UInt32] = []
        var newBytes: [UInt8] = []
        for number in heads.indices {
            let states = run(number).map { ends[$0] - Int(lengths[$0])..<ends[$0] }
            if states.count == 1 {
                newLengths.append(UInt32(states[0].count))
                newBytes.append(contentsOf: bytes[states[0]])
                continue
            }
            guard let state = unite(bytes.span, states) else { throw .corruptState }
            newLengths.append(UInt32(state.count))
            newBytes.append(contentsOf: state)
        }
        return .strings(newLengths, newBytes)
    }
}

extension GatheredValues {
    /// By text, where its bytes end.
    fileprivate static func ends(_ lengths: [UInt32]) -> [Int] {
        var end = 0
        return lengths.map { length in
            end += Int(length)
            return end
        }
    }

    /// Whether one row's value is less than another's. Codes are those of a sorted dictionary.
    fileprivate func isLess(_ row: Int, _ other: Int) -> Bool {
        switch self {
        case .integers(let values): return values[row] < values[other]
        case .floats(let values): return values[row].bitPattern < values[other].bitPattern
        case .codes(let codes): return codes[row] < codes[other]
        case .fixed(let bytes, let width):
            return bytes[row * width..<(row + 1) * width].lexicographicallyPrecedes(
                bytes[other * width..<(other + 1) * width])
        case .strings(let lengths, let bytes):
            let ends = Self.ends(lengths)
            func text(_ row: Int) -> ArraySlice<UInt8> { bytes[ends[row] - Int(lengths[row])..<ends[row]] }
            return text(row).lexicographicallyPrecedes(text(other))
        case .integerRows, .floatRows: return false
        }
    }
}

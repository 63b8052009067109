internal import Columns
internal import Core
internal import TableSchema

/// `exponentialHistogram`.
final class HistogramAccumulator: Accumulator {
    private let expression: RollupExpression
    private var histograms: [ExponentialHistogram] = []

    init(_ expression: RollupExpression) { self.expression = expression }

    var byteCount: Int { histograms.reduce(0) { $0 + 40 + $1.counts.capacity * 8 } }

    func grow(to groups: Int) {
        guard groups > histograms.count else { return }
        histograms.append(contentsOf: repeatElement(ExponentialHistogram(), count: groups - histograms.count))
    }

    func add(_ input: inout AggregationInput, _ groups: [UInt32], _ chosen: [UInt32]?) {
        Self.add(input.integers(expression), to: &histograms, groups, chosen)
    }

    private static func add(
        _ values: Buffer<Int64>, to histograms: inout [ExponentialHistogram], _ groups: [UInt32], _ chosen: [UInt32]?
    ) {
        precondition(values.count == groups.count)
        let values = values.span
        var histograms = histograms.mutableSpan
        forEach(groups, chosen) { row, group in histograms[group].insert(values[row]) }
    }

    func add(aggregated input: inout AggregationInput, _ column: ColumnID, _ groups: [UInt32]) -> Bool {
        guard case .strings(let states) = input.values(.column(.source(column))) else { return false }
        for (row, group) in groups.enumerated() {
            guard let state = ExponentialHistogram(bytes: states.span(row)) else { return false }
            histograms[Int(group)].merge(state)
        }
        return true
    }

    func column() -> Column { StateColumn.make(histograms.count) { histograms[$0].bytes } }
}

/// `groupUniqArray` of texts. Sets of a few texts that all groups share, such as services, are bits of a word.
final class SetAccumulator: Accumulator {
    private let expression: RollupExpression
    private let texts = TextNumbers()
    /// By group: the texts with numbers below 64.
    private var bits: [UInt64] = []
    /// By group: the others.
    private var others: [Int: Set<UInt32>] = [:]

    init(_ expression: RollupExpression) { self.expression = expression }

    var byteCount: Int { bits.capacity * 8 + texts.byteCount + others.values.reduce(0) { $0 + 32 + $1.capacity * 8 } }

    func grow(to groups: Int) {
        guard groups > bits.count else { return }
        bits.append(contentsOf: repeatElement(0, count: groups - bits.count))
    }

    func add(_ input: inout AggregationInput, _ groups: [UInt32], _ chosen: [UInt32]?) {
        guard case .strings(let values) = input.values(expression) else { preconditionFailure("Schema/ was checked") }
        let numbers = texts.numbers(values)
        Self.add(numbers, to: &bits, groups, chosen)
        guard texts.count > 64 else { return }
        forEach(groups, chosen) { row, group in
            if numbers[row] >= 64 { insert(numbers[row], group) }
        }
    }

    /// Adds the texts with numbers below 64.
    private static func add(
        _ numbers: [UInt32], to bits: inout [UInt64], _ groups: [UInt32], _ chosen: [UInt32]?
    ) {
        var bits = bits.mutableSpan
        forEach(groups, chosen) { row, group in
            if numbers[row] < 64 { bits[group] |= 1 << UInt64(numbers[row]) }
        }
    }

    @inline(__always)
    private func insert(_ number: UInt32, _ group: Int) {
        if number < 64 {
            bits[group] |= 1 << UInt64(number)
        } else {
            others[group, default: []].insert(number)
        }
    }

    func add(aggregated input: inout AggregationInput, _ column: ColumnID, _ groups: [UInt32]) -> Bool {
        guard case .strings(let states) = input.values(.column(.source(column))) else { return false }
        for (row, group) in groups.enumerated() {
            let isRead = ValueSet.forEach(in: states.span(row)) { insert(texts.number($0), Int(group)) }
            guard isRead else { return false }
        }
        return true
    }

    func column() -> Column {
        // Most sets are met again and again.
        var known: [UInt64: UInt32] = [:]
        var builder = StringColumnBuilder(.unique)
        for (group, word) in bits.enumerated() {
            let more = others[group]
            if more == nil, let code = known[word] {
                builder.append(code: code)
                continue
            }
            let code = builder.code(state(word, more ?? []).span)
            if more == nil { known[word] = code }
            builder.append(code: code)
        }
        return .strings(builder.snapshot(rows: bits.count))
    }

    private func state(_ word: UInt64, _ others: Set<UInt32>) -> [UInt8] {
        let numbers = (0..<64).filter { word >> UInt64($0) & 1 == 1 } + others.map { Int($0) }
        var state = ValueSet.beginning(count: numbers.count)
        for number in numbers.sorted(by: { texts.precedes($0, $1) }) {
            texts.with(number) { ValueSet.append($0, to: &state) }
        }
        return state
    }
}

/// Makes columns of states.
enum StateColumn {
    static func make(_ count: Int, _ state: (Int) -> [UInt8]) -> Column {
        var builder = StringColumnBuilder(.adaptive)
        for row in 0..<count { builder.append(code: builder.code(state(row).span)) }
        return .strings(builder.snapshot(rows: count))
    }
}

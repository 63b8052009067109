internal import Columns
internal import Core
internal import TableSchema

/// An aggregate of every group.
protocol Accumulator: AnyObject {
    /// Makes room for groups, each the aggregate of no rows.
    func grow(to groups: Int)
    /// Aggregates rows of the source.
    ///
    /// - Parameters:
    ///   - groups: by row.
    ///   - chosen: the rows that count; nil: all.
    func add(_ input: inout AggregationInput, _ groups: [UInt32], _ chosen: [UInt32]?)
    /// Aggregates rows of the view.
    ///
    /// - Parameter column: the aggregate's in the view.
    /// - Returns: false if a state cannot be read; nothing can be done with the aggregate then.
    func add(aggregated input: inout AggregationInput, _ column: ColumnID, _ groups: [UInt32]) -> Bool
    func column() -> Column
    var byteCount: Int { get }
}

func makeAccumulator(_ aggregate: RollupAggregate, _ target: TableDefinition) -> any Accumulator {
    let type = target.columns[target.place(aggregate.column)].type
    switch aggregate.function {
    case .count: return IntegerAccumulator(.count)
    case .sum(let value): return type == .float ? FloatAccumulator(.sum, value) : IntegerAccumulator(.sum, value)
    case .min(let value): return type == .float ? FloatAccumulator(.min, value) : IntegerAccumulator(.min, value)
    case .max(let value): return type == .float ? FloatAccumulator(.max, value) : IntegerAccumulator(.max, value)
    case .argMin(let value, let by, let key): return ChoiceAccumulator(.least, value, by: by, key: key, type)
    case .argMax(let value, let by, let key): return ChoiceAccumulator(.greatest, value, by: by, key: key, type)
    case .exponentialHistogram(let value): return HistogramAccumulator(value)
    case .groupUniqArray(let value): return SetAccumulator(value)
    case .counterIncrease, .counterResets: preconditionFailure("a view with counters is not aggregated row by row")
    }
}

/// Calls `body` with each row that counts, and its group.
@inline(__always)
func forEach(_ groups: [UInt32], _ chosen: [UInt32]?, _ body: (_ row: Int, _ group: Int) -> Void) {
    if let chosen {
        for row in chosen { body(Int(row), Int(groups[Int(row)])) }
    } else {
        for row in groups.indices { body(row, Int(groups[row])) }
    }
}

/// `count`, and `sum`, `min` and `max` of integers.
private final class IntegerAccumulator: Accumulator {
    enum Function { case count, sum, min, max }

    private let function: Function
    private let expression: RollupExpression?
    private var values: [Int64] = []

    init(_ function: Function, _ expression: RollupExpression? = nil) {
        self.function = function
        self.expression = expression
    }

    var byteCount: Int { values.capacity * 8 }

    func grow(to groups: Int) {
        guard groups > values.count else { return }
        let empty: Int64 =
            switch function {
            case .count, .sum: 0
            case .min: .max
            case .max: .min
            }
        values.append(contentsOf: repeatElement(empty, count: groups - values.count))
    }

    func add(_ input: inout AggregationInput, _ groups: [UInt32], _ chosen: [UInt32]?) {
        guard let expression else {
            return Self.count(&values, groups, chosen)
        }
        add(input.integers(expression), to: &values, groups, chosen)
    }

    func add(aggregated input: inout AggregationInput, _ column: ColumnID, _ groups: [UInt32]) -> Bool {
        add(input.integers(.column(.source(column))), to: &values, groups, nil)
        return true
    }

    private static func count(_ values: inout [Int64], _ groups: [UInt32], _ chosen: [UInt32]?) {
        var values = values.mutableSpan
        forEach(groups, chosen) { _, group in values[group] &+= 1 }
    }

    private func add(_ added: Buffer<Int64>, to values: inout [Int64], _ groups: [UInt32], _ chosen: [UInt32]?) {
        precondition(added.count == groups.count)
        let added = added.span
        var values = values.mutableSpan
        switch function {
        case .count, .sum: forEach(groups, chosen) { values[$1] &+= added[$0] }
        case .min: forEach(groups, chosen) { values[$1] = min(values[$1], added[$0]) }
        case .max: forEach(groups, chosen) { values[$1] = max(values[$1], added[$0]) }
        }
    }

    func column() -> Column { .integers(Buffer(values)) }
}

/// `sum`, `min` and `max` of doubles; NaN is passed over.
private final class FloatAccumulator: Accumulator {
    enum Function { case sum, min, max }

    private let function: Function
    private let expression: RollupExpression
    private var values: [Double] = []

    init(_ function: Function, _ expression: RollupExpression) {
        self.function = function
        self.expression = expression
    }

    var byteCount: Int { values.capacity * 8 }

    func grow(to groups: Int) {
        guard groups > values.count else { return }
        let empty: Double =
            switch function {
            case .sum: 0
            case .min: .infinity
            case .max: -.infinity
            }
        values.append(contentsOf: repeatElement(empty, count: groups - values.count))
    }

    func add(_ input: inout AggregationInput, _ groups: [UInt32], _ chosen: [UInt32]?) {
        add(input.values(expression), groups, chosen)
    }

    func add(aggregated input: inout AggregationInput, _ column: ColumnID, _ groups: [UInt32]) -> Bool {
        add(input.values(.column(.source(column))), groups, nil)
        return true
    }

    private func add(_ added: AggregationValues, _ groups: [UInt32], _ chosen: [UInt32]?) {
        guard case .floats(let added) = added else { preconditionFailure("Schema/ was checked") }
        forEach(groups, chosen) { row, group in
            let value = added[row]
            guard !value.isNaN else { return }
            switch function {
            case .sum: values[group] += value
            case .min: values[group] = min(values[group], value)
            case .max: values[group] = max(values[group], value)
            }
        }
    }

    func column() -> Column { .floats(Buffer(values)) }
}

/// `argMin` and `argMax`: of rows that tie, the least value.
private final class ChoiceAccumulator: Accumulator {
    enum Direction { case least, greatest }

    private let direction: Direction
    private let expression: RollupExpression
    private let by: RollupExpression
    /// The column of the view that holds the least or greatest `by`.
    private let key: ColumnID
    private var best: [Int64] = []
    private var values: ChosenValues

    init(
        _ direction: Direction, _ expression: RollupExpression, by: RollupExpression, key: ColumnID, _ type: ColumnType
    ) {
        self.direction = direction
        self.expression = expression
        self.by = by
        self.key = key
        values = ChosenValues(type)
    }

    var byteCount: Int { best.capacity * 8 + values.byteCount }

    func grow(to groups: Int) {
        guard groups > best.count else { return }
        best.append(contentsOf: repeatElement(direction == .least ? .max : .min, count: groups - best.count))
        values.grow(to: groups)
    }

    func add(_ input: inout AggregationInput, _ groups: [UInt32], _ chosen: [UInt32]?) {
        add(input.integers(by), input.values(expression), groups, chosen)
    }

    func add(aggregated input: inout AggregationInput, _ column: ColumnID, _ groups: [UInt32]) -> Bool {
        add(
            input.integers(.column(.source(key))), input.values(.column(.source(column))), groups, nil)
        return true
    }

    private func add(_ by: Buffer<Int64>, _ added: AggregationValues, _ groups: [UInt32], _ chosen: [UInt32]?) {
        let incoming = values.incoming(added)
        let empty: Int64 = direction == .least ? .max : .min
        var values = values
        self.values = ChosenValues(sharing: values)
        var best = best
        self.best = []
        forEach(groups, chosen) { row, group in
            let time = by[row]
            // A piece without a row that counted has nothing to give.
            if time == empty { return }
            let isBetter = direction == .least ? time < best[group] : time > best[group]
            guard isBetter || (time == best[group] && values.isLess(incoming, row, group)) else { return }
            best[group] = time
            values.take(incoming, row, group)
        }
        self.values = values
        self.best = best
    }

    func column() -> Column { values.column() }
}

/// The values that an `argMin` has chosen: integers and ids as words, texts by their number.
private struct ChosenValues {
    private let type: ColumnType
    private let width: Int
    private let texts: TextNumbers?
    private var words: [UInt64] = []
    /// The number of the empty text.
    private let empty: UInt32

    init(_ type: ColumnType) {
        self.type = type
        switch type {
        case .fixed(let bytes): (width, texts) = (bytes / 8, nil)
        case .string, .lowCardinality: (width, texts) = (1, TextNumbers())
        default: (width, texts) = (1, nil)
        }
        empty = texts?.number(Span()) ?? 0
    }

    /// None yet: to be there while others are worked on, which are then nobody else's.
    init(sharing other: ChosenValues) {
        type = other.type
        width = other.width
        texts = other.texts
        empty = other.empty
    }

    var byteCount: Int { words.capacity * 8 + (texts?.byteCount ?? 0) }

    mutating func grow(to groups: Int) {
        words.append(contentsOf: repeatElement(UInt64(empty), count: groups * width - words.count))
    }

    /// `width` words for each row.
    func incoming(_ values: AggregationValues) -> [UInt64] {
        switch values {
        case .integers(let values): values.map { UInt64(bitPattern: $0) }
        case .floats(let values): values.map(\.bitPattern)
        case .fixed(let ids):
            (0..<ids.count * width).map { ids.word($0 / width, at: $0 % width * 8) }
        case .strings(let strings): texts?.numbers(strings).map { UInt64($0) } ?? []
        }
    }

    func isLess(_ incoming: [UInt64], _ row: Int, _ group: Int) -> Bool {
        if let texts {
            let (new, old) = (Int(incoming[row]), Int(words[group]))
            return new != old && texts.precedes(new, old)
        }
        for place in 0..<width {
            let (new, old) = (incoming[row * width + place], words[group * width + place])
            if new != old { return new < old }
        }
        return false
    }

    mutating func take(_ incoming: [UInt64], _ row: Int, _ group: Int) {
        for place in 0..<width { words[group * width + place] = incoming[row * width + place] }
    }

    func column() -> Column {
        switch type {
        case .float: return .floats(Buffer(words.lazy.map { Double(bitPattern: $0) }))
        case .fixed(let bytes):
            return .fixed(FixedColumn(width: bytes, words: words))
        case .string, .lowCardinality:
            return .strings(
                StringColumn(
                    codes: Buffer(words.lazy.map { UInt32(truncatingIfNeeded: $0) }),
                    dictionary: texts?.dictionary ?? StringDictionary()))
        default: return .integers(Buffer(words.lazy.map { Int64(bitPattern: $0) }))
        }
    }
}

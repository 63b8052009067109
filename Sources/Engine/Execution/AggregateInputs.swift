internal import Columns
internal import Core
internal import Plans
internal import Storage

/// What aggregates read of a block: the values of each, and the rows that its filter chooses.
struct AggregateInputs {
    enum Values {
        case nothing
        case integers(Buffer<Int64>)
        case doubles(Buffer<Double>)
        /// The number of the reader of distinct values.
        case numbers(Int)
    }

    /// By aggregate.
    private(set) var values: [Values] = []
    /// By filter.
    private let selections: [RowSelection]
    private let filterOf: [Int?]

    init(_ plan: CompiledAggregation, _ block: inout BlockReader) throws {
        filterOf = plan.filterOf
        var selections: [RowSelection] = []
        for index in plan.filters.indices { selections.append(try block.selection(ofCondition: index)) }
        self.selections = selections
        for (index, function) in plan.functions.enumerated() {
            // Columns are read only if a row counts.
            if let filter = plan.filterOf[index], selections[filter].isEmpty {
                values.append(.nothing)
                continue
            }
            switch function {
            case .count: values.append(.nothing)
            case .sum(let ordinal), .integers(_, let ordinal), .histogram(let ordinal):
                guard case .integers(let buffer) = try block.column(ordinal) else { throw Self.mismatch }
                values.append(.integers(buffer))
            case .doubleSum(let ordinal), .doubles(_, let ordinal):
                guard case .floats(let buffer) = try block.column(ordinal) else { throw Self.mismatch }
                values.append(.doubles(buffer))
            case .distinct(let reader, _): values.append(.numbers(reader))
            }
        }
    }

    private static let mismatch = PlanError.mismatch("an aggregate has another type than its column")

    func isFiltered(_ aggregate: Int) -> Bool { filterOf[aggregate] != nil }

    /// Those of the rows of a run that count.
    func chosen(_ aggregate: Int, _ rows: RowSlice) -> RowSlice {
        guard let filter = filterOf[aggregate] else { return rows }
        return selections[filter].slice(rows.bounds)
    }
}

extension StateColumn {
    init(_ function: CompiledAggregation.Function) {
        self =
            switch function {
            case .count: .counts([])
            case .sum: .sums([])
            case .doubleSum: .doubleSums([])
            case .integers(let extremum, _): .integers(extremum, [])
            case .doubles(let extremum, _): .doubles(extremum, [])
            case .histogram: .histograms([])
            case .distinct(_, let limit): .distinct(DistinctValues(limit: limit))
            }
    }

    mutating func add(count: Int, _ group: Int) {
        guard case .counts(var values) = self else { return }
        self = .counts([])
        values[group] &+= UInt64(count)
        self = .counts(values)
    }

    /// One for each row.
    @inline(__always)
    mutating func count(_ rows: RowSlice, _ group: (Int) -> Int) {
        guard case .counts(var values) = self else { return }
        self = .counts([])
        values.withUnsafeMutableBufferPointer { values in rows.forEach { values[group($0)] &+= 1 } }
        self = .counts(values)
    }

    /// The values of rows.
    @inline(__always)
    mutating func add(
        _ rows: RowSlice, _ values: AggregateInputs.Values, distinct: [KeyReader], _ group: (Int) -> Int
    ) {
        switch (self, values) {
        case (.sums(var states), .integers(let values)):
            self = .sums([])
            rows.forEach { states[group($0)] &+= Int128(values.base[$0]) }
            self = .sums(states)
        case (.doubleSums(var states), .doubles(let values)):
            self = .doubleSums([])
            rows.forEach { states[group($0)].add(values.base[$0]) }
            self = .doubleSums(states)
        case (.integers(let extremum, var states), .integers(let values)):
            self = .integers(extremum, [])
            rows.forEach { row in
                let group = group(row)
                if extremum.isBetter(values.base[row], than: states[group]) { states[group] = values.base[row] }
            }
            self = .integers(extremum, states)
        case (.doubles(let extremum, var states), .doubles(let values)):
            self = .doubles(extremum, [])
            rows.forEach { row in
                let group = group(row)
                let value = values.base[row]
                if !value.isNaN, extremum.isBetter(value, than: states[group]) { states[group] = value }
            }
            self = .doubles(extremum, states)
        case (.histograms(var states), .integers(let values)):
            self = .histograms([])
            rows.forEach { states[group($0)].insert(values.base[$0]) }
            self = .histograms(states)
        case (.distinct(var states), .numbers(let index)):
            self = .counts([])
            var reader = distinct[index]
            rows.forEach { row in
                states.insert(reader.constant ?? reader.number(ofCode: Int(reader.codes[row])), group(row))
            }
            self = .distinct(states)
        default: return
        }
        withExtendedLifetime(values) {}
    }
}

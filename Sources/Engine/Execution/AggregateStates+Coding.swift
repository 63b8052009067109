internal import Core
internal import Plans

/// The bytes of states; docs/FORMAT.md, "Partial states".
///
/// A reader takes them from anybody: counts are bounded by the bytes that are left, values ascend in no order but are distinct, and
/// what does not follow from the aggregation is refused.
extension AggregateStates {
    private static let version: UInt64 = 1
    package static let byteLimit = 1 << 30

    package var bytes: [UInt8] {
        var writer = ByteWriter()
        writer.natural(Self.version)
        writer.text(aggregation.bytes)
        for values in values { writer.values(values) }
        writer.natural(UInt64(groupCount))
        for group in 0..<groupCount {
            for key in values.indices { writer.natural(groups.word(group, key)) }
            writer.integer(bucket(of: group))
        }
        guard groupCount > 0 else { return writer.bytes }
        for (index, column) in states.enumerated() {
            writer.column(column)
            if let distinct = distinct[index] { writer.values(distinct) }
        }
        return writer.bytes
    }

    package init(bytes: [UInt8]) throws(ExecutionError) {
        var reader = try ByteReader<ExecutionError>(bytes, atMost: Self.byteLimit)
        let version = try reader.natural()
        guard version > 0 else { throw .corruptStates }
        guard version <= Self.version else { throw .unsupportedVersion(Int(clamping: version)) }
        let text = try reader.text()
        let aggregation: Aggregation
        do throws(PlanError) { aggregation = try Aggregation(bytes: text) } catch { throw .corruptStates }
        self.init(aggregation)
        var read: [GroupValues] = []
        for _ in aggregation.keys { read.append(try reader.values()) }
        let count = try reader.count(atMost: aggregation.groupLimit, of: "groups", size: aggregation.keys.count + 1)
        var groups = GroupTable(width: aggregation.keys.count + 1)
        var key = [UInt64](repeating: 0, count: groups.width)
        for group in 0..<count {
            for index in read.indices {
                key[index] = try reader.natural()
                guard key[index] < UInt64(read[index].count) else { throw .corruptStates }
            }
            key[read.count] = UInt64(bitPattern: try reader.integer())
            guard groups.number(key) == group else { throw .corruptStates }
        }
        var buckets = 0
        var states: [StateColumn] = []
        var sets: [GroupValues?] = []
        for aggregate in aggregation.aggregates {
            guard count > 0 else {
                if case .distinct = aggregate.function { sets.append(GroupValues()) } else { sets.append(nil) }
                continue
            }
            let (column, distinct) = try reader.column(aggregate.function, groups: count, buckets: &buckets)
            states.append(column)
            sets.append(distinct)
        }
        try reader.end()
        self.init(aggregation, values: read, groups: groups, states: states, distinct: sets)
    }
}

extension ByteWriter {
    fileprivate mutating func values(_ values: GroupValues) {
        natural(UInt64(values.count))
        for number in 0..<values.count { values.withBytes(number) { text($0) } }
    }

    fileprivate mutating func column(_ column: StateColumn) {
        switch column {
        case .counts(let values): for value in values { natural(value) }
        case .sums(let values):
            for value in values {
                word(UInt64(truncatingIfNeeded: value))
                word(UInt64(truncatingIfNeeded: value >> 64))
            }
        case .doubleSums(let values):
            for value in values {
                word(value.sum.bitPattern)
                word(value.compensation.bitPattern)
            }
        case .integers(_, let values):
            byte(0)
            for value in values {
                byte(value == nil ? 0 : 1)
                if let value { integer(value) }
            }
        case .doubles(_, let values):
            byte(1)
            for value in values {
                byte(value == nil ? 0 : 1)
                if let value { word(value.bitPattern) }
            }
        case .histograms(let values): for value in values { text(value.bytes) }
        case .distinct(let values):
            var sets = values.counts.map { Int($0) > values.limit ? nil : [UInt32]() }
            values.forEach { sets[$0]?.append($1) }
            for set in sets {
                natural(set.map { UInt64($0.count) + 1 } ?? 0)
                for number in set ?? [] { natural(UInt64(number)) }
            }
        }
    }
}

private typealias StateReader = ByteReader<ExecutionError>

extension ExecutionError: ByteFailure {
    package static var corrupt: ExecutionError { .corruptStates }
    package static func tooLarge(_ what: String) -> ExecutionError { .corruptStates }
}

extension ByteReader<ExecutionError> {
    /// Of all histograms together: a few bytes can say that a histogram has thousands of buckets.
    private static var bucketLimit: Int { 1 << 24 }

    fileprivate mutating func values() throws(ExecutionError) -> GroupValues {
        let count = try count(atMost: 1 << 31, of: "values", size: 2)
        var values = GroupValues()
        for expected in 0..<count {
            let value = try text()
            let number = value.withUnsafeBytes { bytes -> Int? in
                guard GroupValues.isValue(bytes) else { return nil }
                return Int(values.number(bytes[0], UnsafeRawBufferPointer(rebasing: bytes.dropFirst())))
            }
            guard number == expected else { throw .corruptStates }
        }
        return values
    }

    /// - Parameter buckets: of the histograms so far.
    fileprivate mutating func column(
        _ function: Aggregate.Function, groups: Int, buckets: inout Int
    ) throws(ExecutionError) -> (StateColumn, GroupValues?) {
        switch function {
        case .count:
            return (.counts(try elements(groups) { (reader) throws(ExecutionError) in try reader.natural() }), nil)
        case .sum:
            let sums = try elements(groups) { (reader) throws(ExecutionError) in
                let low = Int128(try reader.word())
                return Int128(Int64(bitPattern: try reader.word())) << 64 | low
            }
            return (.sums(sums), nil)
        case .sumOfDoubles:
            let sums = try elements(groups) { (reader) throws(ExecutionError) in
                let sum = Double(bitPattern: try reader.word())
                return DoubleSum(sum, compensation: Double(bitPattern: try reader.word()))
            }
            return (.doubleSums(sums), nil)
        case .min: return (try extremes(.least, groups), nil)
        case .max: return (try extremes(.greatest, groups), nil)
        case .histogram:
            let histograms = try elements(groups) { (reader) throws(ExecutionError) in
                let bytes = try reader.text()
                guard let histogram = ExponentialHistogram(bytes: bytes.span) else {
                    throw .corruptStates
                }
                buckets += histogram.counts.count
                guard buckets <= Self.bucketLimit else { throw .corruptStates }
                return histogram
            }
            return (.histograms(histograms), nil)
        case .distinct(_, let limit):
            var sets = DistinctValues(limit: limit)
            sets.grow(to: groups)
            var numbers: UInt32 = 0
            for group in 0..<groups {
                let count = try count(atMost: limit + 1, of: "values")
                if count == 0 { sets.overflow(group) }
                for expected in 1..<max(count, 1) {
                    guard let number = UInt32(exactly: try natural()) else { throw .corruptStates }
                    numbers = max(numbers, number &+ 1)
                    guard number < .max else { throw .corruptStates }
                    sets.insert(number, group)
                    guard Int(sets.counts[group]) == expected else { throw .corruptStates }
                }
            }
            let values = try values()
            guard numbers <= values.count else { throw .corruptStates }
            return (.distinct(sets), values)
        }
    }

    private mutating func extremes(
        _ extremum: StateColumn.Extremum, _ groups: Int
    ) throws(ExecutionError) -> StateColumn {
        switch try byte() {
        case 0:
            return .integers(
                extremum,
                try elements(groups) { (reader) throws(ExecutionError) in
                    try reader.isThere() ? try reader.integer() : nil
                })
        case 1:
            return .doubles(
                extremum,
                try elements(groups) { (reader) throws(ExecutionError) in
                    guard try reader.isThere() else { return nil }
                    let value = Double(bitPattern: try reader.word())
                    guard !value.isNaN else { throw .corruptStates }
                    return value
                })
        default: throw .corruptStates
        }
    }

    private mutating func isThere() throws(ExecutionError) -> Bool {
        switch try byte() {
        case 0: return false
        case 1: return true
        default: throw .corruptStates
        }
    }
}

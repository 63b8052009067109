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
        var writer = StateWriter()
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
        guard bytes.count <= Self.byteLimit else { throw .corruptStates }
        var reader = StateReader(bytes)
        let version = try reader.natural()
        guard version > 0 else { throw .corruptStates }
        guard version <= Self.version else { throw .unsupportedVersion(Int(clamping: version)) }
        let text = try reader.text()
        let aggregation: Aggregation
        do throws(PlanError) { aggregation = try Aggregation(bytes: text) } catch { throw .corruptStates }
        self.init(aggregation)
        var read: [GroupValues] = []
        for _ in aggregation.keys { read.append(try reader.values()) }
        let count = try reader.count(atMost: aggregation.groupLimit, size: aggregation.keys.count + 1)
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
        var states: [StateColumn] = []
        var sets: [GroupValues?] = []
        for aggregate in aggregation.aggregates {
            guard count > 0 else {
                if case .distinct = aggregate.function { sets.append(GroupValues()) } else { sets.append(nil) }
                continue
            }
            let (column, distinct) = try reader.column(aggregate.function, groups: count)
            states.append(column)
            sets.append(distinct)
        }
        try reader.end()
        self.init(aggregation, values: read, groups: groups, states: states, distinct: sets)
    }
}

private struct StateWriter {
    private(set) var bytes: [UInt8] = []

    mutating func natural(_ value: UInt64) { Varint.append(value, to: &bytes) }

    mutating func integer(_ value: Int64) { natural(UInt64(bitPattern: value << 1 ^ value >> 63)) }

    mutating func word(_ value: UInt64) { withUnsafeBytes(of: value.littleEndian) { bytes += $0 } }

    mutating func text(_ text: some Collection<UInt8>) {
        natural(UInt64(text.count))
        bytes += text
    }

    mutating func values(_ values: GroupValues) {
        natural(UInt64(values.count))
        for number in 0..<values.count { values.withBytes(number) { text($0) } }
    }

    mutating func column(_ column: StateColumn) {
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
            bytes.append(0)
            for value in values {
                bytes.append(value == nil ? 0 : 1)
                if let value { integer(value) }
            }
        case .doubles(_, let values):
            bytes.append(1)
            for value in values {
                bytes.append(value == nil ? 0 : 1)
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

private struct StateReader {
    /// Of all histograms together: a few bytes can say that a histogram has thousands of buckets.
    private static let bucketLimit = 1 << 24

    private let bytes: [UInt8]
    private var position = 0
    private var buckets = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    private var left: Int { bytes.count - position }

    func end() throws(ExecutionError) {
        guard left == 0 else { throw .corruptStates }
    }

    mutating func byte() throws(ExecutionError) -> UInt8 {
        guard position < bytes.count else { throw .corruptStates }
        defer { position += 1 }
        return bytes[position]
    }

    mutating func natural() throws(ExecutionError) -> UInt64 {
        var end = position
        guard let value = Varint.read(bytes.span, &end) else { throw .corruptStates }
        position = end
        return value
    }

    mutating func integer() throws(ExecutionError) -> Int64 {
        let value = try natural()
        return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }

    mutating func word() throws(ExecutionError) -> UInt64 {
        guard left >= 8 else { throw .corruptStates }
        defer { position += 8 }
        return bytes.withUnsafeBytes {
            UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: position, as: UInt64.self))
        }
    }

    /// - Parameter size: the least bytes that each of so many things takes.
    mutating func count(atMost limit: Int, size: Int) throws(ExecutionError) -> Int {
        let value = try natural()
        guard value <= UInt64(limit), value <= UInt64(left / size) else { throw .corruptStates }
        return Int(value)
    }

    mutating func text() throws(ExecutionError) -> [UInt8] {
        let count = try count(atMost: .max, size: 1)
        defer { position += count }
        return Array(bytes[position..<(position + count)])
    }

    mutating func values() throws(ExecutionError) -> GroupValues {
        let count = try count(atMost: 1 << 31, size: 2)
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

    mutating func column(
        _ function: Aggregate.Function, groups: Int
    ) throws(ExecutionError) -> (StateColumn, GroupValues?) {
        switch function {
        case .count: return (.counts(try list(groups) { (reader) throws(ExecutionError) in try reader.natural() }), nil)
        case .sum:
            let sums = try list(groups) { (reader) throws(ExecutionError) in
                let low = Int128(try reader.word())
                return Int128(Int64(bitPattern: try reader.word())) << 64 | low
            }
            return (.sums(sums), nil)
        case .sumOfDoubles:
            let sums = try list(groups) { (reader) throws(ExecutionError) in
                let sum = Double(bitPattern: try reader.word())
                return DoubleSum(sum, compensation: Double(bitPattern: try reader.word()))
            }
            return (.doubleSums(sums), nil)
        case .min: return (try extremes(.least, groups), nil)
        case .max: return (try extremes(.greatest, groups), nil)
        case .histogram:
            let histograms = try list(groups) { (reader) throws(ExecutionError) in
                let bytes = try reader.text()
                guard let histogram = ExponentialHistogram(bytes: bytes.span) else {
                    throw .corruptStates
                }
                reader.buckets += histogram.counts.count
                guard reader.buckets <= Self.bucketLimit else { throw .corruptStates }
                return histogram
            }
            return (.histograms(histograms), nil)
        case .distinct(_, let limit):
            var sets = DistinctValues(limit: limit)
            sets.grow(to: groups)
            var numbers: UInt32 = 0
            for group in 0..<groups {
                let count = try count(atMost: limit + 1, size: 1)
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
                try list(groups) { (reader) throws(ExecutionError) in
                    try reader.isThere() ? try reader.integer() : nil
                })
        case 1:
            return .doubles(
                extremum,
                try list(groups) { (reader) throws(ExecutionError) in
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

    private mutating func list<Element>(
        _ count: Int, _ read: (inout StateReader) throws(ExecutionError) -> Element
    ) throws(ExecutionError) -> [Element] {
        guard count <= left else { throw .corruptStates }
        var elements: [Element] = []
        elements.reserveCapacity(count)
        for _ in 0..<count { elements.append(try read(&self)) }
        return elements
    }
}

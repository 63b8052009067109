internal import Columns
internal import Core
internal import Parts
internal import QueryModel
internal import Scheduling
internal import Telemetry

/// The columns of points that a collector needs.
struct PointNeeds: OptionSet {
    let rawValue: UInt8

    static let numbers = PointNeeds(rawValue: 1)
    static let startTimes = PointNeeds(rawValue: 2)
    /// Of a distribution.
    static let count = PointNeeds(rawValue: 4)
    static let sum = PointNeeds(rawValue: 8)
    static let buckets = PointNeeds(rawValue: 16)
    static let exponential = PointNeeds(rawValue: 32)
    static let quantiles = PointNeeds(rawValue: 64)
    static let exemplars = PointNeeds(rawValue: 128)

    var needsDistribution: Bool { !isSubset(of: [.numbers, .startTimes, .exemplars]) }

    /// The places of the fields inside `distribution`.
    var fields: [Int] {
        typealias Field = MetricTable.DistributionField
        var fields: Set<Int> = []
        if contains(.count) { fields.insert(Field.count) }
        if contains(.sum) { fields.formUnion([Field.present, Field.sum]) }
        if contains(.buckets) { fields.formUnion([Field.count, Field.bounds, Field.counts]) }
        if contains(.exponential) {
            fields.formUnion([
                Field.count, Field.present, Field.sum, Field.counts, Field.scale, Field.zeroCount,
                Field.zeroThreshold, Field.positiveOffset, Field.negativeOffset, Field.negativeCounts,
            ])
        }
        if contains(.quantiles) { fields.formUnion([Field.quantiles, Field.quantileValues]) }
        return fields.sorted()
    }
}

/// The decoded columns of one block, or of a memtable, as far as collectors need them.
struct PointColumns {
    var times: Buffer<Int64>
    var startTimes = Buffer<Int64>.empty
    var values = Buffer<Double>.empty
    /// Nil if every point has a value.
    var types: Buffer<Int64>?
    /// Nil if no point has a flag.
    var flags: Buffer<Int64>?
    var distribution: DistributionColumns?
    /// With all fields.
    var exemplars: NestedColumn?

    /// Whether the point says that there is no value (rule T-9).
    func isStale(_ row: Int) -> Bool {
        guard let flags else { return false }
        return flags[row] & 1 != 0
    }

    init(times: Buffer<Int64>) { self.times = times }

    init(_ batch: ColumnBatch, table: MetricTable) {
        times = batch[table.time]
        startTimes = batch[table.startTime]
        values = batch[table.value]
        types = batch[table.valueType]
        flags = batch[table.flags]
        let fields = Array(MetricTable.DistributionField.names.indices)
        distribution = DistributionColumns(batch[table.distribution], fields: fields)
        exemplars = batch[table.exemplars]
    }
}

/// Fields of `distribution`; those that were not read are empty.
struct DistributionColumns {
    let offsets: Buffer<UInt32>
    private(set) var counts = Buffer<Int64>.empty
    private(set) var present = Buffer<Int64>.empty
    private(set) var sums = Buffer<Double>.empty
    private(set) var bounds: StringColumn?
    private(set) var buckets: ArrayColumn?
    private(set) var scales = Buffer<Int64>.empty
    private(set) var zeroCounts = Buffer<Int64>.empty
    private(set) var zeroThresholds = Buffer<Double>.empty
    private(set) var positiveOffsets = Buffer<Int64>.empty
    private(set) var negativeOffsets = Buffer<Int64>.empty
    private(set) var negatives: ArrayColumn?
    private(set) var quantiles: ArrayColumn?
    private(set) var quantileValues: ArrayColumn?

    init(_ nested: NestedColumn, fields: [Int]) {
        offsets = nested.offsets
        for (field, column) in zip(fields, nested.fields) { set(field, column) }
    }

    private mutating func set(_ field: Int, _ column: Column) {
        typealias Field = MetricTable.DistributionField
        switch (field, column) {
        case (Field.count, .integers(let values)): counts = values
        case (Field.present, .integers(let values)): present = values
        case (Field.sum, .floats(let values)): sums = values
        case (Field.bounds, .strings(let values)): bounds = values
        case (Field.counts, .arrays(let values)): buckets = values
        case (Field.scale, .integers(let values)): scales = values
        case (Field.zeroCount, .integers(let values)): zeroCounts = values
        case (Field.zeroThreshold, .floats(let values)): zeroThresholds = values
        case (Field.positiveOffset, .integers(let values)): positiveOffsets = values
        case (Field.negativeOffset, .integers(let values)): negativeOffsets = values
        case (Field.negativeCounts, .arrays(let values)): negatives = values
        case (Field.quantiles, .arrays(let values)): quantiles = values
        case (Field.quantileValues, .arrays(let values)): quantileValues = values
        default: break
        }
    }

    /// The inner row of a point, or nil if it has none.
    func inner(_ row: Int) -> Int? {
        let begin = offsets[row]
        return offsets[row + 1] > begin ? Int(begin) : nil
    }

    func sum(_ inner: Int) -> Double? {
        present[inner] & MetricTable.Present.sum != 0 ? sums[inner] : nil
    }
}

/// Loads the columns of blocks, and counts what they take.
struct PointLoader {
    let table: MetricTable
    let context: QueryContext

    func load(
        _ part: Part, _ block: Int, times: Buffer<Int64>, _ needs: PointNeeds
    ) throws(PartError) -> PointColumns {
        var points = PointColumns(times: times)
        if needs.contains(.startTimes) {
            points.startTimes = try integers(part, table.startTime.ordinal, block)
        }
        if part.zone(table.flags.ordinal, block: block) != 0...0 {
            points.flags = try integers(part, table.flags.ordinal, block)
        }
        if needs.contains(.numbers) {
            if case .floats(let values) = try part.read(
                table.value.ordinal, block: block, statistics: context.statistics)
            {
                points.values = values
            }
            let types = part.zone(table.valueType.ordinal, block: block)
            if types.map({ $0.lowerBound <= MetricTable.ValueType.none }) ?? true {
                points.types = try integers(part, table.valueType.ordinal, block)
            }
        }
        if needs.contains(.exemplars),
            case .nested(let exemplars) = try part.read(
                table.exemplars.ordinal, block: block, statistics: context.statistics)
        {
            points.exemplars = exemplars
        }
        if needs.needsDistribution {
            let fields = needs.fields
            points.distribution = DistributionColumns(
                try part.readNested(
                    table.distribution.ordinal, fields: fields, block: block,
                    statistics: context.statistics), fields: fields)
        }
        return points
    }

    func integers(_ part: Part, _ column: Int, _ block: Int) throws(PartError) -> Buffer<Int64> {
        guard
            case .integers(let values) = try part.read(
                column, block: block, statistics: context.statistics)
        else { return Buffer(repeatElement(0, count: part.rowCount(ofBlock: block))) }
        return values
    }

    /// The codes of a block's series, each below the number of the part's streams.
    func seriesCodes(_ part: Part, _ block: Int) throws(PartError) -> Buffer<UInt32> {
        guard
            case .strings(let values) = try part.read(
                table.series.ordinal, block: block, statistics: context.statistics)
        else { throw .corruptFooter("the series have no dictionary") }
        return values.codes
    }
}

extension PointColumns {
    /// Roughly what the columns take in memory.
    var byteCount: Int {
        var count = (times.count + startTimes.count + values.count) * 8
        count += ((types?.count ?? 0) + (flags?.count ?? 0)) * 8
        guard let distribution else { return count }
        count += distribution.offsets.count * 4 + distribution.counts.count * 64
        for rows in [
            distribution.buckets, distribution.negatives, distribution.quantiles,
            distribution.quantileValues,
        ] {
            count += (rows?.elements.count ?? 0) * 8
        }
        return count
    }
}

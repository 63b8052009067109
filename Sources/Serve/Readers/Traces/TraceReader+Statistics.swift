internal import Columns
internal import Core
internal import Observability
internal import Parts
package import QueryModel
package import Scheduling
internal import Storage
internal import TableSchema
internal import Telemetry

/// Statistics of spans from the rows, by the codes of services and operations: no text is made but one for each group.
extension TraceReader: SpanStatisticsSource {
    package func spanStatistics(
        _ query: SpanStatisticsQuery, context: QueryContext
    ) throws(QueryError) -> SpanStatistics {
        if query.table == .rollup {
            throw .execution("no summaries of spans are kept here; only the spans themselves can answer")
        }
        guard !query.range.isEmpty else { return SpanStatistics(rows: [], tables: []) }
        let snapshot = spans.snapshot(context.tenant, in: query.range)
        return SpanStatistics(
            rows: try statistics(query, of: snapshot, context: context),
            tables: [AnsweringTable(name: table.definition.name, range: query.range)])
    }

    /// Statistics of the spans of a snapshot.
    func statistics(
        _ query: SpanStatisticsQuery, of snapshot: TableSnapshot, context: QueryContext
    ) throws(QueryError) -> [SpanStatistics.Row] {
        let table = table
        var columns = [table.serviceName.ordinal]
        if query.grouping.contains(.operation) { columns.append(table.spanName.ordinal) }
        if query.grouping.contains(.kind) { columns.append(table.kind.ordinal) }
        if query.wantsDurations { columns.append(table.duration.ordinal) }
        let request = ScanRequest(
            range: query.range, columns: columns,
            filters: SpanFilters.make(
                query, service: table.serviceName, name: table.spanName, kind: table.kind))
        let tally = try SourceErrors.mapping {
            var scan = Scan(snapshot, request, context: context)
            return try scan.aggregate({ SpanTally(query) }) { (tally, block) in
                try tally.add(SpanStatisticsColumns(block, table, query, context.statistics), context)
            } merge: { (total, part) in
                var part = part
                try total.merge(&part, context)
            }
        }
        defer { context.release(bytes: tally.spent) }
        return tally.rows()
    }
}

extension SpanFilters {
    static func make(
        _ query: SpanStatisticsQuery, service: ColumnHandle<StringColumn>, name: ColumnHandle<StringColumn>,
        kind: ColumnHandle<Int64>
    ) -> [RowFilter] {
        var filters: [RowFilter] = []
        if !query.kinds.isEmpty {
            filters.append(.anyOf(query.kinds.map { .integers(kind.ordinal, Int64($0)...Int64($0)) }))
        }
        if !query.services.isEmpty {
            filters.append(.anyOf(query.services.map { text(service, $0) }))
        }
        if let operation = query.operation { filters.append(text(name, operation)) }
        return filters
    }
}

/// The columns of a block that statistics need; statuses and times are read only if they can make a difference.
private struct SpanStatisticsColumns {
    let rows: [UInt32]
    let services: StringColumn
    /// Nil: not grouped by.
    let names: StringColumn?
    let kinds: Buffer<Int64>?
    let durations: Buffer<Int64>?
    /// Nil: no span of the block is an error.
    let statuses: Buffer<Int64>?
    /// Nil: all are in the step of `step`.
    let times: Buffer<Int64>?
    let step: Int

    private static let error: Int64 = 2

    init(
        _ block: ScanBlock, _ table: SpanTable, _ query: SpanStatisticsQuery, _ statistics: QueryStatistics
    ) throws {
        rows = block.rows
        services = block.batch[table.serviceName]
        names = query.grouping.contains(.operation) ? block.batch[table.spanName] : nil
        kinds = query.grouping.contains(.kind) ? block.batch[table.kind] : nil
        durations = query.wantsDurations ? block.batch[table.duration] : nil
        let statusZone = block.origin.flatMap { $0.part.zone(table.statusCode.ordinal, block: $0.block) }
        statuses =
            statusZone.map { $0.contains(Self.error) } ?? true
            ? try Self.integers(table.statusCode, block, statistics) : nil
        if let step = Self.onlyStep(block, table, query) {
            times = nil
            self.step = step
        } else {
            times = try Self.integers(table.startTime, block, statistics)
            step = 0
        }
    }

    /// The step of all spans of the block; nil if they have several.
    private static func onlyStep(_ block: ScanBlock, _ table: SpanTable, _ query: SpanStatisticsQuery) -> Int? {
        guard query.step != nil else { return 0 }
        guard let zone = block.origin.flatMap({ $0.part.zone(table.startTime.ordinal, block: $0.block) }),
            // Zones reach beyond the range where blocks do.
            zone.lowerBound >= query.range.start.nanoseconds
        else { return nil }
        let first = query.step(of: Timestamp(nanoseconds: zone.lowerBound))
        return first == query.step(of: Timestamp(nanoseconds: zone.upperBound)) ? first : nil
    }

    private static func integers(
        _ column: ColumnHandle<Int64>, _ block: ScanBlock, _ statistics: QueryStatistics
    ) throws -> Buffer<Int64> {
        if case .integers(let values)? = block.batch.columns[column.ordinal] { return values }
        guard let origin = block.origin else { return block.batch[column] }
        do throws(PartError) {
            let read = try origin.part.read(column.ordinal, block: origin.block, statistics: statistics)
            guard case .integers(let values) = read else { throw .corruptFooter("a column has another type") }
            return values
        } catch {
            throw StorageError.part(path: origin.path, error)
        }
    }
}

/// What one thread has counted.
private struct SpanTally {
    private struct Key: Hashable {
        /// As names are shown: two that are not UTF-8 may look alike.
        let service: [UInt8]
        let operation: [UInt8]
        let kind: Int32
        let step: Int
    }

    /// A group by the codes of the open dictionaries.
    private struct Combination: Hashable {
        let service, name: UInt32
        let kind: Int32
        let step: Int
    }

    /// Combinations for which a place each is cheaper than a dictionary.
    private static let slotLimit = 1 << 18
    private static let kinds = 8
    /// So many groups may wait for their names.
    private static let mostCombinations = 1 << 14
    /// About what a group takes with its histogram.
    private static let footprint = 1024

    private let query: SpanStatisticsQuery
    private var found: [Key: SpanMeasures] = [:]
    /// What was counted against the query's memory.
    private(set) var spent = 0

    /// The dictionaries of what is not yet under a name.
    private var services: StringDictionary?
    private var names: StringDictionary?
    private var combinations: [Combination] = []
    private var measures: [SpanMeasures] = []
    /// The step of `places`, which have one more than the index of a combination; zero if it was not met.
    private var step = 0
    private var slots: [UInt32] = []
    /// Of combinations of other steps and of unknown kinds.
    private var otherSlots: [Combination: Int] = [:]

    init(_ query: SpanStatisticsQuery) { self.query = query }

    mutating func add(_ columns: SpanStatisticsColumns, _ context: QueryContext) throws {
        try open(columns, context)
        let services = columns.services.codes
        for row in columns.rows {
            let row = Int(row)
            let step = columns.times.map { query.step(of: Timestamp(nanoseconds: $0[row])) } ?? columns.step
            let slot = slot(
                Combination(
                    service: services[row], name: columns.names.map { $0.codes[row] } ?? 0,
                    kind: columns.kinds.map { Int32(truncatingIfNeeded: $0[row]) } ?? 0, step: step))
            measures[slot].add(isError: columns.statuses.map { $0[row] == 2 } ?? false)
            if let durations = columns.durations { measures[slot].add(duration: durations[row]) }
            if combinations.count == Self.mostCombinations { try close(context) }
        }
    }

    @inline(__always)
    private mutating func slot(_ combination: Combination) -> Int {
        guard isPlaced(combination) else {
            if let known = otherSlots[combination] { return known }
            otherSlots[combination] = combinations.count
            return begin(combination)
        }
        let number = number(combination)
        if slots[number] > 0 { return Int(slots[number]) - 1 }
        slots[number] = UInt32(combinations.count) + 1
        return begin(combination)
    }

    private func isPlaced(_ combination: Combination) -> Bool {
        !slots.isEmpty && combination.step == step && combination.kind >= 0 && combination.kind < Int32(Self.kinds)
    }

    private func number(_ combination: Combination) -> Int {
        (Int(combination.service) * (names?.count ?? 1) + Int(combination.name)) * Self.kinds + Int(combination.kind)
    }

    private mutating func begin(_ combination: Combination) -> Int {
        combinations.append(combination)
        measures.append(SpanMeasures())
        return combinations.count - 1
    }

    private mutating func open(_ columns: SpanStatisticsColumns, _ context: QueryContext) throws {
        let (services, names) = (columns.services.dictionary, columns.names?.dictionary)
        let isSame = self.services === services && self.names === names
        if isSame, columns.times != nil || columns.step == step { return }
        try close(context)
        step = columns.step
        guard !isSame else { return }
        (self.services, self.names) = (services, names)
        let (count, overflow) = services.count.multipliedReportingOverflow(by: (names?.count ?? 1) * Self.kinds)
        slots = Array(repeating: 0, count: overflow || count > Self.slotLimit ? 0 : count)
    }

    /// Puts what was counted by codes under its names.
    private mutating func close(_ context: QueryContext) throws {
        guard let services else { return }
        for (combination, measures) in zip(combinations, measures) {
            let key = Key(
                service: Array(services.string(Int(combination.service)).utf8),
                operation: names.map { Array($0.string(Int(combination.name)).utf8) } ?? [],
                kind: combination.kind, step: combination.step)
            try add(measures, under: key, context)
            if isPlaced(combination) { slots[number(combination)] = 0 }
        }
        combinations.removeAll(keepingCapacity: true)
        measures.removeAll(keepingCapacity: true)
        otherSlots.removeAll(keepingCapacity: true)
    }

    private mutating func add(_ measures: SpanMeasures, under key: Key, _ context: QueryContext) throws {
        if found[key] == nil {
            spent += Self.footprint
            try context.spend(bytes: Self.footprint)
        }
        found[key, default: SpanMeasures()].merge(measures)
    }

    mutating func merge(_ other: inout SpanTally, _ context: QueryContext) throws {
        try other.close(context)
        for (key, measures) in other.found { try add(measures, under: key, context) }
        context.release(bytes: other.spent)
    }

    func rows() -> [SpanStatistics.Row] {
        found.map { key, measures in
            .init(
                service: String(decoding: key.service, as: UTF8.self),
                operation: String(decoding: key.operation, as: UTF8.self), kind: key.kind, step: key.step,
                measures: measures)
        }
    }
}

internal import Columns
package import Core
internal import Ingest
internal import Parts
package import QueryModel
internal import Storage
internal import TableSchema
internal import Telemetry

/// Counts of spans, from the codes of services: no text is made but one for each service of a part.
extension TraceReader: SpanCountSource {
    package func spanCounts(
        service: String?, in range: TimeRange, step: Int64?, context: QueryContext
    ) throws(QueryError) -> [SpanCount] {
        guard !range.isEmpty else { return [] }
        let table = table
        let filters = service.map { [SpanFilters.text(table.serviceName, $0)] } ?? []
        let request = ScanRequest(range: range, columns: [table.serviceName.ordinal], filters: filters)
        let steps = SpanSteps(start: range.start.nanoseconds, width: step)
        let statistics = context.statistics
        let tally = try SourceErrors.mapping {
            var scan = Scan(spans.snapshot(context.tenant, in: range), request, context: context)
            return try scan.fold({ SpanTally() }) { (tally, block) in
                let columns = SpanCountColumns(block, table, statistics)
                try tally.add(block, columns, steps)
            } merge: { (total, part) in
                var part = part
                total.merge(&part)
            }
        }
        return tally.counts()
    }
}

/// The steps that a range is cut into.
private struct SpanSteps: Sendable {
    let start: Int64
    /// Nil: one step without an end.
    let width: Int64?

    func step(of time: Int64) -> Int {
        guard let width else { return 0 }
        let (distance, overflow) = time.subtractingReportingOverflow(start)
        return overflow ? Int(clamping: UInt64(bitPattern: distance) / UInt64(width)) : Int(distance / width)
    }
}

/// The columns of a block that are read only if they can make a difference.
private struct SpanCountColumns {
    let services: StringColumn
    private let block: ScanBlock
    private let table: SpanTable
    private let statistics: QueryStatistics

    private static let error: Int64 = 2

    init(_ block: ScanBlock, _ table: SpanTable, _ statistics: QueryStatistics) {
        self.block = block
        self.table = table
        self.statistics = statistics
        services = block.batch[table.serviceName]
    }

    /// Nil if no span of the block is an error.
    func statuses() throws -> Buffer<Int64>? {
        if let zone = block.origin?.part.zone(table.statusCode.ordinal, block: block.origin?.block ?? 0),
            !zone.contains(Self.error)
        {
            return nil
        }
        return try integers(table.statusCode)
    }

    /// The step of all spans of the block; nil if they have several.
    func step(_ steps: SpanSteps) -> Int? {
        guard steps.width != nil else { return 0 }
        guard let origin = block.origin, let zone = origin.part.zone(table.startTime.ordinal, block: origin.block)
        else { return nil }
        // Zones reach beyond the range where blocks do.
        guard zone.lowerBound >= steps.start else { return nil }
        let first = steps.step(of: zone.lowerBound)
        return first == steps.step(of: zone.upperBound) ? first : nil
    }

    func times() throws -> Buffer<Int64> { try integers(table.startTime) }

    private func integers(_ column: ColumnHandle<Int64>) throws -> Buffer<Int64> {
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
        let service: [UInt8]
        let step: Int
    }

    private struct Count {
        var calls = 0
        var errors = 0
    }

    private var found: [Key: Count] = [:]
    /// The part's dictionary, and by its codes what was counted in one step, not yet under a name.
    private var dictionary: StringDictionary?
    private var step = 0
    private var calls: [Int] = []
    private var errors: [Int] = []

    mutating func add(_ block: ScanBlock, _ columns: SpanCountColumns, _ steps: SpanSteps) throws {
        let statuses = try columns.statuses()
        if let step = columns.step(steps) {
            open(columns.services.dictionary, step)
            count(block.rows, columns.services.codes, statuses)
            return
        }
        let times = try columns.times()
        var begin = 0
        while begin < block.rows.count {
            let step = steps.step(of: times[Int(block.rows[begin])])
            var end = begin + 1
            while end < block.rows.count, steps.step(of: times[Int(block.rows[end])]) == step { end += 1 }
            open(columns.services.dictionary, step)
            count(Array(block.rows[begin..<end]), columns.services.codes, statuses)
            begin = end
        }
    }

    private mutating func count(_ rows: [UInt32], _ codes: Buffer<UInt32>, _ statuses: Buffer<Int64>?) {
        let codes = codes.base
        calls.withUnsafeMutableBufferPointer { calls in
            for row in rows { calls[Int(codes[Int(row)])] &+= 1 }
        }
        guard let statuses = statuses?.base else { return }
        errors.withUnsafeMutableBufferPointer { errors in
            for row in rows { errors[Int(codes[Int(row)])] &+= statuses[Int(row)] == 2 ? 1 : 0 }
        }
    }

    private mutating func open(_ dictionary: StringDictionary, _ step: Int) {
        if self.dictionary === dictionary, self.step == step { return }
        close()
        self.dictionary = dictionary
        self.step = step
        calls = Array(repeating: 0, count: dictionary.count)
        errors = calls
    }

    private mutating func close() {
        guard let dictionary else { return }
        for code in calls.indices where calls[code] > 0 {
            // As the name is shown: two that are not UTF-8 may look alike.
            let key = Key(service: Array(dictionary.string(code).utf8), step: step)
            found[key, default: Count()].calls += calls[code]
            found[key, default: Count()].errors += errors[code]
        }
        self.dictionary = nil
    }

    mutating func merge(_ other: inout SpanTally) {
        other.close()
        for (key, count) in other.found {
            found[key, default: Count()].calls += count.calls
            found[key, default: Count()].errors += count.errors
        }
    }

    func counts() -> [SpanCount] {
        found.map { key, count in
            SpanCount(
                service: String(decoding: key.service, as: UTF8.self), step: key.step, calls: count.calls,
                errors: count.errors)
        }.sorted { ($0.service, $0.step) < ($1.service, $1.step) }
    }
}

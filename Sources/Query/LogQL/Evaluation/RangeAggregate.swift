import Core
import QueryModel
import Scheduling

/// What one thread adds up of the rows of a range aggregation.
///
/// Counts and bytes are added to the steps whose windows hold a row as two differences, whatever the windows' length; as long as
/// rows lie in the same windows, as those of a stream do that follow each other in time, they are only counted.
/// Unwrapped samples are kept by series, and put in order of time when all are there.
struct RangeAggregate: LogRowAggregate {
    private let plan: RangePlan
    private let context: QueryContext
    private var machine: RowMachine
    private(set) var series: SeriesTable
    private(set) var counts: [StepDeltas] = []
    private(set) var bytes: [StepDeltas] = []
    private(set) var samples: [[RangeSample]] = []
    /// The blocks that samples are of.
    private(set) var blocks: [(source: UInt64, firstRow: Int)] = []

    /// By series: rows that were not added to steps yet, and the bytes of their lines.
    private var pending: [(count: Int64, bytes: Int64)] = []
    /// The series that have such rows.
    private var touched: [Int] = []
    /// The windows that hold the rows at hand.
    private var steps = 0..<0
    private var timestamps: ClosedRange<Int64>?
    private var key: [UInt8] = []
    private var combined: [UInt32] = []
    private var seriesOfCode: [Int32] = []

    init(_ plan: RangePlan, context: QueryContext) {
        self.plan = plan
        self.context = context
        machine = RowMachine(plan.program)
        series = SeriesTable(plan.grouping)
    }

    mutating func add(_ rows: borrowing LogRows) throws(QueryError) {
        try context.proceed()
        if !plan.countsEntries { blocks.append(rows.rank) }
        switch plan.form {
        case .columns: try addColumns(rows)
        case .rows: try addRows(rows)
        case .entries: try addEntries(rows)
        }
        try flush()
    }

    // MARK: Windows

    /// Moves to the windows that hold the timestamp, if it lies in others than the one before.
    @inline(__always)
    private mutating func move(to time: Int64) throws(QueryError) {
        if let timestamps, timestamps.contains(time) { return }
        try flush()
        let segment = plan.windows.segment(around: Timestamp(nanoseconds: time))
        steps = segment.steps
        timestamps = segment.timestamps
    }

    @inline(__always)
    private mutating func count(_ number: Int, times count: Int64 = 1, bytes length: Int) {
        if pending[number].count == 0 { touched.append(number) }
        pending[number].count += count
        pending[number].bytes += Int64(length)
    }

    private mutating func flush() throws(QueryError) {
        guard !touched.isEmpty else { return }
        var grown = 0
        for number in touched {
            let rows = pending[number]
            pending[number] = (0, 0)
            if steps.isEmpty { continue }
            grown -= counts[number].byteCount
            counts[number].add(rows.count, to: steps)
            grown += counts[number].byteCount
            guard plan.measuresBytes else { continue }
            grown -= bytes[number].byteCount
            bytes[number].add(rows.bytes, to: steps)
            grown += bytes[number].byteCount
        }
        touched.removeAll(keepingCapacity: true)
        if grown > 0 { try context.charge(bytes: grown) }
    }

    private mutating func makeRoom(for number: Int) throws(QueryError) {
        let known = plan.countsEntries ? counts.count : samples.count
        guard number >= known else { return }
        try context.charge(bytes: 256 + 96 * series.labels[number].pairs.count)
        guard plan.countsEntries else { return samples.append([]) }
        counts.append(StepDeltas())
        if plan.measuresBytes { bytes.append(StepDeltas()) }
        pending.append((0, 0))
    }

    // MARK: Columns

    private mutating func addColumns(_ rows: borrowing LogRows) throws(QueryError) {
        let columns = plan.groupSlots.compactMap { slot in rows.labels[slot].map { (slot: slot, column: $0) } }
        let entries = columns.reduce(1) {
            $0.multipliedReportingOverflow(by: max(1, $1.column.entryCount)).partialValue
        }
        let isSmall = entries > 0 && entries <= 1 << 16
        guard isSmall, columns.allSatisfy({ $0.column.entryCount <= 1 << 16 }) else { return try addKeys(rows) }
        combine(columns.map(\.column), rows.rows)
        seriesOfCode.removeAll(keepingCapacity: true)
        seriesOfCode.append(contentsOf: repeatElement(-1, count: entries))
        let lines = plan.measuresBytes ? rows.lines : nil
        for (index, row) in rows.rows.enumerated() {
            try move(to: rows.times[Int(row)])
            let code = columns.isEmpty ? 0 : Int(combined[index])
            var number = Int(seriesOfCode[code])
            if number < 0 {
                number = try findSeries(rows, Int(row))
                seriesOfCode[code] = Int32(truncatingIfNeeded: number)
            }
            count(number, times: rows.counts?[Int(row)] ?? 1, bytes: lines?.length(row: Int(row)) ?? 0)
        }
    }

    /// Numbers the combinations of the columns' entries, by selected row.
    private mutating func combine(_ columns: [LogTextColumn], _ rows: [UInt32]) {
        combined.removeAll(keepingCapacity: true)
        guard let first = columns.first else { return }
        for row in rows { combined.append(first.codes[Int(row)]) }
        for column in columns.dropFirst() {
            let width = UInt32(truncatingIfNeeded: column.entryCount)
            for (index, row) in rows.enumerated() {
                combined[index] = combined[index] &* width &+ column.codes[Int(row)]
            }
        }
    }

    /// As `addColumns`, where the columns have too many entries to number them.
    private mutating func addKeys(_ rows: borrowing LogRows) throws(QueryError) {
        let lines = plan.measuresBytes ? rows.lines : nil
        for row in rows.rows {
            try move(to: rows.times[Int(row)])
            if steps.isEmpty { continue }
            count(
                try findSeries(rows, Int(row)), times: rows.counts?[Int(row)] ?? 1,
                bytes: lines?.length(row: Int(row)) ?? 0)
        }
    }

    private mutating func findSeries(_ rows: borrowing LogRows, _ row: Int) throws(QueryError) -> Int {
        key.removeAll(keepingCapacity: true)
        for slot in plan.groupSlots {
            if let column = rows.labels[slot] {
                Self.append(column.bytes(row: row), to: &key)
            } else {
                Self.append(Span(), to: &key)
            }
        }
        return try findSeries()
    }

    /// The number of the series whose values are in `key`.
    private mutating func findSeries() throws(QueryError) -> Int {
        let number = series.number(ofKey: key)
        try makeRoom(for: number)
        return number
    }

    private static func append(_ value: Span<UInt8>, to key: inout [UInt8]) {
        SeriesTable.append(length: value.count, to: &key)
        key.append(copying: value)
    }

    // MARK: Rows

    private mutating func addRows(_ rows: borrowing LogRows) throws(QueryError) {
        machine.begin(rows.labels)
        let lines = rows.lines ?? .none
        var added = 0
        for (index, row) in rows.rows.enumerated() {
            if index % 1024 == 1023 { try context.proceed() }
            let row = Int(row)
            try move(to: rows.times[row])
            guard !steps.isEmpty, machine.run(row, lines) else { continue }
            var value = 0.0
            if let unwrap = plan.unwrap {
                guard let unwrapped = unwrap.value(&machine) else { continue }
                value = unwrapped
            }
            if machine.values.hasError { throw .execution(try failure(rows, row)) }
            key.removeAll(keepingCapacity: true)
            for slot in plan.groupSlots {
                if machine.values.withValue(slot, { Self.append($0, to: &key) }) == nil {
                    Self.append(Span(), to: &key)
                }
            }
            let number = try findSeries()
            if plan.countsEntries {
                count(number, bytes: plan.measuresBytes ? machine.changedLength ?? lines.length(row: row) : 0)
            } else {
                samples[number].append(
                    RangeSample(time: rows.times[row], value: value, block: UInt32(blocks.count - 1)))
                added += 1
            }
        }
        if added > 0 { try context.charge(bytes: added * MemoryLayout<RangeSample>.stride) }
    }

    /// What the pipeline says of a row with an error.
    private func failure(_ rows: borrowing LogRows, _ row: Int) throws(QueryError) -> String {
        var entry = PipelineEntry(try rows.entry(row))
        _ = plan.scan.pipeline.run(&entry)
        _ = plan.aggregation.unwrap?.value(&entry)
        return Self.failure(of: entry)
    }

    private static func failure(of entry: PipelineEntry) -> String {
        let error = entry.value(of: ErrorLabel.name) ?? ""
        return """
            pipeline error: '\(error)' for series: '\(Labels(entry.allLabels).text)'.
            Entries with this error can be left out by a label filter (e.g. | __error__!="\(error)").
            All entries with an error can be left out by matching the empty error (e.g. | __error__="").
            The filter can also stand behind unwrap (e.g. | unwrap latency | __error__="").

            """
    }

    // MARK: Entries

    private mutating func addEntries(_ rows: borrowing LogRows) throws(QueryError) {
        machine.begin(rows.labels)
        let lines = rows.lines ?? .none
        let isFiltered = plan.program.hasFilters
        for (index, row) in rows.rows.enumerated() {
            if index % 1024 == 1023 { try context.proceed() }
            let row = Int(row)
            try move(to: rows.times[row])
            if steps.isEmpty || (isFiltered && !machine.run(row, lines)) { continue }
            var entry = PipelineEntry(try rows.entry(row))
            let sent = entry.line
            guard plan.scan.pipeline.run(&entry) else { continue }
            // A line that is not UTF-8 is a repaired text by now, and counts with the bytes that were sent.
            let isSent = plan.measuresBytes && entry.line == sent
            try take(&entry, rows.times[row], bytes: isSent ? lines.length(row: row) : entry.line.utf8.count)
        }
    }

    private mutating func take(
        _ entry: inout PipelineEntry, _ time: Int64, bytes length: Int
    ) throws(QueryError) {
        var value = 0.0
        if let unwrap = plan.aggregation.unwrap {
            guard let unwrapped = unwrap.value(&entry) else { return }
            value = unwrapped
        }
        if entry.hasError { throw .execution(Self.failure(of: entry)) }
        let number = series.number(of: entry)
        try makeRoom(for: number)
        if plan.countsEntries {
            count(number, bytes: length)
        } else {
            try context.charge(bytes: MemoryLayout<RangeSample>.stride)
            samples[number].append(RangeSample(time: time, value: value, block: UInt32(blocks.count - 1)))
        }
    }

    // MARK: Merging

    mutating func merge(_ other: consuming RangeAggregate) throws(QueryError) {
        let offset = UInt32(blocks.count)
        blocks += other.blocks
        for (from, labels) in other.series.labels.enumerated() {
            let number = series.number(of: labels)
            try makeRoom(for: number)
            guard plan.countsEntries else {
                try context.charge(bytes: other.samples[from].count * MemoryLayout<RangeSample>.stride)
                for sample in other.samples[from] {
                    samples[number].append(
                        RangeSample(time: sample.time, value: sample.value, block: sample.block + offset))
                }
                continue
            }
            counts[number].merge(other.counts[from])
            if plan.measuresBytes { bytes[number].merge(other.bytes[from]) }
        }
    }
}

/// An unwrapped value, and where it comes from.
struct RangeSample {
    var time: Int64
    var value: Double
    /// The number of its block.
    var block: UInt32
}

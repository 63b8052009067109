package import Columns
internal import Core
internal import Parts
internal import Plans
internal import QueryModel
internal import Scheduling
internal import Storage
package import TableSchema
internal import Telemetry

/// `otel_logs_counts_1h`: how many records a resource sent in an hour with a severity.
///
/// An hour of it is that behind its bucket up to the next one, `(bucket, bucket + 1 h]`, as the windows of LogQL are. A row stands for
/// records that differ in time, attributes, scope and body, so it answers who looks at none of these: a label that an
/// attribute or a scope may have become in one of the parts that were added up is read from the records.
package struct LogCountsView: Sendable {
    let table: TableDefinition
    let bucket, severityNumber, count: ColumnHandle<Int64>
    let resource, severityText: ColumnHandle<StringColumn>

    package static let name = "otel_logs_counts_1h"

    /// - Throws: if Schema/ does not declare the view as it is read here.
    package init(_ tables: TableCatalog) throws(BindingError) {
        table = try tables.view(Self.name)
        bucket = try table.integers("bucket")
        resource = try table.strings("resource")
        severityNumber = try table.integers("severity_number")
        severityText = try table.strings("severity_text")
        count = try table.integers("count")
    }

    /// - Parameter range: of buckets.
    func plan(_ range: TimeRange, _ predicate: Predicate) -> ScanPlan {
        let columns = [bucket, severityNumber, count].map(\.id) + [resource, severityText].map(\.id)
        return ScanPlan(
            table: table.id, range: range, predicate: predicate, result: .rows(Projection(columns: columns)))
    }

    /// As of the plan.
    var columns: [Int] { [bucket, severityNumber, count].map(\.ordinal) + [resource, severityText].map(\.ordinal) }

    /// Whether rows of the view have what makes the labels, in an answer from records of these parts.
    ///
    /// - Throws: if a part cannot be read; the records are asked then.
    func answers(
        _ names: Set<String>, _ parts: [PartHandle], _ logs: LogTable, _ identities: LogIdentities,
        _ context: QueryContext
    ) throws -> Bool {
        var wanted = names
        if wanted.contains(LogLevel.label) { wanted.formUnion(LogLevel.labelNames) }
        let others: Set<LogFields.Field> = [
            .observedTimestamp, .droppedAttributesCount, .flags, .traceID, .spanID, .eventName,
        ]
        guard wanted.isDisjoint(with: others.map(\.label)) else { return false }
        for handle in parts {
            try context.check()
            let part = try handle.part()
            guard !LogLabelKeys.mayMake(wanted, from: part.attributeSubcolumns(logs.attributes.ordinal)),
                let scopes = try part.dictionary(logs.scope.ordinal)
            else { return false }
            for entry in 0..<scopes.count
            where identities.scope(scopes.span(entry)).metadata.contains(where: { wanted.contains($0.name) }) {
                return false
            }
        }
        return true
    }

    /// A block of the view as one of records of which each row is many.
    ///
    /// - Returns: nil if the level of some of them is told by their lines alone.
    func block(
        _ found: ScanBlock, _ reader: LogReader, readsLevel: Bool, _ context: QueryContext
    ) -> (block: LogBlock, counts: Buffer<Int64>)? {
        let batch = found.batch
        let (numbers, texts) = (batch[severityNumber], batch[severityText])
        if readsLevel {
            for row in found.rows
            where LogLevel.ofSeverity(numbers[Int(row)]) == nil && texts.span(Int(row)).isEmpty { return nil }
        }
        let logs = reader.table
        let zeros = Buffer<UInt32>(repeatElement(0, count: batch.rowCount))
        var columns = [Column?](repeating: nil, count: logs.definition.columns.count)
        // Whichever of its records' times: all of them lie in the same windows.
        columns[logs.time.ordinal] = .integers(Buffer(batch[bucket].map { $0 &+ 1 }))
        columns[logs.resource.ordinal] = .strings(batch[resource])
        columns[logs.severityNumber.ordinal] = .integers(numbers)
        columns[logs.severityText.ordinal] = .strings(texts)
        columns[logs.scope.ordinal] = .strings(StringColumn(codes: zeros, dictionary: Self.noScope))
        columns[logs.attributes.ordinal] = .attributes(
            AttributesColumn(shapes: zeros, subcolumnsOfShape: [[]], subcolumns: [], starts: zeros, slots: .empty))
        let block = LogBlock(
            ColumnBatch(rowCount: batch.rowCount, columns: columns), rows: found.rows,
            rank: (found.source, found.firstRow), lease: found.lease, table: logs, identities: reader.identities,
            context: context)
        return (block, batch[count])
    }

    private static let noScope = StringDictionary(
        offsets: Buffer([0, 0]), contents: .empty, isUnique: true, isSorted: true)
}

/// A range cut into hours behind whole hours of UTC, `(h, h + 1 h]`, in each of which it makes no difference when a record was
/// sent, and what is left.
struct LogCountedHours {
    struct Segment {
        var range: TimeRange
        var isCounted: Bool
    }

    private(set) var segments: [Segment] = []

    /// More hours than this are not looked at.
    private static let mostHours = 1 << 15
    private static let mostSegments = 16

    /// - Returns: nil if no hour is whole, or they are too scattered.
    init?(_ range: TimeRange, isUniform: (ClosedRange<Int64>) -> Bool) {
        let hour = Timestamp.hour
        let (length, overflow) = range.end.nanoseconds.subtractingReportingOverflow(range.start.nanoseconds)
        guard !overflow, length > 0, length / hour < Int64(Self.mostHours), range.start.nanoseconds > .min + 2 * hour
        else {
            return nil
        }
        var start = range.start
        // The first whole hour that everything behind it lies in the range.
        var next = range.start.advanced(by: hour - 2).startOfHour
        while next.advanced(by: hour) < range.end {
            let end = next.advanced(by: hour)
            if isUniform(next.nanoseconds + 1...end.nanoseconds) {
                append(TimeRange(start: start, end: next.advanced(by: 1)), isCounted: false)
                append(TimeRange(start: next.advanced(by: 1), end: end.advanced(by: 1)), isCounted: true)
                start = end.advanced(by: 1)
            }
            next = end
        }
        append(TimeRange(start: start, end: range.end), isCounted: false)
        guard segments.contains(where: \.isCounted), segments.count <= Self.mostSegments else { return nil }
    }

    private mutating func append(_ range: TimeRange, isCounted: Bool) {
        if range.isEmpty { return }
        if let last = segments.last, last.isCounted == isCounted, last.range.end == range.start {
            segments[segments.count - 1].range = TimeRange(start: last.range.start, end: range.end)
        } else {
            segments.append(Segment(range: range, isCounted: isCounted))
        }
    }

    /// The buckets of all hours that are counted.
    var buckets: TimeRange? {
        let counted = segments.filter(\.isCounted)
        guard let first = counted.first, let last = counted.last else { return nil }
        return TimeRange(start: first.range.start.advanced(by: -1), end: last.range.end.advanced(by: -1))
    }
}

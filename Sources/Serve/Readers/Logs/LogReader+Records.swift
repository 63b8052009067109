internal import Columns
package import Core
internal import Plans
package import QueryModel
package import Scheduling
internal import Storage
internal import Telemetry

/// Log records as they were sent.
extension LogReader {
    /// Newest first, at most `limit`. `service` nil means any.
    package func logRecords(
        service: String?, traceID: TraceID?, minimumSeverity: Int32?, contains text: String?,
        in range: TimeRange, limit: Int, context: QueryContext
    ) throws(QueryError) -> [LogRecord] {
        guard !range.isEmpty, limit > 0 else { return [] }
        var parts: [Predicate] = []
        if let service { parts.append(.text(table.serviceName.id, service.utf8)) }
        if let traceID { parts.append(.trace(table.traceID.id, traceID)) }
        if let minimumSeverity {
            parts.append(.integer(table.severityNumber.id, Int64(minimumSeverity)...Int64(Int32.max)))
        }
        let rows = try LogRowScan(
            logs.snapshot(context.tenant, in: range), of: self, range: range, order: .newestFirst,
            predicate: .every(parts),
            .init(lines: text.map { [.contains(anyOf: [$0])] } ?? [], isSearch: traceID != nil), context: context)
        var records: [LogRecord] = []
        try rows.forEachRow { (block, row) throws(QueryError) -> Bool in
            let record = try record(block, row)
            // A record with its strings takes about this much more than its body.
            let bodies = try block[table.body]
            try context.charge(bytes: 1024 + bodies.span(row).count)
            records.append(record)
            return records.count < limit
        }
        return records
    }

    private func record(_ block: LogBlock, _ row: Int) throws(QueryError) -> LogRecord {
        var record = LogRecord(resource: block.resource(row).sent, scope: try block.scope(row).sent)
        let time = block.times[row]
        if try block[table.timeSource][row] == LogTable.TimeSource.record {
            record.time = Timestamp(nanoseconds: time)
        }
        let delay = try block[table.observedDelay][row]
        if delay != LogTable.notObserved { record.observedTime = Timestamp(nanoseconds: time &+ delay) }
        record.severityNumber = Int32(truncatingIfNeeded: try block[table.severityNumber][row])
        record.severityText = try block[table.severityText].string(row)
        record.body = try block.body(row)
        record.attributes = try block[table.attributes].attributes(row)
        record.droppedAttributesCount = UInt32(truncatingIfNeeded: try block[table.droppedAttributes][row])
        record.flags = UInt32(truncatingIfNeeded: try block[table.flags][row])
        record.traceID = try block[table.traceID].traceID(row)
        record.spanID = try block[table.spanID].spanID(row)
        record.eventName = try block[table.eventName].string(row)
        return record
    }
}

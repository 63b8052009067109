internal import Columns
internal import Core
internal import Parts
internal import Plans
internal import QueryModel
internal import Scheduling
internal import Storage
internal import TableSchema
internal import Telemetry

/// Conditions like `trace_id="…"` (rule M-7), answered from the columns of ids and their indexes.
///
/// The record's own field comes before attributes of that name, so a record with another id is dropped for sure; one without
/// an id only if no attribute can have become that label, which a part's or batch's keys, resources and scopes tell.
struct LogIDHints {
    private let traceID: TraceID?
    private let spanID: SpanID?
    private let table: LogTable
    private let lookalikes: LogIDLookalikes
    /// Sources where an attribute may have become the label.
    private var unsureOfTrace: Set<UInt64> = []
    private var unsureOfSpan: Set<UInt64> = []

    init(_ hints: [LabelMatcher], rules: LogLabelRules, table: LogTable, _ lookalikes: LogIDLookalikes) {
        self.table = table
        self.lookalikes = lookalikes
        traceID = Self.value(of: "trace_id", in: hints, rules).flatMap { text in
            TraceID(hex: text).flatMap { $0.hex == text && !$0.isZero ? $0 : nil }
        }
        spanID = Self.value(of: "span_id", in: hints, rules).flatMap { text in
            SpanID(hex: text).flatMap { $0.hex == text && !$0.isZero ? $0 : nil }
        }
    }

    /// What a label must equal. Index labels come before fields; where one may have the name, nothing is known.
    private static func value(
        of name: String, in hints: [LabelMatcher], _ rules: LogLabelRules
    ) -> String? {
        guard !rules.hasIndexLabel(name) else { return nil }
        return hints.first { $0.name == name && $0.operator == .equal }?.value
    }

    var isEmpty: Bool { traceID == nil && spanID == nil }

    /// What a scan may look for by itself.
    var predicate: Predicate {
        var parts: [Predicate] = []
        if let traceID, unsureOfTrace.isEmpty { parts.append(.trace(table.traceID.id, traceID)) }
        if let spanID, unsureOfSpan.isEmpty {
            parts.append(.hint(.test(.column(table.spanID.id), .shortIDs([spanID.word]))))
        }
        return .all(parts)
    }

    /// The snapshot without the parts that cannot have the trace.
    mutating func prune(
        _ snapshot: TableSnapshot, context: QueryContext
    ) throws(QueryError) -> TableSnapshot {
        guard !isEmpty else { return snapshot }
        for (index, batch) in snapshot.memory.enumerated() {
            note(.max - UInt64(snapshot.memory.count - index), lookalikes.find(in: batch, table))
        }
        var parts: [PartHandle] = []
        for handle in snapshot.parts {
            try context.proceed()
            let mayHave: Bool
            do throws(StorageError) {
                mayHave = try note(handle)
            } catch {
                // The scan meets it again, and decides what becomes of it.
                unsureOfTrace.insert(handle.record.id.number)
                unsureOfSpan.insert(handle.record.id.number)
                mayHave = true
            }
            if mayHave { parts.append(handle) }
        }
        return TableSnapshot(table: snapshot.table, memory: snapshot.memory, parts: parts)
    }

    private mutating func note(
        _ handle: PartHandle
    ) throws(StorageError) -> Bool {
        let part = try handle.part()
        let number = handle.record.id.number
        do throws(PartError) {
            note(number, try lookalikes.find(in: part, handle.record.id, table))
            guard let traceID, !unsureOfTrace.contains(number) else { return true }
            return try part.mayContain(BloomKeys.hash(traceID), column: table.traceID.ordinal)
        } catch {
            throw .part(path: handle.path, error)
        }
    }

    private mutating func note(_ source: UInt64, _ found: LogIDLookalikes.Found) {
        if found.contains(.trace) { unsureOfTrace.insert(source) }
        if found.contains(.span) { unsureOfSpan.insert(source) }
    }

    /// Drops the rows that fail for sure.
    func keep(in block: LogBlock) throws(QueryError) {
        if let traceID, !block.rows.isEmpty {
            let ids = try block[table.traceID]
            let keepsZero = unsureOfTrace.contains(block.source)
            block.rows.removeAll { row in
                let id = ids.traceID(Int(row))
                return id != traceID && !(keepsZero && id.isZero)
            }
        }
        if let spanID, !block.rows.isEmpty {
            let ids = try block[table.spanID]
            let keepsZero = unsureOfSpan.contains(block.source)
            block.rows.removeAll { row in
                let id = ids.spanID(Int(row))
                return id != spanID && !(keepsZero && id.isZero)
            }
        }
    }
}

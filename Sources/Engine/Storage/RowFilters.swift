internal import Columns
internal import Core
internal import TableSchema

/// Applies filters to the rows of one batch.
enum RowFilters {
    /// - Parameter accepted: by entry of the column's dictionary, if that is known already.
    static func keep(
        _ rows: inout [UInt32], _ batch: ColumnBatch, _ filter: RowFilter, accepted: [Bool]?
    ) {
        switch filter {
        case .integers(let column, let range):
            guard case .integers(let values)? = batch.columns[column] else { return mismatch() }
            rows.removeAll { !range.contains(values.base[Int($0)]) }
        case .strings(let column, let accepts):
            guard case .strings(let values)? = batch.columns[column] else { return mismatch() }
            keep(&rows, values, accepts, accepted)
        case .ids(let column, let ids):
            guard case .fixed(let values)? = batch.columns[column] else { return mismatch() }
            keep(&rows, values, ids)
        case .attribute(let column, let key, let accepts):
            guard case .attributes(let values)? = batch.columns[column] else { return mismatch() }
            keep(&rows, lanes: lanes(of: values, key), accepts)
        case .nestedAttribute(let column, let field, let key, let accepts):
            guard case .nested(let nested)? = batch.columns[column],
                case .attributes(let values) = nested.fields[field]
            else { return mismatch() }
            var inner = Array(0..<UInt32(values.count))
            keep(&inner, lanes: lanes(of: values, key), accepts)
            let found = Set(inner)
            rows.removeAll { row in !nested.range(Int(row)).contains { found.contains(UInt32($0)) } }
        case .anyOf(let filters):
            var kept: Set<UInt32> = []
            for filter in filters {
                var some = rows
                keep(&some, batch, filter, accepted: nil)
                kept.formUnion(some)
            }
            rows.removeAll { !kept.contains($0) }
        }
    }

    private static func mismatch() { preconditionFailure("a filter fits the type of its column") }

    private static func keep(
        _ rows: inout [UInt32], _ values: StringColumn, _ accepts: (UnsafeRawBufferPointer) -> Bool,
        _ known: [Bool]?
    ) {
        if let known, known.count == values.dictionary.count {
            rows.removeAll { !known[Int(values.codes.base[Int($0)])] }
            return
        }
        // Entries are asked about as they come up: rows may be few, and entries many.
        var answers = [UInt8](repeating: 0, count: values.dictionary.count)
        rows.removeAll { row in
            let code = Int(values.codes.base[Int(row)])
            if answers[code] == 0 { answers[code] = accepts(values.dictionary.bytes(code)) ? 1 : 2 }
            return answers[code] == 2
        }
    }

    private static func keep(_ rows: inout [UInt32], _ values: FixedColumn, _ ids: Set<TraceID>) {
        if ids.count == 1, let id = ids.first {
            rows.removeAll { row in
                values.word(Int(row)) != id.high || values.word(Int(row), at: 8) != id.low
            }
            return
        }
        // Rows of a trace follow each other: the last answer mostly serves again.
        var last: (id: TraceID, isIn: Bool)?
        rows.removeAll { row in
            let id = values.traceID(Int(row))
            if let last, last.id == id { return !last.isIn }
            let isIn = ids.contains(id)
            last = (id, isIn)
            return !isIn
        }
    }

    private static func lanes(
        of column: AttributesColumn, _ key: [UInt8]
    ) -> [(type: AttributeType, rows: [UInt32], values: Column)] {
        column.lanes.indices.compactMap { index in
            let lane = column.lanes[index]
            guard lane.key == key || lane.type == .overflow, let values = lane.values else { return nil }
            var rows: [UInt32] = []
            column.forEachRow(inLane: index) { row, _ in rows.append(UInt32(row)) }
            return (lane.type, rows, values)
        }
    }

    /// Keeps the rows that have an accepted value in one of the lanes.
    static func keep(
        _ rows: inout [UInt32], lanes: [(type: AttributeType, rows: [UInt32], values: Column)],
        _ accepts: (AttributeType, LaneValue) -> Bool
    ) {
        var matching: Set<UInt32> = []
        for lane in lanes {
            switch lane.values {
            case .integers(let values):
                for (slot, row) in lane.rows.enumerated()
                where accepts(lane.type, .integer(values[slot])) { matching.insert(row) }
            case .floats(let values):
                for (slot, row) in lane.rows.enumerated()
                where accepts(lane.type, .double(values[slot])) { matching.insert(row) }
            case .strings(let values):
                var answers = [UInt8](repeating: 0, count: values.dictionary.count)
                for (slot, row) in lane.rows.enumerated() {
                    let code = Int(values.codes[slot])
                    if answers[code] == 0 {
                        answers[code] = accepts(lane.type, .bytes(values.dictionary.bytes(code))) ? 1 : 2
                    }
                    if answers[code] == 1 { matching.insert(row) }
                }
            default: continue
            }
        }
        rows.removeAll { !matching.contains($0) }
    }
}

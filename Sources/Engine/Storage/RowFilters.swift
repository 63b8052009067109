internal import TableSchema
internal import Columns
internal import Core

extension RowFilter {
    /// The column that the filter reads.
    var column: Int {
        switch self {
        case .integers(let column, _), .strings(let column, _), .ids(let column, _),
            .attribute(let column, _, _):
            column
        }
    }
}

/// Applies filters to the rows of one batch.
enum RowFilters {
    /// - Parameter accepted: by entry of the column's dictionary, if that is known already.
    static func keep(
        _ rows: inout [UInt32], _ batch: ColumnBatch, _ filter: RowFilter, accepted: [Bool]?
    ) {
        switch (filter, batch.columns[filter.column]) {
        case (.integers(_, let range), .integers(let values)?):
            rows.removeAll { !range.contains(values.base[Int($0)]) }
        case (.strings(_, let accepts), .strings(let values)?):
            keep(&rows, values, accepts, accepted)
        case (.ids(_, let ids), .fixed(let values)?) where values.width == 16:
            keep(&rows, values, ids)
        case (.attribute(_, let key, let accepts), .attributes(let column)?):
            keep(&rows, lanes: lanes(of: column, key), accepts)
        default: preconditionFailure("a filter fits the type of its column")
        }
    }

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

internal import Columns
internal import Core
internal import Parts
internal import QueryModel
internal import Scheduling
internal import Storage
internal import Telemetry

/// What of a block makes columns of labels and lines.
extension LogBlock {
    /// The column of a field that is a text in a dictionary.
    func texts(of field: LogFields.Field) throws(QueryError) -> StringColumn? {
        switch field {
        case .severityText: try self[table.severityText]
        case .eventName: try self[table.eventName]
        default: nil
        }
    }

    /// The dictionary that all blocks of the source share; nil if each has its own.
    func wholeDictionary(_ ordinal: Int) throws(QueryError) -> StringDictionary? {
        guard let origin else { return nil }
        return try reading(origin) { (part) throws(PartError) in try part.dictionary(ordinal) }
    }

    var isOfPart: Bool { origin != nil }

    /// The keys and types of the attributes that rows of the source have.
    var attributeSubcolumns: [(key: [UInt8], type: AttributeType)] {
        if let origin { return origin.part.attributeSubcolumns(table.attributes.ordinal) }
        return memoryAttributes.subcolumns.map { ($0.key, $0.type) }
    }

    /// The values of an attribute by type, with the rows that have them.
    func subcolumns(
        ofKey key: [UInt8]
    ) throws(QueryError) -> [(type: AttributeType, rows: [UInt32], values: Column)] {
        if let origin {
            let (ordinal, statistics) = (table.attributes.ordinal, context.statistics)
            let found = try reading(origin) { (part) throws(PartError) in
                try part.readSubcolumns(ordinal, key: key, block: origin.block, statistics: statistics)
            }
            try hold(bytes: found.reduce(0) { $0 + $1.rows.count * 4 + $1.values.heldBytes })
            return found.filter { $0.type != .overflow }
        }
        let column = memoryAttributes
        return column.subcolumns(ofKey: key).compactMap { index in
            guard let values = column.subcolumns[index].values else { return nil }
            var rows: [UInt32] = []
            var first = 0
            column.forEachRow(inSubcolumn: index) { row, slot in
                if rows.isEmpty { first = slot }
                rows.append(UInt32(row))
            }
            // A subcolumn has a value for each row that has it, one after the other, from some row on.
            return (column.subcolumns[index].type, rows, values.slice(first..<(first + rows.count)))
        }
    }

    /// The line of each row (rule M-5).
    func lines() throws(QueryError) -> LogTextColumn {
        let bodies = try self[table.body]
        guard let types = try bodyTypes() else { return bodies.texts }
        let string = Int64(AttributeType.string.rawValue)
        var builder = LogTextBuilder(rowCount: times.count)
        for row in rows {
            let row = Int(row)
            builder[row] = types[row] == string ? builder.add(bodies.span(row)) : builder.add(try line(row))
        }
        try hold(bytes: builder.byteCount)
        return builder.column
    }
}

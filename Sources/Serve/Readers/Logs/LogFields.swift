internal import Columns
internal import Core
internal import QueryModel
internal import Scheduling
internal import Telemetry

/// The fields of log records that become labels when they are set (rule M-4), in the columns of one block.
struct LogFields {
    enum Field: Int, CaseIterable {
        case observedTimestamp, severityNumber, severityText, droppedAttributesCount, flags, traceID, spanID, eventName

        var label: String {
            switch self {
            case .observedTimestamp: "observed_timestamp"
            case .severityNumber: "severity_number"
            case .severityText: "severity_text"
            case .droppedAttributesCount: "dropped_attributes_count"
            case .flags: "flags"
            case .traceID: "trace_id"
            case .spanID: "span_id"
            case .eventName: "event_name"
            }
        }
    }

    private enum Values {
        case numbers(Field, Buffer<Int64>)
        case texts(Field, StringColumn)
        case traceIDs(FixedColumn)
        case spanIDs(FixedColumn)
        case observed(delays: Buffer<Int64>, sources: Buffer<Int64>, times: Buffer<Int64>)

        var field: Field {
            switch self {
            case .numbers(let field, _), .texts(let field, _): field
            case .traceIDs: .traceID
            case .spanIDs: .spanID
            case .observed: .observedTimestamp
            }
        }
    }

    /// By the number of the field; nil where it is not looked at.
    private let values: [Values?]

    init(_ block: LogBlock, _ names: LogLabelNames) throws(QueryError) {
        let table = block.table
        var values: [Values?] = []
        for field in Field.allCases {
            guard names.needs(field.label) else {
                values.append(nil)
                continue
            }
            switch field {
            case .observedTimestamp:
                values.append(
                    .observed(
                        delays: try block[table.observedDelay], sources: try block[table.timeSource], times: block.times
                    ))
            case .severityNumber: values.append(.numbers(field, try block[table.severityNumber]))
            case .severityText: values.append(.texts(field, try block[table.severityText]))
            case .droppedAttributesCount: values.append(.numbers(field, try block[table.droppedAttributes]))
            case .flags: values.append(.numbers(field, try block[table.flags]))
            case .traceID: values.append(.traceIDs(try block[table.traceID]))
            case .spanID: values.append(.spanIDs(try block[table.spanID]))
            case .eventName: values.append(.texts(field, try block[table.eventName]))
            }
        }
        self.values = values
    }

    /// The fields that are set in rows, as bits.
    func present(_ rows: Range<Int>) -> [UInt8] {
        var bits = [UInt8](repeating: 0, count: rows.count)
        for values in values {
            guard let values else { continue }
            let bit: UInt8 = 1 << UInt8(values.field.rawValue)
            func mark(_ isSet: (Int) -> Bool) {
                for row in rows where isSet(row) { bits[row - rows.lowerBound] |= bit }
            }
            switch values {
            case .numbers(_, let numbers): mark { numbers[$0] != 0 }
            case .texts(_, let texts): mark { texts.dictionary.length(Int(texts.codes[$0])) > 0 }
            case .traceIDs(let ids): mark { ids.word($0) != 0 || ids.word($0, at: 8) != 0 }
            case .spanIDs(let ids): mark { ids.word($0) != 0 }
            case .observed(let delays, let sources, _):
                mark { delays[$0] != LogTable.notObserved && sources[$0] == LogTable.TimeSource.record }
            }
        }
        return bits
    }

    func text(_ field: Field, _ row: Int, _ texts: LogTexts) throws(QueryError) -> String {
        switch values[field.rawValue] {
        case .numbers(_, let numbers)?: String(numbers[row])
        case .texts(_, let column)?: try texts.text(column, row)
        case .traceIDs(let ids)?: ids.traceID(row).hex
        case .spanIDs(let ids)?: ids.spanID(row).hex
        case .observed(let delays, _, let times)?: String(times[row] &+ delays[row])
        case nil: ""
        }
    }
}

/// Texts of dictionaries' entries, each made once.
final class LogTexts {
    /// Of larger dictionaries each text is made anew.
    private static let limit = 1 << 14

    private static let mostDictionaries = 256

    private let known: KnownDictionaries<ObjectIdentifier, LogDecodedEntries<String>>
    private var last: (dictionary: ObjectIdentifier, entries: LogDecodedEntries<String>)?

    init(_ context: QueryContext) { known = KnownDictionaries(context, limit: Self.mostDictionaries) }

    func text(_ column: StringColumn, _ row: Int) throws(QueryError) -> String {
        let code = Int(column.codes[row])
        guard column.dictionary.isUnique, column.dictionary.count <= Self.limit else {
            return column.dictionary.string(code)
        }
        let identity = ObjectIdentifier(column.dictionary)
        if let last, last.dictionary == identity { return last.entries[code] }
        let dictionary = column.dictionary
        let bytes = dictionary.byteCount + dictionary.heldBytes(perEntry: 16)
        let entries = try known.value(identity, bytes: bytes) {
            LogDecodedEntries(dictionary) { String(repairing: $0) }
        }
        last = (identity, entries)
        return entries[code]
    }
}

internal import Columns
internal import Core
internal import QueryModel
internal import Telemetry

/// What each entry of a dictionary tells of a label: a resource's or a scope's, decoded when it is first wanted.
final class LogConstants {
    private let dictionary: StringDictionary
    private let value: (Span<UInt8>) -> String
    /// By entry; nil if nobody asked.
    private var values: [String?]
    private var whole: (offsets: Buffer<UInt32>, contents: Buffer<UInt8>)?
    private var knownAny: Bool?

    init(_ dictionary: StringDictionary, value: @escaping (Span<UInt8>) -> String) {
        self.dictionary = dictionary
        self.value = value
        values = Array(repeating: nil, count: dictionary.count)
    }

    private func text(_ entry: Int) -> String {
        if let known = values[entry] { return known }
        let dictionary = dictionary
        let text = value(dictionary.span(entry))
        values[entry] = text
        return text
    }

    func hasAny(of entries: [Int]) -> Bool { entries.contains { !text($0).isEmpty } }

    /// Whether any entry has the label.
    var hasAny: Bool {
        if let knownAny { return knownAny }
        let any = values.indices.contains { !text($0).isEmpty }
        knownAny = any
        return any
    }

    /// The label of rows by the codes of the dictionary.
    func column(_ codes: Buffer<UInt32>) -> LogTextColumn {
        let texts = whole ?? makeWhole()
        return LogTextColumn(codes: codes, offsets: texts.offsets, contents: texts.contents)
    }

    private func makeWhole() -> (offsets: Buffer<UInt32>, contents: Buffer<UInt8>) {
        var offsets: [UInt32] = [0]
        var contents: [UInt8] = []
        for entry in values.indices {
            contents.append(contentsOf: text(entry).utf8)
            offsets.append(UInt32(contents.count))
        }
        let made = (offsets: Buffer(offsets), contents: Buffer(contents))
        whole = made
        return made
    }

    /// Sets the label of the rows whose entry has it.
    func fill(_ builder: inout LogTextBuilder, _ rows: [UInt32], _ codes: Buffer<UInt32>) {
        var last: (entry: Int, code: UInt32)?
        var known: [Int: UInt32] = [:]
        for row in rows {
            let entry = Int(codes[Int(row)])
            if last?.entry != entry {
                let code = known[entry] ?? builder.add(text(entry))
                known[entry] = code
                last = (entry, code)
            }
            if let last, last.code != LogTextBuilder.empty { builder[Int(row)] = last.code }
        }
    }
}

/// Which attributes of a part or batch may become a label.
struct LogLabelKeys {
    /// The keys whose own names the label is.
    private(set) var exact: [[UInt8]] = []
    /// Whether members of maps or attributes beyond the limits may.
    private(set) var isComplex = false

    init(_ name: String, _ subcolumns: [(key: [UInt8], type: AttributeType)]) {
        for (key, type) in subcolumns {
            switch type {
            case .overflow: isComplex = true
            case .empty: continue
            case .map: if LogLabelName.canMake(name, from: key) { isComplex = true }
            default:
                if !exact.contains(key), LogLabelName.sanitized(String(decoding: key, as: UTF8.self)) == name {
                    exact.append(key)
                }
            }
        }
    }
}

extension LogLabelKeys {
    /// Whether an attribute may become one of the labels.
    static func mayMake(_ names: Set<String>, from subcolumns: [(key: [UInt8], type: AttributeType)]) -> Bool {
        subcolumns.contains { key, type in
            switch type {
            case .overflow: true
            case .empty: false
            case .map: names.contains { LogLabelName.canMake($0, from: key) }
            default: names.contains(LogLabelName.sanitized(String(decoding: key, as: UTF8.self)))
            }
        }
    }
}

/// Texts of fields and attributes of rows.
enum LogFieldTexts {
    /// Sets the label of the rows that have the field.
    static func fill(_ builder: inout LogTextBuilder, _ field: LogFields.Field, _ block: LogBlock) throws(QueryError) {
        let fields = try LogFields(block, LogLabelNames([field.label]))
        let texts = LogTexts(block.context)
        var last: (text: String, code: UInt32) = ("", LogTextBuilder.empty)
        var known: [String: UInt32] = [:]
        let bit: UInt8 = 1 << UInt8(field.rawValue)
        guard let end = block.rows.last else { return }
        let present = fields.present(0..<Int(end) + 1)
        for row in block.rows where present[Int(row)] & bit != 0 {
            let text = try fields.text(field, Int(row), texts)
            if text != last.text {
                let code = known[text] ?? builder.add(text)
                if known.count < 4096 { known[text] = code }
                last = (text, code)
            }
            builder[Int(row)] = last.code
        }
    }

    /// Sets the label of the rows that have the attribute.
    static func fill(
        _ builder: inout LogTextBuilder, _ key: [UInt8],
        _ values: (type: AttributeType, rows: [UInt32], values: Column)
    ) {
        if case (.string, .strings(let column)) = (values.type, values.values) {
            return fill(&builder, column, values.rows)
        }
        let subcolumn = AttributeSubcolumn(key: key, type: values.type, values: values.values)
        var known: [String: UInt32] = [:]
        for (slot, row) in values.rows.enumerated() {
            let text = subcolumn.value(slot).text
            if text.isEmpty { continue }
            let code = known[text] ?? builder.add(text)
            if known.count < 4096 { known[text] = code }
            builder[Int(row)] = code
        }
    }

    private static func fill(_ builder: inout LogTextBuilder, _ column: StringColumn, _ rows: [UInt32]) {
        var known: [UInt32] = []
        if column.dictionary.count <= 4 * rows.count { known = Array(repeating: .max, count: column.dictionary.count) }
        for (slot, row) in rows.enumerated() {
            let entry = Int(column.codes[slot])
            var code = known.isEmpty ? UInt32.max : known[entry]
            if code == .max {
                code = builder.add(column.dictionary.span(entry))
                if !known.isEmpty { known[entry] = code }
            }
            if code != LogTextBuilder.empty { builder[Int(row)] = code }
        }
    }
}

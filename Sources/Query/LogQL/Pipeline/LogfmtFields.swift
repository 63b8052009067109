import QueryModel

/// Labels out of lines in logfmt: `key=value key="quoted value" key`.
///
/// A malformed pair is skipped up to the next blank; only the strict form makes it an error.
enum LogfmtFields {
    static func extract(
        _ fields: [FieldExtraction], _ options: LogfmtOptions, into entry: inout PipelineEntry,
        observing observed: ObservedLabels
    ) {
        var missing = Set(fields.map(\.label))
        let failure = scan(Array(entry.line.utf8), isStrict: options.isStrict) { key, value in
            if fields.isEmpty {
                let name = key.sanitizedLabelName
                guard !name.isEmpty, options.keepsEmpty || !value.isEmpty, observed.mayShow(name) else { return }
                entry.extract(name, value)
            } else {
                for field in fields where field.expression == key {
                    if missing.remove(field.label) != nil { entry.extract(field.label, value) }
                }
            }
        }
        for field in fields where missing.contains(field.label) { entry.extract(field.label, "") }
        if let failure { entry.fail(.logfmt, details: failure) }
    }

    /// - Returns: why a strict scan stopped.
    static func scan(_ line: [UInt8], isStrict: Bool, _ visit: (String, String) -> Void) -> String? {
        var position = 0
        while true {
            while position < line.count, line[position] <= 0x20 { position += 1 }
            guard position < line.count else { return nil }
            if let pair = pair(line, &position) {
                visit(pair.key, pair.value)
                continue
            }
            if isStrict { return "logfmt syntax error at pos \(position + 1)" }
            while position < line.count, line[position] > 0x20 { position += 1 }
        }
    }

    private static func pair(_ line: [UInt8], _ position: inout Int) -> (key: String, value: String)? {
        let key = line[position...].prefix { $0 > 0x20 && $0 != UInt8(ascii: "=") && $0 != UInt8(ascii: "\"") }
        position = key.endIndex
        guard !key.isEmpty else { return nil }
        let name = String(decoding: key, as: UTF8.self)
        guard position < line.count, line[position] > 0x20 else { return (name, "") }
        guard line[position] == UInt8(ascii: "=") else { return nil }
        position += 1
        if position < line.count, line[position] == UInt8(ascii: "\"") {
            return quoted(line, &position).map { (name, $0) }
        }
        let value = line[position...].prefix { $0 > 0x20 && $0 != UInt8(ascii: "=") && $0 != UInt8(ascii: "\"") }
        position = value.endIndex
        guard position == line.count || line[position] <= 0x20 else { return nil }
        return (name, String(decoding: value, as: UTF8.self))
    }

    private static func quoted(_ line: [UInt8], _ position: inout Int) -> String? {
        let start = position + 1
        var end = start
        while end < line.count, line[end] != UInt8(ascii: "\"") {
            end += line[end] == UInt8(ascii: "\\") ? 2 : 1
        }
        guard end < line.count else {
            position = line.count
            return nil
        }
        position = end + 1
        guard position == line.count || line[position] <= 0x20 else { return nil }
        return try? JSONScanner.unescaped(line[start..<end])
    }
}

import QueryModel

/// Labels out of lines that are JSON objects: the stages `json` and `unpack`.
enum JSONFields {
    /// The member that holds the line in what `unpack` reads.
    static let packedLine = "_entry"

    static func extract(
        _ fields: [FieldExtraction], into entry: inout PipelineEntry, observing observed: ObservedLabels
    ) {
        var scanner = JSONScanner(Array(entry.line.utf8))
        do throws(JSONFault) {
            guard try scanner.kind() == .object else { throw JSONFault("expected an object") }
            if fields.isEmpty {
                try flatten(&scanner, prefix: [], depth: 0) { name, value in
                    if observed.mayShow(name) { entry.extract(name, value) }
                }
            } else {
                let start = scanner.position
                try scanner.skip()
                for field in fields {
                    entry.extract(field.label, try text(at: field.path, in: scanner.bytes, from: start) ?? "")
                }
            }
        } catch {
            entry.fail(.json, details: error.message)
        }
    }

    /// Hands over the scalar fields of nested objects with their joined names; arrays and nulls are skipped.
    static func flatten(
        _ scanner: inout JSONScanner, prefix: [UInt8], depth: Int, _ visit: (String, String) -> Void
    ) throws(JSONFault) {
        guard depth < JSONCursor.deepestNesting else { throw .init("nested too deeply") }
        try scanner.object { (scanner, key) throws(JSONFault) in
            let path = prefix.isEmpty ? Array(key) : prefix + [UInt8(ascii: "_")] + key
            switch try scanner.kind() {
            case .object: try flatten(&scanner, prefix: path, depth: depth + 1, visit)
            case .array, .null: try scanner.skip()
            case .string, .number, .boolean:
                let value = try scanner.text()
                let name = String(decoding: path, as: UTF8.self).sanitizedLabelName
                if !name.isEmpty { visit(name, value) }
            }
        }
    }

    /// The value at `path`; objects and arrays as JSON. Nil: there is none, or it is null.
    static func text(
        at path: [FieldStep], in bytes: [UInt8], from start: Int
    ) throws(JSONFault) -> String? {
        var scanner = JSONScanner(bytes, at: start)
        for step in path {
            var found: Int?
            switch (step, try scanner.kind()) {
            case (.key(let key), .object):
                try scanner.object { (scanner, raw) throws(JSONFault) in
                    if found == nil, try JSONScanner.unescaped(raw) == key { found = scanner.position }
                    try scanner.skip()
                }
            case (.index(let index), .array):
                try scanner.array { (scanner, position) throws(JSONFault) in
                    if position == index { found = scanner.position }
                    try scanner.skip()
                }
            default: return nil
            }
            guard let found else { return nil }
            scanner = JSONScanner(bytes, at: found)
        }
        return try scanner.kind() == .null ? nil : try scanner.text()
    }

    static func unpack(_ entry: inout PipelineEntry) {
        var scanner = JSONScanner(Array(entry.line.utf8))
        var labels: [Label] = []
        do throws(JSONFault) {
            try scanner.object { (scanner, key) throws(JSONFault) in
                guard try scanner.kind() == .string else {
                    try scanner.skip()
                    return
                }
                labels.append(Label(try JSONScanner.unescaped(key), try scanner.text()))
            }
        } catch {
            entry.fail(.json, details: error.message)
            return
        }
        for label in labels {
            if label.name == packedLine {
                entry.line = label.value
            } else {
                entry.extract(label.name.sanitizedLabelName, label.value)
            }
        }
    }
}

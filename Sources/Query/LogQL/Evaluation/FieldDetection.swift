package import Core
package import QueryModel
package import Scheduling

/// A field that lines or their structured metadata have, as clients offer it for filtering (rule L-27).
package struct DetectedField: Hashable, Sendable {
    package enum Kind: String, Sendable { case string, int, float, boolean, duration, bytes }
    package enum Parser: String, Sendable, Comparable {
        case json, logfmt

        package static func < (left: Parser, right: Parser) -> Bool { left.rawValue < right.rawValue }
    }

    package var label: String
    package var kind: Kind
    /// The distinct values in the sample, sorted.
    package var values: [String]
    /// Which stages give it; none of them: it is structured metadata.
    package var parsers: [Parser]
    /// The keys of nested objects under which it is found, before they are made a label.
    package var jsonPath: [String]
}

extension LogQLEngine {
    /// The fields of the `lineLimit` newest entries, sorted by name.
    package func detectedFields(
        _ selector: LogSelector, in range: TimeRange, lineLimit: Int, context: QueryContext
    ) throws(QueryError) -> [DetectedField] {
        let entries = try logs(LogQuery(selector: selector, range: range, limit: lineLimit), context: context)
        var detector = FieldDetector(stages: selector.stages)
        for entry in entries {
            try context.proceed()
            detector.take(entry)
        }
        return detector.fields
    }
}

/// Collects fields from entries.
private struct FieldDetector {
    private struct Found {
        var kinds: Set<DetectedField.Kind> = []
        var values: Set<String> = []
        var parsers: Set<DetectedField.Parser> = []
        var jsonPath: [String] = []
    }

    /// The parsers that the query itself has.
    private let queryParsers: Set<DetectedField.Parser>
    private var found: [String: Found] = [:]

    init(stages: [PipelineStage]) {
        var parsers: Set<DetectedField.Parser> = []
        for stage in stages {
            switch stage {
            case .json, .unpack: parsers.insert(.json)
            case .logfmt: parsers.insert(.logfmt)
            default: break
            }
        }
        queryParsers = parsers
    }

    mutating func take(_ entry: PipelineEntry) {
        for label in entry.metadata { add(label.name, label.value, parsers: [], path: []) }
        for label in entry.parsed where label.name != ErrorLabel.name && label.name != ErrorLabel.details {
            add(label.name, label.value, parsers: queryParsers, path: [])
        }
        let taken = Set(entry.streamLabels.map(\.name) + entry.metadata.map(\.name))
        let bytes = Array(entry.line.utf8)
        if let fields = JSONFields.paths(in: bytes) {
            for (path, value) in fields {
                let name = path.joined(separator: "_").sanitizedLabelName
                add(taken.contains(name) ? name + "_extracted" : name, value, parsers: [.json], path: path)
            }
            return
        }
        _ = LogfmtFields.scan(bytes, isStrict: false) { key, value in
            // Words without a value are prose, not fields.
            guard !value.isEmpty else { return }
            let name = key.sanitizedLabelName
            add(taken.contains(name) ? name + "_extracted" : name, value, parsers: [.logfmt], path: [])
        }
    }

    private mutating func add(
        _ name: String, _ value: String, parsers: Set<DetectedField.Parser>, path: [String]
    ) {
        guard name.isLabelName else { return }
        found[name, default: Found()].kinds.insert(Self.kind(of: value))
        found[name]?.values.insert(value)
        found[name]?.parsers.formUnion(parsers)
        if !path.isEmpty { found[name]?.jsonPath = path }
    }

    private static func kind(of value: String) -> DetectedField.Kind {
        if Int64(value) != nil { return .int }
        if let number = Numeral.parse(value), number.isFinite { return .float }
        if value == "true" || value == "false" { return .boolean }
        if Quantity.duration(value) != nil { return .duration }
        if Quantity.bytes(value) != nil { return .bytes }
        return .string
    }

    var fields: [DetectedField] {
        found.map { name, found in
            let kind: DetectedField.Kind =
                switch found.kinds {
                case [.int, .float]: .float
                default: found.kinds.count == 1 ? found.kinds.first ?? .string : .string
                }
            return DetectedField(
                label: name, kind: kind, values: found.values.sorted(), parsers: found.parsers.sorted(),
                jsonPath: found.jsonPath)
        }
        .sorted { $0.label < $1.label }
    }
}

extension JSONFields {
    /// The scalar fields of a JSON object with their paths. Nil: the line is none.
    fileprivate static func paths(in bytes: [UInt8]) -> [(path: [String], value: String)]? {
        var scanner = JSONScanner(bytes)
        guard (try? scanner.kind()) == .object else { return nil }
        var fields: [(path: [String], value: String)] = []
        do throws(JSONFault) {
            try collect(&scanner, path: [], into: &fields)
        } catch {
            return nil
        }
        return fields
    }

    private static func collect(
        _ scanner: inout JSONScanner, path: [String], into fields: inout [(path: [String], value: String)]
    ) throws(JSONFault) {
        guard path.count < JSONCursor.deepestNesting else { throw .init("nested too deeply") }
        try scanner.object { (scanner, key) throws(JSONFault) in
            let path = path + [try JSONScanner.unescaped(key)]
            switch try scanner.kind() {
            case .object: try collect(&scanner, path: path, into: &fields)
            case .array, .null: try scanner.skip()
            case .string, .number, .boolean: fields.append((path, try scanner.text()))
            }
        }
    }
}

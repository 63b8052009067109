internal import Core
internal import JSON
internal import QueryModel

/// The level of a log record (rule M-6): told by a label, by the severity, or by the line.
enum LogLevel {
    static let label = "detected_level"
    static let unknown = "unknown"

    /// Names of labels that tell a level, the best one first.
    private static let rankedNames = [
        "level", "LEVEL", "Level", "log.level", "log_level", "severity", "SEVERITY", "Severity", "SeverityText", "lvl",
        "LVL", "Lvl", "severity_text", "Severity_Text", "SEVERITY_TEXT",
    ]
    static let labelNames = Set(rankedNames)
    /// Those that can be a label's, the best one first.
    static let labelsByRank = rankedNames.filter { Labels.isPlainName($0) }
    /// Labels that tell a level, and the level itself.
    static let tellingNames = labelNames.union([label])
    private static let ranks = Dictionary(uniqueKeysWithValues: rankedNames.enumerated().map { ($1, $0) })

    /// The place of the name that tells the level best.
    static func bestLabel(_ names: [String]) -> Int? {
        var best: (rank: Int, place: Int)?
        for (place, name) in names.enumerated() {
            guard let rank = ranks[name], rank < best?.rank ?? .max else { continue }
            best = (rank, place)
        }
        return best?.place
    }

    /// The level that one of the labels tells, normalised.
    static func ofLabels(_ labels: [Label]) -> String? {
        bestLabel(labels.map(\.name)).map { normalized(labels[$0].value) }
    }

    /// The level that OTLP's severity number means.
    static func ofSeverity(_ number: Int64) -> String? {
        switch number {
        case 1...4: "trace"
        case 5...8: "debug"
        case 9...12: "info"
        case 13...16: "warn"
        case 17...20: "error"
        case 21...24: "fatal"
        default: nil
        }
    }

    /// A level's usual name, or the text itself if it is no level that is known.
    static func normalized(_ text: String) -> String {
        // No spelling of a level is longer.
        guard text.utf8.count <= 11 else { return text }
        return known(text) ?? text
    }

    private static func known(_ text: String) -> String? {
        switch text.lowercased() {
        case "trace", "trc": "trace"
        case "debug", "dbg": "debug"
        case "info", "inf", "information": "info"
        case "warn", "wrn", "warning": "warn"
        case "error", "err": "error"
        case "critical": "critical"
        case "fatal": "fatal"
        default: nil
        }
    }

    // MARK: Lines

    /// The level that a line tells: a field of it, if it is a JSON object or has `key=value` pairs, or else its first word
    /// that is a level.
    static func ofLine(_ line: Span<UInt8>) -> String {
        let field = first(line) == UInt8(ascii: "{") ? jsonField(line) : logfmtField(line)
        return field.flatMap { $0.utf8.count <= 11 ? known($0) : nil } ?? firstWord(line) ?? unknown
    }

    /// The first byte that is no space.
    private static func first(_ line: Span<UInt8>) -> UInt8? {
        for index in line.indices where !isSpace(line[index]) { return line[index] }
        return nil
    }

    private static func isFieldName(_ name: Span<UInt8>) -> Bool {
        switch name.count {
        case 3: isEqual(name, "lvl")
        case 5: isEqual(name, "level")
        case 8: isEqual(name, "severity")
        case 9: isEqual(name, "log.level") || isEqual(name, "log_level")
        case 12: isEqual(name, "severitytext")
        case 13: isEqual(name, "severity_text")
        default: false
        }
    }

    /// Whether the bytes are a text of lower-case letters and signs, in whatever case.
    private static func isEqual(_ bytes: Span<UInt8>, _ text: StaticString) -> Bool {
        guard bytes.count == text.utf8CodeUnitCount else { return false }
        for index in 0..<bytes.count where unsafe lowered(bytes[index]) != text.utf8Start[index] { return false }
        return true
    }

    /// The first field of that kind in an object or in the objects in it.
    private static func jsonField(_ line: Span<UInt8>) -> String? {
        unsafe line.withUnsafeBytes { unsafe jsonField(JSONReader($0)) }
    }

    private static func jsonField(_ reader: consuming JSONReader) -> String? {
        var depth = 0
        do throws(JSONError) {
            guard try reader.next() == .beginObject else { return nil }
            depth = 1
            while depth > 0 {
                guard case .key(let key) = try reader.next() else {
                    depth -= 1
                    continue
                }
                let isLevel = unsafe isFieldName(Span(_unsafeBytes: reader.rawBytes(key)))
                let value = try reader.next()
                switch value {
                case .string(let slice), .number(let slice):
                    if isLevel { return reader.string(slice) }
                case .beginObject where depth < 2: depth += 1
                default: try reader.skip(value)
                }
            }
        } catch {
            return nil
        }
        return nil
    }

    /// The value of the first `key=value` of that kind. A value in quotes ends at the next quote that no backslash escapes.
    private static func logfmtField(_ line: Span<UInt8>) -> String? {
        var start = 0
        var index = 0
        while index < line.count {
            let byte = line[index]
            index += 1
            if isSpace(byte) {
                start = index
            } else if byte == UInt8(ascii: "=") {
                let isLevel = isFieldName(line.extracting(start..<(index - 1)))
                let value = logfmtValue(line, at: &index)
                if isLevel { return String(repairing: line.extracting(value)) }
                start = index
            }
        }
        return nil
    }

    private static func logfmtValue(
        _ line: Span<UInt8>, at index: inout Int
    ) -> Range<Int> {
        let quote = UInt8(ascii: "\"")
        guard index < line.count, line[index] == quote else {
            let start = index
            while index < line.count, !isSpace(line[index]) { index += 1 }
            return start..<index
        }
        index += 1
        let start = index
        while index < line.count, line[index] != quote {
            index += line[index] == UInt8(ascii: "\\") ? 2 : 1
        }
        let end = min(index, line.count)
        index = min(index + 1, line.count)
        return start..<end
    }

    /// The level whose whole word comes first.
    private static func firstWord(_ line: Span<UInt8>) -> String? {
        var index = 0
        while index < line.count {
            guard isWordByte(line[index]) else {
                index += 1
                continue
            }
            let start = index
            while index < line.count, isWordByte(line[index]) { index += 1 }
            let word = line.extracting(start..<index)
            if let level = level(ofWord: word) { return level }
        }
        return nil
    }

    private static func level(ofWord word: Span<UInt8>) -> String? {
        switch word.count {
        case 3: isEqual(word, "err") ? "error" : nil
        case 4: isEqual(word, "warn") ? "warn" : isEqual(word, "info") ? "info" : nil
        case 5:
            isEqual(word, "trace")
                ? "trace"
                : isEqual(word, "debug")
                    ? "debug"
                    : isEqual(word, "fatal") ? "fatal" : isEqual(word, "error") ? "error" : nil
        case 7: isEqual(word, "warning") ? "warn" : nil
        case 8: isEqual(word, "critical") ? "critical" : nil
        default: nil
        }
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

    private static func lowered(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }

    private static func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x5F, 0x80...0xFF: true
        default: false
        }
    }
}

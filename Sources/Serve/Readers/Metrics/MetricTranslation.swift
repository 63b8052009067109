/// How OTLP's names become Prometheus's (rule T-1).
package enum TranslationStrategy: String, Sendable, CaseIterable {
    case underscoreEscapingWithSuffixes = "UnderscoreEscapingWithSuffixes"
    case underscoreEscapingWithoutSuffixes = "UnderscoreEscapingWithoutSuffixes"
    case noUTF8EscapingWithSuffixes = "NoUTF8EscapingWithSuffixes"
    case noTranslation = "NoTranslation"

    var escapes: Bool {
        self == .underscoreEscapingWithSuffixes || self == .underscoreEscapingWithoutSuffixes
    }

    var addsSuffixes: Bool {
        self == .underscoreEscapingWithSuffixes || self == .noUTF8EscapingWithSuffixes
    }
}

/// What of OTLP's resources and scopes shows on series, and by which names (rules T-1, T-6, T-8).
package struct MetricTranslation: Sendable {
    package var strategy: TranslationStrategy
    /// Resource attributes that become labels of every series.
    package var promotedResourceAttributes: Set<String>
    /// Whether all resource attributes do, but for those in `ignoredResourceAttributes`.
    package var promotesAllResourceAttributes: Bool
    package var ignoredResourceAttributes: Set<String>
    /// Whether the scope's name, version, schema URL and attributes become labels.
    package var promotesScopeMetadata: Bool

    package init(
        strategy: TranslationStrategy = .underscoreEscapingWithSuffixes,
        promotedResourceAttributes: Set<String> = [], promotesAllResourceAttributes: Bool = false,
        ignoredResourceAttributes: Set<String> = [], promotesScopeMetadata: Bool = false
    ) {
        self.strategy = strategy
        self.promotedResourceAttributes = promotedResourceAttributes
        self.promotesAllResourceAttributes = promotesAllResourceAttributes
        self.ignoredResourceAttributes = ignoredResourceAttributes
        self.promotesScopeMetadata = promotesScopeMetadata
    }

    func promotes(resourceAttribute key: String) -> Bool {
        promotesAllResourceAttributes
            ? !ignoredResourceAttributes.contains(key) : promotedResourceAttributes.contains(key)
    }
}

/// The names of metrics and labels (rules T-2 to T-4).
package struct NameTranslation: Sendable {
    /// What a name's suffix depends on.
    package enum MetricType: Sendable {
        case gauge
        /// A monotonic sum.
        case counter
        case other
    }

    package let strategy: TranslationStrategy

    package init(_ strategy: TranslationStrategy) { self.strategy = strategy }

    // MARK: Metrics

    /// The metric family's name, or nil if nothing is left of it: then the metric has no series.
    package func metricName(_ name: String, unit: String, type: MetricType) -> String? {
        let result =
            switch strategy {
            case .underscoreEscapingWithSuffixes: Self.escaped(name, unit, type)
            case .underscoreEscapingWithoutSuffixes: Self.escapedWithoutSuffixes(name)
            case .noUTF8EscapingWithSuffixes: Self.suffixed(name, unit, type)
            case .noTranslation: name
            }
        return result.utf8.allSatisfy { $0 == UInt8(ascii: "_") } ? nil : result
    }

    private static func escaped(_ name: String, _ unit: String, _ type: MetricType) -> String {
        var words = words(of: name) { isWordCharacter($0) || $0 == ":" }
        let (main, per) = unitWords(unit)
        let mainWord = joined(main)
        let perWord = joined(per).isEmpty ? "" : "per_" + joined(per)
        // Both are looked for in the name as it came: `per_second` is no repetition of an appended word.
        let additions = [mainWord, perWord].filter { !$0.isEmpty && !words.contains($0) }
        words += additions
        if let suffix = suffix(unit, type) {
            words.removeAll { $0 == suffix }
            words.append(suffix)
        }
        return withoutLeadingDigit(words.joined(separator: "_"))
    }

    private static func escapedWithoutSuffixes(_ name: String) -> String {
        withoutLeadingDigit(
            words(of: name) { isWordCharacter($0) || $0 == ":" || $0 == "_" }.joined(separator: "_"))
    }

    /// The name as it is, with the suffixes that it does not end with.
    private static func suffixed(_ name: String, _ unit: String, _ type: MetricType) -> String {
        var result = name
        func trim(_ word: String) {
            if result.hasSuffix(word), result != word {
                result.removeLast(word.count)
                if let last = result.last, "_.".contains(last) { result.removeLast() }
            }
        }
        let suffix = suffix(unit, type)
        let (main, per) = unitWords(unit)
        if let suffix { trim(suffix) }
        if !per.isEmpty { trim("per_" + per) }
        if !main.isEmpty, !result.hasSuffix(main) { result += "_" + main }
        if !per.isEmpty { result += "_per_" + per }
        if let suffix { result += "_" + suffix }
        return result
    }

    private static func suffix(_ unit: String, _ type: MetricType) -> String? {
        switch type {
        case .counter: "total"
        case .gauge: unit == "1" ? "ratio" : nil
        case .other: nil
        }
    }

    // MARK: Units

    private static let words: [String: String] = [
        "d": "days", "h": "hours", "min": "minutes", "s": "seconds", "ms": "milliseconds",
        "us": "microseconds", "ns": "nanoseconds", "By": "bytes", "KiBy": "kibibytes",
        "MiBy": "mebibytes", "GiBy": "gibibytes", "TiBy": "tebibytes", "KBy": "kilobytes",
        "MBy": "megabytes", "GBy": "gigabytes", "TBy": "terabytes", "m": "meters", "V": "volts",
        "A": "amperes", "J": "joules", "W": "watts", "g": "grams", "Cel": "celsius", "Hz": "hertz",
        "1": "", "%": "percent",
    ]

    private static let wordsAfterSlash: [String: String] = [
        "s": "second", "m": "minute", "h": "hour", "d": "day", "w": "week", "mo": "month",
        "y": "year",
    ]

    /// The words of a unit before and after its slash (rule T-3); annotations in braces have none.
    private static func unitWords(_ unit: String) -> (main: String, per: String) {
        let sides = unit.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        func word(_ side: Substring, _ known: [String: String]) -> String {
            let text = trimmed(side)
            guard !text.contains("{"), !text.contains("}") else { return "" }
            return known[text] ?? text
        }
        return (
            sides.first.map { word($0, words) } ?? "",
            sides.count > 1 ? word(sides[1], wordsAfterSlash) : ""
        )
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text
        while let first = text.first, first.isWhitespace { text.removeFirst() }
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return String(text)
    }

    /// The unit as `/api/v1/metadata` shows it (rule P-23).
    package static func unitText(_ unit: String) -> String {
        let (main, per) = unitWords(unit)
        let words = [joined(main), joined(per).isEmpty ? "" : "per_" + joined(per)]
        return words.filter { !$0.isEmpty }.joined(separator: "_")
    }

    // MARK: Labels

    /// The label that an attribute becomes (rule T-4).
    package func labelName(_ key: String) -> String {
        guard strategy.escapes else { return key }
        var name = ""
        for scalar in key.unicodeScalars {
            name.unicodeScalars.append(Self.isWordCharacter(scalar) ? scalar : "_")
        }
        if let first = name.utf8.first, (0x30...0x39).contains(first) { return "key_" + name }
        if name.hasPrefix("_"), !name.hasPrefix("__") { return "key" + name }
        return name
    }

    // MARK: Characters

    private static func isWordCharacter(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9": true
        default: false
        }
    }

    private static func words(
        of text: String, where isInside: (Unicode.Scalar) -> Bool
    ) -> [String] {
        text.unicodeScalars.split { !isInside($0) }.map { String($0) }
    }

    /// The word's parts that may stand in a name.
    private static func joined(_ text: String) -> String {
        words(of: text, where: isWordCharacter).joined(separator: "_")
    }

    private static func withoutLeadingDigit(_ name: String) -> String {
        if let first = name.utf8.first, (0x30...0x39).contains(first) { return "_" + name }
        return name
    }
}

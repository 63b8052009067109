internal import Columns
internal import Core
internal import Pattern
internal import Plans
internal import QueryModel
internal import TableSchema
internal import Telemetry

/// What of a log query the columns can answer. Every row that the whole query accepts passes; others may pass too, and are tested
/// where labels and lines are made.
struct LogPredicates {
    let table: LogTable
    let rules: LogLabelRules

    // MARK: Streams

    /// The rows whose resource the selector accepts, and of the conditions on labels those that an index label does not fail.
    ///
    /// - Parameter resource: the column of resources.
    func streams(_ selector: [LabelMatcher], labels: [LabelMatcher], resource: ColumnID) -> Predicate {
        var parts: [Predicate] = []
        for matcher in selector {
            if matcher.matchesAllNonEmpty, matcher.matchesEmpty || matcher.name == LogLabelRules.serviceName {
                // No stream is without a service's name.
                continue
            } else if rules.hasIndexLabel(matcher.name) {
                parts.append(Self.test(stream(matcher.name, resource), matcher))
            } else if !matcher.matchesEmpty {
                return .noRow
            }
        }
        for matcher in labels where rules.hasIndexLabel(matcher.name) {
            let label = stream(matcher.name, resource)
            let accepted = Self.test(label, matcher)
            parts.append(matcher.matchesEmpty ? accepted : .any([.test(label, .text(.equal, [])), accepted]))
        }
        return .every(parts)
    }

    private func stream(_ name: String, _ resource: ColumnID) -> Operand {
        .derived(resource, LogScanFunctions.derivation(.streamLabel, name))
    }

    /// Texts are compared as `LabelMatcher` does. Of a value that is not there it is the negation that holds.
    private static func test(_ operand: Operand, _ matcher: LabelMatcher) -> Predicate {
        switch matcher.operator {
        case .equal: .test(operand, .shown(matcher.value))
        case .notEqual: .not(.test(operand, .shown(matcher.value)))
        case .regex: .test(operand, .matches(matcher.value, isAnchored: true))
        case .notRegex: .not(.test(operand, .matches(matcher.value, isAnchored: true)))
        }
    }

    // MARK: Lines

    /// What lines must hold, for the indexes of texts and templates.
    func lines(_ lines: [LinePredicate]) -> Predicate {
        .every(
            lines.flatMap(Self.required).map { texts in
                // The line of a body that is no string is another text than what is stored.
                let others = Int64(AttributeType.string.rawValue) + 1...Int64.max
                return .hint(
                    .any(
                        texts.map { .test(.column(table.body.id), .contains($0)) }
                            + [.integer(table.bodyType.id, others)]))
            })
    }

    /// Sets of texts, of each of which a line must hold one.
    private static func required(_ predicate: LinePredicate) -> [[[UInt8]]] {
        switch predicate {
        case .contains(let texts): return [texts.map { Array($0.utf8) }]
        case .matches(let patterns):
            if patterns.count == 1 { return patterns[0].required }
            var texts: [[UInt8]] = []
            for pattern in patterns {
                guard let first = pattern.required.first else { return [] }
                texts += first
            }
            return texts.isEmpty ? [] : [texts]
        case .lacks, .mismatches: return []
        }
    }

    // MARK: Labels

    /// What conditions on labels say of fields and attributes, where these come before everything else that may have the name.
    func labels(_ matchers: [LabelMatcher]) -> Predicate { .every(matchers.compactMap(label)) }

    private func label(_ matcher: LabelMatcher) -> Predicate? {
        // Index labels come first.
        guard !rules.hasIndexLabel(matcher.name) else { return nil }
        switch matcher.name {
        case LogLevel.label: return level(matcher)
        case LogFields.Field.severityNumber.label: return severityNumber(matcher)
        case LogFields.Field.severityText.label: return severityText(matcher)
        default:
            guard matcher.operator == .equal, !matcher.value.isEmpty,
                !LogFields.Field.allCases.contains(where: { $0.label == matcher.name })
            else { return nil }
            return .any([
                .hint(.test(attribute(matcher.name), .shown(matcher.value))),
                Self.test(resource(matcher.name), matcher), Self.test(scope(matcher.name), matcher),
            ])
        }
    }

    private func attribute(_ name: String) -> Operand {
        .attributes(table.attributes.id, LogScanFunctions.derivation(.attributeLabel, name))
    }

    private func resource(_ name: String) -> Operand {
        .derived(table.resource.id, LogScanFunctions.derivation(.resourceLabel, name))
    }

    private func scope(_ name: String) -> Operand {
        .derived(table.scope.id, LogScanFunctions.derivation(.scopeLabel, name))
    }

    // MARK: Severity

    /// Rows whose resource or scope has the label, and those of parts that have an attribute which may become it: to these a field that
    /// is not set leaves it.
    private func others(_ name: String) -> Predicate {
        .any([.hint(.exists(attribute(name))), .exists(resource(name)), .exists(scope(name))])
    }

    private func severityNumber(_ matcher: LabelMatcher) -> Predicate? {
        let ranges = Self.ranges { matcher.matches(String($0)) }
        if matcher.matchesEmpty, ranges == [.min...(.max)] { return nil }
        let column = table.severityNumber.id
        let set = ranges.flatMap { Self.without(0, $0) }.map { Predicate.integer(column, $0) }
        let isUnset = Predicate.integer(column, 0)
        return .any(set + [matcher.matchesEmpty ? isUnset : .all([isUnset, others(matcher.name)])])
    }

    private func severityText(_ matcher: LabelMatcher) -> Predicate? {
        let text = Operand.derived(table.severityText.id, LogScanFunctions.derivation(.severityText))
        let accepted = Predicate.all([.exists(text), Self.test(text, matcher)])
        let isUnset = Predicate.not(.exists(text))
        return .any([accepted, matcher.matchesEmpty ? isUnset : .all([isUnset, others(matcher.name)])])
    }

    /// A level is told by a label that is called so, by the severity's text, by its number, or by the line (rule M-6).
    private func level(_ matcher: LabelMatcher) -> Predicate? {
        let text = Operand.derived(table.severityText.id, LogScanFunctions.derivation(.severityLevel))
        let ranges = Self.ranges { LogLevel.ofSeverity($0).map(matcher.matches) ?? true }
        let byNumber = Predicate.any(ranges.map { .integer(table.severityNumber.id, $0) })
        return .any([
            .all([.exists(text), Self.test(text, matcher)]), .all([.not(.exists(text)), byNumber]),
            .hint(.exists(.attributes(table.attributes.id, LogScanFunctions.derivation(.attributeLevel)))),
            .exists(.derived(table.resource.id, LogScanFunctions.derivation(.resourceLevel))),
            .exists(.derived(table.scope.id, LogScanFunctions.derivation(.scopeLevel))),
        ])
    }

    /// OTLP's severity numbers that are accepted, and all others: those say nothing.
    private static func ranges(_ accepts: (Int64) -> Bool) -> [ClosedRange<Int64>] {
        var ranges: [ClosedRange<Int64>] = [.min...0]
        for number in Int64(1)...25 where number == 25 || accepts(number) {
            let last = number == 25 ? Int64.max : number
            if let range = ranges.last, range.upperBound == number - 1 {
                ranges[ranges.count - 1] = range.lowerBound...last
            } else {
                ranges.append(number...last)
            }
        }
        return ranges
    }

    private static func without(_ number: Int64, _ range: ClosedRange<Int64>) -> [ClosedRange<Int64>] {
        guard range.contains(number) else { return [range] }
        return (range.lowerBound < number ? [range.lowerBound...(number - 1)] : [])
            + (number < range.upperBound ? [(number + 1)...range.upperBound] : [])
    }
}

extension Predicate {
    /// All of them, without those that are nothing.
    static func every(_ parts: [Predicate]) -> Predicate {
        let flat = parts.flatMap { part -> [Predicate] in
            if case .all(let inner) = part { inner } else { [part] }
        }
        return flat.count == 1 ? flat[0] : .all(flat)
    }

    /// The column's id is this trace's.
    static func trace(_ column: ColumnID, _ id: TraceID) -> Predicate {
        .test(.column(column), .ids([WideID(high: id.high, low: id.low)]))
    }
}

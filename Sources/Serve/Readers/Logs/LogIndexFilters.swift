internal import Columns
internal import Parts
internal import Pattern
internal import QueryModel
internal import Storage
internal import Telemetry

/// Which blocks a log query need not look at, as far as indexes of tokens tell. Rows are filtered elsewhere.
enum LogIndexFilters {
    /// Of conditions on lines.
    static func make(_ lines: [LinePredicate], _ table: LogTable) -> [RowFilter] {
        lines.flatMap(required).compactMap { texts in
            guard let probe = IndexProbe.containing(anyOf: texts) else { return nil }
            // The line of a body that is no string is another text than what is stored.
            return .anyOf([
                .indexed(table.body.ordinal, probe),
                .integers(table.bodyType.ordinal, Int64(AttributeType.string.rawValue) + 1...Int64.max),
            ])
        }
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

    /// Of conditions on labels: those that an attribute must have become, unless a resource or scope has the label.
    static func make(
        _ hints: [LabelMatcher], _ table: LogTable, rules: LogLabelRules, _ identities: LogIdentities
    ) -> [RowFilter] {
        hints.compactMap { hint in
            guard hint.operator == .equal, !hint.value.isEmpty, !rules.hasIndexLabel(hint.name),
                hint.name != LogLevel.label, !LogFields.Field.allCases.contains(where: { $0.label == hint.name })
            else { return nil }
            let probe = AttributeProbe(text: hint.value) { key in
                let name = LogLabelName.sanitized(String(decoding: key, as: UTF8.self))
                if name == hint.name { return .whole }
                return LogLabelName.canMake(hint.name, from: key) ? .members : .none
            }
            return .anyOf([
                .indexed(table.attributes.ordinal, .attribute(probe)),
                .strings(table.resource.ordinal) { bytes in
                    identities.resource(bytes).metadata.contains { $0.name == hint.name }
                },
                .strings(table.scope.ordinal) { bytes in
                    identities.scope(bytes).metadata.contains { $0.name == hint.name }
                },
            ])
        }
    }
}

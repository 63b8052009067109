import Settings

/// Tags of Jaeger's searches as conditions (rules J-8, J-9).
///
/// Some keys have a meaning beside the attributes of that name: what Jaeger shows as a tag although nobody sent it, and what its
/// storage reads. An attribute that was sent is found under its name all the same.
extension SpanCondition {
    package static func tag(_ key: String, _ value: String) -> SpanCondition {
        let sent = test(.attribute(key, in: .everywhere), .equal([.text(value)]))
        guard let meant = virtualTag(key, value) else { return sent }
        switch key {
        // That the tag is there and true, or that it is not: the two part all spans.
        case "error": return meant
        default: return .any([meant, sent])
        }
    }

    private static func virtualTag(_ key: String, _ value: String) -> SpanCondition? {
        switch key {
        case "error": return FlagText.flag(value).map { $0 ? failed : .not(failed) }
        case "span.kind":
            // A kind that is not there is not "unspecified" to those who ask for nothing.
            guard !value.isEmpty, let kind = SpanKindName.kind(named: value) else { return .never }
            return field(.kind, SpanKindName.word(of: kind))
        case "span.status":
            return SpanStatusName.code(named: value).map { field(.status, SpanStatusName.word(of: $0)) } ?? .never
        case "otel.status_code":
            // A span without a status shows no such tag.
            guard let code = SpanStatusName.code(named: value), code != 0 else { return .never }
            return field(.status, SpanStatusName.word(of: code))
        case "otel.status_description": return field(.statusMessage, value)
        case "w3c.tracestate": return field(.traceState, value)
        case "scope.name", "otel.scope.name": return field(.scopeName, value)
        case "scope.version", "otel.scope.version": return field(.scopeVersion, value)
        default: break
        }
        for (prefix, scope) in [("resource.", AttributeScopes.resource), ("scope.", .scope)] where key.hasPrefix(prefix)
        {
            return test(.attribute(String(key.dropFirst(prefix.count)), in: scope), .equal([.text(value)]))
        }
        return nil
    }

    /// Its status is an error, or an attribute says so: then Jaeger shows `error=true`, whoever sent it.
    private static let failed = SpanCondition.any([
        field(.status, "error"),
        test(
            .attribute("error", in: .everywhere),
            .equal(
                [.bool(true), .integer(1), .double(1)] + ["true", "1", "t", "T", "TRUE", "True"].map { .string($0) })),
    ])

    private static func field(_ field: SpanField, _ value: String) -> SpanCondition {
        test(.field(field), .equal([.string(value)]))
    }
}

package import Core

/// What a key, or a token, allows.
package struct Grant: Hashable, Sendable {
    package struct Scopes: OptionSet, Hashable, Sendable {
        package let rawValue: UInt8

        package init(rawValue: UInt8) { self.rawValue = rawValue }

        package static let ingest = Scopes(rawValue: 1)
        package static let query = Scopes(rawValue: 2)
        package static let admin = Scopes(rawValue: 4)

        package static let names: [(name: String, element: Scopes)] = [
            ("ingest", .ingest), ("query", .query), ("admin", .admin),
        ]

        static func named(_ name: String) -> Scopes? { names.first { $0.name == name }?.element }
    }

    package struct Signals: OptionSet, Hashable, Sendable {
        package let rawValue: UInt8

        package init(rawValue: UInt8) { self.rawValue = rawValue }

        package static let traces = Signals(rawValue: 1)
        package static let logs = Signals(rawValue: 2)
        package static let metrics = Signals(rawValue: 4)
        package static let all: Signals = [.traces, .logs, .metrics]

        package static let names: [(name: String, element: Signals)] = [
            ("traces", .traces), ("logs", .logs), ("metrics", .metrics),
        ]
    }

    package var scopes: Scopes
    package var signals: Signals
    package var tenants: TenantPatterns

    package init(scopes: Scopes, signals: Signals = .all, tenants: TenantPatterns = .default) {
        self.scopes = scopes
        self.signals = signals
        self.tenants = tenants
    }
}

/// The tenants that a request may name: names, and patterns in which `*` stands for any letters.
package struct TenantPatterns: Hashable, Sendable {
    package let patterns: [String]

    package static let `default` = TenantPatterns(unchecked: [TenantID.default.name])

    private init(unchecked patterns: [String]) { self.patterns = patterns }

    /// - Returns: nil if there is none, or one could be no tenant's name.
    package init?(_ patterns: [String]) {
        guard !patterns.isEmpty, patterns.allSatisfy({ TenantID($0) != nil }) else { return nil }
        self.patterns = patterns
    }

    /// Whose a request is that names no tenant: the first one's that is no pattern; of patterns alone the default tenant's, if they
    /// allow it.
    package var ofUnnamed: TenantID? {
        if let name = patterns.first(where: { !$0.utf8.contains(UInt8(ascii: "*")) }) { return TenantID(name) }
        return allows(.default) ? .default : nil
    }

    package func allows(_ tenant: TenantID) -> Bool {
        patterns.contains { Self.matches(Array(tenant.name.utf8), Array($0.utf8)) }
    }

    /// In time that grows with the product of the lengths, which are short.
    private static func matches(_ text: [UInt8], _ pattern: [UInt8]) -> Bool {
        var (place, next) = (0, 0)
        // After the last star: where the pattern goes on, and how much of the text the star has.
        var star: (pattern: Int, text: Int)?
        while place < text.count {
            if next < pattern.count, pattern[next] == UInt8(ascii: "*") {
                next += 1
                star = (next, place)
            } else if next < pattern.count, pattern[next] == text[place] {
                place += 1
                next += 1
            } else if let last = star {
                star = (last.pattern, last.text + 1)
                (next, place) = (last.pattern, last.text + 1)
            } else {
                return false
            }
        }
        return pattern[next...].allSatisfy { $0 == UInt8(ascii: "*") }
    }
}

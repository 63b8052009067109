package import Core

/// Whom limits are for.
package enum LimitSubject: Hashable, Sendable, CustomStringConvertible {
    case tenant(TenantID)
    /// A key of the auth-file, by its name.
    case key(String)
    /// All tenants for which there is no room of their own.
    case others

    package var description: String {
        switch self {
        case .tenant(let tenant): "tenant \(tenant)"
        case .key(let name): "key \(name)"
        case .others: "all tenants that were not seen before"
        }
    }

    /// The kind, for counters.
    package var kind: String {
        switch self {
        case .tenant, .others: "tenant"
        case .key: "key"
        }
    }
}

/// What a request would exceed.
package struct LimitRefusal: Error, Hashable, Sendable {
    package let limit: Limit
    package let subject: LimitSubject
    /// The limit, as its file has it.
    package let value: String
    /// Seconds after which the same request may be taken; nil if it never will.
    package let retryAfter: Int?

    package init(_ limit: Limit, of subject: LimitSubject, _ value: String, retryAfter: Int?) {
        self.limit = limit
        self.subject = subject
        self.value = value
        self.retryAfter = retryAfter
    }

    package var message: String { reason + (retryAfter.map { "; come again in \($0) s" } ?? "") }

    /// The same without when to come again: for what is not to be sent again.
    package var reason: String { "\(what): \(limit.key) of \(subject) is \(value)" }

    private var what: String {
        switch limit {
        case .rows: "too many spans, log records or data points come in"
        case .bytes: "too many bytes come in"
        case .newSeries: "too many time series are new"
        case .activeSeries: "there are too many active time series"
        case .queryConcurrency: "too many queries are running"
        case .queryMemory: "the query needs too much memory"
        case .queryRange: "the query asks for too long a time"
        }
    }

    /// The longest that anybody is told to wait.
    private static let longestWait: Int64 = 3600

    /// Whole seconds, at least one: what HTTP can say.
    static func seconds(_ nanoseconds: Int64) -> Int {
        let (whole, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        return Int(min(max(whole + (rest > 0 ? 1 : 0), 1), longestWait))
    }
}

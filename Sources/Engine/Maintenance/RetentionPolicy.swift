package import Core
package import TableSchema

/// How long some rows live, instead of what Schema/ says.
package struct RetentionRule: Hashable, Sendable {
    /// Whose rows; nil: everybody's.
    package var tenant: TenantID?
    /// Nil: of every table.
    package var table: TableID?
    /// The value of `service_name`; nil: of every service.
    package var service: [UInt8]?
    /// In nanoseconds; nil: for ever.
    package var timeToLive: Int64?

    package init(
        tenant: TenantID? = nil, table: TableID? = nil, service: [UInt8]? = nil, timeToLive: Int64?
    ) {
        self.tenant = tenant
        self.table = table
        self.service = service
        self.timeToLive = timeToLive
    }

    /// The more a rule names, the more it counts: a service above a tenant, a tenant above a table.
    fileprivate var weight: Int { (service == nil ? 0 : 4) + (tenant == nil ? 0 : 2) + (table == nil ? 0 : 1) }
}

/// How long rows are kept, and how many.
package struct RetentionPolicy: Sendable {
    /// Of rules that apply to a row, the one that names most counts, and of equals the last.
    package var rules: [RetentionRule] = []
    /// The most bytes of all parts; beyond, the oldest partitions go.
    package var byteLimit: Int64?

    package init() {}

    /// How long the rows of one tenant's table live.
    package func lives(tenant: TenantID, table: TableDefinition) -> RowLives {
        let rules = rules.filter { ($0.tenant ?? tenant) == tenant && ($0.table ?? table.id) == table.id }
        // The last of those that weigh most.
        func strongest(_ some: [RetentionRule]) -> RetentionRule? {
            some.reduce(nil) { best, rule in best.map { $0.weight > rule.weight ? $0 : rule } ?? rule }
        }
        var lives = RowLives(others: table.timeToLive, services: [:])
        if let rule = strongest(rules.filter { $0.service == nil }) { lives.others = rule.timeToLive }
        guard table.column(Self.serviceColumn) != nil else { return lives }
        for service in Set(rules.compactMap(\.service)) {
            if let rule = strongest(rules.filter { $0.service == service }) {
                lives.services[service] = .some(rule.timeToLive)
            }
        }
        return lives
    }

    static let serviceColumn = "service_name"

    /// The column from whose time rows live.
    static func timeColumn(_ table: TableDefinition) -> ColumnID { table.ttlColumn ?? table.partitionColumn }
}

/// How long the rows of one tenant's table live, in nanoseconds; nil is for ever.
package struct RowLives: Hashable, Sendable {
    /// Of services without a rule of their own.
    package var others: Int64?
    package var services: [[UInt8]: Int64?]

    /// When the last row has expired, or nil if some live for ever.
    package var longest: Int64? {
        var longest = others
        for life in services.values {
            guard let life, let known = longest else { return nil }
            longest = max(known, life)
        }
        return longest
    }

    /// Whether some rows may go before the last ones.
    package var differ: Bool { services.values.contains { $0 != others } }

    /// The distinct lives that end.
    var distinct: Set<Int64> { Set((Array(services.values) + [others]).compactMap { $0 }) }

    /// The time before which rows have expired, by what they are.
    package func limits(now: Timestamp) -> ExpiryLimits {
        func limit(_ life: Int64?) -> Int64 { life.map { now.advanced(by: -$0).nanoseconds } ?? .min }
        return ExpiryLimits(others: limit(others), services: services.mapValues { limit($0) })
    }
}

/// Rows before these times have expired: nanoseconds since the epoch.
package struct ExpiryLimits: Hashable, Sendable {
    package var others: Int64
    package var services: [[UInt8]: Int64]

    var latest: Int64 { services.values.reduce(others) { max($0, $1) } }
}

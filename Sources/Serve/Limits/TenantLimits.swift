internal import Core
package import Settings

/// What one tenant, or one key, may do; nil is no limit.
package struct TenantLimits: Hashable, Sendable {
    /// Spans, log records and data points, as they are sent.
    package var rows: Rate?
    /// Of bodies, as received.
    package var bytes: Rate?
    package var newSeries: Rate?
    package var activeSeries: Int?
    /// Queries at a time.
    package var queries: Int?
    /// Bytes of one query.
    package var queryMemory: Int?
    /// Nanoseconds of telemetry that one query asks for.
    package var queryRange: Int64?

    package init() {}

    package static let none = TenantLimits()

    /// Whether telemetry is limited by anything.
    var limitsIngest: Bool { rows != nil || bytes != nil || limitsSeries }
    var limitsSeries: Bool { newSeries != nil || activeSeries != nil }
}

/// What can be exceeded, by the names that counters and refusals have.
package enum Limit: String, CaseIterable, Sendable {
    case rows, bytes
    case newSeries = "new_series"
    case activeSeries = "active_series"
    case queryConcurrency = "query_concurrency"
    case queryMemory = "query_memory"
    case queryRange = "query_range"

    /// In the files that set it.
    package var key: String {
        switch self {
        case .rows: "rows-per-second"
        case .bytes: "bytes-per-second"
        case .newSeries: "new-series-per-second"
        case .activeSeries: "active-series"
        case .queryConcurrency: "query-concurrency"
        case .queryMemory: "query-memory"
        case .queryRange: "query-range"
        }
    }
}

extension TenantLimits {
    /// What stands in a file: what is left out is inherited, and `none` is no limit.
    package struct Written: Hashable, Sendable {
        package enum Value<Wrapped: Hashable & Sendable>: Hashable, Sendable {
            case inherited, none
            case some(Wrapped)

            func over(_ other: Wrapped?) -> Wrapped? {
                switch self {
                case .inherited: other
                case .none: nil
                case .some(let value): value
                }
            }
        }

        fileprivate var rows = Value<Rate>.inherited
        fileprivate var bytes = Value<Rate>.inherited
        fileprivate var newSeries = Value<Rate>.inherited
        fileprivate var activeSeries = Value<Int>.inherited
        fileprivate var queries = Value<Int>.inherited
        fileprivate var queryMemory = Value<Int>.inherited
        fileprivate var queryRange = Value<Int64>.inherited

        package init() {}

        /// These limits, and for what they leave out those of `defaults`.
        package func over(_ defaults: TenantLimits) -> TenantLimits {
            var limits = TenantLimits()
            limits.rows = rows.over(defaults.rows)
            limits.bytes = bytes.over(defaults.bytes)
            limits.newSeries = newSeries.over(defaults.newSeries)
            limits.activeSeries = activeSeries.over(defaults.activeSeries)
            limits.queries = queries.over(defaults.queries)
            limits.queryMemory = queryMemory.over(defaults.queryMemory)
            limits.queryRange = queryRange.over(defaults.queryRange)
            return limits
        }
    }

    /// A burst that is not said is what comes in so many seconds.
    private static let usualBurst = 10
    private static let bursts = ["rows-burst", "bytes-burst", "new-series-burst"]
    private static let names = Limit.allCases.map(\.key) + bursts

    /// Reads the limits of one tenant or key.
    ///
    /// - Throws: what is wrong, with its line and key.
    package static func read(
        _ node: YAMLNode, _ what: String, in file: YAMLFile
    ) throws(ConfigurationProblem) -> Written {
        let members = try file.members(node, what, names)
        func value<Value>(
            _ limit: Limit, _ read: (String) throws(SettingError) -> Value
        ) throws(ConfigurationProblem) -> Written.Value<Value> {
            guard let node = members[limit.key] else { return .inherited }
            if try file.text(node) == "none" { return .none }
            return .some(try file.value(node, of: limit.key, read))
        }
        func rate(
            _ limit: Limit, _ burst: String, _ read: (String) throws(SettingError) -> Int
        ) throws(ConfigurationProblem) -> Written.Value<Rate> {
            let perSecond = try value(limit, read)
            guard let node = members[burst] else {
                guard case .some(let number) = perSecond else {
                    return perSecond == .none ? .none : .inherited
                }
                let burst = number.multipliedReportingOverflow(by: usualBurst)
                return .some(
                    Rate(perSecond: number, burst: burst.overflow ? Rate.greatest : min(burst.0, Rate.greatest)))
            }
            guard case .some(let number) = perSecond else {
                throw file.problem("\(burst): needs \(limit.key) beside it", node.line)
            }
            return .some(Rate(perSecond: number, burst: try file.value(node, of: burst, read)))
        }
        func integer(_ range: ClosedRange<Int>) -> (String) throws(SettingError) -> Int {
            { text throws(SettingError) in try ValueText.integer(text, in: range) }
        }
        func size(_ range: ClosedRange<Int>) -> (String) throws(SettingError) -> Int {
            { text throws(SettingError) in try ValueText.size(text, in: range) }
        }
        var limits = Written()
        limits.rows = try rate(.rows, bursts[0], integer(1...Rate.greatest))
        limits.bytes = try rate(.bytes, bursts[1], size(1...Rate.greatest))
        limits.newSeries = try rate(.newSeries, bursts[2], integer(1...Rate.greatest))
        limits.activeSeries = try value(.activeSeries, integer(1...SeriesWindow.most))
        limits.queries = try value(.queryConcurrency, integer(1...10_000))
        limits.queryMemory = try value(.queryMemory, size(1 << 20...1 << 40))
        limits.queryRange = try value(.queryRange) { text throws(SettingError) in try ValueText.duration(text) }
        return limits
    }

    /// Each limit as the file has it, by its key; bursts behind their rates.
    package var texts: [(key: String, value: String)] {
        var texts: [(key: String, value: String)] = []
        func add(_ limit: Limit, _ value: String?) { if let value { texts.append((limit.key, value)) } }
        add(.rows, rows.map { "\($0.perSecond)" })
        if let rows { texts.append((Self.bursts[0], "\(rows.burst)")) }
        add(.bytes, bytes.map { ValueText.size($0.perSecond) })
        if let bytes { texts.append((Self.bursts[1], ValueText.size(bytes.burst))) }
        add(.newSeries, newSeries.map { "\($0.perSecond)" })
        if let newSeries { texts.append((Self.bursts[2], "\(newSeries.burst)")) }
        add(.activeSeries, activeSeries.map { "\($0)" })
        add(.queryConcurrency, queries.map { "\($0)" })
        add(.queryMemory, queryMemory.map { ValueText.size($0) })
        add(.queryRange, queryRange.map { ValueText.duration($0) })
        return texts
    }
}

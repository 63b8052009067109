package import Core
package import Settings

/// The file of limits (`limits-file`): YAML.
///
/// ```yaml
/// defaults:                       # of each tenant that the file does not name
///   rows-per-second: 100000       # spans, log records and data points
///   rows-burst: 500000            # at once; ten seconds of the rate if it is left out
///   bytes-per-second: 20MiB       # of bodies, as received
///   new-series-per-second: 500
///   active-series: 200000
///   query-concurrency: 8
///   query-memory: 512MiB
///   query-range: 31d
/// tenants:
///   shop:
///     rows-per-second: 500000     # and the defaults for all else
///     query-range: none           # no limit
/// series-window: 1h               # a series is active for as long after it was seen
/// series-learning: 5m             # for as long after the start series are not new, but found again
/// ```
package struct LimitsFile: Hashable, Sendable {
    package private(set) var defaults = TenantLimits()
    package private(set) var tenants: [TenantID: TenantLimits] = [:]
    /// How long a series is active after it was seen, in nanoseconds.
    package private(set) var seriesWindow: Int64 = 3_600_000_000_000
    /// How long after the start, or after the first limit on series, they are taken for known ones, in nanoseconds.
    package private(set) var seriesLearning: Int64 = 300_000_000_000

    /// The most bytes of such a file that are read, and the most tenants that it may name.
    package static let byteLimit = 8 << 20
    package static let tenantLimit = 10_000
    private static let windows: ClosedRange<Int64> = 60_000_000_000...86_400_000_000_000

    /// Limits nothing.
    package init() {}

    package func limits(of tenant: TenantID) -> TenantLimits { tenants[tenant] ?? defaults }

    /// - Throws: the first thing that is wrong with it.
    package static func read(_ bytes: [UInt8], path: String) throws(ConfigurationProblem) -> LimitsFile {
        let reader = YAMLFile(path: path)
        let members = try reader.members(
            YAMLNode.read(bytes, path: path), "the file", ["defaults", "tenants", "series-window", "series-learning"])
        var file = LimitsFile()
        if let node = members["defaults"] {
            file.defaults = try TenantLimits.read(node, "\"defaults\"", in: reader).over(.none)
        }
        if let node = members["tenants"] {
            let entries = try reader.members(node, "\"tenants\"")
            guard entries.count <= tenantLimit else {
                throw reader.problem("there are more than \(tenantLimit) tenants", node.line)
            }
            for entry in entries {
                guard let tenant = TenantID(entry.key) else {
                    throw reader.problem(
                        "a tenant is 1 to \(TenantID.longestName) letters, digits and !-_.*'()", entry.line)
                }
                file.tenants[tenant] = try TenantLimits.read(entry.value, "a tenant's entry", in: reader)
                    .over(file.defaults)
            }
        }
        func duration(_ key: String, _ range: ClosedRange<Int64>) throws(ConfigurationProblem) -> Int64? {
            guard let node = members[key] else { return nil }
            return try reader.value(node, of: key) { text throws(SettingError) in
                let duration = text == "0s" ? 0 : try ValueText.duration(text)
                guard range.contains(duration) else {
                    let ends = (ValueText.duration(range.lowerBound), ValueText.duration(range.upperBound))
                    throw SettingError("\(text) is not between \(ends.0) and \(ends.1)")
                }
                return duration
            }
        }
        file.seriesWindow = try duration("series-window", windows) ?? file.seriesWindow
        file.seriesLearning = try duration("series-learning", 0...windows.upperBound) ?? file.seriesLearning
        return file
    }
}

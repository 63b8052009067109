import Core
import Settings
import Testing

@testable import Limits

@Suite struct LimitsFileTests {
    private static func read(_ text: String) throws(ConfigurationProblem) -> LimitsFile {
        try LimitsFile.read(Array(text.utf8), path: "limits.yaml")
    }

    private static func tenant(_ name: String) throws -> TenantID { try #require(TenantID(name)) }

    @Test func `a tenant has the defaults but for what its entry says`() throws {
        let file = try Self.read(
            """
            defaults:
              rows-per-second: 1000
              rows-burst: 2500
              bytes-per-second: 1MiB
              active-series: 500
              query-range: 30d
            tenants:
              shop:
                rows-per-second: 40
                active-series: none
                new-series-per-second: 3
                new-series-burst: 4
              "team-*": {query-concurrency: 2, query-memory: 64MiB, query-range: 1h30m}
            series-window: 30m
            series-learning: 0s
            """)
        #expect(file.defaults.rows == Rate(perSecond: 1000, burst: 2500))
        #expect(file.defaults.bytes == Rate(perSecond: 1 << 20, burst: 10 << 20))
        #expect(file.limits(of: try Self.tenant("unnamed")) == file.defaults)
        let shop = file.limits(of: try Self.tenant("shop"))
        // A rate of its own has a burst of its own.
        #expect(shop.rows == Rate(perSecond: 40, burst: 400) && shop.bytes == file.defaults.bytes)
        #expect(shop.activeSeries == nil && shop.newSeries == Rate(perSecond: 3, burst: 4))
        let team = file.limits(of: try Self.tenant("team-*"))
        #expect(team.queries == 2 && team.queryMemory == 64 << 20 && team.queryRange == 5_400_000_000_000)
        #expect(team.activeSeries == 500)
        #expect(file.seriesWindow == 1_800_000_000_000 && file.seriesLearning == 0)
        #expect(file.limits(of: try Self.tenant("team-a")) == file.defaults, "names are no patterns")
    }

    @Test func `a file of nothing limits nothing`() throws {
        for text in ["", "defaults:\ntenants:\n", "tenants: {a: }", "# no\n---\n"] {
            #expect(try Self.read(text).limits(of: try Self.tenant("a")) == .none, "\(text)")
        }
    }

    @Test(arguments: [
        ("defaults: [1]", 1, "\"defaults\" is a mapping"),
        ("x: 1", 1, "the file has no \"x\""),
        ("tenants:\n  a/b: {}", 2, "a tenant is 1 to 150"),
        ("tenants:\n  a: {}\n  a: {}", 3, "\"a\" is set twice; first in line 2"),
        (
            "defaults:\n  rows-per-secnd: 1", 2,
            "\"defaults\" has no \"rows-per-secnd\"; did you mean \"rows-per-second\"?"
        ),
        ("tenants:\n  a:\n    row: 1", 3, "a tenant's entry has no \"row\""),
        ("defaults:\n  rows-per-second: 0", 2, "rows-per-second: \"0\" is no whole number from 1"),
        ("defaults:\n  rows-per-second: -1", 2, "rows-per-second: \"-1\" is no whole number"),
        ("defaults:\n  rows-per-second: 1.5", 2, "rows-per-second: \"1.5\" is no whole number"),
        ("defaults:\n  rows-per-second: 99999999999999999999", 2, "rows-per-second: "),
        ("defaults:\n  rows-per-second: [1]", 2, "a plain value is expected"),
        ("defaults:\n  rows-burst: 5", 2, "rows-burst: needs rows-per-second beside it"),
        ("defaults:\n  rows-per-second: none\n  rows-burst: 5", 3, "rows-burst: needs rows-per-second"),
        ("defaults:\n  bytes-per-second: much", 2, "bytes-per-second: \"much\" is no size"),
        (
            "defaults:\n  active-series: 16777217", 2,
            "active-series: \"16777217\" is no whole number from 1 to 16777216"
        ),
        ("defaults:\n  query-range: 0s", 2, "query-range: a duration is above zero"),
        ("defaults:\n  query-memory: 1KiB", 2, "query-memory: 1KiB is not between 1MiB and 1TiB"),
        ("series-window: 1s", 1, "series-window: 1s is not between 1m and 24h"),
        ("series-learning: 25h", 1, "series-learning: 25h is not between 0h and 24h"),
        ("a: [", 2, ""),
    ])
    func `what is wrong is named with its line and key`(text: String, line: Int, message: String) {
        let problem = #expect(throws: ConfigurationProblem.self) { try Self.read(text) }
        #expect(problem?.place == .file("limits.yaml", line: line) && problem?.message.hasPrefix(message) == true)
        #expect(problem?.message.hasPrefix(message) == true, "\(problem?.description ?? "none")")
    }

    @Test func `there are so many tenants at most`() throws {
        let entries = (0...LimitsFile.tenantLimit).map { "  t\($0): {active-series: \($0 + 1)}\n" }
        let file = try Self.read("tenants:\n" + entries.dropLast().joined())
        #expect(file.tenants.count == LimitsFile.tenantLimit)
        #expect(throws: ConfigurationProblem.self) { try Self.read("tenants:\n" + entries.joined()) }
    }

    @Test func `limits are written as they are read`() throws {
        let text = """
            rows-per-second: 9
            rows-burst: 5
            bytes-per-second: 3KiB
            bytes-burst: 7B
            new-series-per-second: 1
            new-series-burst: 2
            active-series: 3
            query-concurrency: 4
            query-memory: 5MiB
            query-range: 6m
            """
        let indented = text.split(separator: "\n").map { "  \($0)\n" }.joined()
        let limits = try Self.read("defaults:\n" + indented).defaults
        #expect(limits.texts.map { "\($0.key): \($0.value)" }.joined(separator: "\n") == text)
    }
}

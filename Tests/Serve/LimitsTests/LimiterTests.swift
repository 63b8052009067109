import Core
import Scheduling
import Settings
import Synchronization
import Testing

@testable import Limits

@Suite struct LimiterTests {
    private static let second: Int64 = 1_000_000_000

    private final class Clock: Sendable {
        private let time = Atomic<Int64>(1_000_000_000_000)

        func pass(_ nanoseconds: Int64) { time.add(nanoseconds, ordering: .relaxed) }

        var now: @Sendable () -> Int64 { { [self] in time.load(ordering: .relaxed) } }
    }

    private let clock = Clock()

    private func file(_ text: String) throws -> LimitsFile {
        try LimitsFile.read(Array(text.utf8), path: "limits.yaml")
    }

    private func limiter(_ text: String, accounts: Int = 100) throws -> Limiter {
        Limiter(try file("series-learning: 0s\n" + text), accounts: accounts, now: clock.now)
    }

    private func tenant(_ name: String) throws -> TenantID { try #require(TenantID(name)) }

    private func refusal(_ body: () throws(LimitRefusal) -> Void) -> LimitRefusal? {
        do throws(LimitRefusal) {
            try body()
            return nil
        } catch {
            return error
        }
    }

    private func counts(_ limiter: Limiter) -> [String] {
        limiter.refusals.all.map { "\($0.tenant) \($0.kind) \($0.limit.rawValue) \($0.value)" }
    }

    @Test func `who has no limits has no account`() throws {
        let limiter = try limiter("tenants: {a: {rows-per-second: 1}}")
        #expect(limiter.limits(of: try tenant("b")) == nil && limiter.accountCount == 0)
        let key = LimitedKey(name: "k", limits: .none)
        #expect(limiter.limits(of: try tenant("b"), key: key) == nil && limiter.accountCount == 0)
        #expect(limiter.limits(of: try tenant("a"), key: key) != nil && limiter.accountCount == 1)
    }

    @Test func `rows come in up to the burst, and then as the rate lets them`() throws {
        let limiter = try limiter("defaults: {rows-per-second: 10, rows-burst: 20}")
        let a = try tenant("a")
        func take(_ rows: Int, of tenant: TenantID) throws -> LimitRefusal? {
            let limits = try #require(limiter.limits(of: tenant))
            return refusal { () throws(LimitRefusal) in try limits.take(rows: rows) }
        }
        #expect(try take(15, of: a) == nil)
        let refused = try #require(try take(15, of: a))
        #expect(
            refused.message
                == "too many spans, log records or data points come in: rows-per-second of tenant a is 10; come again in 1 s"
        )
        #expect(refused.limit == .rows && refused.retryAfter == 1)
        #expect(try take(20, of: try tenant("b")) == nil, "others have their own")
        clock.pass(Self.second)
        #expect(try take(15, of: a) == nil)
        #expect(counts(limiter) == ["a tenant rows 1"])
    }

    @Test func `a body whose rows cannot come in is not taken either`() throws {
        let limiter = try limiter("defaults: {rows-per-second: 1, rows-burst: 1, bytes-per-second: 100}")
        let limits = try #require(limiter.limits(of: .default))
        #expect(refusal { () throws(LimitRefusal) in try limits.take(bytes: 500) } == nil)
        #expect(refusal { () throws(LimitRefusal) in try limits.take(rows: 3) } == nil)
        #expect(refusal { () throws(LimitRefusal) in try limits.take(bytes: 1) }?.limit == .rows)
        limits.giveBack(bytes: 500, rows: 3)
        #expect(refusal { () throws(LimitRefusal) in try limits.take(bytes: 1000) } == nil)
        #expect(refusal { () throws(LimitRefusal) in try limits.take(bytes: 1) }?.limit == .bytes)
    }

    @Test func `a key's limits hold beside its tenants', and what one refuses the other is not charged for`() throws {
        let limiter = try limiter("tenants: {a: {rows-per-second: 100, rows-burst: 100}}")
        let limits = try file("defaults: {rows-per-second: 1, rows-burst: 10}").defaults
        let key = LimitedKey(name: "agent", limits: limits)
        let (a, b) = (try tenant("a"), try tenant("b"))
        let mine = try #require(limiter.limits(of: a, key: key))
        #expect(refusal { () throws(LimitRefusal) in try mine.take(rows: 10) } == nil)
        let refused = refusal { () throws(LimitRefusal) in try mine.take(rows: 5) }
        #expect(refused?.subject == .key("agent") && refused?.retryAfter == 5)
        // Of another tenant it is the same key.
        let other = try #require(limiter.limits(of: b, key: key))
        #expect(refusal { () throws(LimitRefusal) in try other.take(rows: 5) }?.subject == .key("agent"))
        let left = limiter.usages(of: a).first?.rows
        #expect(left == 90)
        #expect(counts(limiter) == ["a key rows 1", "b key rows 1"])
    }

    @Test func `other limits hold from their reading on, and levels stay`() throws {
        let limiter = try limiter("defaults: {rows-per-second: 10, rows-burst: 100}")
        func rows() -> Int? { limiter.usages(of: .default).first?.rows }
        let limits = try #require(limiter.limits(of: .default))
        #expect(refusal { () throws(LimitRefusal) in try limits.take(rows: 70) } == nil && rows() == 30)
        limiter.use(try file("defaults: {rows-per-second: 10, rows-burst: 1000}"))
        #expect(rows() == 30)
        limiter.use(try file("defaults: {rows-per-second: 10, rows-burst: 5}"))
        #expect(rows() == 5)
        limiter.use(LimitsFile())
        #expect(limiter.limits(of: .default) == nil)
        #expect(refusal { () throws(LimitRefusal) in try limits.take(rows: 1_000_000) } == nil, "it is under way")
    }

    // MARK: Series

    private func refused(_ limiter: Limiter, _ series: [UInt64], key: LimitedKey? = nil) throws -> [Int] {
        let limits = try #require(limiter.limits(of: .default, key: key))
        let verdict = limits.admit(series: series)
        let places = verdict.isRefused.indices.filter { verdict.isRefused[$0] }
        #expect(places.count == verdict.refusedCount && verdict.refusals.isEmpty == places.isEmpty)
        return places
    }

    @Test func `known series go on where there is no room for new ones`() throws {
        let limiter = try limiter("defaults: {active-series: 3}\nseries-window: 1h")
        #expect(try refused(limiter, [1, 2, 1, 2]) == [])
        #expect(try refused(limiter, [1, 3, 4, 0, 2, 4]) == [2, 5])
        #expect(counts(limiter) == ["default tenant active_series 1"])
        #expect(limiter.usages().first?.activeSeries == 3 && limiter.seriesCount == 3)
        clock.pass(3_600 * Self.second)
        #expect(try refused(limiter, [4, 5, 6, 7]) == [3], "those that nobody sends leave room")
        #expect(limiter.seriesCount == 3)
    }

    @Test func `new series come at their rate, each charged once`() throws {
        let limiter = try limiter("defaults: {new-series-per-second: 1, new-series-burst: 2}")
        #expect(try refused(limiter, [1, 2, 3, 1]) == [2])
        #expect(try refused(limiter, [1, 2, 2, 1]) == [])
        #expect(try refused(limiter, [3]) == [0])
        clock.pass(Self.second)
        #expect(try refused(limiter, [3, 4]) == [1])
    }

    @Test func `at the start series are found again, and not new`() throws {
        let text = "series-learning: 10s\ndefaults: {new-series-per-second: 1, new-series-burst: 1, active-series: 5}"
        let limiter = Limiter(try file(text), now: clock.now)
        #expect(try refused(limiter, [1, 2, 3]) == [])
        #expect(try refused(limiter, [4, 5, 6]) == [2], "the number holds from the start")
        clock.pass(10 * Self.second)
        #expect(try refused(limiter, [1, 2, 3, 4, 5]) == [])
        // A limit that is new is learned for as long, too.
        limiter.use(LimitsFile())
        clock.pass(100 * Self.second)
        limiter.use(try file(text))
        #expect(try refused(limiter, [11, 12, 13]) == [])
        clock.pass(10 * Self.second)
        #expect(try refused(limiter, [21, 22]) == [1])
    }

    @Test func `a series that a key may not add is not the tenant's`() throws {
        let limiter = try limiter("defaults: {active-series: 10, new-series-per-second: 1, new-series-burst: 10}")
        let key = LimitedKey(name: "k", limits: try file("defaults: {active-series: 1}").defaults)
        #expect(try refused(limiter, [1, 2, 1], key: key) == [1])
        let usage = limiter.usages()
        #expect(usage.map(\.activeSeries) == [1, 1] && usage.compactMap(\.newSeries) == [9])
        // And the other way round.
        let second = try self.limiter("defaults: {active-series: 1}")
        let wide = LimitedKey(
            name: "k", limits: try file("defaults: {new-series-per-second: 1, new-series-burst: 10}").defaults)
        #expect(try refused(second, [1, 2, 1], key: wide) == [1])
        #expect(second.usages().map(\.activeSeries) == [1, 1])
        #expect(second.usages().compactMap(\.newSeries) == [9])
    }

    // MARK: Names that are made up

    @Test func `made-up tenants share what there is, and those of the file have their own`() throws {
        let limiter = try limiter(
            "defaults: {rows-per-second: 1, rows-burst: 5}\ntenants: {shop: {rows-per-second: 7}}", accounts: 3)
        func take(_ name: String) throws -> LimitRefusal? {
            let limits = try #require(limiter.limits(of: try tenant(name)))
            return refusal { () throws(LimitRefusal) in try limits.take(rows: 5) }
        }
        for name in ["a", "b", "c"] { #expect(try take(name) == nil) }
        #expect(try take("d") == nil)
        #expect(try take("e")?.subject == .others)
        #expect(try take("shop") == nil)
        #expect(try take("a")?.subject == .tenant(try tenant("a")))
        for number in 0..<1000 { _ = try take("made-up-\(number)") }
        #expect(limiter.accountCount == 5)
        // Whoever has nothing to remember makes room.
        clock.pass(60 * Self.second)
        #expect(try take("f") == nil && limiter.accountCount == 1)
    }

    @Test func `refusals of made-up tenants are counted together`() throws {
        let counts = RefusalCounts(most: 2)
        counts.keep([try tenant("shop")])
        for name in ["a", "b", "c", "d", "shop", "a"] {
            counts.add(LimitRefusal(.rows, of: .key("k"), "1", retryAfter: 1), tenant: try tenant(name))
        }
        let found = counts.all.map { "\($0.tenant) \($0.value)" }
        #expect(found == ["<others> 2", "a 2", "b 1", "shop 1"])
        #expect(TenantID(RefusalCounts.others) == nil)
        counts.keep([])
        #expect(counts.all.map(\.tenant) == ["<others>", "a", "b"])
    }

    // MARK: Threads

    @Test func `threads together take no more than one could, and wait for each other without end`() throws {
        let limiter = try limiter(
            "defaults: {rows-per-second: 1, rows-burst: 1000, active-series: 500}")
        let limits = try file("defaults: {rows-per-second: 1, rows-burst: 2000, active-series: 400}").defaults
        let taken = Atomic<Int>(0)
        let stored = Mutex<Set<UInt64>>([])
        let threads = (0..<8).map { number in
            WorkerThread {
                let key = number % 2 == 0 ? LimitedKey(name: "k", limits: limits) : nil
                for round in 0..<400 {
                    guard let limits = limiter.limits(of: .default, key: key) else { return }
                    if round % 50 == 0 { _ = limiter.usages() }
                    if refusal({ () throws(LimitRefusal) in try limits.take(rows: 1) }) == nil {
                        taken.add(1, ordering: .relaxed)
                    }
                    let series = (0..<5).map { UInt64(number * 1000 + round * 5 + $0 + 1) }
                    let verdict = limits.admit(series: series)
                    let kept = series.indices.filter { verdict.isRefused.isEmpty || !verdict.isRefused[$0] }
                    stored.withLock { $0.formUnion(kept.map { series[$0] }) }
                }
            }
        }
        for thread in threads { thread.join() }
        #expect(taken.load(ordering: .relaxed) == 1000)
        #expect(stored.withLock { $0.count } == 500 && limiter.usages(of: .default).first?.activeSeries == 500)
        #expect(limiter.seriesCount == limiter.usages().reduce(0) { $0 + ($1.activeSeries ?? 0) })
    }

    // MARK: Queries

    @Test func `of two limits on queries the lesser holds`() throws {
        let limiter = try limiter("defaults: {query-memory: 64MiB, query-range: 1h, query-concurrency: 2}")
        let key = LimitedKey(name: "k", limits: try file("defaults: {query-memory: 128MiB, query-range: 1m}").defaults)
        let limits = try #require(limiter.limits(of: .default, key: key))
        #expect(limits.queryMemory == 64 << 20 && limits.queryRange == 60 * Self.second)
        #expect(limits.queries.map(\.limit) == [2, nil])
        let refused = limits.refuse(.queryRange)
        #expect(refused.message == "the query asks for too long a time: query-range of key k is 1m")
        #expect(refused.retryAfter == nil && limits.refuse(.queryMemory).subject == .tenant(.default))
        #expect(limits.refuse(.queryConcurrency, account: limits.queries[0]).retryAfter == 1)
    }
}

internal import Core
internal import Observability
internal import Scheduling
internal import Settings
private import Synchronization

/// What one tenant or key may do, and has done. Used by all threads.
final class LimitAccount: Sendable {
    /// The files' limits, and the times of the limits on series.
    struct Terms: Hashable, Sendable {
        var limits: TenantLimits
        var window: Int64
    }

    struct State {
        var terms: Terms
        var rows, bytes, newSeries: TokenBucket?
        /// Nil: series are not limited.
        var series: SeriesWindow?
        /// Until then series that are not known are taken for known ones.
        var learnsUntil: Int64

        /// Takes other terms: levels stay, as far as the new bursts let them.
        mutating func use(_ new: Terms, at now: Int64) {
            let old = terms
            terms = new
            func bucket(_ bucket: TokenBucket?, _ rate: Rate?, _ old: Rate?) -> TokenBucket? {
                guard let rate else { return nil }
                guard var bucket, let old else { return TokenBucket(rate, at: now) }
                _ = bucket.tokens(old, at: now)
                return bucket
            }
            rows = bucket(rows, new.limits.rows, old.limits.rows)
            bytes = bucket(bytes, new.limits.bytes, old.limits.bytes)
            newSeries = bucket(newSeries, new.limits.newSeries, old.limits.newSeries)
            if !new.limits.limitsSeries {
                series = nil
            } else if series == nil {
                series = SeriesWindow(at: now, window: new.window)
            }
        }
    }

    let subject: LimitSubject
    let queries: QueryAccount
    /// Series that all accounts together know.
    private let total: Gauge
    private let state: Mutex<State>

    init(_ subject: LimitSubject, _ terms: Terms, at now: Int64, learnsUntil: Int64, total: Gauge) {
        self.subject = subject
        self.total = total
        queries = QueryAccount(limit: terms.limits.queries)
        var state = State(terms: Terms(limits: .none, window: terms.window), learnsUntil: learnsUntil)
        state.use(terms, at: now)
        self.state = Mutex(state)
    }

    deinit { total.add(-state.withLock { $0.series?.count ?? 0 }) }

    var limits: TenantLimits { state.withLock { $0.terms.limits } }

    /// - Parameter learnsUntil: if series were not watched before.
    func use(_ terms: Terms, at now: Int64, learnsUntil: Int64) {
        state.withLock { state in
            guard state.terms != terms else { return }
            if state.series == nil { state.learnsUntil = max(state.learnsUntil, learnsUntil) }
            counting(&state) { $0.use(terms, at: now) }
        }
        queries.limit = terms.limits.queries
    }

    // MARK: Rows and bytes

    /// Takes a body's bytes; one whose rows would be refused anyhow is refused now, and not decoded for that.
    func take(bytes: Int, at now: Int64) -> LimitRefusal? {
        state.withLock { state in
            if let rate = state.terms.limits.rows, let wait = state.rows?.wait(for: 1, rate, at: now) {
                return refusal(.rows, "\(rate.perSecond)", wait)
            }
            guard let rate = state.terms.limits.bytes else { return nil }
            return state.bytes?.take(bytes, rate, at: now).map {
                refusal(.bytes, ValueText.size(rate.perSecond), $0)
            }
        }
    }

    func take(rows: Int, at now: Int64) -> LimitRefusal? {
        state.withLock { state in
            guard let rate = state.terms.limits.rows else { return nil }
            return state.rows?.take(rows, rate, at: now).map { refusal(.rows, "\(rate.perSecond)", $0) }
        }
    }

    func give(bytes: Int, rows: Int) {
        state.withLock { state in
            if let rate = state.terms.limits.bytes { state.bytes?.give(bytes, rate) }
            if let rate = state.terms.limits.rows { state.rows?.give(rows, rate) }
        }
    }

    func refusal(_ limit: Limit, _ value: String, _ wait: Int64) -> LimitRefusal {
        LimitRefusal(limit, of: subject, value, retryAfter: LimitRefusal.seconds(wait))
    }

    // MARK: Series

    /// Runs `body` with the series under the account's lock.
    func withSeries<Result: Sendable>(at now: Int64, _ body: (inout State) -> Result) -> Result {
        state.withLock { state in
            counting(&state) { state in
                state.series?.advance(to: now, window: state.terms.window)
                return body(&state)
            }
        }
    }

    private func counting<Result: Sendable>(_ state: inout State, _ body: (inout State) -> Result) -> Result {
        let before = state.series?.count ?? 0
        defer { total.add((state.series?.count ?? 0) - before) }
        return body(&state)
    }

    // MARK: Looking

    /// Whether nothing is lost if the account is made anew when it is needed.
    func isIdle(at now: Int64) -> Bool {
        let rests = withSeries(at: now) { state in
            func isFull(_ bucket: inout TokenBucket?, _ rate: Rate?) -> Bool {
                rate.map { bucket?.isFull($0, at: now) ?? true } ?? true
            }
            return state.series?.count ?? 0 == 0 && isFull(&state.rows, state.terms.limits.rows)
                && isFull(&state.bytes, state.terms.limits.bytes)
                && isFull(&state.newSeries, state.terms.limits.newSeries)
        }
        return rests && queries.isIdle
    }

    func usage(at now: Int64) -> LimitUsage {
        var usage = withSeries(at: now) { state in
            var usage = LimitUsage(subject: subject, limits: state.terms.limits)
            func tokens(_ bucket: inout TokenBucket?, _ rate: Rate?) -> Int? {
                rate.flatMap { bucket?.tokens($0, at: now) }
            }
            usage.rows = tokens(&state.rows, state.terms.limits.rows)
            usage.bytes = tokens(&state.bytes, state.terms.limits.bytes)
            usage.newSeries = tokens(&state.newSeries, state.terms.limits.newSeries)
            usage.activeSeries = state.series?.count
            return usage
        }
        (usage.runningQueries, usage.waitingQueries) = (queries.running, queries.waiting)
        return usage
    }
}

/// What an account has left and uses now, for operators.
package struct LimitUsage: Sendable {
    package var subject: LimitSubject
    package var limits: TenantLimits
    /// Tokens that are there; below zero is a debt; nil: not limited.
    package var rows, bytes, newSeries: Int?
    package var activeSeries: Int?
    package var runningQueries = 0
    package var waitingQueries = 0

    init(subject: LimitSubject, limits: TenantLimits) {
        self.subject = subject
        self.limits = limits
    }
}

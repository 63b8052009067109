internal import Observability

/// Which points of a request may be stored: those of series that are known, or for which there is room.
package struct SeriesVerdict: Sendable {
    /// By point; empty if all may be stored.
    package private(set) var isRefused: [Bool] = []
    package private(set) var refusedCount = 0
    /// The first for each limit that was exceeded.
    package private(set) var refusals: [LimitRefusal] = []

    /// Series that are told from new ones where the number of active ones is not limited.
    private static let remembered = 1 << 20

    static func make(of series: [UInt64], by accounts: [LimitAccount], at now: Int64, total: Gauge) -> SeriesVerdict {
        guard let first = accounts.first else { return SeriesVerdict() }
        var verdict = SeriesVerdict()
        // A tenant's account comes before a key's, so that two threads take both locks in one order.
        first.withSeries(at: now) { state in
            var judge = Judge(account: first, now: now, room: Limiter.mostSeries - total.value)
            guard accounts.count > 1 else {
                return verdict.judge(series) { judge.admit($0, &state) }
            }
            let second = accounts[1]
            second.withSeries(at: now) { other in
                var otherJudge = Judge(account: second, now: now, room: Limiter.mostSeries - total.value)
                verdict.judge(series) { hash in
                    if let refusal = otherJudge.ask(hash, &other) ?? judge.admit(hash, &state) {
                        otherJudge.giveBack(&other)
                        return refusal
                    }
                    otherJudge.remember(hash, &other)
                    return nil
                }
            }
        }
        return verdict
    }

    private mutating func judge(_ series: [UInt64], _ refusal: (UInt64) -> LimitRefusal?) {
        for (point, hash) in series.enumerated() where hash != 0 {
            guard let refusal = refusal(hash) else { continue }
            if isRefused.isEmpty { isRefused = [Bool](repeating: false, count: series.count) }
            isRefused[point] = true
            refusedCount += 1
            if !refusals.contains(where: { $0.limit == refusal.limit && $0.subject == refusal.subject }) {
                refusals.append(refusal)
            }
        }
    }

    /// Judges series by the limits of one account, whose lock is held.
    private struct Judge {
        let account: LimitAccount
        let now: Int64
        /// Series that all accounts may remember beyond those that they do.
        var room: Int
        /// Whether a new series was charged for the one that was asked about last, and it is not known.
        private var hasTaken = false
        private var isKnown = true

        init(account: LimitAccount, now: Int64, room: Int) {
            self.account = account
            self.now = now
            self.room = room
        }

        mutating func admit(_ hash: UInt64, _ state: inout LimitAccount.State) -> LimitRefusal? {
            if let refusal = ask(hash, &state) { return refusal }
            remember(hash, &state)
            return nil
        }

        /// Charges for the series if it is new.
        mutating func ask(_ hash: UInt64, _ state: inout LimitAccount.State) -> LimitRefusal? {
            hasTaken = false
            isKnown = state.series?.see(hash) ?? true
            guard !isKnown, let count = state.series?.count else { return nil }
            let limits = state.terms.limits
            if let most = limits.activeSeries, count >= most {
                return account.refusal(.activeSeries, "\(most)", state.terms.window / SeriesWindow.steps)
            }
            if let rate = limits.newSeries, now >= state.learnsUntil {
                if let wait = state.newSeries?.take(1, rate, at: now) {
                    return account.refusal(.newSeries, "\(rate.perSecond)", wait)
                }
                hasTaken = true
            }
            return nil
        }

        mutating func remember(_ hash: UInt64, _ state: inout LimitAccount.State) {
            guard !isKnown, room > 0, let count = state.series?.count,
                count < state.terms.limits.activeSeries ?? SeriesVerdict.remembered
            else { return }
            state.series?.add(hash)
            room -= 1
        }

        /// Takes the charge back.
        mutating func giveBack(_ state: inout LimitAccount.State) {
            guard hasTaken, let rate = state.terms.limits.newSeries else { return }
            state.newSeries?.give(1, rate)
            hasTaken = false
        }
    }
}

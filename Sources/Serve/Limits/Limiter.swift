package import Core
internal import Observability
package import Scheduling
internal import Settings
private import Synchronization

/// A key that has limits of its own, and its name.
package struct LimitedKey: Hashable, Sendable {
    package let name: String
    package let limits: TenantLimits

    package init(name: String, limits: TenantLimits) {
        self.name = name
        self.limits = limits
    }
}

/// Who may do how much, by the limits as they are now; used by all threads.
///
/// A tenant or key has an account from its first limited request on. Anybody may make names up: there are so many accounts at most, of
/// which those that have nothing to remember are let go of when there is no room, and if none has, tenants that come then share one.
package final class Limiter: Sendable {
    private static let mostAccounts = 32_768
    /// How often there is a look for accounts that have nothing to remember, at most; in nanoseconds.
    private static let pause: Int64 = 10_000_000_000
    /// Series of all accounts that are remembered, 24 bytes each at most.
    static let mostSeries = 1 << 24

    private struct Book {
        var file: LimitsFile
        var accounts: [LimitSubject: LimitAccount] = [:]
        /// When the last look for idle accounts was.
        var swept: Int64?
    }

    private let book: Mutex<Book>
    private let start: Int64
    /// Nanoseconds on a clock that only goes on.
    private let now: @Sendable () -> Int64
    private let accountLimit: Int
    let series = Gauge()
    package let refusals = RefusalCounts()

    /// - Parameters:
    ///   - accounts: how many there are at most.
    ///   - now: nanoseconds on a clock that only goes on.
    package init(
        _ file: LimitsFile = LimitsFile(), accounts: Int = mostAccounts, now: @escaping @Sendable () -> Int64
    ) {
        self.now = now
        accountLimit = accounts
        start = now()
        book = Mutex(Book(file: file))
        refusals.keep(file.tenants.keys)
    }

    /// Takes other limits from now on.
    package func use(_ file: LimitsFile) {
        let now = now()
        book.withLock { book in
            book.file = file
            for (subject, account) in book.accounts {
                switch subject {
                case .tenant(let tenant): account.use(terms(file.limits(of: tenant), file), now, file)
                case .others: account.use(terms(file.defaults, file), now, file)
                case .key: account.use(terms(account.limits, file), now, file)
                }
            }
        }
        refusals.keep(file.tenants.keys)
    }

    private func terms(_ limits: TenantLimits, _ file: LimitsFile) -> LimitAccount.Terms {
        LimitAccount.Terms(limits: limits, window: file.seriesWindow)
    }

    /// The limits of a request, or nil if there are none.
    package func limits(of tenant: TenantID, key: LimitedKey? = nil) -> RequestLimiter? {
        let now = now()
        return book.withLock { book in
            let limits = book.file.limits(of: tenant)
            var accounts: [LimitAccount] = []
            if limits != .none { accounts.append(account(.tenant(tenant), limits, &book, now)) }
            if let key, key.limits != .none {
                let account = account(.key(key.name), key.limits, &book, now)
                account.use(terms(key.limits, book.file), now, book.file)
                accounts.append(account)
            }
            return accounts.isEmpty ? nil : RequestLimiter(self, tenant, accounts, now)
        }
    }

    private func account(
        _ subject: LimitSubject, _ limits: TenantLimits, _ book: inout Book, _ now: Int64
    ) -> LimitAccount {
        if let known = book.accounts[subject] { return known }
        if book.accounts.count >= accountLimit {
            if now - (book.swept ?? .min / 2) >= Self.pause {
                book.swept = now
                book.accounts = book.accounts.filter { !$0.value.isIdle(at: now) }
            }
            if book.accounts.count >= accountLimit, !isNamed(subject, book.file) {
                if let others = book.accounts[.others] { return others }
                return add(.others, book.file.defaults, &book, now)
            }
        }
        return add(subject, limits, &book, now)
    }

    /// Those of the files have accounts in any case: there are not so many of them.
    private func isNamed(_ subject: LimitSubject, _ file: LimitsFile) -> Bool {
        if case .tenant(let tenant) = subject { return file.tenants[tenant] != nil }
        return true
    }

    private func add(
        _ subject: LimitSubject, _ limits: TenantLimits, _ book: inout Book, _ now: Int64
    ) -> LimitAccount {
        let account = LimitAccount(
            subject, terms(limits, book.file), at: now, learnsUntil: start + book.file.seriesLearning, total: series)
        book.accounts[subject] = account
        return account
    }

    // MARK: Looking

    package var defaults: TenantLimits { book.withLock { $0.file.defaults } }
    package var accountCount: Int { book.withLock { $0.accounts.count } }
    package var seriesCount: Int { series.value }

    /// What the accounts have left, by subject; with a tenant its own alone, which need not have one.
    package func usages(of tenant: TenantID? = nil) -> [LimitUsage] {
        let now = now()
        guard let tenant else {
            let accounts = book.withLock { Array($0.accounts.values) }
            return accounts.map { $0.usage(at: now) }
                .sorted { ($0.subject.kind, $0.subject.description) < ($1.subject.kind, $1.subject.description) }
        }
        let (account, limits) = book.withLock { ($0.accounts[.tenant(tenant)], $0.file.limits(of: tenant)) }
        return [account?.usage(at: now) ?? LimitUsage(subject: .tenant(tenant), limits: limits)]
    }
}

extension LimitAccount {
    /// - Parameter now: when series that were not watched before are learned from.
    fileprivate func use(_ terms: Terms, _ now: Int64, _ file: LimitsFile) {
        use(terms, at: now, learnsUntil: now + file.seriesLearning)
    }
}

/// The limits of one request: of its tenant, and of its key.
package struct RequestLimiter: Sendable {
    private let limiter: Limiter
    private let tenant: TenantID
    private let accounts: [LimitAccount]
    private let now: Int64

    init(_ limiter: Limiter, _ tenant: TenantID, _ accounts: [LimitAccount], _ now: Int64) {
        self.limiter = limiter
        self.tenant = tenant
        self.accounts = accounts
        self.now = now
    }

    private func count(_ refusal: LimitRefusal) { limiter.refusals.add(refusal, tenant: tenant) }

    // MARK: Telemetry

    package var limitsIngest: Bool { accounts.contains { $0.limits.limitsIngest } }
    package var limitsSeries: Bool { accounts.contains { $0.limits.limitsSeries } }

    /// Takes a body's bytes as it was received.
    package func take(bytes: Int) throws(LimitRefusal) {
        try take({ $0.take(bytes: bytes, at: now) }, giveBack: { $0.give(bytes: bytes, rows: 0) })
    }

    package func take(rows: Int) throws(LimitRefusal) {
        try take({ $0.take(rows: rows, at: now) }, giveBack: { $0.give(bytes: 0, rows: rows) })
    }

    /// From all or from none.
    private func take(
        _ take: (LimitAccount) -> LimitRefusal?, giveBack: (LimitAccount) -> Void
    ) throws(LimitRefusal) {
        for (place, account) in accounts.enumerated() {
            guard let refusal = take(account) else { continue }
            for account in accounts[..<place] { giveBack(account) }
            count(refusal)
            throw refusal
        }
    }

    /// Gives back what was taken of a request that was not stored.
    package func giveBack(bytes: Int, rows: Int) {
        for account in accounts { account.give(bytes: bytes, rows: rows) }
    }

    /// Which points may be stored.
    ///
    /// - Parameter series: of each point a hash of its series, zero if it has none.
    package func admit(series: [UInt64]) -> SeriesVerdict {
        let verdict = SeriesVerdict.make(of: series, by: accounts, at: now, total: limiter.series)
        for refusal in verdict.refusals { count(refusal) }
        return verdict
    }

    // MARK: Queries

    package var queries: [QueryAccount] { accounts.map(\.queries) }

    /// The least of the limits, and whose it is.
    private func least<Value: Comparable>(_ limit: (TenantLimits) -> Value?) -> (value: Value, subject: LimitSubject)? {
        accounts.compactMap { account in limit(account.limits).map { (value: $0, subject: account.subject) } }
            .min { $0.value < $1.value }
    }

    /// Bytes of one query; nil: not limited here.
    package var queryMemory: Int? { least(\.queryMemory)?.value }
    /// Nanoseconds of telemetry of one query; nil: not limited.
    package var queryRange: Int64? { least(\.queryRange)?.value }

    /// What is said of a query that exceeds a limit, which is counted.
    package func refuse(_ limit: Limit, account: QueryAccount? = nil) -> LimitRefusal {
        let refusal: LimitRefusal
        switch limit {
        case .queryConcurrency:
            let full = accounts.first { $0.queries === account } ?? accounts[0]
            refusal = LimitRefusal(
                limit, of: full.subject, full.limits.queries.map { "\($0)" } ?? "none", retryAfter: 1)
        case .queryMemory:
            let least = least(\.queryMemory)
            refusal = Self.refusal(limit, least?.subject, least.map { ValueText.size($0.value) })
        default:
            let least = least(\.queryRange)
            refusal = Self.refusal(limit, least?.subject, least.map { ValueText.duration($0.value) })
        }
        count(refusal)
        return refusal
    }

    private static func refusal(_ limit: Limit, _ subject: LimitSubject?, _ value: String?) -> LimitRefusal {
        LimitRefusal(limit, of: subject ?? .others, value ?? "none", retryAfter: nil)
    }
}

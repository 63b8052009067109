internal import Authorization
internal import Core
internal import Files
internal import Limits
internal import Observability
internal import Settings

/// Who may do what, and how much of it: keys and limits, whose files are read again when they change.
struct AccessControl: Sendable {
    /// Nil: everybody may do everything.
    let authorizer: Authorizer?
    /// Of limits alone that keys have, or of those of the file, too.
    let limiter: Limiter
    private let keys: WatchedFile<AuthFile>?
    private let issuers: WatchedFile<TokenFile>?
    private let tokens: TokenVerifier?
    private let limits: WatchedFile<LimitsFile>?

    private static let keysKind = WatchedFile<AuthFile>.Kind(
        setting: "auth-file", byteLimit: AuthFile.byteLimit,
        read: { bytes, path throws(ConfigurationProblem) in try AuthFile.read(bytes, path: path) })
    private static let issuersKind = WatchedFile<TokenFile>.Kind(
        setting: "jwt-file", byteLimit: TokenFile.byteLimit,
        read: { bytes, path throws(ConfigurationProblem) in try TokenFile.read(bytes, path: path) })
    private static let limitsKind = WatchedFile<LimitsFile>.Kind(
        setting: "limits-file", byteLimit: LimitsFile.byteLimit,
        read: { bytes, path throws(ConfigurationProblem) in try LimitsFile.read(bytes, path: path) })

    /// What the time is.
    struct Clocks: Sendable {
        var now: @Sendable () -> Timestamp
        /// Nanoseconds on a clock that only goes on.
        var steady: @Sendable () -> Int64
    }

    /// - Throws: what is wrong with a file.
    init(
        _ configuration: Configuration, _ files: any ReadableFiles, _ metrics: MetricsRegistry, _ clocks: Clocks,
        log: Log
    ) throws(ConfigurationProblem) {
        keys = try configuration.authFile.map { (path) throws(ConfigurationProblem) in
            try WatchedFile(Self.keysKind, path, files, metrics, log: log)
        }
        issuers = try configuration.jwtFile.map { (path) throws(ConfigurationProblem) in
            try WatchedFile(Self.issuersKind, path, files, metrics, log: log)
        }
        tokens = issuers.map { TokenVerifier($0.first) }
        if let keys, keys.first.keys.isEmpty, tokens == nil {
            log.warning("the auth-file has no keys: nobody may do anything")
        }
        if keys == nil, tokens == nil {
            authorizer = nil
            Self.warn(configuration, log)
        } else {
            authorizer = Authorizer(
                keys?.first ?? AuthFile(salt: KeyDigest.makeSalt()), tokens: tokens, now: clocks.now)
        }
        limits = try configuration.limitsFile.map { (path) throws(ConfigurationProblem) in
            try WatchedFile(Self.limitsKind, path, files, metrics, log: log)
        }
        limiter = Limiter(limits?.first ?? LimitsFile(), now: clocks.steady)
        register(in: metrics)
    }

    /// Takes what has changed.
    func refresh() {
        if let authorizer { keys?.refresh { authorizer.use($0) } }
        if let tokens { issuers?.refresh { tokens.use($0) } }
        limits?.refresh { limiter.use($0) }
    }

    private static func warn(_ configuration: Configuration, _ log: Log) {
        let addresses =
            [configuration.listenOTLP, configuration.listenHTTP]
            + [configuration.listenGRPC, configuration.listenAdmin].compactMap(\.self)
        for address in addresses where !address.isLoopback {
            log.warning(
                "whoever reaches this address may do everything: there is neither an auth-file nor a jwt-file",
                ["address": .string(address.description)])
        }
    }

    private func register(in metrics: MetricsRegistry) {
        if let authorizer {
            metrics.computed("varve_keys", help: "Keys of the auth-file.") { Double(authorizer.keyCount) }
            for denial in Denial.allCases {
                metrics.computed(
                    "varve_requests_denied_total",
                    help: "Requests that were refused for want of a key that allows them.",
                    labels: ["reason": denial.rawValue], monotonic: true
                ) { Double(authorizer.denied(denial)) }
            }
        }
        if let tokens {
            metrics.computed("varve_jwt_issuers", help: "Issuers of the jwt-file.") { Double(tokens.issuerCount) }
            metrics.computed("varve_jwt_remembered", help: "Tokens that are remembered to be good.") {
                Double(tokens.knownCount)
            }
        }
        let limiter = limiter
        metrics.computed("varve_limit_accounts", help: "Tenants and keys whose limits are watched.") {
            Double(limiter.accountCount)
        }
        metrics.computed("varve_limit_active_series", help: "Time series of all tenants that have limits on them.") {
            Double(limiter.seriesCount)
        }
        metrics.collected(
            "varve_limit_refused_total", help: "Requests and queries that exceeded a limit of their tenant or key.",
            monotonic: true
        ) {
            limiter.refusals.all.map { count in
                let labels = [("tenant", count.tenant), ("by", count.kind), ("reason", count.limit.rawValue)]
                return (labels: labels.map { (name: $0.0, value: $0.1) }, value: Double(count.value))
            }
        }
    }
}

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
    private let limits: WatchedFile<LimitsFile>?

    private static let keysKind = WatchedFile<AuthFile>.Kind(
        setting: "auth-file", byteLimit: AuthFile.byteLimit,
        read: { bytes, path throws(ConfigurationProblem) in try AuthFile.read(bytes, path: path) })
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
        if let path = configuration.authFile {
            let file = try WatchedFile(Self.keysKind, path, files, metrics, log: log)
            if file.first.keys.isEmpty {
                log.warning("the auth-file has no keys: nobody may do anything", ["file": .string(path)])
            }
            keys = file
            authorizer = Authorizer(file.first, now: clocks.now)
        } else {
            (keys, authorizer) = (nil, nil)
            Self.warn(configuration, log)
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
        limits?.refresh { limiter.use($0) }
    }

    private static func warn(_ configuration: Configuration, _ log: Log) {
        let addresses =
            [configuration.listenOTLP, configuration.listenHTTP]
            + [configuration.listenGRPC, configuration.listenAdmin].compactMap(\.self)
        for address in addresses where !address.isLoopback {
            log.warning(
                "whoever reaches this address may do everything: there is no auth-file",
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

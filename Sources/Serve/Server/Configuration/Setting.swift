private import API
private import Ingest
private import Maintenance
private import Observability
private import Schema
internal import Settings
private import TableSchema

/// One thing that an operator can set: the same key as a flag `--key`, as a variable `VARVE_KEY` and in the file.
struct Setting: Sendable {
    let key: String
    /// What stands for the value in the help text.
    let value: String
    let help: String
    let show: @Sendable (Configuration) -> String
    /// - Throws: what is wrong with the value.
    let apply: @Sendable (inout Configuration, String) throws(ValueError) -> Void

    typealias ValueError = SettingError

    /// `data-dir` as `VARVE_DATA_DIR`.
    var variable: String { "VARVE_" + String(key.map { $0 == "-" ? "_" : $0 }).uppercased() }

    static func named(_ key: String) -> Setting? { all.first { $0.key == key } }

    /// Those of Schema/, which rules of retention name.
    private static let tables =
        (try? TableCatalog.parse(files: Schema.files, lock: Schema.lock)) ?? TableCatalog(tables: [], rollups: [])

    /// The path of a file, or none.
    private static func file(
        _ key: String, _ help: String, _ path: any WritableKeyPath<Configuration, String?> & Sendable
    ) -> Setting {
        Setting(
            key: key, value: "FILE", help: help + "; or none", show: { $0[keyPath: path] ?? "none" },
            apply: { configuration, text throws(ValueError) in
                configuration[keyPath: path] = text.isEmpty || text == "none" ? nil : text
            })
    }

    static let all: [Setting] = [
        Setting(
            key: "data-dir", value: "DIR", help: "where all data is kept",
            show: { $0.dataDirectory },
            apply: { configuration, text throws(ValueError) in
                guard !text.isEmpty else { throw ValueError("a folder is needed") }
                configuration.dataDirectory = text
            }),
        Setting(
            key: "read-only", value: "SWITCH",
            help: "whether queries are answered and nothing is written: on or off; with on, telemetry is refused",
            show: { $0.isReadOnly ? "on" : "off" },
            apply: { configuration, text throws(ValueError) in
                configuration.isReadOnly = try ValueText.oneOf([true, false], text) { $0 ? "on" : "off" }
            }),
        Setting(
            key: "listen-otlp", value: "ADDRESS", help: "where telemetry is received: OTLP over HTTP",
            show: { $0.listenOTLP.description },
            apply: { configuration, text throws(ValueError) in
                configuration.listenOTLP = try ValueText.address(text)
            }),
        Setting(
            key: "listen-grpc", value: "ADDRESS", help: "where telemetry is received: OTLP over gRPC; or none",
            show: { $0.listenGRPC?.description ?? "none" },
            apply: { configuration, text throws(ValueError) in
                configuration.listenGRPC = text == "none" ? nil : try ValueText.address(text)
            }),
        Setting(
            key: "listen-http", value: "ADDRESS", help: "where queries are answered: Jaeger, Prometheus and Loki",
            show: { $0.listenHTTP.description },
            apply: { configuration, text throws(ValueError) in
                configuration.listenHTTP = try ValueText.address(text)
            }),
        Setting(
            key: "listen-admin", value: "ADDRESS",
            help: "where /metrics and the paths of administrators are answered; or none: where queries are",
            show: { $0.listenAdmin?.description ?? "none" },
            apply: { configuration, text throws(ValueError) in
                configuration.listenAdmin = text == "none" ? nil : try ValueText.address(text)
            }),
        file(
            "tls-certificate", "the server's certificate for TLS on all ports, in PEM, with those that vouch for it",
            \.tlsCertificate),
        file("tls-key", "the key of that certificate, in PEM", \.tlsKey),
        file("tls-client-ca", "who signs the certificates that clients must have then, in PEM", \.tlsClientCA),
        file(
            "auth-file", "the keys that senders and clients need, see varve keys; read again when it changes",
            \.authFile),
        file(
            "jwt-file", "the issuers whose JSON Web Tokens are taken as keys, in YAML; read again when it changes",
            \.jwtFile),
        file(
            "limits-file", "what tenants may send and ask for, in YAML; read again when it changes", \.limitsFile),
        Setting(
            key: "durability", value: "MODE", help: "when telemetry is acknowledged: fsync, written or memory",
            show: { $0.durability.rawValue },
            apply: { configuration, text throws(ValueError) in
                configuration.durability = try ValueText.oneOf(Durability.allCases, text, name: \.rawValue)
            }),
        Setting(
            key: "wal-compression", value: "METHOD",
            help: "how bodies that come uncompressed are written to the log: none, lz4 or zstd",
            show: { $0.logCompression.rawValue },
            apply: { configuration, text throws(ValueError) in
                configuration.logCompression = try ValueText.oneOf(LogCompression.allCases, text, name: \.rawValue)
            }),
        Setting(
            key: "flush-bytes", value: "SIZE",
            help: "how many bytes of rows a table gathers in memory for a part; twice as many of metrics",
            show: { ValueText.size($0.flushBytes) },
            apply: { configuration, text throws(ValueError) in
                configuration.flushBytes = try ValueText.size(text, in: 1 << 20...1 << 30)
            }),
        Setting(
            key: "flush-age", value: "DURATION", help: "how long rows stay in memory at most before they are in a part",
            show: { ValueText.duration($0.flushAge) },
            apply: { configuration, text throws(ValueError) in
                configuration.flushAge = try ValueText.duration(text)
            }),
        Setting(
            key: "merge", value: "SWITCH", help: "whether parts are merged: on or off",
            show: { $0.merges ? "on" : "off" },
            apply: { configuration, text throws(ValueError) in
                configuration.merges = try ValueText.oneOf([true, false], text) { $0 ? "on" : "off" }
            }),
        Setting(
            key: "merge-parts", value: "N",
            help: "how many parts of flushes in a partition are merged at least, and six times as many at most",
            show: { "\($0.mergeParts)" },
            apply: { configuration, text throws(ValueError) in
                configuration.mergeParts = try ValueText.integer(text, in: 1...64)
            }),
        Setting(
            key: "merge-pause", value: "DURATION", help: "how often there is a look for something to merge",
            show: { ValueText.duration($0.mergePause) },
            apply: { configuration, text throws(ValueError) in
                configuration.mergePause = try ValueText.duration(text)
            }),
        Setting(
            key: "merge-final-after", value: "DURATION",
            help: "how long after its end a partition is merged for the last time",
            show: { ValueText.duration($0.mergeFinalAfter) },
            apply: { configuration, text throws(ValueError) in
                configuration.mergeFinalAfter = try ValueText.duration(text)
            }),
        Setting(
            key: "rollup", value: "SWITCH", help: "whether views are kept up to date in the background: on or off",
            show: { $0.rollsUp ? "on" : "off" },
            apply: { configuration, text throws(ValueError) in
                configuration.rollsUp = try ValueText.oneOf([true, false], text) { $0 ? "on" : "off" }
            }),
        Setting(
            key: "rollup-pause", value: "DURATION", help: "how often there is a look for rows that are in no view",
            show: { ValueText.duration($0.rollupPause) },
            apply: { configuration, text throws(ValueError) in
                configuration.rollupPause = try ValueText.duration(text)
            }),
        Setting(
            key: "rollup-settle", value: "DURATION",
            help: "how long after its end an hour is joined for the dependency graph",
            show: { ValueText.duration($0.rollupSettle) },
            apply: { configuration, text throws(ValueError) in
                configuration.rollupSettle = try ValueText.duration(text)
            }),
        Setting(
            key: "max-new-parts", value: "N",
            help: "with more parts of flushes in a partition, its tenant is refused until merges have caught up",
            show: { "\($0.newPartLimit)" },
            apply: { configuration, text throws(ValueError) in
                configuration.newPartLimit = try ValueText.integer(text, in: 16...100_000)
            }),
        Setting(
            key: "retention", value: "SWITCH", help: "whether rows are dropped once they have expired: on or off",
            show: { $0.drops ? "on" : "off" },
            apply: { configuration, text throws(ValueError) in
                configuration.drops = try RetentionText.isOn(text)
            }),
        Setting(
            key: "retention-rules", value: "LIST",
            help:
                "how long some rows live: [tenant=NAME] [table=NAME] [service=NAME] keep=DURATION, with commas between",
            show: { RetentionText.text($0.retentionRules, tables) },
            apply: { configuration, text throws(ValueError) in
                configuration.retentionRules = try RetentionText.rules(text, tables)
            }),
        Setting(
            key: "retention-size", value: "SIZE", help: "the most bytes of all parts; the oldest partitions go first",
            show: { $0.retentionBytes.map { ValueText.size($0) } ?? "none" },
            apply: { configuration, text throws(ValueError) in
                configuration.retentionBytes = try RetentionText.byteLimit(text)
            }),
        Setting(
            key: "accept-past", value: "DURATION",
            help:
                "how old rows may be when they come: a duration, retention (as long as their table keeps them) or all",
            show: { configuration in
                switch configuration.acceptedPast {
                case .retention: "retention"
                case .all: "all"
                case .within(let age): ValueText.duration(age)
                }
            },
            apply: { configuration, text throws(ValueError) in
                configuration.acceptedPast =
                    switch text {
                    case "retention": .retention
                    case "all": .all
                    default: .within(try ValueText.duration(text))
                    }
            }),
        Setting(
            key: "accept-future", value: "DURATION",
            help: "how far ahead of the clock rows may be when they come: a duration or all",
            show: { $0.acceptedFuture.map { ValueText.duration($0) } ?? "all" },
            apply: { configuration, text throws(ValueError) in
                configuration.acceptedFuture = text == "all" ? nil : try ValueText.duration(text)
            }),
        Setting(
            key: "disk-reserve", value: "SIZE", help: "how much of the disk is set aside for when it is full",
            show: { $0.diskReserve.map { ValueText.size($0) } ?? "auto" },
            apply: { configuration, text throws(ValueError) in
                configuration.diskReserve = text == "auto" ? nil : try ValueText.size(text, in: 0...1 << 40)
            }),
        Setting(
            key: "disk-low", value: "SIZE", help: "with less free space on the disk parts are not merged",
            show: { $0.diskLow.map { ValueText.size($0) } ?? "auto" },
            apply: { configuration, text throws(ValueError) in
                configuration.diskLow = text == "auto" ? nil : try ValueText.size(text, in: 0...1 << 50)
            }),
        Setting(
            key: "disk-full", value: "SIZE", help: "with less free space on the disk no telemetry is taken",
            show: { $0.diskFull.map { ValueText.size($0) } ?? "auto" },
            apply: { configuration, text throws(ValueError) in
                configuration.diskFull = text == "auto" ? nil : try ValueText.size(text, in: 0...1 << 50)
            }),
        Setting(
            key: "memory-limit", value: "SIZE",
            help: "how much memory the process may take; auto: half of the machine's, or of its control group's",
            show: { $0.memoryLimit.map { ValueText.size($0) } ?? "auto" },
            apply: { configuration, text throws(ValueError) in
                configuration.memoryLimit = text == "auto" ? nil : try ValueText.size(text, in: 128 << 20...1 << 46)
            }),
        Setting(
            key: "query-timeout", value: "DURATION", help: "how long a query may run",
            show: { ValueText.duration($0.queryTimeout) },
            apply: { configuration, text throws(ValueError) in
                configuration.queryTimeout = try ValueText.duration(text)
            }),
        Setting(
            key: "query-memory", value: "SIZE", help: "how many bytes a query may read and hold",
            show: { ValueText.size($0.queryMemory) },
            apply: { configuration, text throws(ValueError) in
                configuration.queryMemory = try ValueText.size(text, in: 1 << 20...1 << 40)
            }),
        Setting(
            key: "query-total-memory", value: "SIZE", help: "how many bytes all queries together may hold",
            show: { ValueText.size($0.queryTotalMemory) },
            apply: { configuration, text throws(ValueError) in
                configuration.queryTotalMemory = try ValueText.size(text, in: 1 << 20...1 << 40)
            }),
        Setting(
            key: "query-concurrency", value: "N",
            help: "how many queries run at a time; others wait; 0: twice the processors, at least 4",
            show: { "\($0.queryConcurrency)" },
            apply: { configuration, text throws(ValueError) in
                configuration.queryConcurrency = try ValueText.integer(text, in: 0...10_000)
            }),
        Setting(
            key: "query-queue-wait", value: "DURATION",
            help: "how long a query waits for its turn before it is refused",
            show: { ValueText.duration($0.queryQueueWait) },
            apply: { configuration, text throws(ValueError) in
                configuration.queryQueueWait = try ValueText.duration(text)
            }),
        Setting(
            key: "open-parts", value: "N", help: "how many parts are kept open for queries",
            show: { "\($0.openParts)" },
            apply: { configuration, text throws(ValueError) in
                configuration.openParts = try ValueText.integer(text, in: 16...1_000_000)
            }),
        Setting(
            key: "part-cache", value: "SIZE", help: "how much memory open parts and their dictionaries may take",
            show: { ValueText.size($0.partCache) },
            apply: { configuration, text throws(ValueError) in
                configuration.partCache = try ValueText.size(text, in: 1 << 20...1 << 40)
            }),
        Setting(
            key: "result-cache", value: "SIZE", help: "how much memory results of range queries may take; 0 keeps none",
            show: { ValueText.size($0.resultCache) },
            apply: { configuration, text throws(ValueError) in
                configuration.resultCache = try ValueText.size(text, in: 0...1 << 40)
            }),
        Setting(
            key: "result-cache-age", value: "DURATION",
            help: "how long a result is kept that nobody asks for",
            show: { ValueText.duration($0.resultCacheAge) },
            apply: { configuration, text throws(ValueError) in
                configuration.resultCacheAge = try ValueText.duration(text)
            }),
        Setting(
            key: "max-body-size", value: "SIZE", help: "the largest request of telemetry, compressed and decompressed",
            show: { ValueText.size($0.maxBodySize) },
            apply: { configuration, text throws(ValueError) in
                configuration.maxBodySize = try ValueText.size(text, in: 1 << 10...Engine.longestBody)
            }),
        Setting(
            key: "max-connections", value: "N", help: "how many connections each port serves at a time",
            show: { "\($0.maxConnections)" },
            apply: { configuration, text throws(ValueError) in
                configuration.maxConnections = try ValueText.integer(text, in: 1...100_000)
            }),
        Setting(
            key: "archive-size", value: "SIZE",
            help: "the most bytes of all archived traces; 0 refuses to archive, and shows none",
            show: { ValueText.size($0.archiveBytes) },
            apply: { configuration, text throws(ValueError) in
                configuration.archiveBytes = try ValueText.size(text, in: 0...1 << 50)
            }),
        Setting(
            key: "archive-traces", value: "N", help: "how many traces may be archived",
            show: { "\($0.archiveTraces)" },
            apply: { configuration, text throws(ValueError) in
                configuration.archiveTraces = try ValueText.integer(text, in: 1...10_000_000)
            }),
        Setting(
            key: "jaeger-ui", value: "DIR",
            help: "the folder of Jaeger's built UI, whose pages are served then; or none",
            show: { $0.jaegerUI ?? "none" },
            apply: { configuration, text throws(ValueError) in
                configuration.jaegerUI = text.isEmpty || text == "none" ? nil : text
            }),
        Setting(
            key: "log-level", value: "LEVEL", help: "what is logged: debug, info, warning or error",
            show: { $0.logLevel.name },
            apply: { configuration, text throws(ValueError) in
                configuration.logLevel = try ValueText.oneOf(Log.Level.allCases, text, name: \.name)
            }),
        Setting(
            key: "cors-origins", value: "LIST",
            help: "which web pages may query: *, none, or origins, with commas between",
            show: { ValueText.origins($0.corsOrigins) },
            apply: { configuration, text throws(ValueError) in
                configuration.corsOrigins = try ValueText.origins(text)
            }),
        Setting(
            key: "otlp-cors-origins", value: "LIST", help: "which web pages may send telemetry; as cors-origins",
            show: { ValueText.origins($0.otlpCORSOrigins) },
            apply: { configuration, text throws(ValueError) in
                configuration.otlpCORSOrigins = try ValueText.origins(text)
            }),
    ]
}

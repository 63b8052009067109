/// The text of every file in this folder, embedded in the binary, in the order of their numbers.
package enum Schema {
    package static let files: [(name: String, bytes: [UInt8])] = [
        ("001_otel_metrics.sql", PackageResources._01_otel_metrics_sql),
        ("002_otel_logs.sql", PackageResources._02_otel_logs_sql),
        ("003_otel_traces.sql", PackageResources._03_otel_traces_sql),
    ]

    /// The numbers of every table and column.
    package static let lock: [UInt8] = PackageResources.LOCK
}

package import API
package import Ingest
package import Maintenance
package import Observability

/// All that an operator can set. See `Setting.all` for what each is called and how it is written.
package struct Configuration: Sendable {
    package var dataDirectory = "varve-data"
    /// Whether the data are queried, and nothing is written to them.
    package var isReadOnly = false
    package var listenOTLP = ListenAddress(host: "127.0.0.1", port: 4318)
    /// Nil: not over gRPC.
    package var listenGRPC: ListenAddress? = ListenAddress(host: "127.0.0.1", port: 4317)
    package var listenHTTP = ListenAddress(host: "127.0.0.1", port: 8081)
    /// Where an operator's own paths are; nil: beside the queries.
    package var listenAdmin: ListenAddress?
    /// Files of TLS on all ports; nil: there is none.
    package var tlsCertificate: String?
    package var tlsKey: String?
    package var tlsClientCA: String?
    /// The file of keys; nil: nobody is asked for one.
    package var authFile: String?
    /// The file of issuers whose tokens are taken; nil: tokens are not.
    package var jwtFile: String?
    /// The file of limits; nil: only keys have some.
    package var limitsFile: String?
    package var durability = Durability.fsync
    package var logCompression = LogCompression.none
    /// A table's rows in memory are written as parts once they take this many bytes …
    package var flushBytes = 24 << 20
    /// … or the first of them is this old, in nanoseconds.
    package var flushAge: Int64 = 30_000_000_000
    /// Whether parts are merged.
    package var merges = true
    /// Bytes of the disk: that are set aside, and below which merges and ingest stop.
    /// Nil, here and below: as the size of the file system has it.
    package var diskReserve: Int?
    package var diskLow: Int?
    package var diskFull: Int?
    /// How many parts of flushes in a partition are merged, at the most.
    package var mergeParts = 16
    /// How often there is a look for something to merge, in nanoseconds.
    package var mergePause: Int64 = 5_000_000_000
    /// How long after its end a partition is merged for the last time, in nanoseconds.
    package var mergeFinalAfter: Int64 = 3_600_000_000_000
    /// Whether views are kept up to date.
    package var rollsUp = true
    /// How often there is a look for rows that are in no view, in nanoseconds.
    package var rollupPause: Int64 = 2_000_000_000
    /// How long after its end an hour is joined for the dependency graph, in nanoseconds.
    package var rollupSettle: Int64 = 900_000_000_000
    /// With more parts of flushes in a partition, its tenant has to wait until merges have caught up.
    package var newPartLimit = 400
    /// Whether rows are dropped once they have expired.
    package var drops = true
    /// How long some rows live, instead of what Schema/ says.
    package var retentionRules: [RetentionRule] = []
    /// The most bytes of all parts; beyond, the oldest partitions go.
    package var retentionBytes: Int?
    /// How old rows may be when they come …
    package var acceptedPast = AcceptedTimes.Past.retention
    /// … and how far ahead of the clock, in nanoseconds; nil: any.
    package var acceptedFuture: Int64? = 86_400_000_000_000
    /// In nanoseconds.
    package var queryTimeout: Int64 = 120_000_000_000
    package var queryMemory = 1 << 30
    package var queryTotalMemory = 2 << 30
    /// 0: twice the processors, at least 4. More of them wait for each other's locks and caches.
    package var queryConcurrency = 0
    /// In nanoseconds.
    package var queryQueueWait: Int64 = 10_000_000_000
    package var openParts = 512
    package var partCache = 384 << 20
    /// Nil: half of what the machine or the control group has.
    package var memoryLimit: Int?
    /// Of results of range queries, and how long they are kept unless they are asked for, in nanoseconds.
    package var resultCache = 64 << 20
    package var resultCacheAge: Int64 = 900_000_000_000
    /// Of a request of telemetry, as received and decompressed alike (rule O-7).
    package var maxBodySize = 64 << 20
    /// For each port.
    package var maxConnections = 16_384
    /// How many traces may be archived, and the bytes of all of them; no bytes: none is.
    package var archiveTraces = 100_000
    package var archiveBytes = 1 << 30
    /// The folder of the built UI of Jaeger; nil: its pages are not served.
    package var jaegerUI: String?
    package var logLevel = Log.Level.info
    package var corsOrigins = Router.Origins.any
    package var otlpCORSOrigins = Router.Origins.none

    package init() {}
}

/// An address to listen on: a textual IP address and a port.
package struct ListenAddress: Hashable, Sendable, CustomStringConvertible {
    package var host: String
    /// Zero takes a free one.
    package var port: UInt16

    package init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    /// Whether nobody on another machine reaches it.
    var isLoopback: Bool { host.hasPrefix("127.") || host == "::1" }

    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

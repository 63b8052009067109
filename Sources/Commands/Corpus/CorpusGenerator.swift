/// Writes the corpus of one signal: numbered OTLP/HTTP bodies of about a thousand rows, and the truth about them.
///
/// The same options give the same bytes. Traces and logs of the same seed, rows, hours and end come from the same visits
/// to the shop, so that a log record's trace is in the traces' corpus.
package struct CorpusGenerator {
    package enum Signal: String, CaseIterable, Sendable { case traces, logs, metrics }

    package struct Options: Sendable {
        package var signal: Signal
        package var rows: Int
        package var hours: Double
        package var seed: UInt64
        /// The corpus ends here: seconds since the epoch.
        package var end: Int64
        package var rowsPerRequest = 1_000

        package init(signal: Signal, rows: Int, hours: Double, seed: UInt64, end: Int64) {
            self.signal = signal
            self.rows = rows
            self.hours = hours
            self.seed = seed
            self.end = end
        }

        var endTime: Int64 { end * 1_000_000_000 }
        var startTime: Int64 { endTime - Int64(hours * 3_600e9) }
    }

    package let options: Options

    package init(_ options: Options) { self.options = options }

    /// Makes all bodies, in the order in which they would arrive, and hands each to `emit`.
    package func run<Failure: Error>(
        emit: (CorpusRequest) throws(Failure) -> Void
    ) throws(Failure) -> CorpusTruth {
        switch options.signal {
        case .traces, .logs: try VisitCorpus(options).run(emit: emit)
        case .metrics: try MetricCorpus(options).run(emit: emit)
        }
    }
}

/// One export request, ready to be posted.
package struct CorpusRequest {
    package var body: [UInt8]
    package var rows: Int
}

/// What is known of a corpus without asking a database, to check answers against.
package struct CorpusTruth: Sendable {
    package struct SampleTrace: Sendable {
        package var id: String
        package var spans: Int
        package var start: Int64
    }

    package var rows = 0
    package var requests = 0
    package var bytes = 0
    package var firstTime = Int64.max
    package var lastTime = Int64.min
    package var rowsByService: [String: Int] = [:]
    /// Rows by operation (traces), severity (logs) or kind of stream (metrics).
    package var rowsByKind: [String: Int] = [:]
    package var traces = 0
    package var errorSpans = 0
    package var sampleTraces: [SampleTrace] = []
    /// Words of log bodies, and in how many bodies they are.
    package var needles: [String: Int] = [:]
    package var streams = 0

    mutating func count(_ request: CorpusRequest) {
        rows += request.rows
        requests += 1
        bytes += request.body.count
    }

    mutating func saw(time: Int64) {
        firstTime = min(firstTime, time)
        lastTime = max(lastTime, time)
    }
}

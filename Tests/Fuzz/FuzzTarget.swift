/// A reader of foreign bytes under test, and inputs to begin with: given any bytes, it answers or refuses; it never traps, hangs or
/// takes unbounded memory.
///
/// `run` traps if the reader under test does, or if a property that the target states does not hold.
struct FuzzTarget: Sendable {
    let name: String
    /// Valid inputs, the same ones every time.
    let seeds: @Sendable () -> [[UInt8]]
    let run: @Sendable (UnsafeRawBufferPointer) -> Void

    init(
        _ name: String, seeds: @escaping @Sendable () -> [[UInt8]],
        run: @escaping @Sendable (UnsafeRawBufferPointer) -> Void
    ) {
        self.name = name
        self.seeds = seeds
        self.run = run
    }

    static let all: [FuzzTarget] = [
        .traces, .logs, .metrics, .tracesJSON, .logsJSON, .metricsJSON, .json, .gzip, .zstd, .lz4, .lz4Frames, .snappy,
        .pages, .part,
        .footer, .index, .catalogLog, .archive, .log, .directory, .schema, .lock, .pattern, .promql, .logql, .logLine,
        .plan, .states, .seriesPlan, .seriesStates, .traceql, .message, .authFile,
        .limitsFile, .tokenFile, .token, .canary,
    ]

    static func named(_ name: String) -> FuzzTarget? { all.first { $0.name == name } }

    /// Breaks on about every thousandth input: a search that does not find that would find nothing else either.
    static let canary = FuzzTarget(
        "canary", seeds: { [Array("a canary sings until it does not".utf8)] },
        run: { bytes in
            let sum = bytes.reduce(into: UInt32(7)) { $0 = $0 &* 31 &+ UInt32($1) }
            precondition(sum % 1_009 != 3, "the canary fell silent, as it should")
        })
}

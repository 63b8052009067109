#if canImport(Glibc)
    private import Glibc
#endif

/// Traces or logs: visits to the shop, spread over the day, whose rows wait in their pods until the next export.
///
/// A pod exports every five seconds what has ended since, to the collector of its node, which sends a request for every
/// thousand rows. So the spans of a trace, which ran on several nodes, arrive in several requests.
struct VisitCorpus {
    /// An encoded span or log record that its pod has not exported yet.
    private struct PendingRow {
        var exportTime: Int64
        var pod: Int
        var bytes: [UInt8]
    }

    private static let exportInterval: Int64 = 5_000_000_000

    private let options: CorpusGenerator.Options
    private let shop: Shop
    private let visits: Int
    private var truth = CorpusTruth()
    /// By second of export.
    private var waiting: [Int64: [PendingRow]] = [:]
    private var oldestWaiting = Int64.max
    /// By node.
    private var batches = [[PendingRow]](repeating: [], count: Shop.nodeCount)
    private var logged = 0
    private let needles: [(word: String, every: Int)]

    init(_ options: CorpusGenerator.Options) {
        self.options = options
        shop = Shop(seed: options.seed)
        // Both signals of a corpus count in spans, so that their visits are the same ones.
        visits = max(1, Int(Double(options.rows) / Self.spansPerVisit(seed: options.seed, shop: shop)))
        var dice = Dice(seed: options.seed, stream: .max - 1)
        needles = [(1, 1), (7, 7), (140, 140)].map { name, count in
            ("needle\(name)\(dice.hex(6))", max(1, options.rows / count))
        }
    }

    private static func spansPerVisit(seed: UInt64, shop: Shop) -> Double {
        let sample = 2_000
        let spans = (0..<sample).reduce(0) {
            $0 + Simulation(shop: shop, seed: seed, index: $1, start: 0).spans.count
        }
        return Double(spans) / Double(sample)
    }

    consuming func run<Failure: Error>(
        emit: (CorpusRequest) throws(Failure) -> Void
    ) throws(Failure) -> CorpusTruth {
        for index in 0..<visits {
            let start = startOfVisit(index)
            try flush(before: start, emit: emit)
            let visit = Simulation(shop: shop, seed: options.seed, index: index, start: start)
            switch options.signal {
            case .traces: add(visit.spans, of: index)
            case .logs: add(visit.logs)
            case .metrics: preconditionFailure("visits leave no data points")
            }
        }
        try flush(before: .max, emit: emit)
        for node in batches.indices where !batches[node].isEmpty { try send(node, emit) }
        return truth
    }

    /// Visits come twice as often at the day's height as in its depth; the corpus ends with the last one's rows.
    private func startOfVisit(_ index: Int) -> Int64 {
        let share = Double(index) / Double(visits)
        let days = options.hours / 24
        let swayed = share - days * 0.05 * (1 - cos(2 * .pi * share / max(days, 1e-9))) / max(days, 1)
        let length = Double(options.endTime - options.startTime) - 20e9
        return options.startTime + Int64(max(0, swayed * max(length, 1e9)))
    }

    private mutating func add(_ spans: [Simulation.Span], of index: Int) {
        var writer = ProtobufWriter()
        for span in spans {
            writer.removeAll()
            writer.span(span)
            wait(pod: span.pod, until: span.end, writer.bytes)
            truth.saw(time: span.start)
            let service = shop.pods[span.pod].service.name.rawValue
            truth.rowsByService[service, default: 0] += 1
            truth.rowsByKind["\(service)|\(span.name)", default: 0] += 1
            if span.failure != nil { truth.errorSpans += 1 }
        }
        guard let first = spans.first else { return }
        truth.traces += Set(spans.map(\.trace)).count
        if index % max(1, visits / 40) == visits / 80 {
            truth.sampleTraces.append(
                CorpusTruth.SampleTrace(
                    id: first.trace.text, spans: spans.count { $0.trace == first.trace }, start: first.start))
        }
    }

    private mutating func add(_ logs: [Simulation.Log]) {
        var writer = ProtobufWriter()
        for var log in logs {
            for needle in needles where logged % needle.every == needle.every / 2 {
                log.body += " \(needle.word)"
                truth.needles[needle.word, default: 0] += 1
            }
            logged += 1
            writer.removeAll()
            writer.log(log, observed: log.time + 300_000)
            wait(pod: log.pod, until: log.time, writer.bytes)
            truth.saw(time: log.time)
            truth.rowsByService[shop.pods[log.pod].service.name.rawValue, default: 0] += 1
            truth.rowsByKind[log.severity.text, default: 0] += 1
        }
    }

    private mutating func wait(pod: Int, until end: Int64, _ bytes: [UInt8]) {
        let phase = shop.pods[pod].exportPhase
        let exportTime = ((end - phase) / Self.exportInterval + 1) * Self.exportInterval + phase
        let second = exportTime / 1_000_000_000
        waiting[second, default: []].append(PendingRow(exportTime: exportTime, pod: pod, bytes: bytes))
        oldestWaiting = min(oldestWaiting, second)
    }

    /// Exports what no later visit can add to: all that is due before `time`.
    private mutating func flush<Failure: Error>(
        before time: Int64, emit: (CorpusRequest) throws(Failure) -> Void
    ) throws(Failure) {
        while !waiting.isEmpty, oldestWaiting < time / 1_000_000_000 {
            guard var due = waiting.removeValue(forKey: oldestWaiting) else {
                oldestWaiting += 1
                continue
            }
            oldestWaiting += 1
            due.sort { ($0.exportTime, $0.pod) < ($1.exportTime, $1.pod) }
            for row in due {
                let node = shop.pods[row.pod].node
                batches[node].append(row)
                if batches[node].count == options.rowsPerRequest { try send(node, emit) }
            }
        }
        if waiting.isEmpty { oldestWaiting = .max }
    }

    /// Sends what the collector of `node` holds, pod by pod.
    private mutating func send<Failure: Error>(
        _ node: Int, _ emit: (CorpusRequest) throws(Failure) -> Void
    ) throws(Failure) {
        var writer = ProtobufWriter()
        for (pod, rows) in Dictionary(grouping: batches[node], by: \.pod).sorted(by: { $0.key < $1.key }) {
            writer.message(1) { resource in
                resource.data(1, shop.pods[pod].resource)
                resource.message(2) { scope in
                    scope.data(1, shop.pods[pod].scope)
                    for row in rows { scope.data(2, row.bytes) }
                }
            }
        }
        let request = CorpusRequest(body: writer.bytes, rows: batches[node].count)
        batches[node].removeAll(keepingCapacity: true)
        truth.count(request)
        try emit(request)
    }
}

extension Simulation.TraceKey {
    /// 32 hexadecimal digits.
    fileprivate var text: String {
        [high, low].map { word in
            let digits = String(word, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }
}

extension ProtobufWriter {
    fileprivate mutating func span(_ span: Simulation.Span) {
        id(1, high: span.trace.high, low: span.trace.low)
        id(2, span.id)
        if span.parent != 0 { id(4, span.parent) }
        string(5, span.name)
        uint(6, span.kind.rawValue)
        fixed64(7, UInt64(span.start))
        fixed64(8, UInt64(span.end))
        attributes(9, span.attributes)
        for event in span.events {
            message(11) { writer in
                writer.fixed64(1, UInt64(event.time))
                writer.string(2, event.name)
                writer.attributes(3, event.attributes)
            }
        }
        for link in span.links {
            message(13) { writer in
                writer.id(1, high: link.trace.high, low: link.trace.low)
                writer.id(2, link.span)
                writer.attributes(4, link.attributes)
            }
        }
        if let failure = span.failure {
            message(15) { writer in
                if !failure.isEmpty { writer.string(2, failure) }
                writer.uint(3, 2)
            }
        }
        // W3C flags: sampled, and "is remote" known.
        fixed32(16, span.parent == 0 ? 0x101 : span.kind == .server || span.kind == .consumer ? 0x301 : 0x101)
    }

    fileprivate mutating func log(_ log: Simulation.Log, observed: Int64) {
        fixed64(1, UInt64(log.time))
        uint(2, log.severity.rawValue)
        string(3, log.severity.text)
        message(5) { $0.string(1, log.body) }
        attributes(6, log.attributes)
        if let context = log.context {
            fixed32(8, 1)
            id(9, high: context.trace.high, low: context.trace.low)
            id(10, context.span)
        }
        fixed64(11, UInt64(observed))
    }
}

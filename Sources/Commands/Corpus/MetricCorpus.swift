#if canImport(Glibc)
    private import Glibc
#endif

/// Metrics: every pod reports all of its streams each fifteen seconds; a few pods restart on the way and begin at zero.
struct MetricCorpus {
    static let interval: Int64 = 15_000_000_000

    private let options: CorpusGenerator.Options
    private let shop: Shop
    private let dice: Dice
    private let pods: [PodMetrics]
    private let scrapes: Int
    /// The scrape before which a pod restarts, by pod.
    private let restarts: [Int: Int]

    init(_ options: CorpusGenerator.Options) {
        self.options = options
        shop = Shop(seed: options.seed)
        var dice = Dice(seed: options.seed, stream: .max - 2)
        scrapes = max(1, Int(options.hours * 3_600e9) / Int(Self.interval))
        let wanted = max(1, options.rows / scrapes)
        pods = PodMetrics.fleet(of: shop, streams: wanted, dice: &dice)
        var restarts: [Int: Int] = [:]
        for _ in 0..<3 {
            restarts[dice.int(below: pods.count)] = scrapes / 5 + dice.int(below: max(1, scrapes * 3 / 5))
        }
        self.restarts = restarts
        self.dice = dice
    }

    func run<Failure: Error>(
        emit: (CorpusRequest) throws(Failure) -> Void
    ) throws(Failure) -> CorpusTruth {
        var truth = CorpusTruth()
        var dice = dice
        var pods = pods
        truth.streams = pods.reduce(0) { $0 + $1.streamCount }
        for pod in pods {
            for (kind, count) in pod.streamsByKind { truth.rowsByKind[kind, default: 0] += count * scrapes }
            truth.rowsByService[shop.pods[pod.pod].service.name.rawValue, default: 0] += pod.streamCount * scrapes
        }
        let born = options.startTime - 9 * 3_600_000_000_000
        for pod in pods.indices { pods[pod].startTime = born + Int64(pod) * 1_000_000 }
        for scrape in 1...scrapes {
            let tick = options.endTime - Int64(scrapes - scrape) * Self.interval
            truth.saw(time: tick)
            let hour = Double(tick % 86_400_000_000_000) / 3_600e9
            let load = 1 + 0.4 * sin(2 * .pi * (hour - 9) / 24) + 0.05 * dice.normal()
            var writer = ProtobufWriter()
            var rows = 0
            for index in pods.indices {
                if restarts[index] == scrape { pods[index].restart(at: tick - Self.interval / 2) }
                let time = tick + shop.pods[pods[index].pod].exportPhase / 4 + Int64(dice.int(below: 3_000_000))
                pods[index].advance(load: max(load, 0.1), dice: &dice)
                pods[index].write(to: &writer, time: time, shop: shop)
                rows += pods[index].streamCount
                if rows >= options.rowsPerRequest || index == pods.indices.last {
                    let request = CorpusRequest(body: writer.bytes, rows: rows)
                    truth.count(request)
                    try emit(request)
                    writer.removeAll()
                    rows = 0
                }
            }
        }
        truth.lastTime += Self.interval
        return truth
    }
}

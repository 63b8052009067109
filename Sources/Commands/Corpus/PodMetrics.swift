#if canImport(Glibc)
    private import Glibc
#endif

/// The metric streams of one pod, and their values now.
struct PodMetrics {
    enum Kind: String, CaseIterable {
        case intGauge, doubleGauge, intCounter, doubleCounter, upDownCounter, doubleUpDownCounter
        case histogram, exponentialHistogram
    }

    struct Instrument: Hashable {
        var name: String
        var description: String
        var unit: String
        var kind: Kind
    }

    struct Stream {
        /// The attributes, encoded as the field that the kind's data point has them in.
        var attributes: [UInt8]
        /// Events a scrape for counters and histograms; the mean for gauges.
        var rate: Double
        var value: Double
        var counts: [UInt64] = []
    }

    let pod: Int
    var startTime: Int64 = 0
    private(set) var instruments: [(instrument: Instrument, streams: [Stream])] = []

    static let bounds: [Double] = [
        0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
    ]
    /// Exponential buckets at scale 3 from 2^-8 up: index -64 is the first.
    private static let exponentialBuckets = 96
    private static let exponentialOffset: Int64 = -64

    init(pod: Int) { self.pod = pod }

    var streamCount: Int { instruments.reduce(0) { $0 + $1.streams.count } }

    var streamsByKind: [(String, Int)] { instruments.map { ($0.instrument.kind.rawValue, $0.streams.count) } }

    /// The fleet: what every pod reports, and counters by tenant until there are `streams` in all. Where that is less
    /// than the pods have, the last pods are left out.
    static func fleet(of shop: Shop, streams wanted: Int, dice: inout Dice) -> [PodMetrics] {
        var fleet = shop.pods.indices.map { PodMetrics(pod: $0) }
        var count = 0
        for index in fleet.indices where count < wanted {
            fleet[index].addRuntime(dice: &dice)
            fleet[index].addServing(shop.pods[index].service, dice: &dice)
            count += fleet[index].streamCount
        }
        fleet.removeAll { $0.streamCount == 0 }
        let requests = Instrument(
            name: "bookshop.tenant.requests", description: "Requests by tenant", unit: "{request}", kind: .intCounter)
        let quota = Instrument(
            name: "bookshop.tenant.quota.utilization", description: "Share of the quota in use", unit: "1",
            kind: .doubleGauge)
        var number = 0
        while count < wanted {
            let pod = number % fleet.count
            let tenant = Field("tenant.id", "t-\(1_000 + number / fleet.count)")
            let plan = Field("tenant.plan", dice.pick(["free", "team", "business"]))
            fleet[pod].add(requests, [tenant, plan], rate: dice.pick([0, 0.3, 2, 9]) * dice.unit())
            count += 1
            if number % 3 == 0, count < wanted {
                fleet[pod].add(quota, [tenant], rate: dice.unit())
                count += 1
            }
            number += 1
        }
        return fleet
    }

    private mutating func add(_ instrument: Instrument, _ attributes: [Field], rate: Double) {
        var writer = ProtobufWriter()
        let field: UInt64 =
            switch instrument.kind {
            case .histogram: 9
            case .exponentialHistogram: 1
            default: 7
            }
        writer.attributes(field, attributes)
        var stream = Stream(attributes: writer.bytes, rate: rate, value: 0)
        switch instrument.kind {
        case .histogram: stream.counts = Array(repeating: 0, count: Self.bounds.count + 1)
        case .exponentialHistogram: stream.counts = Array(repeating: 0, count: Self.exponentialBuckets)
        case .intGauge, .doubleGauge: stream.value = rate
        default: break
        }
        if let index = instruments.firstIndex(where: { $0.instrument == instrument }) {
            instruments[index].streams.append(stream)
        } else {
            instruments.append((instrument, [stream]))
        }
    }

    private mutating func addRuntime(dice: inout Dice) {
        let cpu = Instrument(name: "process.cpu.time", description: "CPU seconds", unit: "s", kind: .doubleCounter)
        let memory = Instrument(
            name: "process.memory.usage", description: "Resident memory", unit: "By", kind: .upDownCounter)
        let limit = Instrument(
            name: "k8s.container.memory_limit", description: "Memory limit", unit: "By", kind: .intGauge)
        let utilization = Instrument(
            name: "process.cpu.utilization", description: "CPU share", unit: "1", kind: .doubleGauge)
        let network = Instrument(
            name: "system.network.io", description: "Bytes on the wire", unit: "By", kind: .intCounter)
        let threads = Instrument(
            name: "process.thread.count", description: "Threads", unit: "{thread}", kind: .upDownCounter)
        let collections = Instrument(
            name: "runtime.gc.duration", description: "Pauses", unit: "s", kind: .exponentialHistogram)
        let backlog = Instrument(
            name: "runtime.queue.load", description: "Work queued", unit: "1", kind: .doubleUpDownCounter)
        for mode in ["user", "system"] { add(cpu, [Field("cpu.mode", mode)], rate: 1 + dice.unit()) }
        for state in ["used", "cached", "free"] {
            add(memory, [Field("state", state)], rate: 4_000_000 * (1 + dice.unit()))
        }
        add(limit, [], rate: 1_073_741_824)
        for core in 0..<4 { add(utilization, [Field("cpu.logical_number", core)], rate: dice.unit() * 0.6) }
        for device in ["eth0", "lo"] {
            for direction in ["receive", "transmit"] {
                add(
                    network, [Field("network.interface.name", device), Field("network.io.direction", direction)],
                    rate: 90_000 * dice.unit())
            }
        }
        for state in ["runnable", "waiting", "blocked"] { add(threads, [Field("thread.state", state)], rate: 3) }
        for generation in ["young", "old"] { add(collections, [Field("gc.generation", generation)], rate: 4) }
        for queue in ["default", "io"] { add(backlog, [Field("queue", queue)], rate: 0.4) }
    }

    private mutating func addServing(_ service: Shop.Service, dice: inout Dice) {
        let duration = Instrument(
            name: "http.server.request.duration", description: "Time to answer", unit: "s", kind: .histogram)
        let calls = Instrument(
            name: "rpc.server.calls", description: "Calls answered", unit: "{call}", kind: .intCounter)
        let active = Instrument(
            name: "http.server.active_requests", description: "Requests now", unit: "{request}", kind: .upDownCounter)
        let size = Instrument(
            name: "http.server.response.body.size", description: "Bytes answered", unit: "By",
            kind: .exponentialHistogram)
        let pool = Instrument(
            name: "db.client.connection.count", description: "Connections", unit: "{connection}", kind: .intGauge)
        for route in 0..<dice.int(in: 2...5) {
            let path = Field("http.route", "/\(service.name.rawValue)/r\(route)/{id}")
            for status in [200, 404, 500] {
                add(
                    duration, [path, Field("http.request.method", "GET"), Field("http.response.status_code", status)],
                    rate: status == 200 ? 30 * dice.unit() : 0.4)
                add(
                    calls, [path, Field("rpc.grpc.status_code", status / 100)],
                    rate: status == 200 ? 60 * dice.unit() : 0.2)
            }
            add(active, [path], rate: 2)
            add(size, [path], rate: 20 * dice.unit())
        }
        for state in ["idle", "used"] { add(pool, [Field("state", state), Field("pool.name", "main")], rate: 8) }
    }

    /// The pod begins again: counters at zero, gauges where they were.
    mutating func restart(at time: Int64) {
        startTime = time
        for index in instruments.indices {
            switch instruments[index].instrument.kind {
            case .intGauge, .doubleGauge: continue
            default: break
            }
            for stream in instruments[index].streams.indices {
                instruments[index].streams[stream].value = 0
                for bucket in instruments[index].streams[stream].counts.indices {
                    instruments[index].streams[stream].counts[bucket] = 0
                }
            }
        }
    }

    /// Fifteen seconds pass.
    mutating func advance(load: Double, dice: inout Dice) {
        for index in instruments.indices {
            let kind = instruments[index].instrument.kind
            for stream in instruments[index].streams.indices {
                Self.advance(&instruments[index].streams[stream], kind, load: load, dice: &dice)
            }
        }
    }

    private static func advance(_ stream: inout Stream, _ kind: Kind, load: Double, dice: inout Dice) {
        switch kind {
        case .intGauge:
            // Limits and pools hardly ever change.
            if stream.rate < 1_000, dice.chance(0.2) { stream.value = Double(dice.poisson(stream.rate)) }
        case .doubleGauge:
            stream.value = min(0.999, max(0.001, stream.value + 0.02 * dice.normal()))
        case .intCounter: stream.value += Double(dice.poisson(stream.rate * load))
        case .doubleCounter: stream.value += (abs(stream.rate * load * (1 + 0.1 * dice.normal())) * 100).rounded() / 100
        case .upDownCounter:
            stream.value = max(0, stream.value + (stream.rate * dice.normal()).rounded())
        case .doubleUpDownCounter: stream.value += stream.rate * dice.normal() * 0.25
        case .histogram:
            for _ in 0..<dice.poisson(stream.rate * load) {
                let seconds = 0.04 * exp(0.9 * dice.normal())
                stream.value += seconds
                stream.counts[bounds.firstIndex { seconds <= $0 } ?? bounds.count] += 1
            }
        case .exponentialHistogram:
            for _ in 0..<dice.poisson(stream.rate * load) {
                let value = exp(0.8 * dice.normal())
                stream.value += value
                // Index i holds (2^(i/8), 2^((i+1)/8)].
                let position = Int((log2(value) * 8).rounded(.up)) - 1 - Int(exponentialOffset)
                stream.counts[min(max(position, 0), exponentialBuckets - 1)] += 1
            }
        }
    }

    /// This pod's `ResourceMetrics`.
    func write(to writer: inout ProtobufWriter, time: Int64, shop: Shop) {
        writer.message(1) { resource in
            resource.data(1, shop.pods[pod].resource)
            resource.message(2) { scope in
                scope.data(1, shop.pods[pod].scope)
                for (instrument, streams) in instruments {
                    scope.message(2) { metric in
                        metric.string(1, instrument.name)
                        metric.string(2, instrument.description)
                        metric.string(3, instrument.unit)
                        write(streams, of: instrument.kind, to: &metric, time: UInt64(time))
                    }
                }
            }
        }
    }

    private func write(_ streams: [Stream], of kind: Kind, to metric: inout ProtobufWriter, time: UInt64) {
        let field: UInt64 =
            switch kind {
            case .intGauge, .doubleGauge: 5
            case .histogram: 9
            case .exponentialHistogram: 10
            default: 7
            }
        metric.message(field) { body in
            for stream in streams {
                body.message(1) { point in
                    switch kind {
                    case .histogram: histogram(stream, to: &point, time: time)
                    case .exponentialHistogram: exponentialHistogram(stream, to: &point, time: time)
                    default: number(stream, kind, to: &point, time: time)
                    }
                }
            }
            if field != 5 { body.uint(2, 2) }
            if kind == .intCounter || kind == .doubleCounter { body.bool(3, true) }
        }
    }

    private func number(_ stream: Stream, _ kind: Kind, to point: inout ProtobufWriter, time: UInt64) {
        point.raw(stream.attributes)
        if kind != .intGauge, kind != .doubleGauge { point.fixed64(2, UInt64(startTime)) }
        point.fixed64(3, time)
        switch kind {
        case .doubleGauge, .doubleCounter, .doubleUpDownCounter: point.double(4, stream.value)
        default: point.fixed64(6, UInt64(bitPattern: Int64(stream.value)))
        }
    }

    private func histogram(_ stream: Stream, to point: inout ProtobufWriter, time: UInt64) {
        point.fixed64(2, UInt64(startTime))
        point.fixed64(3, time)
        point.fixed64(4, stream.counts.reduce(0, +))
        point.double(5, stream.value)
        point.packedFixed64(6, stream.counts)
        point.packedFixed64(7, Self.bounds.map(\.bitPattern))
        point.raw(stream.attributes)
    }

    private func exponentialHistogram(_ stream: Stream, to point: inout ProtobufWriter, time: UInt64) {
        point.raw(stream.attributes)
        point.fixed64(2, UInt64(startTime))
        point.fixed64(3, time)
        point.fixed64(4, stream.counts.reduce(0, +))
        point.double(5, stream.value)
        point.zigzag(6, 3)
        if let first = stream.counts.firstIndex(where: { $0 > 0 }),
            let last = stream.counts.lastIndex(where: { $0 > 0 })
        {
            point.message(8) { buckets in
                buckets.zigzag(1, Self.exponentialOffset + Int64(first))
                buckets.packedVarints(2, stream.counts[first...last])
            }
        }
    }
}

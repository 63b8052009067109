private import Synchronization

/// A number that only grows: how often something happened.
package final class Counter: Sendable {
    private let count = Atomic<Int>(0)

    package init() {}

    package func add(_ amount: Int = 1) { count.add(amount, ordering: .relaxed) }
    package var value: Int { count.load(ordering: .relaxed) }
}

/// A number that goes up and down: how much of something there is.
package final class Gauge: Sendable {
    private let bits = Atomic<Int>(0)

    package init() {}

    package func set(_ amount: Int) { bits.store(amount, ordering: .relaxed) }
    package func add(_ amount: Int) { bits.add(amount, ordering: .relaxed) }
    package var value: Int { bits.load(ordering: .relaxed) }
}

/// How often a quantity was at most each of some bounds, and its sum.
package final class Histogram: Sendable {
    /// Seconds, for requests and queries.
    package static let latencyBounds: [Double] = [
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
    ]

    /// Ascending.
    package let bounds: [Double]
    /// One for each bound, and one for what exceeds them all; not yet summed up.
    private let counts: [Counter]
    private let sumBits = Atomic<UInt64>(0)

    package init(bounds: [Double]) {
        precondition(zip(bounds, bounds.dropFirst()).allSatisfy(<), "bounds ascend")
        self.bounds = bounds
        counts = (0...bounds.count).map { _ in Counter() }
    }

    package func observe(_ amount: Double) {
        let bucket = bounds.firstIndex { amount <= $0 } ?? bounds.count
        counts[bucket].add()
        var old = sumBits.load(ordering: .relaxed)
        while true {
            let next = (Double(bitPattern: old) + amount).bitPattern
            let (exchanged, original) = sumBits.weakCompareExchange(
                expected: old, desired: next, ordering: .relaxed)
            if exchanged { return }
            old = original
        }
    }

    /// How many observations were at most each bound, and how many there were in all; and their sum.
    package var cumulative: (counts: [Int], total: Int, sum: Double) {
        var running = 0
        let sums = bounds.indices.map { i in
            running += counts[i].value
            return running
        }
        let total = running + counts[bounds.count].value
        return (sums, total, Double(bitPattern: sumBits.load(ordering: .relaxed)))
    }
}

/// The server's measurements of itself, for `/metrics`. Instruments are made once, at start, and used without a lock.
package final class MetricsRegistry: Sendable {
    package enum Instrument: Sendable {
        case counter(Counter)
        case gauge(Gauge)
        case histogram(Histogram)
        /// Read when it is asked for; `monotonic` is a counter kept elsewhere.
        case computed(monotonic: Bool, @Sendable () -> Double)
    }

    /// Instruments of one name, told apart by their labels.
    package struct Family: Sendable {
        package var name: String
        package var help: String
        package var members: [(labels: [(name: String, value: String)], instrument: Instrument)]
    }

    /// Members of a family that are made when they are asked for.
    private struct Collection: Sendable {
        var isMonotonic: Bool
        var read: @Sendable () -> [(labels: [(name: String, value: String)], value: Double)]
    }

    private struct State: Sendable {
        var families: [Family] = []
        /// By the name of their family.
        var collections: [String: Collection] = [:]
    }

    private let registered = Mutex(State())

    package init() {}

    package func counter(_ name: String, help: String, labels: KeyValuePairs<String, String> = [:]) -> Counter {
        let counter = Counter()
        register(name, help, labels, .counter(counter))
        return counter
    }

    package func gauge(_ name: String, help: String, labels: KeyValuePairs<String, String> = [:]) -> Gauge {
        let gauge = Gauge()
        register(name, help, labels, .gauge(gauge))
        return gauge
    }

    package func histogram(
        _ name: String, help: String, bounds: [Double] = Histogram.latencyBounds,
        labels: KeyValuePairs<String, String> = [:]
    ) -> Histogram {
        let histogram = Histogram(bounds: bounds)
        register(name, help, labels, .histogram(histogram))
        return histogram
    }

    /// A number that somebody else keeps.
    package func computed(
        _ name: String, help: String, labels: KeyValuePairs<String, String> = [:], monotonic: Bool = false,
        _ read: @escaping @Sendable () -> Double
    ) {
        register(name, help, labels, .computed(monotonic: monotonic, read))
    }

    /// Numbers that somebody else keeps, whose labels are not known beforehand; there must be a bound to how many there are.
    package func collected(
        _ name: String, help: String, monotonic: Bool = false,
        _ read: @escaping @Sendable () -> [(labels: [(name: String, value: String)], value: Double)]
    ) {
        registered.withLock { state in
            precondition(!state.families.contains { $0.name == name }, "\(name) is registered twice")
            state.families.append(Family(name: name, help: help, members: []))
            state.collections[name] = Collection(isMonotonic: monotonic, read: read)
        }
    }

    /// By name, each with its members as they are now.
    package var families: [Family] {
        let state = registered.withLock { $0 }
        return state.families.map { family in
            guard let collection = state.collections[family.name] else { return family }
            var family = family
            family.members = collection.read().map { member in
                (member.labels, .computed(monotonic: collection.isMonotonic, { member.value }))
            }
            return family
        }.sorted { $0.name < $1.name }
    }

    private func register(
        _ name: String, _ help: String, _ labels: KeyValuePairs<String, String>, _ instrument: Instrument
    ) {
        let labels = labels.map { (name: $0.key, value: $0.value) }
        registered.withLock { state in
            guard let index = state.families.firstIndex(where: { $0.name == name }) else {
                state.families.append(Family(name: name, help: help, members: [(labels, instrument)]))
                return
            }
            let isTaken = state.families[index].members.contains { member in
                member.labels.elementsEqual(labels) { $0 == $1 }
            }
            precondition(!isTaken, "\(name) is registered twice with the same labels")
            state.families[index].members.append((labels, instrument))
        }
    }
}

internal import Core
private import Synchronization
internal import Telemetry

/// The graphs of hours that the view does not have yet: the hours that spans come into. Each is kept, with the spans whose parents have
/// not come, and what is new since it was asked for last is added to it: a graph costs the new spans, and not all of its hour.
///
/// An hour's graph knows which ranges of the log its spans, and those that were looked through for parents, come from (`RowSources`).
/// So it is told what is new from what was merged, and begins again if it cannot be: if rows that it has are no longer there, or come
/// back together with others.
final class HourGraphs: Sendable {
    private struct Key: Hashable {
        let tenant: TenantID
        let hour: Int64
    }

    private struct Known {
        var graphs: [Key: (graph: HourGraph, asked: ContinuousClock.Instant)] = [:]
    }

    /// Hours of all tenants that are kept.
    private static let limit = 96

    private let known = Mutex(Known())
    /// What waits in all of them.
    let waiting = WaitingSpans()

    /// The graph of an hour, which is empty if it was not asked for lately.
    func graph(_ tenant: TenantID, _ hour: Int64, _ make: () -> HourGraph) -> HourGraph {
        known.withLock { known in
            let now = ContinuousClock.now
            let key = Key(tenant: tenant, hour: hour)
            if let graph = known.graphs[key]?.graph {
                known.graphs[key]?.asked = now
                return graph
            }
            if known.graphs.count >= Self.limit, let oldest = known.graphs.min(by: { $0.value.asked < $1.value.asked })
            {
                known.graphs[oldest.key] = nil
            }
            let graph = make()
            known.graphs[key] = (graph, now)
            return graph
        }
    }

    func known(_ tenant: TenantID, _ hour: Int64) -> HourGraph? {
        known.withLock { $0.graphs[Key(tenant: tenant, hour: hour)]?.graph }
    }

    /// The hours that were asked for lately.
    func asked(since time: ContinuousClock.Instant) -> [(tenant: TenantID, hour: Timestamp)] {
        known.withLock { known in
            known.graphs.filter { $0.value.asked >= time }.map { ($0.key.tenant, Timestamp(nanoseconds: $0.key.hour)) }
        }
    }
}

/// How many spans wait for parents in graphs that are kept; each takes about 150 bytes.
final class WaitingSpans: Sendable {
    private static let limit = 300_000

    private let count = Atomic<Int>(0)

    func change(by difference: Int) { count.add(difference, ordering: .relaxed) }

    func hasRoom(for more: Int) -> Bool { count.load(ordering: .relaxed) + more <= Self.limit }
}

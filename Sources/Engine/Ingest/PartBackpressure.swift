internal import Core
internal import Storage
private import Synchronization

/// Which tenants have a partition with so many parts of flushes that merges must catch up before more rows are taken: each
/// part costs memory and makes queries slower.
final class PartBackpressure: Sendable {
    private struct Entry {
        var checked: ContinuousClock.Instant
    }

    /// How long what was seen last counts.
    private static let memory = Duration.milliseconds(200)

    private let limit: Int
    private let overLimit = Mutex<[TenantTable: Entry]>([:])

    /// - Parameter limit: the most parts of level 0 in a partition.
    init(limit: Int) { self.limit = limit }

    /// Whether requests must wait. Costs next to nothing while they need not.
    func isOverLimit(_ key: TenantTable, in store: Store) -> Bool {
        guard limit < .max else { return false }
        let isDue = overLimit.withLock { overLimit -> Bool? in
            guard let entry = overLimit[key] else { return nil }
            return ContinuousClock.now - entry.checked > Self.memory
        }
        guard let isDue else { return false }
        return isDue ? look(at: key, in: store) : true
    }

    /// Counts parts, after a flush has added some.
    @discardableResult
    func look(at key: TenantTable, in store: Store) -> Bool {
        guard limit < .max else { return false }
        var counts: [Int64: Int] = [:]
        for part in store.parts(key, in: .everything) where part.record.level == 0 {
            counts[part.record.partition, default: 0] += 1
        }
        let isOverLimit = counts.values.contains { $0 > limit }
        overLimit.withLock { $0[key] = isOverLimit ? Entry(checked: .now) : nil }
        return isOverLimit
    }
}

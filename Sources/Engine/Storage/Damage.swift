private import Observability
private import Synchronization

/// Something stored that cannot be read as it was written, and is left out of what is served.
package struct Damage: Hashable, Sendable, CustomStringConvertible {
    package enum Kind: String, Hashable, Sendable, CaseIterable { case part, block, catalog, log }

    package var kind: Kind
    package var path: String
    /// For a block: its number in the part.
    package var block: Int?
    package var reason: String
    /// What is not served for it, if known.
    package var rowCount: Int?
    /// Where the bytes were moved or copied to.
    package var quarantined: String?

    package init(
        _ kind: Kind, _ path: String, block: Int? = nil, _ reason: String, rowCount: Int? = nil,
        quarantined: String? = nil
    ) {
        self.kind = kind
        self.path = path
        self.block = block
        self.reason = reason
        self.rowCount = rowCount
        self.quarantined = quarantined
    }

    package var description: String {
        let place = block.map { "block \($0) of \(path)" } ?? path
        let rows = rowCount.map { ", \($0) rows are left out" } ?? ""
        return "\(place): \(reason)\(rows)" + (quarantined.map { "; kept in \($0)" } ?? "")
    }
}

/// Remembers damage, and tells of each place once.
package final class DamageLog: Sendable {
    private struct Place: Hashable {
        var kind: Damage.Kind
        var path: String
        var block: Int?
    }

    /// More places than this are counted, but not remembered.
    private static let limit = 10_000

    private let known = Mutex<[Place: Damage]>([:])
    private let counters: [Damage.Kind: Counter]
    private let report: @Sendable (Damage) -> Void

    package init(report: @escaping @Sendable (Damage) -> Void = { _ in }) {
        self.report = report
        counters = Dictionary(uniqueKeysWithValues: Damage.Kind.allCases.map { ($0, Counter()) })
    }

    package func note(_ damage: Damage) {
        let place = Place(kind: damage.kind, path: damage.path, block: damage.block)
        let isNew = known.withLock { known in
            guard known[place] == nil, known.count < Self.limit else { return false }
            known[place] = damage
            return true
        }
        guard isNew else { return }
        counters[damage.kind]?.add()
        report(damage)
    }

    /// How many places were found since the start.
    package func count(_ kind: Damage.Kind) -> Int { counters[kind]?.value ?? 0 }

    package var all: [Damage] {
        known.withLock { Array($0.values) }.sorted { ($0.path, $0.block ?? -1) < ($1.path, $1.block ?? -1) }
    }
}

import Core
import EngineFixtures
import Randomness

/// What the store must hold, as a plain set.
///
/// While the engine lives, `present` is exactly what it shows. Where a crash or a fault leaves it open what has become of a row (it
/// was refused in a life that has ended, or its partition was being dropped), the next look decides, and from then on it is so.
package struct ModelStore {
    static let tenants: [TenantID] = [.default, TenantID("other") ?? .default]

    private(set) var present: Set<SentRow> = []
    /// May have come into the log before the crash; one look decides.
    private var open: Set<SentRow> = []
    /// Had lived, and went.
    private var dropped: Set<SentRow> = []
    /// Refused in the present life.
    private var refused: Set<SentRow> = []
    private var next = 0
    /// The day on which rows are sent; retention counts from it.
    var day = 3

    /// Nanoseconds since the epoch.
    var now: Int64 { SentRow.start + Int64(day) * SentRow.dayLength + SentRow.dayLength / 2 }

    mutating func makeRows(_ count: Int, _ random: inout SeededRandom) -> [SentRow] {
        let tenant = random.pick(Self.tenants)
        let isSpan = random.oneIn(3)
        defer { next += count }
        return (0..<count).map {
            SentRow(tenant: tenant, isSpan: isSpan, number: next + $0, day: day - random.below(3))
        }
    }

    mutating func note(_ rows: [SentRow], isAcknowledged: Bool) {
        if isAcknowledged {
            present.formUnion(rows)
            // Their senders have been told, and have sent them again.
            refused.subtract(rows)
        } else {
            refused.formUnion(rows)
        }
    }

    mutating func endLife() {
        open.formUnion(refused)
        refused = []
    }

    /// Records of the catalog are lost: what retention dropped is there again, if the log or a file still has it, until it is
    /// dropped again.
    mutating func loseRecords() { open.formUnion(dropped) }

    /// Whether retention may drop the row.
    private func isExpired(_ row: SentRow) -> Bool { row.time + SimulatedEngine.timeToLive < now }

    /// Whether retention may drop the row of the span's trace, which counts from the start of its day.
    func hasIndexExpired(_ row: SentRow) -> Bool {
        row.time - SentRow.dayLength + SimulatedEngine.timeToLive < now
    }

    /// Compares what was found with what must be there, and takes over what was left open.
    ///
    /// - Parameter droppedRows: retention has run, or was interrupted: rows that have expired may be gone.
    mutating func compare(_ found: [SentRow: Int], droppedRows: Bool) -> String? {
        if let row = found.first(where: { $0.value > 1 }) {
            return "\(row.key) is there \(row.value) times"
        }
        for row in present where found[row] == nil && !(droppedRows && isExpired(row)) {
            return "\(row) was acknowledged, or shown, and is gone"
        }
        for row in found.keys where !present.contains(row) && !open.contains(row) {
            return "\(row) is shown and \(refused.contains(row) ? "was refused" : "was dropped or never sent")"
        }
        dropped.formUnion(present.filter { found[$0] == nil })
        present = Set(found.keys)
        open = []
        return nil
    }
}

import Core
import EngineFixtures
import Randomness
import Simulation

/// What must be there: acknowledged rows once, others once at most.
struct NaiveStore {
    static let tenants: [TenantID] = [.default, TenantID("other") ?? .default]

    private(set) var acknowledged: Set<SentRow> = []
    private(set) var attempted: Set<SentRow> = []
    /// Refused in the engine's present life: nobody may see them.
    private(set) var refused: Set<SentRow> = []
    /// Refused before something else was acknowledged: nobody may ever see them, since their sender has sent them again.
    private(set) var disowned: Set<SentRow> = []
    private var shown: Set<SentRow> = []
    private var next = 0

    /// Rows for a new request.
    mutating func rows(_ count: Int, _ random: inout SeededRandom) -> [SentRow] {
        let tenant = random.pick(Self.tenants)
        let isSpan = random.oneIn(3)
        let rows = (0..<count).map { SentRow(tenant: tenant, isSpan: isSpan, number: next + $0) }
        next += count
        attempted.formUnion(rows)
        return rows
    }

    /// Sends the rows, and notes how that went.
    mutating func send(_ rows: [SentRow], to engine: SimulatedEngine) -> Bool {
        do {
            try engine.ingest(rows)
            acknowledged.formUnion(rows)
            disowned.formUnion(refused)
            return true
        } catch {
            refused.formUnion(rows)
            return false
        }
    }

    mutating func endLife() { refused = [] }

    /// - Returns: what is wrong with what the engine shows, or nil.
    mutating func fault(in engine: SimulatedEngine) throws -> String? {
        var found: [SentRow: Int] = [:]
        for tenant in Self.tenants { found.merge(try engine.rows(of: tenant)) { $0 + $1 } }
        if let row = found.first(where: { $0.value > 1 }) { return "\(row.key) is there \(row.value) times" }
        if let row = acknowledged.first(where: { found[$0] == nil }) { return "\(row) was acknowledged and is gone" }
        if let row = found.keys.first(where: { !attempted.contains($0) }) { return "\(row) was never sent" }
        if let row = refused.first(where: { found[$0] != nil }) { return "\(row) was refused and is shown" }
        if let row = disowned.first(where: { found[$0] != nil }) { return "\(row) was disowned and is shown" }
        if let row = shown.first(where: { found[$0] == nil }) { return "\(row) was shown and is gone" }
        shown.formUnion(found.keys)
        return nil
    }
}

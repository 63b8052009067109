internal import Core

/// Plans that were made at one look at all parts, and are carried out one after the other: with thousands of tenants a look costs more than
/// most plans do.
struct PlanQueue<Plan> {
    /// The next one last.
    private var plans: [Plan] = []
    private var made = Timestamp.min
    /// What the store was when a look found nothing to do, and when that was.
    private var idle: (version: UInt64, at: Timestamp)?

    /// - Parameter isValid: whether a plan can be carried out as it is; one that cannot is dropped.
    mutating func next(now: Timestamp, within age: Int64, _ isValid: (Plan) -> Bool) -> Plan? {
        if now < made || made.advanced(by: age) < now { plans = [] }
        while let plan = plans.popLast() {
            if isValid(plan) { return plan }
        }
        return nil
    }

    /// Whether a look would find nothing, since nothing has changed and little time has passed.
    func isIdle(_ version: UInt64, now: Timestamp, within age: Int64) -> Bool {
        guard let idle, idle.version == version else { return false }
        return idle.at <= now && now < idle.at.advanced(by: age)
    }

    /// - Parameter version: of the store that was looked at.
    mutating func fill(_ plans: some Sequence<Plan>, _ version: UInt64, now: Timestamp) {
        self.plans = plans.reversed()
        made = now
        idle = self.plans.isEmpty ? (version, now) : nil
    }
}

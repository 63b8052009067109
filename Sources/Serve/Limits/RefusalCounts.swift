internal import Core
private import Synchronization

/// What was refused for its limits, by tenant, kind of subject and limit.
///
/// Anybody may make names of tenants up: those that the file of limits names are counted each, and of the others the first thousand that
/// are refused something; all further ones are counted together.
package final class RefusalCounts: Sendable {
    package struct Count: Hashable, Sendable {
        /// `<others>`, which no tenant is named, for those that are counted together.
        package var tenant: String
        package var kind: String
        package var limit: Limit
        package var value: Int
    }

    private struct Label: Hashable {
        var tenant: String
        var kind: String
        var limit: Limit
    }

    private struct State {
        var kept: Set<TenantID> = []
        /// Those of the others that are counted each.
        var known: Set<TenantID> = []
        var counts: [Label: Int] = [:]
    }

    package static let others = "<others>"
    private let most: Int
    private let state = Mutex(State())

    package init(most: Int = 1000) { self.most = most }

    /// Counts these each from now on.
    func keep(_ tenants: some Sequence<TenantID>) {
        let tenants = Set(tenants)
        state.withLock { state in
            // One that is named no more is one of the others, as far as there is room for it.
            for tenant in state.kept.subtracting(tenants) where state.known.count < most { state.known.insert(tenant) }
            state.kept = tenants
            state.counts = state.counts.filter { label, _ in
                label.tenant == Self.others
                    || TenantID(label.tenant).map { state.kept.contains($0) || state.known.contains($0) } ?? true
            }
        }
    }

    func add(_ refusal: LimitRefusal, tenant: TenantID) {
        state.withLock { state in
            var name = tenant.name
            if !state.kept.contains(tenant), !state.known.contains(tenant) {
                if state.known.count < most { state.known.insert(tenant) } else { name = Self.others }
            }
            state.counts[Label(tenant: name, kind: refusal.subject.kind, limit: refusal.limit), default: 0] += 1
        }
    }

    package var all: [Count] {
        let counts = state.withLock { $0.counts }
        return counts.map { Count(tenant: $0.key.tenant, kind: $0.key.kind, limit: $0.key.limit, value: $0.value) }
            .sorted { ($0.tenant, $0.kind, $0.limit.rawValue) < ($1.tenant, $1.kind, $1.limit.rawValue) }
    }
}

package import Core
private import Synchronization

/// Which times of a table have rows that came, or went, since some point: what a result that was kept has to know to be right still.
///
/// A request that adds rows says so before they can be seen (`begin`), and once they can (`end`). Who keeps a result takes a `mark` before
/// it looks at the rows. Later the result is right but for the times that `changes` gives:
///
/// - Rows that were seen before this question are of requests that have ended, which have a version above the mark unless the result has
///   their rows; or of requests under way, whose times count as changed.
/// - Rows that flushes and merges move change nothing, so there is nothing to say about them.
///
/// Times are known to ten seconds, and so many of them: the oldest changes are forgotten first, and a mark from before them is worth nothing.
package final class RowChanges: Sendable {
    package typealias Mark = UInt64

    /// Rows that are about to be seen.
    package struct Addition: Sendable {
        fileprivate let tenant: TenantID
        fileprivate let number: UInt64
    }

    private struct State {
        var version: Mark = 0
        /// A mark below it is worth nothing.
        var oldest: Mark = 0
        /// The version of the last change, by slot of time.
        var slots: [TenantID: [Int64: Mark]] = [:]
        var slotCount = 0
        var underWay: [UInt64: (tenant: TenantID, range: ClosedRange<Int64>)] = [:]
        var nextNumber: UInt64 = 0
    }

    /// Nanoseconds of a slot.
    private static let slot: Int64 = 10_000_000_000
    /// Rows that are spread more widely change everything.
    private static let mostSlotsOfRequest: Int64 = 8_640
    private let mostSlots: Int
    private let state = Mutex(State())

    /// - Parameter mostSlots: of all tenants; each takes about 32 bytes.
    package init(mostSlots: Int = 1 << 16) { self.mostSlots = mostSlots }

    // MARK: Rows that come

    /// Rows of these times, in nanoseconds, are about to be seen.
    package func begin(_ tenant: TenantID, _ times: ClosedRange<Int64>) -> Addition {
        state.withLock { state in
            state.nextNumber += 1
            state.underWay[state.nextNumber] = (tenant, times)
            return Addition(tenant: tenant, number: state.nextNumber)
        }
    }

    /// They can be seen, or never will.
    package func end(_ addition: Addition) {
        state.withLock { state in
            guard let (tenant, times) = state.underWay.removeValue(forKey: addition.number) else { return }
            state.version += 1
            let slots = Self.slots(times)
            // Of numbers this large the difference may overflow, which is as wide.
            let (width, overflow) = slots.upperBound.subtractingReportingOverflow(slots.lowerBound)
            guard !overflow, width < Self.mostSlotsOfRequest else { return forgetAll(&state) }
            var known = state.slots.removeValue(forKey: tenant) ?? [:]
            state.slotCount -= known.count
            for slot in slots { known[slot] = state.version }
            state.slotCount += known.count
            state.slots[tenant] = known
            if state.slotCount > mostSlots { forgetOldest(&state) }
        }
    }

    /// Something else happened to rows, of any time and tenant: results are made anew.
    package func changeEverything() {
        state.withLock { state in
            state.version += 1
            forgetAll(&state)
        }
    }

    private func forgetAll(_ state: inout State) {
        state.oldest = state.version
        state.slots = [:]
        state.slotCount = 0
    }

    private func forgetOldest(_ state: inout State) {
        var versions = state.slots.values.flatMap(\.values)
        versions.sort()
        let oldest = versions[versions.count / 2]
        state.oldest = max(state.oldest, oldest)
        state.slots = state.slots.compactMapValues { slots in
            let kept = slots.filter { $0.value > oldest }
            return kept.isEmpty ? nil : kept
        }
        state.slotCount = state.slots.values.reduce(0) { $0 + $1.count }
    }

    // MARK: Results that are kept

    /// To be taken before rows are looked at.
    package var mark: Mark { state.withLock { $0.version } }

    /// The times in `range` of which a result may be wrong that was made after `mark`, ascending and apart from each other; nil: all of them.
    package func changes(_ tenant: TenantID, in range: ClosedRange<Int64>, since mark: Mark) -> [ClosedRange<Int64>]? {
        state.withLock { state in
            guard mark >= state.oldest else { return nil }
            let wanted = Self.slots(range)
            var found: [ClosedRange<Int64>] = []
            if let known = state.slots[tenant] {
                // The fewer of the two are gone through.
                let (width, overflow) = wanted.upperBound.subtractingReportingOverflow(wanted.lowerBound)
                if !overflow, width < Int64(known.count) {
                    for slot in wanted where known[slot].map({ $0 > mark }) ?? false { found.append(slot...slot) }
                } else {
                    for (slot, version) in known where version > mark && wanted.contains(slot) {
                        found.append(slot...slot)
                    }
                }
            }
            for (owner, times) in state.underWay.values where owner == tenant && times.overlaps(range) {
                found.append(Self.slots(times))
            }
            return Self.united(found).map(Self.times)
        }
    }

    private static func slots(_ times: ClosedRange<Int64>) -> ClosedRange<Int64> {
        floor(times.lowerBound)...floor(times.upperBound)
    }

    private static func floor(_ time: Int64) -> Int64 {
        time >= 0 ? time / slot : (time + 1) / slot - 1
    }

    private static func times(_ slots: ClosedRange<Int64>) -> ClosedRange<Int64> {
        let (first, isBefore) = slots.lowerBound.multipliedReportingOverflow(by: slot)
        let (last, isAfter) = (slots.upperBound + 1).multipliedReportingOverflow(by: slot)
        return (isBefore ? .min : first)...(isAfter ? .max : last - 1)
    }

    private static func united(_ ranges: [ClosedRange<Int64>]) -> [ClosedRange<Int64>] {
        var united: [ClosedRange<Int64>] = []
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = united.last, range.lowerBound <= last.upperBound + 1 {
                united[united.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
            } else {
                united.append(range)
            }
        }
        return united
    }
}

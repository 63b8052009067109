import Core
import Randomness
import Scheduling
import Testing

/// Which times have rows that came since a mark.
struct RowChangesTests {
    private static let second: Int64 = 1_000_000_000

    private static func covered(_ changes: [ClosedRange<Int64>]?, _ time: Int64) -> Bool {
        changes?.contains { $0.contains(time) } ?? true
    }

    @Test func `rows that can be seen are a change to what was marked before, and to nothing else`() throws {
        let changes = RowChanges()
        let before = changes.mark
        let addition = changes.begin(.default, 100 * Self.second...101 * Self.second)
        changes.end(addition)
        let everything = Int64.min...Int64.max
        let found = try #require(changes.changes(.default, in: everything, since: before))
        // To ten seconds.
        #expect(found == [100 * Self.second...110 * Self.second - 1])
        #expect(changes.changes(.default, in: everything, since: changes.mark) == [])
        #expect(changes.changes(.default, in: 0...99 * Self.second, since: before) == [])
        #expect(changes.changes(try #require(TenantID("other")), in: everything, since: before) == [])
    }

    @Test func `rows that are about to be seen count as a change for whoever asks`() throws {
        let changes = RowChanges()
        let addition = changes.begin(.default, -5 * Self.second...5 * Self.second)
        let during = changes.mark
        #expect(Self.covered(changes.changes(.default, in: -100...100, since: during), 0))
        changes.end(addition)
        // Who looked at rows meanwhile may have missed them.
        #expect(Self.covered(changes.changes(.default, in: -100...100, since: during), -100))
        #expect(changes.changes(.default, in: -100...100, since: changes.mark) == [])
    }

    @Test func `neighbouring changes are one, and others stay apart`() {
        let changes = RowChanges()
        let mark = changes.mark
        for time in [50, 10, 20, 25] as [Int64] {
            changes.end(changes.begin(.default, time * Self.second...time * Self.second))
        }
        #expect(
            changes.changes(.default, in: 0...100 * Self.second, since: mark) == [
                10 * Self.second...30 * Self.second - 1, 50 * Self.second...60 * Self.second - 1,
            ])
    }

    @Test func `rows of all times, and what is not about time, change everything`() {
        let changes = RowChanges()
        let first = changes.mark
        changes.end(changes.begin(.default, .min ... .max))
        #expect(changes.changes(.default, in: 0...1, since: first) == nil)
        let second = changes.mark
        #expect(changes.changes(.default, in: 0...1, since: second) == [])
        changes.changeEverything()
        #expect(changes.changes(.default, in: 0...1, since: second) == nil)
    }

    @Test func `old changes are forgotten first, and marks from before them are worth nothing`() {
        let changes = RowChanges(mostSlots: 100)
        let first = changes.mark
        var late = first
        for i in 0..<10_000 as Range<Int64> {
            changes.end(changes.begin(.default, i * 10 * Self.second...i * 10 * Self.second))
            if i == 9_980 { late = changes.mark }
        }
        #expect(changes.changes(.default, in: 0...1, since: first) == nil)
        let found = changes.changes(.default, in: 0...200_000 * Self.second, since: late)
        #expect(found == [9_981 * 10 * Self.second...10_000 * 10 * Self.second - 1])
    }

    @Test(arguments: [UInt64(1), 2, 20_261_130])
    func `no change is missed, whatever is forgotten`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let changes = RowChanges(mostSlots: 50)
        let tenants = [TenantID.default, TenantID("a") ?? .default]
        var history: [(end: Int, tenant: TenantID, times: ClosedRange<Int64>)] = []
        var marks: [(time: Int, mark: RowChanges.Mark)] = []
        var open: [(RowChanges.Addition, TenantID, ClosedRange<Int64>)] = []
        for round in 0..<2_000 {
            switch random.below(4) {
            case 0: marks.append((round, changes.mark))
            case 1:
                let start = Int64(random.below(2_000)) * Self.second - 1_000 * Self.second
                let times = start...start + Int64(random.below(random.oneIn(20) ? 200_000 : 30)) * Self.second
                let tenant = random.pick(tenants)
                open.append((changes.begin(tenant, times), tenant, times))
            case 2:
                guard !open.isEmpty else { continue }
                let (addition, tenant, times) = open.remove(at: random.below(open.count))
                changes.end(addition)
                history.append((round, tenant, times))
            default:
                guard let (taken, mark) = marks.isEmpty ? nil : random.pick(marks) else { continue }
                let start = Int64(random.below(2_000)) * Self.second - 1_000 * Self.second
                let range = start...start + Int64(random.below(300)) * Self.second
                let tenant = random.pick(tenants)
                let found = changes.changes(tenant, in: range, since: mark)
                let wanted =
                    history.filter { $0.end > taken && $0.tenant == tenant }.map(\.times)
                    + open.filter { $0.1 == tenant }.map(\.2)
                for times in wanted where times.overlaps(range) {
                    let both = times.clamped(to: range)
                    let isCovered = Self.covered(found, both.lowerBound) && Self.covered(found, both.upperBound)
                    #expect(isCovered, "seed \(seed), round \(round)")
                }
            }
        }
    }
}

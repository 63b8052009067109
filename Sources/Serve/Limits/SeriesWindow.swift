internal import Core

/// The series that were seen lately: hashes of 64 bits, each with the step of time in which it was seen last.
///
/// A window is twelve steps; at the end of each step those that were not seen for twelve are forgotten, and the table is made anew as
/// large as the others need. It is open addressing with linear probing, spread by a number of this process, at most three quarters full, so that a series takes 9 to 24 bytes. Two series of one hash count as one: among a million that happens with odds of
/// one in 37 million.
package struct SeriesWindow: Sendable {
    /// No tenant's limit is greater.
    package static let most = 1 << 24
    static let steps: Int64 = 12

    /// Zero is a free place.
    private var hashes: [UInt64] = []
    /// By place: the step of the last sight, of which the last eight bits tell twelve steps apart.
    private var seen: [UInt8] = []
    package private(set) var count = 0
    private var step: Int64

    /// - Parameters:
    ///   - now: nanoseconds on the clock that only goes on.
    ///   - window: nanoseconds.
    package init(at now: Int64, window: Int64) { step = Self.step(now, window) }

    private static func step(_ now: Int64, _ window: Int64) -> Int64 { now / max(window / steps, 1) }

    /// Forgets what has not been seen for the window.
    package mutating func advance(to now: Int64, window: Int64) {
        let next = Self.step(now, window)
        guard next != step else { return }
        // A window of another length counts in other steps, and begins anew with all that there is.
        let passed = next - step
        step = next
        guard (0...Self.steps).contains(passed) else {
            if passed > Self.steps { removeAll() } else { refreshAll() }
            return
        }
        let (old, ages) = (hashes, seen)
        let last = UInt8(truncatingIfNeeded: next)
        var kept = 0
        for place in old.indices where old[place] != 0 && Self.isFresh(ages[place], last) { kept += 1 }
        makeRoom(for: kept)
        for place in old.indices where old[place] != 0 && Self.isFresh(ages[place], last) {
            put(old[place], ages[place])
        }
    }

    private static func isFresh(_ age: UInt8, _ last: UInt8) -> Bool { last &- age < UInt8(steps) }

    /// Whether the series is known; if so it is seen now.
    package mutating func see(_ hash: UInt64) -> Bool {
        guard !hashes.isEmpty else { return false }
        let place = place(of: hash)
        guard hashes[place] != 0 else { return false }
        seen[place] = UInt8(truncatingIfNeeded: step)
        return true
    }

    /// Adds a series that is not known.
    package mutating func add(_ hash: UInt64) {
        if (count + 1) * 4 > hashes.count * 3 {
            let (old, ages) = (hashes, seen)
            makeRoom(for: (count + 1) * 3 / 2)
            for place in old.indices where old[place] != 0 { put(old[place], ages[place]) }
        }
        put(hash, UInt8(truncatingIfNeeded: step))
    }

    /// Empties the table and gives it places enough.
    private mutating func makeRoom(for series: Int) {
        var places = 16
        while places * 3 < series * 4 { places *= 2 }
        hashes = [UInt64](repeating: 0, count: series == 0 ? 0 : places)
        seen = [UInt8](repeating: 0, count: hashes.count)
        count = 0
    }

    private mutating func put(_ hash: UInt64, _ step: UInt8) {
        let place = place(of: hash)
        hashes[place] = hash
        seen[place] = step
        count += 1
    }

    /// Where the hash is, or would be.
    private func place(of hash: UInt64) -> Int {
        let mask = hashes.count - 1
        var place = HashSeed.slot(hash, bits: hashes.count.trailingZeroBitCount, seed: HashSeed.value)
        while hashes[place] != 0, hashes[place] != hash { place = (place + 1) & mask }
        return place
    }

    private mutating func removeAll() { makeRoom(for: 0) }

    private mutating func refreshAll() {
        for place in seen.indices { seen[place] = UInt8(truncatingIfNeeded: step) }
    }
}

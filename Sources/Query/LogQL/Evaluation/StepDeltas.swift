/// A count for each step, kept as differences between neighbours, so that adding to a run of steps takes two additions however
/// long the run is. Only the steps between the first and the last that were touched are stored.
struct StepDeltas {
    private var base = 0
    private var deltas: [Int64] = []

    var byteCount: Int { deltas.capacity * MemoryLayout<Int64>.stride }

    mutating func add(_ amount: Int64, to steps: Range<Int>) {
        reach(steps.lowerBound)
        reach(steps.upperBound)
        deltas[steps.lowerBound - base] &+= amount
        deltas[steps.upperBound - base] &-= amount
    }

    mutating func merge(_ other: StepDeltas) {
        guard !other.deltas.isEmpty else { return }
        reach(other.base)
        reach(other.base + other.deltas.count - 1)
        for (index, delta) in other.deltas.enumerated() { deltas[other.base - base + index] &+= delta }
    }

    private mutating func reach(_ step: Int) {
        if deltas.isEmpty {
            base = step
            deltas = [0]
        } else if step < base {
            // Entries may come newest first: grow by half, so that this stays cheap.
            let added = min(base, max(base - step, deltas.count / 2 + 1))
            deltas.insert(contentsOf: repeatElement(0, count: added), at: 0)
            base -= added
        } else if step - base >= deltas.count {
            deltas.append(contentsOf: repeatElement(0, count: step - base - deltas.count + 1))
        }
    }

    /// Hands over the steps with their counts; those that were never reached are left out.
    func forEach(_ visit: (Int, Int64) -> Void) {
        var sum: Int64 = 0
        for (index, delta) in deltas.enumerated() {
            sum &+= delta
            visit(base + index, sum)
        }
    }
}

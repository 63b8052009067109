import Scheduling

/// `topk`, `bottomk` and `limitk`: at each timestamp, some elements of each group with all their labels (rules of §3.4).
extension Aggregation {
    /// - Parameters:
    ///   - limit: how many elements to choose at each timestamp; none if it is below one.
    ///   - dropped: set if histograms, which have no order, were left out.
    /// - Returns: for a grid of one timestamp the elements of each group in order of value; otherwise the input's order.
    package func choose(
        _ choice: Choice, _ limit: [Int], _ series: [GridSeries], dropped: inout Bool
    ) throws(QueryError) -> [GridSeries] {
        let groups = try groups(of: series)
        if stepCount == 1 {
            var output: [GridSeries] = []
            for group in groups {
                try context.proceed()
                let chosen = chosen(
                    choice, limit[0], series, members: group.members, step: 0, dropped: &dropped)
                output += chosen.map { series[$0] }
            }
            return output
        }
        var keeps: [Int: [Bool]] = [:]
        for group in groups {
            try chooseAlongSteps(choice, limit, series, members: group.members, dropped: &dropped) { member, step in
                keeps[member, default: Array(repeating: false, count: stepCount)][step] = true
            }
        }
        var output: [GridSeries] = []
        for (member, one) in series.enumerated() {
            guard let kept = keeps[member] else { continue }
            try context.charge(bytes: GridSeries.cost(steps: stepCount))
            var masked = one
            for step in 0..<stepCount where !kept[step] { masked[step] = nil }
            output.append(masked)
        }
        return output
    }

    /// Series by series, since one's values lie together, with the best so far of each step.
    private func chooseAlongSteps(
        _ choice: Choice, _ limit: [Int], _ series: [GridSeries], members: [Int], dropped: inout Bool,
        _ keep: (_ member: Int, _ step: Int) -> Void
    ) throws(QueryError) {
        guard choice != .limitk else {
            for step in 0..<stepCount {
                if step % 64 == 0 { try context.proceed() }
                for member in chosen(choice, limit[step], series, members: members, step: step, dropped: &dropped) {
                    keep(member, step)
                }
            }
            return
        }
        let capacities = limit.map { Swift.max(0, Swift.min($0, members.count)) }
        let bytes = capacities.reduce(0) { $0 + 64 + $1 * BestElements.bytesPerElement }
        try context.charge(bytes: bytes)
        defer { context.release(bytes: bytes) }
        var best = capacities.map { BestElements(capacity: $0, wantsGreatest: choice == .topk) }
        for member in members {
            try context.proceed()
            let one = series[member]
            for step in 0..<stepCount where capacities[step] > 0 {
                let value = one.values[step]
                if !GridSeries.isAbsent(value) {
                    best[step].offer(value, member)
                } else if one.isPresent(step) {
                    dropped = true
                }
            }
        }
        for step in 0..<stepCount {
            for member in best[step].members { keep(member, step) }
        }
    }

    /// The positions of the chosen series, best first.
    private func chosen(
        _ choice: Choice, _ limit: Int, _ series: [GridSeries], members: [Int], step: Int,
        dropped: inout Bool
    ) -> [Int] {
        guard limit >= 1 else { return [] }
        if choice == .limitk {
            return Array(members.lazy.filter { series[$0].isPresent(step) }.prefix(limit))
        }
        var heap = BestElements(capacity: min(limit, members.count), wantsGreatest: choice == .topk)
        for member in members {
            let value = series[member].values[step]
            if !GridSeries.isAbsent(value) {
                heap.offer(value, member)
            } else if series[member].isPresent(step) {
                dropped = true
            }
        }
        return heap.sortedMembers
    }
}

/// The best elements so far, the worst of them at the root of a heap. NaN is worse than any number.
private struct BestElements {
    private var heap: [(value: Double, member: Int)] = []
    let capacity: Int
    let wantsGreatest: Bool

    init(capacity: Int, wantsGreatest: Bool) {
        self.capacity = capacity
        self.wantsGreatest = wantsGreatest
        heap.reserveCapacity(capacity)
    }

    /// Of equal values the one that came first is better.
    private func isWorse(_ left: (value: Double, member: Int), _ right: (value: Double, member: Int)) -> Bool {
        if left.value.isNaN || right.value.isNaN {
            return left.value.isNaN && right.value.isNaN
                ? left.member > right.member : left.value.isNaN
        }
        if left.value == right.value { return left.member > right.member }
        return wantsGreatest ? left.value < right.value : left.value > right.value
    }

    static var bytesPerElement: Int { MemoryLayout<(value: Double, member: Int)>.stride }

    /// In no order.
    var members: [Int] { heap.map(\.member) }

    mutating func offer(_ value: Double, _ member: Int) {
        if heap.count < capacity {
            heap.append((value, member))
            siftUp()
        } else if isWorse(heap[0], (value, member)) {
            heap[0] = (value, member)
            siftDown()
        }
    }

    private mutating func siftUp() {
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard isWorse(heap[child], heap[parent]) else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    private mutating func siftDown() {
        var parent = 0
        while true {
            var worst = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count {
                if isWorse(heap[child], heap[worst]) { worst = child }
            }
            if worst == parent { return }
            heap.swapAt(parent, worst)
            parent = worst
        }
    }

    var sortedMembers: [Int] { heap.sorted { isWorse($1, $0) }.map(\.member) }
}

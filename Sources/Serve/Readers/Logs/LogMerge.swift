internal import Core

/// Puts rows of several blocks into the order of their times; equal times by source and row, so that the order of an answer
/// depends on nothing but the stored rows.
///
/// A block's rows are cut into runs whose times ascend: a part's rows are sorted by resource and time, so that they are few and
/// long. The heads of all runs are a heap; to take a row costs the logarithm of their number, and rows that nobody takes
/// cost nothing beyond finding the runs. For the newest first, all keys are complemented, and runs are taken from their ends.
struct LogMerge {
    private struct Key {
        var time: Int64
        var source: UInt64
        var row: Int

        static func < (left: Key, right: Key) -> Bool {
            if left.time != right.time { return left.time < right.time }
            if left.source != right.source { return left.source < right.source }
            return left.row < right.row
        }
    }

    private struct Run {
        var key: Key
        var block: Int
        /// Places in the block's rows: of the head and of the end in the direction of taking.
        var head: Int
        var last: Int
    }

    private let isDescending: Bool
    /// A heap by key, the least first.
    private var runs: [Run] = []
    private var blocks: [LogBlock?] = []
    /// By block: how many of its runs are left.
    private var runCounts: [Int] = []

    init(isDescending: Bool) { self.isDescending = isDescending }

    private func key(_ block: LogBlock, at place: Int) -> Key {
        let row = Int(block.rows[place])
        let key = Key(time: block.times[row], source: block.source, row: block.firstRow + row)
        return isDescending ? Key(time: ~key.time, source: ~key.source, row: ~key.row) : key
    }

    mutating func add(_ block: LogBlock) {
        let number = blocks.count
        blocks.append(block)
        runCounts.append(0)
        var start = 0
        for place in 1..<(block.rows.count + 1) {
            if place < block.rows.count,
                block.times[Int(block.rows[place - 1])] <= block.times[Int(block.rows[place])]
            {
                continue
            }
            let (head, last) = isDescending ? (place - 1, start) : (start, place - 1)
            push(Run(key: key(block, at: head), block: number, head: head, last: last))
            runCounts[number] += 1
            start = place
        }
    }

    /// Takes the next row, unless rows at or before it may still be added.
    ///
    /// - Parameter bound: the time of the first row that may still be added; nil if none will be.
    mutating func next(before bound: Int64?) -> (block: LogBlock, row: Int)? {
        guard let run = runs.first else { return nil }
        if let bound, run.key.time >= (isDescending ? ~bound : bound) { return nil }
        guard let block = blocks[run.block] else { preconditionFailure("a run has its block") }
        let row = Int(block.rows[run.head])
        if run.head == run.last {
            runCounts[run.block] -= 1
            if runCounts[run.block] == 0 { blocks[run.block] = nil }
            let moved = runs.removeLast()
            if !runs.isEmpty {
                runs[0] = moved
                sink()
            }
        } else {
            runs[0].head += isDescending ? -1 : 1
            runs[0].key = key(block, at: runs[0].head)
            sink()
        }
        return (block, row)
    }

    private mutating func push(_ run: Run) {
        var child = runs.count
        runs.append(run)
        while child > 0 {
            let parent = (child - 1) / 2
            guard runs[child].key < runs[parent].key else { return }
            runs.swapAt(child, parent)
            child = parent
        }
    }

    private mutating func sink() {
        var parent = 0
        while true {
            var least = 2 * parent + 1
            guard least < runs.count else { return }
            if least + 1 < runs.count, runs[least + 1].key < runs[least].key { least += 1 }
            guard runs[least].key < runs[parent].key else { return }
            runs.swapAt(least, parent)
            parent = least
        }
    }
}

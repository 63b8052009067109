internal import Columns
internal import Core
internal import Plans
internal import Scheduling
internal import Storage

/// Aggregates blocks into states: what one thread of a query does.
///
/// A block is cut into runs of rows in one bucket of time. In a run whose keys are constant, as zones tell, rows are only counted, not
/// looked at. Otherwise the codes of all keys become one code for each combination, and what there is of each code is counted in a
/// table of all codes; where such a table would be larger than is worth it, combinations are looked up row by row. Nothing is
/// allocated for a row.
struct Aggregator {
    let plan: CompiledAggregation
    private(set) var groups: GroupTable
    private(set) var states: [StateColumn]
    let lease: MemoryLease

    var keys: [KeyReader]
    private var distinct: [KeyReader]
    private var runs = TimeRuns()
    /// Of a group: the numbers of its values, and its bucket.
    private var words: [UInt64]
    private var chargedBytes = 0

    // MARK: The table of codes

    /// The keys whose values differ in this block.
    private var varying: [Int] = []
    /// By code of all varying keys together: the group, or `noGroup`.
    private var groupOfCode: [UInt32] = []
    /// Rows by code, zero between runs.
    private var counts: [UInt32] = []
    private var combined: BufferMemory<UInt32>
    /// What `groupOfCode` is about.
    private var bucketOfCodes: Int64?

    private static let noGroup = UInt32.max
    /// A table with more codes than this for each row costs more than looking up each row's combination.
    private static let codesPerRow = 4
    private static let leastCodes = 4096
    private static let tables = 4
    /// Rows between looks at how many groups there are.
    private static let rowsBetweenChecks = 8192

    init(_ plan: CompiledAggregation, _ context: QueryContext) {
        self.plan = plan
        groups = GroupTable(width: plan.keys.count + 1)
        states = plan.functions.map { StateColumn($0) }
        lease = MemoryLease(context)
        keys = plan.keys.map { KeyReader($0, plan.scanFunctions) }
        distinct = plan.distinct.map { KeyReader($0, plan.scanFunctions) }
        words = Array(repeating: 0, count: plan.keys.count + 1)
        combined = BufferMemory(capacity: 0)
    }

    // MARK: Blocks

    mutating func add(_ block: inout BlockReader) throws {
        try readRuns(&block)
        for index in keys.indices { try keys[index].read(&block) }
        for index in distinct.indices { try distinct[index].read(&block) }
        prepareCodes()
        let inputs = try AggregateInputs(plan, &block)
        let selection = block.selection
        var first = 0
        for run in runs.all {
            let start = first
            first = run.end
            guard let bucket = run.bucket else { continue }
            var begin = start
            while begin < run.end {
                let end = min(run.end, begin + Self.rowsBetweenChecks)
                let rows = selection.slice(begin..<end)
                if !rows.isEmpty { add(rows, bucket, inputs) }
                guard groups.count <= plan.plan.groupLimit else {
                    throw ExecutionError.tooManyGroups(limit: plan.plan.groupLimit)
                }
                begin = end
            }
        }
        try charge()
    }

    /// Counts what was allocated for the block against the query's memory.
    private mutating func charge() throws(QueryInterruption) {
        var bytes = groups.byteCount
        for column in states { bytes += column.byteCount }
        if states.contains(where: { if case .histograms = $0 { true } else { false } }) {
            // With its buckets, about.
            bytes += groups.count * 512
        }
        var more = max(0, bytes - chargedBytes)
        chargedBytes += more
        for key in plan.keys { more += key.space.takeUncharged() }
        for key in plan.distinct { more += key.space.takeUncharged() }
        if more > 0 { try lease.extend(bytes: more) }
    }

    private mutating func readRuns(_ block: inout BlockReader) throws {
        guard let buckets = plan.plan.buckets else { return runs.set(all: block.rowCount, bucket: 0) }
        if let zone = block.zone(plan.timeColumn) {
            if let bucket = buckets.bucket(of: zone.lowerBound), bucket.times.contains(zone.upperBound) {
                return runs.set(all: block.rowCount, bucket: bucket.number)
            }
        }
        guard case .integers(let times) = try block.column(plan.timeColumn) else {
            throw PlanError.mismatch("the partition column has no times")
        }
        let isSorted = plan.ordersBeforeTime.map { columns in
            columns.allSatisfy { column in block.zone(column).map { $0.lowerBound == $0.upperBound } ?? false }
        }
        runs.set(times, buckets, isSorted: isSorted ?? false)
    }

    // MARK: Runs

    private mutating func add(_ rows: RowSlice, _ bucket: Int64, _ inputs: AggregateInputs) {
        for index in keys.indices {
            if let constant = keys[index].constant { words[index] = UInt64(constant) }
        }
        words[keys.count] = UInt64(bitPattern: bucket)
        if varying.isEmpty {
            add(rows, group: findGroup(), inputs)
        } else if let codeCount = codeCount(rows) {
            addByCode(rows, bucket, codeCount, inputs)
        } else {
            addByRow(rows, inputs)
        }
    }

    /// The group of `words`.
    private mutating func findGroup() -> Int {
        let before = groups.count
        let group = words.withUnsafeBufferPointer { words in
            words.baseAddress.map { groups.number($0) } ?? 0
        }
        if groups.count > before {
            for index in states.indices { states[index].grow(to: groups.count) }
        }
        return group
    }

    /// Rows of one group.
    private mutating func add(_ rows: RowSlice, group: Int, _ inputs: AggregateInputs) {
        for index in plan.functions.indices {
            let chosen = inputs.chosen(index, rows)
            if case .count = plan.functions[index] {
                states[index].add(count: chosen.count, group)
            } else {
                states[index].add(chosen, inputs.values[index], distinct: distinct) { _ in group }
            }
        }
    }

    // MARK: Codes

    private mutating func prepareCodes() {
        let before = varying
        varying.removeAll(keepingCapacity: true)
        for index in keys.indices where keys[index].constant == nil { varying.append(index) }
        let isContinued =
            varying == before && varying.allSatisfy { keys[$0].isContinued } && varying.count == keys.count
        if !isContinued { bucketOfCodes = nil }
    }

    /// How many codes a table must have; nil if that is too many for so many rows.
    private func codeCount(_ rows: RowSlice) -> Int? {
        let most = max(Self.leastCodes, rows.count * Self.codesPerRow)
        var count = 1
        for index in varying {
            let (product, overflow) = count.multipliedReportingOverflow(by: keys[index].codeCount)
            guard !overflow, product <= most else { return nil }
            count = product
        }
        return count
    }

    private mutating func addByCode(_ rows: RowSlice, _ bucket: Int64, _ codeCount: Int, _ inputs: AggregateInputs) {
        let codes = codes(rows)
        if bucketOfCodes != bucket || groupOfCode.count != codeCount {
            groupOfCode.removeAll(keepingCapacity: true)
            groupOfCode.append(contentsOf: repeatElement(Self.noGroup, count: codeCount))
            bucketOfCodes = bucket
        }
        tally(rows, codes, codeCount)
        for code in 0..<codeCount where counts[code] > 0 {
            if groupOfCode[code] == Self.noGroup { groupOfCode[code] = group(ofCode: code) }
        }
        for index in plan.functions.indices {
            let chosen = inputs.chosen(index, rows)
            guard case .count = plan.functions[index] else {
                groupOfCode.withUnsafeBufferPointer { groups in
                    states[index].add(chosen, inputs.values[index], distinct: distinct) {
                        Int(groups[Int(codes[$0])])
                    }
                }
                continue
            }
            if inputs.isFiltered(index) {
                groupOfCode.withUnsafeBufferPointer { groups in
                    states[index].count(chosen) { Int(groups[Int(codes[$0])]) }
                }
            } else {
                for code in 0..<codeCount where counts[code] > 0 {
                    states[index].add(count: Int(counts[code]), Int(groupOfCode[code]))
                }
            }
        }
        for code in 0..<codeCount { counts[code] = 0 }
    }

    /// Counts rows by code. All rows of a run are counted in turn in several tables: a count that has just been stored cannot be
    /// loaded at once, and few codes come again and again.
    private mutating func tally(_ rows: RowSlice, _ codes: UnsafePointer<UInt32>, _ codeCount: Int) {
        let tables = rows.isWhole && codeCount <= Self.leastCodes / Self.tables ? Self.tables : 1
        let needed = codeCount * tables
        if counts.count < needed { counts.append(contentsOf: repeatElement(0, count: needed - counts.count)) }
        counts.withUnsafeMutableBufferPointer { counts in
            guard let first = counts.baseAddress else { return }
            guard tables > 1 else { return rows.forEach { first[Int(codes[$0])] &+= 1 } }
            let (second, third, fourth) = (first + codeCount, first + 2 * codeCount, first + 3 * codeCount)
            var row = rows.bounds.lowerBound
            while row + Self.tables <= rows.bounds.upperBound {
                first[Int(codes[row])] &+= 1
                second[Int(codes[row &+ 1])] &+= 1
                third[Int(codes[row &+ 2])] &+= 1
                fourth[Int(codes[row &+ 3])] &+= 1
                row &+= Self.tables
            }
            while row < rows.bounds.upperBound {
                first[Int(codes[row])] &+= 1
                row &+= 1
            }
            for code in 0..<codeCount {
                first[code] &+= second[code] &+ third[code] &+ fourth[code]
                (second[code], third[code], fourth[code]) = (0, 0, 0)
            }
        }
    }

    /// One code for all varying keys of each row.
    private mutating func codes(_ rows: RowSlice) -> UnsafePointer<UInt32> {
        if varying.count == 1 { return keys[varying[0]].codes }
        if combined.capacity < rows.end { combined = BufferMemory(capacity: max(rows.end, Self.rowsBetweenChecks)) }
        let target = combined.base
        var isFirst = true
        for index in varying {
            let (codes, count) = (keys[index].codes, UInt32(keys[index].codeCount))
            if isFirst {
                rows.forEach { target[$0] = codes[$0] }
            } else {
                rows.forEach { target[$0] = target[$0] &* count &+ codes[$0] }
            }
            isFirst = false
        }
        return UnsafePointer(target)
    }

    private mutating func group(ofCode code: Int) -> UInt32 {
        var rest = code
        for index in varying.reversed() {
            let count = keys[index].codeCount
            words[index] = UInt64(keys[index].number(ofCode: rest % count))
            rest /= count
        }
        return UInt32(truncatingIfNeeded: findGroup())
    }

    // MARK: Rows

    private mutating func addByRow(_ rows: RowSlice, _ inputs: AggregateInputs) {
        if combined.capacity < rows.end { combined = BufferMemory(capacity: max(rows.end, Self.rowsBetweenChecks)) }
        let groupOfRow = combined.base
        // The codes of the row before are those of the group before.
        var last: (row: Int, group: UInt32)?
        rows.forEach { row in
            if let last, isSame(row, last.row) {
                groupOfRow[row] = last.group
                return
            }
            for index in varying { words[index] = UInt64(keys[index].number(ofCode: Int(keys[index].codes[row]))) }
            let group = UInt32(truncatingIfNeeded: findGroup())
            groupOfRow[row] = group
            last = (row, group)
        }
        for index in plan.functions.indices {
            let chosen = inputs.chosen(index, rows)
            if case .count = plan.functions[index] {
                states[index].count(chosen) { Int(groupOfRow[$0]) }
            } else {
                states[index].add(chosen, inputs.values[index], distinct: distinct) { Int(groupOfRow[$0]) }
            }
        }
    }

    private func isSame(_ row: Int, _ other: Int) -> Bool {
        for index in varying where keys[index].codes[row] != keys[index].codes[other] { return false }
        return true
    }

    /// Adds what another thread has found; both have the same numbers.
    mutating func merge(_ other: borrowing Aggregator) throws(ExecutionError) {
        var groupOf: [Int] = []
        groupOf.reserveCapacity(other.groups.count)
        for group in 0..<other.groups.count {
            for index in words.indices { words[index] = other.groups.word(group, index) }
            groupOf.append(findGroup())
        }
        guard groups.count <= plan.plan.groupLimit else { throw .tooManyGroups(limit: plan.plan.groupLimit) }
        for index in states.indices {
            guard states[index].merge(other.states[index], groupOf, numbers: nil) else { throw .differentAggregations }
        }
    }
}

internal import Columns
internal import Core
internal import Indexing
internal import Observability
internal import Parts
internal import Scheduling
private import Synchronization
internal import TableSchema

/// What one segment of a scan reads: blocks of parts and rows in memory, in the order in which they are handed over.
///
/// It is made on the query's thread, and read by all that work for the query.
final class ScanSchedule: Sendable {
    struct PartSource: Sendable {
        /// Not the part itself: of a scan over very many parts few are open at a time.
        let handle: PartHandle
        /// The cheapest first.
        let filters: [BoundFilter]
        let conditions: [BoundFilter]
    }

    enum Source: Sendable {
        case memory(Int, Range<Int>)
        case part(Int, block: Int)
    }

    struct Unit: Sendable {
        var source: Source
        var least: Int64
        var greatest: Int64
        /// The source's number and the first row there, for an order that is always the same.
        var place: (source: UInt64, row: Int)
    }

    let snapshot: TableSnapshot
    let request: ScanRequest
    let context: QueryContext
    let sources: [PartSource]
    let units: [Unit]
    private let timeColumn: Int
    /// The memory of the dictionaries that filters refer to.
    private let lease: MemoryLease
    private let memoryFilters: [BoundFilter]
    private let memoryConditions: [BoundFilter]
    /// The timestamps of the range; nil if there are none.
    private let times: ClosedRange<Int64>?

    fileprivate init(_ scheduler: consuming ScanScheduler) {
        snapshot = scheduler.snapshot
        request = scheduler.request
        context = scheduler.context
        sources = scheduler.sources
        units = scheduler.units
        timeColumn = scheduler.timeColumn
        lease = scheduler.lease
        times = ScanScheduler.times(scheduler.request.range)
        memoryFilters = scheduler.allFilters.map { BoundFilter($0) }
        memoryConditions = scheduler.request.conditions.map { BoundFilter($0) }
    }

    // MARK: Reading

    /// - Returns: nil if no row passes.
    func read(_ index: Int) throws(ScanError) -> ScanBlock? {
        let unit = units[index]
        return try reading(index) {
            guard var reader = try open(unit) else { return nil }
            let conditions = try request.conditions.indices.map { try reader.selection(ofCondition: $0).rows }
            for column in request.columns { try reader.loadSelected(column) }
            let rows = reader.selection.rows
            try reader.lease.extend(bytes: rows.count * 4)
            var origin: ScanBlock.Origin?
            if case .part(let number, let block) = unit.source {
                let handle = sources[number].handle
                origin = ScanBlock.Origin(part: try handle.part(), handle: handle, block: block)
            }
            return ScanBlock(
                batch: reader.batch, rows: rows, bound: nil, source: unit.place.source, firstRow: unit.place.row,
                conditions: conditions, origin: origin, lease: reader.lease)
        }
    }

    /// Hands over a block of which nothing is read yet but what filters looked at, if a row passes.
    func process(_ index: Int, _ body: (inout BlockReader) throws -> Void) throws {
        var failure: (any Error)?
        _ = try reading(index) { () throws -> Bool? in
            guard var reader = try open(units[index]) else { return nil }
            context.statistics.rowsMatched.add(reader.selection.count, ordering: .relaxed)
            do {
                try body(&reader)
            } catch let error as PartError {
                throw error
            } catch let error as StorageError {
                throw error
            } catch {
                failure = error
            }
            return true
        }
        if let failure { throw failure }
    }

    /// Reads something of a block: what becomes of it if that fails is decided here.
    private func reading<Result>(_ index: Int, _ body: () throws -> Result?) throws(ScanError) -> Result? {
        do throws(QueryInterruption) { try context.check() } catch { throw .interrupted(error) }
        let failure: PartError
        do {
            return try body()
        } catch let error as PartError {
            failure = error
        } catch StorageError.part(_, let error) {
            failure = error
        } catch let error as QueryInterruption {
            throw .interrupted(error)
        } catch {
            preconditionFailure("reading a block fails in no other way: \(error)")
        }
        guard case .part(let number, let block) = units[index].source else {
            preconditionFailure("what is in memory cannot be damaged")
        }
        _ = try Self.handle(failure, in: sources[number].handle, block: block, context.statistics)
        return nil
    }

    /// Runs what reads more of a block: if that is damaged, it is left out with a warning.
    @discardableResult
    func leavingOut<Result>(_ index: Int, _ body: () throws -> Result) throws -> Result? {
        let failure: PartError
        do {
            return try body()
        } catch let error as PartError {
            failure = error
        } catch StorageError.part(_, let error) {
            failure = error
        }
        guard case .part(let number, let block) = units[index].source else {
            preconditionFailure("what is in memory cannot be damaged")
        }
        _ = try Self.handle(failure, in: sources[number].handle, block: block, context.statistics)
        return nil
    }

    /// What becomes of a part (`block` nil) or block that cannot be read: the one place that decides it. What is damaged is left
    /// out with a warning.
    ///
    /// - Returns: what to hand over in its stead; nil leaves it out.
    static func handle(
        _ error: PartError, in part: PartHandle, block: Int?, _ statistics: QueryStatistics
    ) throws(ScanError) -> ScanBlock? {
        guard let warning = part.leaveOut(error, block: block) else {
            throw .storage(.part(path: part.path, error))
        }
        statistics.warn(warning)
        return nil
    }

    /// A unit with what passes the filters.
    ///
    /// - Returns: nil if no row does.
    private func open(_ unit: Unit) throws -> BlockReader? {
        let statistics = context.statistics
        var reader: BlockReader
        switch unit.source {
        case .memory(let number, let rows):
            statistics.rowsRead.add(rows.count, ordering: .relaxed)
            statistics.memoryRowsRead.add(rows.count, ordering: .relaxed)
            reader = BlockReader(
                snapshot.memory[number], rows: rows, conditions: memoryConditions, context: context)
            // The first filter is the range's.
            let isInside = times.map { $0.contains(unit.least) && $0.contains(unit.greatest) } ?? false
            try reader.keep(isInside ? memoryFilters.dropFirst() : memoryFilters[...])
        case .part(let number, let block):
            let source = sources[number]
            let part = try source.handle.part()
            statistics.blocksRead.add(1, ordering: .relaxed)
            statistics.rowsRead.add(part.rowCount(ofBlock: block), ordering: .relaxed)
            reader = BlockReader(
                part, block: block, keepsPages: request.isSearch, conditions: source.conditions, context: context)
            try reader.keep(source.filters[...])
        }
        return reader.selection.isEmpty ? nil : reader
    }
}

/// Makes schedules: asks what is known of times, partitions and parts, then the indexes of each part that is left, and puts the
/// blocks in order.
struct ScanScheduler {
    fileprivate let snapshot: TableSnapshot
    fileprivate let request: ScanRequest
    fileprivate let context: QueryContext
    fileprivate let timeColumn: Int
    /// Those of the request, and the range.
    fileprivate let allFilters: [CompiledFilter]
    fileprivate let lease: MemoryLease
    fileprivate var sources: [ScanSchedule.PartSource] = []
    fileprivate var units: [ScanSchedule.Unit] = []
    private var partitions: Set<Int64> = []
    /// Of the ids that rows must have, by column.
    private let idHashes: [(column: Int, hashes: [UInt64])]

    init(_ snapshot: TableSnapshot, _ request: ScanRequest, _ context: QueryContext) {
        self.snapshot = snapshot
        self.request = request
        self.context = context
        guard let time = snapshot.table.ordinal(of: snapshot.table.partitionColumn) else {
            preconditionFailure("a table has its partition column")
        }
        timeColumn = time
        lease = MemoryLease(context)
        let times = Self.times(request.range)
        allFilters = (times.map { [.integers(time, $0)] } ?? [.anyOf([])]) + request.filters
        idHashes = request.filters.compactMap { filter in
            guard case .ids(let column, let ids) = filter else { return nil }
            return (column, ids.map(BloomKeys.hash))
        }
    }

    /// The timestamps of a range; nil if there are none. The last representable timestamp is inside a range that ends with it.
    fileprivate static func times(_ range: TimeRange) -> ClosedRange<Int64>? {
        let end = range.end.nanoseconds
        guard range.start.nanoseconds < end || (end == .max && range.start.nanoseconds == end) else { return nil }
        return range.start.nanoseconds...(end == .max ? end : end - 1)
    }

    consuming func schedule(_ segment: ScanSegment) throws(ScanError) -> ScanSchedule {
        for index in segment.memory { addMemory(index) }
        for handle in segment.parts {
            do throws(QueryInterruption) { try context.check() } catch { throw .interrupted(error) }
            do {
                try addBlocks(of: handle)
            } catch let error as PartError {
                _ = try ScanSchedule.handle(error, in: handle, block: nil, context.statistics)
            } catch let error as StorageError {
                guard case .part(_, let error) = error else { throw .storage(error) }
                _ = try ScanSchedule.handle(error, in: handle, block: nil, context.statistics)
            } catch let error as QueryInterruption {
                throw .interrupted(error)
            } catch {
                preconditionFailure("scheduling fails in no other way: \(error)")
            }
        }
        switch request.order {
        case .any: break
        case .newestFirst:
            units.sort { ($0.greatest, $0.place.source, $0.place.row) > ($1.greatest, $1.place.source, $1.place.row) }
        case .oldestFirst:
            units.sort { ($0.least, $0.place.source, $0.place.row) < ($1.least, $1.place.source, $1.place.row) }
        }
        return ScanSchedule(self)
    }

    private mutating func addMemory(_ index: Int) {
        let batch = snapshot.memory[index]
        let source = UInt64.max - UInt64(snapshot.memory.count - index)
        guard request.isSearch else {
            guard let times = ScanSegment.times(of: batch, column: timeColumn) else { return }
            add(
                ScanSchedule.Unit(
                    source: .memory(index, 0..<batch.rowCount), least: times.lowerBound, greatest: times.upperBound,
                    place: (source, 0)))
            return
        }
        let known = index < snapshot.memoryIndexes.count ? snapshot.memoryIndexes[index] : MemoryIndex()
        for chunk in known.chunks(of: batch, snapshot.table, timeColumn: timeColumn) where mayMatch(chunk) {
            add(
                ScanSchedule.Unit(
                    source: .memory(index, chunk.rows), least: chunk.times.lowerBound,
                    greatest: chunk.times.upperBound, place: (source, chunk.rows.lowerBound)))
        }
    }

    /// Whether rows of a chunk can have all the ids that are asked for.
    private func mayMatch(_ chunk: MemoryIndex.Chunk) -> Bool {
        guard !chunk.ids.isEmpty else { return true }
        return idHashes.allSatisfy { column, hashes in
            guard let filter = chunk.ids[column] else { return true }
            return hashes.contains { filter.mayContain($0) }
        }
    }

    private mutating func add(_ unit: ScanSchedule.Unit) {
        let overlaps = request.range.overlaps(
            first: Timestamp(nanoseconds: unit.least), last: Timestamp(nanoseconds: unit.greatest))
        if overlaps { units.append(unit) }
    }

    private mutating func addBlocks(of handle: PartHandle) throws {
        let statistics = context.statistics
        statistics.partsConsidered.add(1, ordering: .relaxed)
        statistics.rowsConsidered.add(handle.record.rowCount, ordering: .relaxed)
        let overlaps = request.range.overlaps(
            first: Timestamp(nanoseconds: handle.record.leastTime),
            last: Timestamp(nanoseconds: handle.record.greatestTime))
        guard overlaps else {
            statistics[.zone].partsSkipped.add(1, ordering: .relaxed)
            statistics[.zone].rowsSkipped.add(handle.record.rowCount, ordering: .relaxed)
            return
        }
        let part = try handle.part()
        statistics.blocksConsidered.add(part.blockCount, ordering: .relaxed)
        statistics.rowGroupsConsidered.add(part.blocksOfGroups.count, ordering: .relaxed)
        func bind(_ filter: CompiledFilter) throws -> BoundFilter {
            try BoundFilter(filter, part) { try lease.extend(bytes: $0.byteCount) }
        }
        var filters: [(asked: CompiledFilter, bound: BoundFilter)] = []
        // The first filter is the range's, which the part may lie in.
        let isInside =
            Self.times(request.range).map { $0.contains(part.leastTime) && $0.contains(part.greatestTime) } ?? false
        for filter in allFilters.dropFirst(isInside ? 1 : 0) { filters.append((filter, try bind(filter))) }
        guard let blocks = try BlockPruning(part: part, statistics: statistics).blocks(filters) else { return }
        statistics.partsRead.add(1, ordering: .relaxed)
        statistics.rowGroupsRead.add(part.groupCount(of: blocks), ordering: .relaxed)
        if partitions.insert(handle.record.partition).inserted {
            statistics.partitionsRead.add(1, ordering: .relaxed)
        }
        for block in blocks {
            let zone = part.zone(timeColumn, block: block) ?? part.leastTime...part.greatestTime
            add(
                ScanSchedule.Unit(
                    source: .part(sources.count, block: block), least: zone.lowerBound, greatest: zone.upperBound,
                    place: (handle.record.id.number, part.firstRow(ofBlock: block))))
        }
        sources.append(
            ScanSchedule.PartSource(
                handle: handle, filters: Self.ordered(filters.map(\.bound), part, blocks),
                conditions: try request.conditions.map(bind)))
    }

    /// By what they cost in one of the blocks.
    private static func ordered(_ filters: [BoundFilter], _ part: Part, _ blocks: BlockSet) -> [BoundFilter] {
        guard let block = blocks.first(where: { _ in true }) else { return filters }
        let costs = filters.enumerated().map { ($0.element.cost(part, block: block), $0.offset) }
        return costs.sorted { $0 < $1 }.map { filters[$0.1] }
    }
}

/// Sources whose times overlap. Of an ordered scan those of one segment come before all of the next, which is not even planned
/// before it is needed.
struct ScanSegment {
    private(set) var memory: [Int] = []
    private(set) var parts: [PartHandle] = []
    private(set) var least = Int64.max
    private(set) var greatest = Int64.min

    /// The segments of a snapshot in the order of a scan.
    ///
    /// - Parameter isSearch: as of a request.
    static func make(_ snapshot: TableSnapshot, order: BlockOrder, isSearch: Bool = false) -> [ScanSegment] {
        guard let column = snapshot.table.ordinal(of: snapshot.table.partitionColumn) else {
            preconditionFailure("a table has its partition column")
        }
        guard order != .any else {
            var whole = ScanSegment()
            whole.memory = Array(snapshot.memory.indices)
            whole.parts = snapshot.parts
            return [whole]
        }
        var single: [ScanSegment] = []
        for (index, batch) in snapshot.memory.enumerated() {
            let known = isSearch && index < snapshot.memoryIndexes.count ? snapshot.memoryIndexes[index] : nil
            let bounds =
                known.map { $0.times(of: batch, snapshot.table, timeColumn: column) }
                ?? times(of: batch, column: column)
            guard let times = bounds else { continue }
            single.append(ScanSegment(memory: [index], least: times.lowerBound, greatest: times.upperBound))
        }
        for handle in snapshot.parts {
            let record = handle.record
            single.append(ScanSegment(parts: [handle], least: record.leastTime, greatest: record.greatestTime))
        }
        single.sort { $0.least < $1.least }
        var segments: [ScanSegment] = []
        for one in single {
            if let last = segments.last, one.least <= last.greatest {
                segments[segments.count - 1].merge(one)
            } else {
                segments.append(one)
            }
        }
        return order == .newestFirst ? segments.reversed() : segments
    }

    private mutating func merge(_ other: ScanSegment) {
        memory += other.memory
        parts += other.parts
        least = min(least, other.least)
        greatest = max(greatest, other.greatest)
    }

    static func times(of batch: ColumnBatch, column: Int) -> ClosedRange<Int64>? {
        guard batch.rowCount > 0, case .integers(let times)? = batch.columns[column] else { return nil }
        var (least, greatest) = (Int64.max, Int64.min)
        for time in times.prefix(batch.rowCount) {
            least = min(least, time)
            greatest = max(greatest, time)
        }
        return least...greatest
    }
}

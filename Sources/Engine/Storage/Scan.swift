package import Columns
package import Core
internal import Parts
internal import Synchronization
internal import TableSchema

/// A condition on the rows of a scan.
package enum RowFilter: Sendable {
    /// An integer column's value lies in the range.
    case integers(Int, ClosedRange<Int64>)
    /// A string column's value is accepted; asked once per distinct value where there is a dictionary.
    case strings(Int, @Sendable (UnsafeRawBufferPointer) -> Bool)
    /// A 16-byte id is one of these; skips parts by their bloom filter.
    case ids(Int, Set<TraceID>)
    /// The attributes have a value of the key that is accepted. For the overflow the whole run of attributes is handed over.
    case attribute(Int, key: [UInt8], @Sendable (AttributeType, LaneValue) -> Bool)
    /// As `attribute`, of the attributes in a field of one of the nested rows.
    case nestedAttribute(Int, field: Int, key: [UInt8], @Sendable (AttributeType, LaneValue) -> Bool)
    /// At least one of these holds.
    indirect case anyOf([RowFilter])
}

/// One value of an attribute lane.
package enum LaneValue {
    case bytes(UnsafeRawBufferPointer)
    case integer(Int64)
    case double(Double)
}

package enum BlockOrder: Sendable { case any, newestFirst, oldestFirst }

/// What to read of a table. Column numbers are places in the table's definition.
package struct ScanRequest: Sendable {
    package var range: TimeRange
    /// The columns that the result has; others may be there too.
    package var columns: [Int]
    /// All of them hold for every row of the result; cheap ones first.
    package var filters: [RowFilter]
    package var order: BlockOrder

    package init(
        range: TimeRange, columns: [Int], filters: [RowFilter] = [], order: BlockOrder = .any
    ) {
        self.range = range
        self.columns = columns
        self.filters = filters
        self.order = order
    }
}

/// The rows of one block that passed.
package struct ScanBlock: Sendable {
    package let batch: ColumnBatch
    /// Ascending row numbers of the batch.
    package let rows: [UInt32]
    /// Ordered scans: no row that comes later is newer (newest first) or older (oldest first) than this time.
    package let bound: Int64?
    /// Tells sources apart, for a stable order of equal times: the part's number, or one above all parts for memory.
    package let source: UInt64
    /// The number of rows of the source before this block.
    package let firstRow: Int
}

/// What stops a scan before its end.
package enum ScanError: Error, Sendable {
    case interrupted(QueryInterruption)
    case storage(StorageError)
}

/// Reads blocks of a snapshot one after the other: those that partitions, zone maps, bloom filters and dictionaries rule out
/// are not touched, and of the others the filtered columns are read first.
package struct Scan {
    private enum Source {
        case memory(Int)
        case part(Int, block: Int)
    }

    private struct Unit {
        var source: Source
        var least: Int64
        var greatest: Int64
    }

    private let snapshot: TableSnapshot
    private let request: ScanRequest
    private let context: QueryContext
    private let timeColumn: Int
    private var parts: [Part] = []
    /// By part and filter: which entries of the dictionary are accepted.
    private var accepted: [Int: [Int: [Bool]]] = [:]

    package init(_ snapshot: TableSnapshot, _ request: ScanRequest, context: QueryContext) {
        self.snapshot = snapshot
        self.request = request
        self.context = context
        guard let time = snapshot.table.ordinal(of: snapshot.table.partitionColumn) else {
            preconditionFailure("a table has its partition column")
        }
        timeColumn = time
    }

    /// Hands over the blocks that have rows.
    ///
    /// - Parameter body: answers whether to go on.
    package mutating func run<Failure: Error>(
        _ body: (ScanBlock) throws(Failure) -> Bool
    ) throws {
        let units = try plan()
        for (index, unit) in units.enumerated() {
            try check()
            guard let block = try read(unit, bound: bound(after: index, units)) else { continue }
            context.statistics.rowsMatched.add(block.rows.count, ordering: .relaxed)
            if try !body(block) { return }
        }
    }

    private func check() throws(ScanError) {
        do throws(QueryInterruption) { try context.check() } catch { throw .interrupted(error) }
    }

    private func bound(after index: Int, _ units: [Unit]) -> Int64? {
        guard index + 1 < units.count else { return nil }
        switch request.order {
        case .any: return nil
        case .newestFirst: return units[index + 1].greatest
        case .oldestFirst: return units[index + 1].least
        }
    }

    // MARK: Planning

    private mutating func plan() throws(ScanError) -> [Unit] {
        var units: [Unit] = []
        for (index, batch) in snapshot.memory.enumerated() where batch.rowCount > 0 {
            guard case .integers(let times)? = batch.columns[timeColumn] else { continue }
            var least = Int64.max
            var greatest = Int64.min
            for time in times.unsafeElements {
                least = min(least, time)
                greatest = max(greatest, time)
            }
            add(Unit(source: .memory(index), least: least, greatest: greatest), to: &units)
        }
        for handle in snapshot.parts {
            try check()
            do throws(StorageError) {
                try addBlocks(of: handle, to: &units)
            } catch {
                throw .storage(error)
            }
        }
        switch request.order {
        case .any: break
        case .newestFirst: units.sort { $0.greatest > $1.greatest }
        case .oldestFirst: units.sort { $0.least < $1.least }
        }
        return units
    }

    private func add(_ unit: Unit, to units: inout [Unit]) {
        let overlaps = request.range.overlaps(
            first: Timestamp(nanoseconds: unit.least), last: Timestamp(nanoseconds: unit.greatest))
        if overlaps { units.append(unit) }
    }

    private mutating func addBlocks(
        of handle: PartHandle, to units: inout [Unit]
    ) throws(StorageError) {
        context.statistics.partsConsidered.add(1, ordering: .relaxed)
        let overlaps = request.range.overlaps(
            first: Timestamp(nanoseconds: handle.record.leastTime),
            last: Timestamp(nanoseconds: handle.record.greatestTime))
        guard overlaps else { return }
        let part = try handle.part()
        do throws(PartError) {
            context.statistics.blocksConsidered.add(part.blockCount, ordering: .relaxed)
            let blocks = try candidates(part, number: parts.count)
            guard !blocks.isEmpty else { return }
            context.statistics.partsRead.add(1, ordering: .relaxed)
            for block in blocks {
                let zone = part.zone(timeColumn, block: block) ?? part.leastTime...part.greatestTime
                add(
                    Unit(
                        source: .part(parts.count, block: block), least: zone.lowerBound,
                        greatest: zone.upperBound), to: &units)
            }
            parts.append(part)
            handles.append(handle)
        } catch {
            throw .part(path: handle.path, error)
        }
    }

    private var handles: [PartHandle] = []

    /// The blocks that zone maps, bloom filters and dictionaries leave over.
    private mutating func candidates(_ part: Part, number: Int) throws(PartError) -> [Int] {
        var blocks = Array(0..<part.blockCount)
        for (index, filter) in request.filters.enumerated() where !blocks.isEmpty {
            var codes: [Bool]?
            blocks = try Self.candidates(filter, part, among: blocks, codes: &codes)
            if let codes { accepted[number, default: [:]][index] = codes }
        }
        return blocks
    }

    /// - Parameter codes: set to the accepted entries of a dictionary that was asked.
    private static func candidates(
        _ filter: RowFilter, _ part: Part, among blocks: [Int], codes known: inout [Bool]?
    ) throws(PartError) -> [Int] {
        switch filter {
        case .integers(let column, let range):
            return blocks.filter { block in
                part.zone(column, block: block).map { $0.overlaps(range) } ?? true
            }
        case .strings(let column, let accepts):
            guard let dictionary = try part.dictionary(column) else { return blocks }
            let codes = (0..<dictionary.count).map { accepts(dictionary.bytes($0)) }
            guard codes.contains(true) else { return [] }
            known = codes
            guard dictionary.isSorted else { return blocks }
            return blocks.filter { block in
                guard let zone = part.zone(column, block: block) else { return true }
                // A footer may say anything.
                guard zone.lowerBound >= 0, zone.upperBound < Int64(codes.count) else { return true }
                return codes[Int(zone.lowerBound)...Int(zone.upperBound)].contains(true)
            }
        case .ids(let column, let ids):
            // "None" is not in the filters.
            if ids.contains(where: \.isZero) { return blocks }
            var possible: Set<Int> = []
            for id in ids {
                possible.formUnion(try part.blocks(mayContaining: BloomKeys.hash(id), column: column))
            }
            return blocks.filter { possible.contains($0) }
        case .attribute(let column, let key, _):
            let keys = part.attributeKeys(column)
            return keys.contains(key) || keys.contains([]) ? blocks : []
        case .nestedAttribute(let column, let field, let key, _):
            let keys = part.attributeKeys(column, field: field)
            return keys.contains(key) || keys.contains([]) ? blocks : []
        case .anyOf(let filters):
            var possible: Set<Int> = []
            for filter in filters {
                var codes: [Bool]?
                possible.formUnion(try candidates(filter, part, among: blocks, codes: &codes))
            }
            return blocks.filter { possible.contains($0) }
        }
    }

    // MARK: Reading

    private func read(_ unit: Unit, bound: Int64?) throws(ScanError) -> ScanBlock? {
        switch unit.source {
        case .memory(let index):
            let batch = snapshot.memory[index]
            let rows = filter(batch)
            guard !rows.isEmpty else { return nil }
            context.statistics.rowsRead.add(batch.rowCount, ordering: .relaxed)
            return ScanBlock(
                batch: batch, rows: rows, bound: bound, source: .max - UInt64(snapshot.memory.count - index),
                firstRow: 0)
        case .part(let number, let block):
            do throws(PartError) {
                return try read(number, block, bound)
            } catch {
                throw .storage(.part(path: handles[number].path, error))
            }
        }
    }

    private func read(_ number: Int, _ block: Int, _ bound: Int64?) throws(PartError) -> ScanBlock? {
        let part = parts[number]
        let count = part.rowCount(ofBlock: block)
        context.statistics.blocksRead.add(1, ordering: .relaxed)
        context.statistics.rowsRead.add(count, ordering: .relaxed)
        var batch = ColumnBatch(
            rowCount: count, columns: Array(repeating: nil, count: snapshot.table.columns.count))
        var rows = Array(0..<UInt32(count))
        let zone = part.zone(timeColumn, block: block)
        let isInside =
            zone.map {
                request.range.contains(Timestamp(nanoseconds: $0.lowerBound))
                    && request.range.contains(Timestamp(nanoseconds: $0.upperBound))
            } ?? false
        if !isInside {
            try load(timeColumn, part, block, &batch)
            keepInRange(&rows, batch)
        }
        for (index, filter) in request.filters.enumerated() {
            guard !rows.isEmpty else { return nil }
            try apply(filter, to: &rows, part, block, &batch, accepted: accepted[number]?[index])
        }
        guard !rows.isEmpty else { return nil }
        for column in request.columns { try load(column, part, block, &batch) }
        return ScanBlock(
            batch: batch, rows: rows, bound: bound, source: handles[number].record.id.number,
            firstRow: part.firstRow(ofBlock: block))
    }

    private func apply(
        _ filter: RowFilter, to rows: inout [UInt32], _ part: Part, _ block: Int,
        _ batch: inout ColumnBatch, accepted: [Bool]?
    ) throws(PartError) {
        switch filter {
        case .attribute(let column, let key, let accepts):
            let lanes = try part.readLanes(column, key: key, block: block, statistics: context.statistics)
            RowFilters.keep(&rows, lanes: lanes, accepts)
        case .nestedAttribute(let column, let field, let key, _):
            let keys = part.attributeKeys(column, field: field)
            guard keys.contains(key) || keys.contains([]) else { return rows.removeAll() }
            try load(column, part, block, &batch)
            RowFilters.keep(&rows, batch, filter, accepted: nil)
        case .anyOf(let filters):
            var kept: Set<UInt32> = []
            var rest = rows
            for filter in filters where !rest.isEmpty {
                var some = rest
                try apply(filter, to: &some, part, block, &batch, accepted: nil)
                kept.formUnion(some)
                rest.removeAll { kept.contains($0) }
            }
            rows.removeAll { !kept.contains($0) }
        case .integers(let column, _), .strings(let column, _), .ids(let column, _):
            try load(column, part, block, &batch)
            RowFilters.keep(&rows, batch, filter, accepted: accepted)
        }
    }

    private func load(
        _ column: Int, _ part: Part, _ block: Int, _ batch: inout ColumnBatch
    ) throws(PartError) {
        guard batch.columns[column] == nil else { return }
        batch.columns[column] = try part.read(column, block: block, statistics: context.statistics)
    }

    private func filter(_ batch: ColumnBatch) -> [UInt32] {
        var rows = Array(0..<UInt32(batch.rowCount))
        keepInRange(&rows, batch)
        for filter in request.filters where !rows.isEmpty {
            RowFilters.keep(&rows, batch, filter, accepted: nil)
        }
        return rows
    }

    private func keepInRange(_ rows: inout [UInt32], _ batch: ColumnBatch) {
        guard case .integers(let times)? = batch.columns[timeColumn] else { return }
        let start = request.range.start.nanoseconds
        let end = request.range.end.nanoseconds
        // The last representable moment is inside a range that ends with it.
        let isOpen = end == .max
        rows.removeAll { row in
            let time = times.base[Int(row)]
            return time < start || (time >= end && !isOpen)
        }
    }
}

package import Columns
internal import Core
package import Observability
internal import TableSchema

/// Reads columns of attributes, lane by lane.
extension Part {
    func checkShapes() throws(PartError) {
        for entry in footer.shapes where entry.lanes.count > AttributesBuilder.laneLimit + 1 {
            throw .corruptFooter("column \(entry.column) has too many lanes")
        }
    }

    /// - Parameter wanted: as of `read`.
    func readAttributes(
        _ column: UInt16, _ rows: Int, _ wanted: [UInt32]?, _ block: Int, _ access: PageAccess
    ) throws(PartError) -> AttributesColumn {
        guard let leaf = leafOfKey[LeafKey(column: column, role: .shapes)],
            let number = shapesOfColumn[column]
        else {
            let zeros = Buffer<UInt32>(repeatElement(0, count: rows))
            return AttributesColumn(
                shapes: zeros, lanesOfShape: [[]], lanes: [], starts: zeros, slots: .empty)
        }
        let entry = footer.shapes[number]
        let shapes = try readNaturals(leaf, rows, block, below: entry.shapes.count, access)
        guard let places = LanePlaces(entry, shapes, wanted: wanted) else {
            throw .corruptPage(column: column, block: block)
        }
        var lanes: [AttributeLane] = []
        for (index, lane) in entry.lanes.enumerated() {
            var values: Column?
            if places.isWanted[index] {
                values = try readLane(column, index, lane.type, Int(places.counts[index]), block, access)
            }
            lanes.append(AttributeLane(key: lane.key, type: lane.type, values: values))
        }
        return AttributesColumn(
            shapes: shapes, lanesOfShape: entry.shapes, lanes: lanes, starts: places.starts, slots: places.slots)
    }

    private func readLane(
        _ column: UInt16, _ lane: Int, _ type: AttributeType, _ count: Int, _ block: Int,
        _ access: PageAccess
    ) throws(PartError) -> Column {
        let key = LeafKey(column: column, role: .lane, lane: UInt16(lane))
        guard leafOfKey[key] != nil else { throw .corruptFooter("column \(column) lacks a lane") }
        let columnType: ColumnType =
            switch type {
            case .empty, .bool, .int: .integer(.int64)
            case .double: .float
            case .string, .array, .map, .bytes, .overflow: .string
            }
        return try readLeaf(key, columnType, count, block, access)
    }

    /// Reads only the lanes of one attribute key in a block: by lane, the rows that have it and their values.
    package func readLanes(
        _ ordinal: Int, key: [UInt8], block: Int, keepsPages: Bool = false, statistics: QueryStatistics? = nil
    ) throws(PartError) -> [(type: AttributeType, rows: [UInt32], values: Column)] {
        let column = table.columns[ordinal].id.number
        guard let leaf = leafOfKey[LeafKey(column: column, role: .shapes)],
            let number = shapesOfColumn[column]
        else { return [] }
        let entry = footer.shapes[number]
        let wanted = entry.lanes.indices.filter {
            entry.lanes[$0].key == key || entry.lanes[$0].type == .overflow
        }
        guard !wanted.isEmpty else { return [] }
        let access = PageAccess(statistics, keepsPages: keepsPages)
        let rows = footer.blockRows[block]
        let shapes = try readNaturals(leaf, rows, block, below: entry.shapes.count, access)
        var result: [(type: AttributeType, rows: [UInt32], values: Column)] = []
        for lane in wanted {
            let has = entry.shapes.map { $0.contains(UInt32(lane)) }
            let present = (0..<UInt32(rows)).filter { has[Int(shapes.base[Int($0)])] }
            guard !present.isEmpty else { continue }
            let type = entry.lanes[lane].type
            let values = try readLane(column, lane, type, present.count, block, access)
            result.append((type, present, values))
        }
        return result
    }

    /// The distinct keys of an attributes column in the part.
    package func attributeKeys(_ ordinal: Int) -> [[UInt8]] {
        guard let number = shapesOfColumn[table.columns[ordinal].id.number] else { return [] }
        return footer.shapes[number].lanes.map(\.key)
    }

    /// The distinct keys of the attributes in a field of a nested column.
    package func attributeKeys(_ ordinal: Int, field: Int) -> [[UInt8]] {
        guard case .nested(let fields) = table.columns[ordinal].type,
            let number = shapesOfColumn[fields[field].id.number]
        else { return [] }
        return footer.shapes[number].lanes.map(\.key)
    }
}

/// Where the attributes of a block's rows are in their lanes.
private struct LanePlaces {
    /// By lane: whether a wanted row has it.
    let isWanted: [Bool]
    /// By lane: the number of rows that have it, if it is wanted.
    let counts: [UInt32]
    /// As in `AttributesColumn`; rows that are not wanted have no slots.
    let starts: Buffer<UInt32>
    let slots: Buffer<UInt32>

    /// - Returns: nil if there are more attributes than a block may have.
    init?(_ entry: ShapesEntry, _ shapes: Buffer<UInt32>, wanted: [UInt32]?) {
        let (isWanted, isCounted) = Self.wanted(entry, shapes, wanted)
        // One list for all shapes, since rows are many.
        let lanes = entry.shapes.flatMap { $0 }
        var ends = [0]
        for shape in entry.shapes { ends.append(ends[ends.count - 1] + shape.count) }
        var counts = [UInt32](repeating: 0, count: entry.lanes.count)
        var starts = BufferBuilder<UInt32>(capacity: shapes.count)
        var slots = BufferBuilder<UInt32>(capacity: (wanted?.count ?? shapes.count) * 8)
        var next = 0
        for row in 0..<shapes.count {
            starts.append(UInt32(truncatingIfNeeded: slots.count))
            let shape = Int(shapes.base[row])
            var hasSlots = true
            if let wanted {
                hasSlots = next < wanted.count && Int(wanted[next]) == row
                if hasSlots { next += 1 } else if !isCounted[shape] { continue }
            }
            for place in ends[shape]..<ends[shape + 1] {
                let lane = Int(lanes[place])
                if hasSlots { slots.append(counts[lane]) }
                counts[lane] &+= 1
            }
            guard slots.count <= PartLayout.pageValueLimit else { return nil }
        }
        self.isWanted = isWanted
        self.counts = counts
        self.starts = starts.snapshot()
        self.slots = slots.snapshot()
    }

    /// By lane, whether a wanted row has it; by shape, whether it has such a lane.
    private static func wanted(
        _ entry: ShapesEntry, _ shapes: Buffer<UInt32>, _ rows: [UInt32]?
    ) -> (lanes: [Bool], shapes: [Bool]) {
        guard let rows else {
            return (
                Array(repeating: true, count: entry.lanes.count), Array(repeating: true, count: entry.shapes.count)
            )
        }
        var lanes = Array(repeating: false, count: entry.lanes.count)
        var met = Array(repeating: false, count: entry.shapes.count)
        for row in rows {
            let shape = Int(shapes[Int(row)])
            if met[shape] { continue }
            met[shape] = true
            for lane in entry.shapes[shape] { lanes[Int(lane)] = true }
        }
        return (lanes, entry.shapes.map { shape in shape.contains { lanes[Int($0)] } })
    }
}

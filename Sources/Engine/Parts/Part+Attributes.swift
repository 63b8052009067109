package import Columns
internal import Core
package import Observability
internal import TableSchema

/// Reads columns of attributes, subcolumn by subcolumn.
extension Part {
    func checkShapes() throws(PartError) {
        for entry in footer.shapes where entry.subcolumns.count > AttributesBuilder.subcolumnLimit + 1 {
            throw .corruptFooter("column \(entry.column) has too many subcolumns")
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
                shapes: zeros, subcolumnsOfShape: [[]], subcolumns: [], starts: zeros, slots: .empty)
        }
        let entry = footer.shapes[number]
        let shapes = try readNaturals(leaf, rows, block, below: entry.shapes.count, access)
        guard let places = SubcolumnPlaces(entry, shapes, wanted: wanted) else {
            throw .corruptPage(column: column, block: block)
        }
        var subcolumns: [AttributeSubcolumn] = []
        for (index, subcolumn) in entry.subcolumns.enumerated() {
            var values: Column?
            if places.isWanted[index] {
                values = try readSubcolumn(column, index, subcolumn.type, Int(places.counts[index]), block, access)
            }
            subcolumns.append(AttributeSubcolumn(key: subcolumn.key, type: subcolumn.type, values: values))
        }
        return AttributesColumn(
            shapes: shapes, subcolumnsOfShape: entry.shapes, subcolumns: subcolumns, starts: places.starts,
            slots: places.slots)
    }

    private func readSubcolumn(
        _ column: UInt16, _ subcolumn: Int, _ type: AttributeType, _ count: Int, _ block: Int,
        _ access: PageAccess
    ) throws(PartError) -> Column {
        let key = LeafKey(column: column, role: .subcolumn, subcolumn: UInt16(subcolumn))
        guard leafOfKey[key] != nil else { throw .corruptFooter("column \(column) lacks a subcolumn") }
        let columnType: ColumnType =
            switch type {
            case .empty, .bool, .int: .integer(.int64)
            case .double: .float
            case .string, .array, .map, .bytes, .overflow: .string
            }
        return try readLeaf(key, columnType, count, block, access)
    }

    /// Reads only the subcolumns of one attribute key in a block: by subcolumn, the rows that have it and their values.
    package func readSubcolumns(
        _ ordinal: Int, key: [UInt8], block: Int, keepsPages: Bool = false, statistics: QueryStatistics? = nil
    ) throws(PartError) -> [(type: AttributeType, rows: [UInt32], values: Column)] {
        let column = table.columns[ordinal].id.number
        guard let leaf = leafOfKey[LeafKey(column: column, role: .shapes)],
            let number = shapesOfColumn[column]
        else { return [] }
        let entry = footer.shapes[number]
        let wanted = entry.subcolumns.indices.filter {
            entry.subcolumns[$0].key == key || entry.subcolumns[$0].type == .overflow
        }
        guard !wanted.isEmpty else { return [] }
        let access = PageAccess(statistics, keepsPages: keepsPages)
        let rows = footer.blockRows[block]
        let shapes = try readNaturals(leaf, rows, block, below: entry.shapes.count, access)
        var result: [(type: AttributeType, rows: [UInt32], values: Column)] = []
        for subcolumn in wanted {
            let has = entry.shapes.map { $0.contains(UInt32(subcolumn)) }
            let present = (0..<UInt32(rows)).filter { has[Int(shapes.base[Int($0)])] }
            guard !present.isEmpty else { continue }
            let type = entry.subcolumns[subcolumn].type
            let values = try readSubcolumn(column, subcolumn, type, present.count, block, access)
            result.append((type, present, values))
        }
        return result
    }

    /// The distinct keys of an attributes column in the part.
    package func attributeKeys(_ ordinal: Int) -> [[UInt8]] {
        guard let number = shapesOfColumn[table.columns[ordinal].id.number] else { return [] }
        return footer.shapes[number].subcolumns.map(\.key)
    }

    /// The distinct pairs of a key and a type in an attributes column of the part.
    package func attributeSubcolumns(_ ordinal: Int) -> [(key: [UInt8], type: AttributeType)] {
        guard let number = shapesOfColumn[table.columns[ordinal].id.number] else { return [] }
        return footer.shapes[number].subcolumns.map { ($0.key, $0.type) }
    }

    /// The distinct keys of the attributes in a field of a nested column.
    package func attributeKeys(_ ordinal: Int, field: Int) -> [[UInt8]] {
        guard case .nested(let fields) = table.columns[ordinal].type,
            let number = shapesOfColumn[fields[field].id.number]
        else { return [] }
        return footer.shapes[number].subcolumns.map(\.key)
    }
}

/// Where the attributes of a block's rows are in their subcolumns.
private struct SubcolumnPlaces {
    /// By subcolumn: whether a wanted row has it.
    let isWanted: [Bool]
    /// By subcolumn: the number of rows that have it.
    let counts: [UInt32]
    /// As in `AttributesColumn`; rows that are not wanted may have no slots.
    let starts: Buffer<UInt32>
    let slots: Buffer<UInt32>

    /// - Returns: nil if there are more attributes than a block may have.
    init?(_ entry: ShapesEntry, _ shapes: Buffer<UInt32>, wanted: [UInt32]?) {
        // One list for all shapes, since rows are many.
        let list = ShapeList(entry)
        isWanted = wanted.map { list.wanted(shapes, $0) } ?? Array(repeating: true, count: list.subcolumnCount)
        // Of few rows it costs less to count what is between them.
        let few = wanted.flatMap { $0.count <= shapes.count / max(1, 4 * list.shapeCount) ? $0 : nil }
        let places = few.map { Self.places(list, shapes, wanted: $0) } ?? Self.places(list, shapes)
        guard let places else { return nil }
        (counts, starts, slots) = places
    }

    private typealias Places = (counts: [UInt32], starts: Buffer<UInt32>, slots: Buffer<UInt32>)

    /// Of all rows.
    private static func places(_ list: ShapeList, _ shapes: Buffer<UInt32>) -> Places? {
        var counts = [UInt32](repeating: 0, count: list.subcolumnCount)
        var starts = BufferBuilder<UInt32>(capacity: shapes.count)
        var slots = BufferBuilder<UInt32>(capacity: shapes.count * 8)
        // By index, since a slice for each row would be counted as a reference for each row.
        let (subcolumns, ends) = (list.subcolumns, list.ends)
        for row in 0..<shapes.count {
            starts.append(UInt32(truncatingIfNeeded: slots.count))
            let shape = Int(shapes.base[row])
            for place in ends[shape]..<ends[shape + 1] {
                let subcolumn = subcolumns[place]
                slots.append(counts[subcolumn])
                counts[subcolumn] &+= 1
            }
            guard slots.count <= PartLayout.pageValueLimit else { return nil }
        }
        return (counts, starts.snapshot(), slots.snapshot())
    }

    /// Of few rows. Between them only shapes are counted, and their subcolumns once for all rows that had a shape.
    ///
    /// - Parameter wanted: ascending.
    private static func places(_ list: ShapeList, _ shapes: Buffer<UInt32>, wanted: [UInt32]) -> Places? {
        var counts = [UInt32](repeating: 0, count: list.subcolumnCount)
        // Of each shape, the rows that are not counted yet.
        var pending = [UInt32](repeating: 0, count: list.shapeCount)
        let starts = BufferMemory<UInt32>(capacity: shapes.count)
        starts.base.initialize(repeating: 0, count: shapes.count)
        var slots = BufferBuilder<UInt32>(capacity: wanted.count * 8)
        var next = 0
        for row in wanted {
            let row = Int(row)
            precondition(row >= next && row < shapes.count, "rows ascend, and are the block's")
            count(shapes, next..<row, &pending)
            list.take(&pending, into: &counts)
            starts.base[row] = UInt32(truncatingIfNeeded: slots.count)
            for subcolumn in list.subcolumns(ofShape: Int(shapes.base[row])) {
                slots.append(counts[subcolumn])
                counts[subcolumn] &+= 1
            }
            guard slots.count <= PartLayout.pageValueLimit else { return nil }
            next = row + 1
        }
        count(shapes, next..<shapes.count, &pending)
        list.take(&pending, into: &counts)
        return (counts, Buffer(owner: starts, base: starts.base, count: shapes.count), slots.snapshot())
    }

    /// Adds how many of the rows have each shape.
    private static func count(_ shapes: Buffer<UInt32>, _ rows: Range<Int>, _ pending: inout [UInt32]) {
        // Shapes are below the number of them: the page was read with that limit.
        pending.withUnsafeMutableBufferPointer { pending in
            for row in rows { pending[Int(shapes.base[row])] &+= 1 }
        }
    }
}

/// The subcolumns of all shapes, one after the other.
private struct ShapeList {
    let subcolumnCount: Int
    let subcolumns: [Int]
    let ends: [Int]

    var shapeCount: Int { ends.count - 1 }

    init(_ entry: ShapesEntry) {
        subcolumnCount = entry.subcolumns.count
        subcolumns = entry.shapes.flatMap { $0.map { Int($0) } }
        var ends = [0]
        ends.reserveCapacity(entry.shapes.count + 1)
        for shape in entry.shapes { ends.append(ends[ends.count - 1] + shape.count) }
        self.ends = ends
    }

    @inline(__always)
    func subcolumns(ofShape shape: Int) -> ArraySlice<Int> { subcolumns[ends[shape]..<ends[shape + 1]] }

    /// Counts the subcolumns of rows, of which the shapes are told, and begins the count of those anew.
    func take(_ rows: inout [UInt32], into counts: inout [UInt32]) {
        for shape in rows.indices where rows[shape] > 0 {
            for subcolumn in subcolumns(ofShape: shape) { counts[subcolumn] &+= rows[shape] }
            rows[shape] = 0
        }
    }

    /// By subcolumn, whether a wanted row has it.
    func wanted(_ shapes: Buffer<UInt32>, _ rows: [UInt32]) -> [Bool] {
        var isWanted = Array(repeating: false, count: subcolumnCount)
        var met = Array(repeating: false, count: shapeCount)
        for row in rows {
            let shape = Int(shapes[Int(row)])
            if met[shape] { continue }
            met[shape] = true
            for subcolumn in subcolumns(ofShape: shape) { isWanted[subcolumn] = true }
        }
        return isWanted
    }
}

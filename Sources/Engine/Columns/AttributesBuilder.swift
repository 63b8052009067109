private import Core
private import Glibc

/// Grows an attributes column without a String, a Dictionary or an object per attribute.
///
/// Shapes are the paths of a trie: from the shape of the attributes so far, a key and a type lead to the next. A sender repeats
/// its shapes, so the child that was taken last is compared first; only a new combination is looked up by hash.
///
/// A set is written as `begin`, one `append…` per attribute, `end`. Beyond `subcolumnLimit` subcolumns or `shapeLimit` shapes an attribute
/// does not fit: `append…` answers false, and the caller gives all that do not fit to `appendOverflow` as one run of bytes.
package struct AttributesBuilder: ~Copyable {
    package static let subcolumnLimit = 1024
    package static let shapeLimit = 65_536
    /// The most attributes of one set that get subcolumns.
    package static let setLimit = 256

    private struct Subcolumn: ~Copyable {
        let key: [UInt8]
        /// The same bytes where comparing them touches no reference count.
        let keyBytes: UnsafeMutablePointer<UInt8>
        let keyCount: Int
        let type: AttributeType
        var strings: StringColumnBuilder
        var integers: BufferBuilder<Int64>
        var floats: BufferBuilder<Double>
        var count = 0

        init(key: [UInt8], type: AttributeType) {
            self.key = key
            self.type = type
            keyBytes = .allocate(capacity: max(key.count, 1))
            for (i, byte) in key.enumerated() { (keyBytes + i).initialize(to: byte) }
            keyCount = key.count
            strings = StringColumnBuilder(.adaptive)
            integers = BufferBuilder()
            floats = BufferBuilder()
        }

        deinit { keyBytes.deallocate() }

        mutating func truncate(to newCount: Int) {
            count = newCount
            switch type {
            case .empty, .bool, .int: integers.truncate(to: newCount)
            case .double: floats.truncate(to: newCount)
            default: strings.truncate(to: newCount)
            }
        }

        var byteCount: Int {
            strings.byteCount + integers.count * 8 + floats.count * 8 + 128
        }

        func values(_ count: Int) -> Column {
            switch type {
            case .empty, .bool, .int: .integers(integers.snapshot()[0..<count])
            case .double: .floats(floats.snapshot()[0..<count])
            default: .strings(strings.snapshot(rows: count))
            }
        }
    }

    /// A node of the trie.
    private struct Shape {
        let parent: UInt32
        let subcolumn: UInt32
        let depth: UInt32
        /// The child that was taken last, or 0 (the root is nobody's child).
        var lastChild: UInt32 = 0
    }

    private var shapes: BufferBuilder<UInt32>
    private var starts: BufferBuilder<UInt32>
    private var slots: BufferBuilder<UInt32>
    private var subcolumns: UnsafeMutablePointer<Subcolumn>
    private var subcolumnCapacity = 16
    private var subcolumnCount = 0
    private var trie: BufferBuilder<Shape>
    private var children: [UInt64: UInt32] = [:]
    private var subcolumnOfKey: [SubcolumnKey: UInt32] = [:]
    private var subcolumnsOfShape: [[UInt32]] = [[]]
    private var current: UInt32 = 0

    private struct SubcolumnKey: Hashable {
        let key: [UInt8]
        let type: UInt8
    }

    package init() {
        shapes = BufferBuilder()
        starts = BufferBuilder()
        slots = BufferBuilder()
        trie = BufferBuilder()
        trie.append(Shape(parent: 0, subcolumn: 0, depth: 0))
        subcolumns = .allocate(capacity: subcolumnCapacity)
    }

    deinit {
        for i in 0..<subcolumnCount { (subcolumns + i).deinitialize(count: 1) }
        subcolumns.deallocate()
    }

    package var count: Int { shapes.count }

    /// Begins the set of the next row.
    @inline(__always)
    package mutating func begin() {
        starts.append(UInt32(truncatingIfNeeded: slots.count))
        current = 0
    }

    /// Ends the set of the row.
    @inline(__always)
    package mutating func end() { shapes.append(current) }

    /// The subcolumn for the next attribute, or nil if it does not fit. A key that the set already has does not fit either:
    /// `containsKey` tells that case apart.
    @inline(__always)
    private mutating func step(
        _ key: UnsafePointer<UInt8>, _ keyCount: Int, _ type: AttributeType
    ) -> UnsafeMutablePointer<Subcolumn>? {
        let predicted = trie.base[Int(current)].lastChild
        if predicted != 0 {
            let subcolumn = subcolumns + Int(trie.base[Int(predicted)].subcolumn)
            if subcolumn.pointee.type == type, subcolumn.pointee.keyCount == keyCount,
                memcmp(subcolumn.pointee.keyBytes, key, keyCount) == 0
            {
                return take(predicted)
            }
        }
        return search(key, keyCount, type)
    }

    @inline(__always)
    private mutating func take(_ shape: UInt32) -> UnsafeMutablePointer<Subcolumn> {
        current = shape
        let subcolumn = subcolumns + Int(trie.base[Int(shape)].subcolumn)
        slots.append(UInt32(truncatingIfNeeded: subcolumn.pointee.count))
        subcolumn.pointee.count &+= 1
        return subcolumn
    }

    @inline(never)
    private mutating func search(
        _ key: UnsafePointer<UInt8>, _ keyCount: Int, _ type: AttributeType
    ) -> UnsafeMutablePointer<Subcolumn>? {
        let subcolumnKey = SubcolumnKey(
            key: Array(UnsafeBufferPointer(start: key, count: keyCount)), type: type.rawValue)
        guard let subcolumn = subcolumnOfKey[subcolumnKey] ?? addSubcolumn(subcolumnKey, type) else { return nil }
        let edge = UInt64(current) << 32 | UInt64(subcolumn)
        if let child = children[edge] {
            trie.base[Int(current)].lastChild = child
            return take(child)
        }
        let depth = trie[Int(current)].depth
        // A set of nothing but overflow always finds its shape, and so does the overflow behind other attributes.
        let fits = trie.count < Self.shapeLimit && depth < Self.setLimit && !containsKey(subcolumnKey.key)
        guard fits || (type == .overflow && (current == 0 || trie.count < 2 * Self.shapeLimit)) else {
            return nil
        }
        let child = UInt32(trie.count)
        trie.append(Shape(parent: current, subcolumn: subcolumn, depth: depth + 1))
        subcolumnsOfShape.append(subcolumnsOfShape[Int(current)] + [subcolumn])
        children[edge] = child
        trie.base[Int(current)].lastChild = child
        return take(child)
    }

    private mutating func addSubcolumn(_ key: SubcolumnKey, _ type: AttributeType) -> UInt32? {
        // The last subcolumn is for the overflow, which always finds one.
        let limit = type == .overflow ? Self.subcolumnLimit + 1 : Self.subcolumnLimit
        guard subcolumnCount < limit else { return nil }
        if subcolumnCount == subcolumnCapacity { growSubcolumns() }
        (subcolumns + subcolumnCount).initialize(to: Subcolumn(key: key.key, type: type))
        subcolumnOfKey[key] = UInt32(subcolumnCount)
        subcolumnCount += 1
        return UInt32(subcolumnCount - 1)
    }

    private mutating func growSubcolumns() {
        subcolumnCapacity *= 2
        let larger = UnsafeMutablePointer<Subcolumn>.allocate(capacity: subcolumnCapacity)
        larger.moveInitialize(from: subcolumns, count: subcolumnCount)
        subcolumns.deallocate()
        subcolumns = larger
    }

    /// Whether the set of the current row has a value for `key`.
    package func containsKey(_ key: [UInt8]) -> Bool {
        subcolumnsOfShape[Int(current)].contains { subcolumns[Int($0)].key == key }
    }

    /// Strings, bytes, arrays and maps.
    @inline(__always)
    package mutating func append(
        key: UnsafePointer<UInt8>, _ keyCount: Int, _ type: AttributeType,
        bytes: UnsafePointer<UInt8>, _ byteCount: Int
    ) -> Bool {
        guard let subcolumn = step(key, keyCount, type) else { return false }
        subcolumn.pointee.strings.append(bytes, count: byteCount)
        return true
    }

    /// Ints, bools and empty values.
    @inline(__always)
    package mutating func append(
        key: UnsafePointer<UInt8>, _ keyCount: Int, _ type: AttributeType, integer: Int64
    ) -> Bool {
        guard let subcolumn = step(key, keyCount, type) else { return false }
        subcolumn.pointee.integers.append(integer)
        return true
    }

    @inline(__always)
    package mutating func append(
        key: UnsafePointer<UInt8>, _ keyCount: Int, double: Double
    ) -> Bool {
        guard let subcolumn = step(key, keyCount, .double) else { return false }
        subcolumn.pointee.floats.append(double)
        return true
    }

    /// Appends what did not fit. Shapes with overflow are few, since their number is limited as well: beyond the limit the set
    /// is written again as overflow alone.
    ///
    /// - Returns: false if the set so far must be given up: the caller calls `restart` and puts the whole set here.
    package mutating func appendOverflow(_ bytes: UnsafePointer<UInt8>, _ byteCount: Int) -> Bool {
        var empty: UInt8 = 0
        return withUnsafePointer(to: &empty) { key in
            guard let subcolumn = step(key, 0, .overflow) else { return false }
            subcolumn.pointee.strings.append(bytes, count: byteCount)
            return true
        }
    }

    /// Takes back the attributes of the current row, which has begun and not ended.
    package mutating func restart() {
        let start = Int(starts[starts.count - 1])
        rewind(subcolumns: subcolumnsOfShape[Int(current)], start: start)
        slots.truncate(to: start)
        current = 0
    }

    private mutating func rewind(subcolumns list: [UInt32], start: Int) {
        for (index, subcolumn) in list.enumerated().reversed() {
            subcolumns[Int(subcolumn)].truncate(to: Int(slots[start + index]))
        }
    }

    /// Takes back the rows from `rows` on, and a row that has begun and not ended.
    package mutating func truncate(to rows: Int) {
        if starts.count > shapes.count {
            restart()
            starts.truncate(to: shapes.count)
        }
        var row = shapes.count
        while row > rows {
            row -= 1
            let start = Int(starts[row])
            rewind(subcolumns: subcolumnsOfShape[Int(shapes[row])], start: start)
            slots.truncate(to: start)
        }
        shapes.truncate(to: rows)
        starts.truncate(to: rows)
    }

    package var byteCount: Int {
        var total = shapes.count * 8 + slots.count * 4 + trie.count * 64
        for i in 0..<subcolumnCount { total += subcolumns[i].byteCount }
        return total
    }

    package func snapshot(rows: Int) -> AttributesColumn {
        let slotCount = rows < starts.count ? Int(starts[rows]) : slots.count
        var counts = (0..<subcolumnCount).map { subcolumns[$0].count }
        for row in rows..<shapes.count {
            for subcolumn in subcolumnsOfShape[Int(shapes[row])] { counts[Int(subcolumn)] -= 1 }
        }
        if starts.count > shapes.count {
            for subcolumn in subcolumnsOfShape[Int(current)] { counts[Int(subcolumn)] -= 1 }
        }
        return AttributesColumn(
            shapes: shapes.snapshot()[0..<rows], subcolumnsOfShape: subcolumnsOfShape,
            subcolumns: (0..<subcolumnCount).map { i in
                AttributeSubcolumn(
                    key: subcolumns[i].key, type: subcolumns[i].type, values: subcolumns[i].values(counts[i]))
            },
            starts: starts.snapshot()[0..<rows], slots: slots.snapshot()[0..<slotCount])
    }
}

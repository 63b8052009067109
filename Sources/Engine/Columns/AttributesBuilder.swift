private import Core
private import Glibc

/// Grows an attributes column without a String, a Dictionary or an object per attribute.
///
/// Shapes are the paths of a trie: from the shape of the attributes so far, a key and a type lead to the next. A sender repeats
/// its shapes, so the child that was taken last is compared first; only a new combination is looked up by hash.
///
/// A set is written as `begin`, one `append…` per attribute, `end`. Beyond `laneLimit` lanes or `shapeLimit` shapes an attribute
/// does not fit: `append…` answers false, and the caller gives all that do not fit to `appendOverflow` as one run of bytes.
package struct AttributesBuilder: ~Copyable {
    package static let laneLimit = 1024
    package static let shapeLimit = 65_536
    /// The most attributes of one set that get lanes.
    package static let setLimit = 256

    private struct Lane: ~Copyable {
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
        let lane: UInt32
        let depth: UInt32
        /// The child that was taken last, or 0 (the root is nobody's child).
        var lastChild: UInt32 = 0
    }

    private var shapes: BufferBuilder<UInt32>
    private var starts: BufferBuilder<UInt32>
    private var slots: BufferBuilder<UInt32>
    private var lanes: UnsafeMutablePointer<Lane>
    private var laneCapacity = 16
    private var laneCount = 0
    private var trie: BufferBuilder<Shape>
    private var children: [UInt64: UInt32] = [:]
    private var laneOfKey: [LaneKey: UInt32] = [:]
    private var lanesOfShape: [[UInt32]] = [[]]
    private var current: UInt32 = 0

    private struct LaneKey: Hashable {
        let key: [UInt8]
        let type: UInt8
    }

    package init() {
        shapes = BufferBuilder()
        starts = BufferBuilder()
        slots = BufferBuilder()
        trie = BufferBuilder()
        trie.append(Shape(parent: 0, lane: 0, depth: 0))
        lanes = .allocate(capacity: laneCapacity)
    }

    deinit {
        for i in 0..<laneCount { (lanes + i).deinitialize(count: 1) }
        lanes.deallocate()
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

    /// The lane for the next attribute, or nil if it does not fit. A key that the set already has does not fit either:
    /// `containsKey` tells that case apart.
    @inline(__always)
    private mutating func step(
        _ key: UnsafePointer<UInt8>, _ keyCount: Int, _ type: AttributeType
    ) -> UnsafeMutablePointer<Lane>? {
        let predicted = trie.base[Int(current)].lastChild
        if predicted != 0 {
            let lane = lanes + Int(trie.base[Int(predicted)].lane)
            if lane.pointee.type == type, lane.pointee.keyCount == keyCount,
                memcmp(lane.pointee.keyBytes, key, keyCount) == 0
            {
                return take(predicted)
            }
        }
        return search(key, keyCount, type)
    }

    @inline(__always)
    private mutating func take(_ shape: UInt32) -> UnsafeMutablePointer<Lane> {
        current = shape
        let lane = lanes + Int(trie.base[Int(shape)].lane)
        slots.append(UInt32(truncatingIfNeeded: lane.pointee.count))
        lane.pointee.count &+= 1
        return lane
    }

    @inline(never)
    private mutating func search(
        _ key: UnsafePointer<UInt8>, _ keyCount: Int, _ type: AttributeType
    ) -> UnsafeMutablePointer<Lane>? {
        let laneKey = LaneKey(
            key: Array(UnsafeBufferPointer(start: key, count: keyCount)), type: type.rawValue)
        guard let lane = laneOfKey[laneKey] ?? addLane(laneKey, type) else { return nil }
        let edge = UInt64(current) << 32 | UInt64(lane)
        if let child = children[edge] {
            trie.base[Int(current)].lastChild = child
            return take(child)
        }
        let depth = trie[Int(current)].depth
        // A set of nothing but overflow always finds its shape, and so does the overflow behind other attributes.
        let fits = trie.count < Self.shapeLimit && depth < Self.setLimit && !containsKey(laneKey.key)
        guard fits || (type == .overflow && (current == 0 || trie.count < 2 * Self.shapeLimit)) else {
            return nil
        }
        let child = UInt32(trie.count)
        trie.append(Shape(parent: current, lane: lane, depth: depth + 1))
        lanesOfShape.append(lanesOfShape[Int(current)] + [lane])
        children[edge] = child
        trie.base[Int(current)].lastChild = child
        return take(child)
    }

    private mutating func addLane(_ key: LaneKey, _ type: AttributeType) -> UInt32? {
        // The last lane is for the overflow, which always finds one.
        let limit = type == .overflow ? Self.laneLimit + 1 : Self.laneLimit
        guard laneCount < limit else { return nil }
        if laneCount == laneCapacity { growLanes() }
        (lanes + laneCount).initialize(to: Lane(key: key.key, type: type))
        laneOfKey[key] = UInt32(laneCount)
        laneCount += 1
        return UInt32(laneCount - 1)
    }

    private mutating func growLanes() {
        laneCapacity *= 2
        let larger = UnsafeMutablePointer<Lane>.allocate(capacity: laneCapacity)
        larger.moveInitialize(from: lanes, count: laneCount)
        lanes.deallocate()
        lanes = larger
    }

    /// Whether the set of the current row has a value for `key`.
    package func containsKey(_ key: [UInt8]) -> Bool {
        lanesOfShape[Int(current)].contains { lanes[Int($0)].key == key }
    }

    /// Strings, bytes, arrays and maps.
    @inline(__always)
    package mutating func append(
        key: UnsafePointer<UInt8>, _ keyCount: Int, _ type: AttributeType,
        bytes: UnsafePointer<UInt8>, _ byteCount: Int
    ) -> Bool {
        guard let lane = step(key, keyCount, type) else { return false }
        lane.pointee.strings.append(bytes, count: byteCount)
        return true
    }

    /// Ints, bools and empty values.
    @inline(__always)
    package mutating func append(
        key: UnsafePointer<UInt8>, _ keyCount: Int, _ type: AttributeType, integer: Int64
    ) -> Bool {
        guard let lane = step(key, keyCount, type) else { return false }
        lane.pointee.integers.append(integer)
        return true
    }

    @inline(__always)
    package mutating func append(
        key: UnsafePointer<UInt8>, _ keyCount: Int, double: Double
    ) -> Bool {
        guard let lane = step(key, keyCount, .double) else { return false }
        lane.pointee.floats.append(double)
        return true
    }

    /// Appends what did not fit. Shapes with overflow are few, since their number is limited as well: beyond the limit the set
    /// is written again as overflow alone.
    ///
    /// - Returns: false if the set so far must be given up: the caller calls `restart` and puts the whole set here.
    package mutating func appendOverflow(_ bytes: UnsafePointer<UInt8>, _ byteCount: Int) -> Bool {
        var empty: UInt8 = 0
        return withUnsafePointer(to: &empty) { key in
            guard let lane = step(key, 0, .overflow) else { return false }
            lane.pointee.strings.append(bytes, count: byteCount)
            return true
        }
    }

    /// Takes back the attributes of the current row, which has begun and not ended.
    package mutating func restart() {
        let start = Int(starts[starts.count - 1])
        rewind(lanes: lanesOfShape[Int(current)], start: start)
        slots.truncate(to: start)
        current = 0
    }

    private mutating func rewind(lanes list: [UInt32], start: Int) {
        for (index, lane) in list.enumerated().reversed() {
            lanes[Int(lane)].truncate(to: Int(slots[start + index]))
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
            rewind(lanes: lanesOfShape[Int(shapes[row])], start: start)
            slots.truncate(to: start)
        }
        shapes.truncate(to: rows)
        starts.truncate(to: rows)
    }

    package var byteCount: Int {
        var total = shapes.count * 8 + slots.count * 4 + trie.count * 64
        for i in 0..<laneCount { total += lanes[i].byteCount }
        return total
    }

    package func snapshot(rows: Int) -> AttributesColumn {
        let slotCount = rows < starts.count ? Int(starts[rows]) : slots.count
        var counts = (0..<laneCount).map { lanes[$0].count }
        for row in rows..<shapes.count {
            for lane in lanesOfShape[Int(shapes[row])] { counts[Int(lane)] -= 1 }
        }
        if starts.count > shapes.count {
            for lane in lanesOfShape[Int(current)] { counts[Int(lane)] -= 1 }
        }
        return AttributesColumn(
            shapes: shapes.snapshot()[0..<rows], lanesOfShape: lanesOfShape,
            lanes: (0..<laneCount).map { i in
                AttributeLane(
                    key: lanes[i].key, type: lanes[i].type, values: lanes[i].values(counts[i]))
            },
            starts: starts.snapshot()[0..<rows], slots: slots.snapshot()[0..<slotCount])
    }
}

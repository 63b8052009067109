package import Core

/// What the values of a lane are. The raw values are stored in parts (docs/FORMAT.md).
public enum AttributeType: UInt8, Sendable {
    case empty = 0
    case string = 1
    case bool = 2
    case int = 3
    case double = 4
    /// The protobuf bytes of an `AnyValue` that holds an array.
    case array = 5
    /// The protobuf bytes of an `AnyValue` that holds a key-value list.
    case map = 6
    case bytes = 7
    /// The protobuf bytes of several `KeyValue` fields (tag 1): attributes beyond the limits of `AttributesBuilder`.
    case overflow = 8
}

/// One key with one type, and where its values are.
package struct AttributeLane: Sendable {
    package let key: [UInt8]
    package let type: AttributeType
    /// Dense: one value per row that has it. Strings, bytes, arrays, maps, overflow: strings; bools and ints: integers;
    /// doubles: floats; empty: integers without meaning. Nil if it was not read.
    package var values: Column?

    package init(key: [UInt8], type: AttributeType, values: Column?) {
        self.key = key
        self.type = type
        self.values = values
    }
}

/// Sets of attributes, one per row.
///
/// A row has a *shape*, the ordered list of its lanes; `slots` lists, row by row, the index of each value in its lane.
package struct AttributesColumn: Sendable {
    package let shapes: Buffer<UInt32>
    /// By shape: its lanes, in the sender's order.
    package let lanesOfShape: [[UInt32]]
    package let lanes: [AttributeLane]
    /// Where each row's slots begin.
    package let starts: Buffer<UInt32>
    package let slots: Buffer<UInt32>

    package init(
        shapes: Buffer<UInt32>, lanesOfShape: [[UInt32]], lanes: [AttributeLane],
        starts: Buffer<UInt32>, slots: Buffer<UInt32>
    ) {
        self.shapes = shapes
        self.lanesOfShape = lanesOfShape
        self.lanes = lanes
        self.starts = starts
        self.slots = slots
    }

    package var count: Int { shapes.count }

    /// The lanes of `row` and the index of its value in each.
    package func entries(_ row: Int) -> [(lane: Int, slot: Int)] {
        let start = Int(starts[row])
        return lanesOfShape[Int(shapes[row])].enumerated().map { index, lane in
            (Int(lane), Int(slots[start + index]))
        }
    }

    /// The lanes that hold values of `key`.
    package func lanes(ofKey key: [UInt8]) -> [Int] {
        lanes.indices.filter { lanes[$0].key == key && lanes[$0].type != .overflow }
    }

    /// Calls `body` with each row that has a value in `lane`, and the value's index there.
    package func forEachRow(inLane lane: Int, _ body: (_ row: Int, _ slot: Int) -> Void) {
        let positions = lanesOfShape.map { lanes in
            lanes.firstIndex(of: UInt32(lane)).map { Int32($0) } ?? -1
        }
        for row in shapes.indices {
            let position = positions[Int(shapes[row])]
            if position >= 0 { body(row, Int(slots[Int(starts[row]) + Int(position)])) }
        }
    }
}

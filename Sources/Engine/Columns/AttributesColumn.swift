package import Core

/// What the values of a subcolumn are. The raw values are stored in parts (docs/FORMAT.md).
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
package struct AttributeSubcolumn: Sendable {
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
/// A row has a *shape*, the ordered list of its subcolumns; `slots` lists, row by row, the index of each value in its subcolumn.
package struct AttributesColumn: Sendable {
    package let shapes: Buffer<UInt32>
    /// By shape: its subcolumns, in the sender's order.
    package let subcolumnsOfShape: [[UInt32]]
    package let subcolumns: [AttributeSubcolumn]
    /// Where each row's slots begin.
    package let starts: Buffer<UInt32>
    package let slots: Buffer<UInt32>

    package init(
        shapes: Buffer<UInt32>, subcolumnsOfShape: [[UInt32]], subcolumns: [AttributeSubcolumn],
        starts: Buffer<UInt32>, slots: Buffer<UInt32>
    ) {
        self.shapes = shapes
        self.subcolumnsOfShape = subcolumnsOfShape
        self.subcolumns = subcolumns
        self.starts = starts
        self.slots = slots
    }

    package var count: Int { shapes.count }

    /// The subcolumns of `row` and the index of its value in each.
    package func entries(_ row: Int) -> [(subcolumn: Int, slot: Int)] {
        let start = Int(starts[row])
        return subcolumnsOfShape[Int(shapes[row])].enumerated().map { index, subcolumn in
            (Int(subcolumn), Int(slots[start + index]))
        }
    }

    /// The subcolumns that hold values of `key`.
    package func subcolumns(ofKey key: [UInt8]) -> [Int] {
        subcolumns.indices.filter { subcolumns[$0].key == key && subcolumns[$0].type != .overflow }
    }

    /// Calls `body` with each row that has a value in `subcolumn`, and the value's index there.
    package func forEachRow(inSubcolumn subcolumn: Int, _ body: (_ row: Int, _ slot: Int) -> Void) {
        let positions = subcolumnsOfShape.map { subcolumns in
            subcolumns.firstIndex(of: UInt32(subcolumn)).map { Int32($0) } ?? -1
        }
        for row in shapes.indices {
            let position = positions[Int(shapes[row])]
            if position >= 0 { body(row, Int(slots[Int(starts[row]) + Int(position)])) }
        }
    }
}

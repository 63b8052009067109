internal import Columns
internal import Parts

/// The subcolumns and shapes of several parts' attributes as those of one, within the limits of `AttributesBuilder`.
///
/// A subcolumn of the output is a key and a type; if there are too many, those with the most values are kept. A shape whose subcolumns
/// are all kept stays as it is. Of another, what stands before its first subcolumn that is not kept stays, and from there on its
/// attributes are spilled: written into the overflow, in their order. Once there are too many shapes, all of it is.
struct UnitedShapes {
    private(set) var subcolumns: [SubcolumnEntry] = []
    private(set) var shapes: [[UInt32]] = []
    /// By subcolumn, and then by input: the subcolumn there.
    private(set) var sources: [[Int?]] = []
    private(set) var inputs: [MergedAttributes.Input] = []
    /// Whether any shape has attributes that go to the overflow.
    private(set) var spills = false
    private var numbers: [[UInt32]: UInt32] = [:]
    private static let overflow = SubcolumnEntry(key: [], type: .overflow)

    /// - Parameter valueCount: of an input's subcolumn.
    init(_ entries: [ShapesEntry], valueCount: (_ input: Int, _ subcolumn: Int) -> Int) {
        let kept = Self.kept(entries, valueCount)
        var numberOfSubcolumn: [SubcolumnEntry: UInt32] = [:]
        for entry in entries {
            for subcolumn in entry.subcolumns where kept.contains(subcolumn) && numberOfSubcolumn[subcolumn] == nil {
                numberOfSubcolumn[subcolumn] = UInt32(subcolumns.count)
                subcolumns.append(subcolumn)
            }
        }
        for (input, entry) in entries.enumerated() {
            add(entry, input: input, &numberOfSubcolumn)
        }
        sources = subcolumns.map { subcolumn in entries.map { $0.subcolumns.firstIndex(of: subcolumn) } }
    }

    /// The subcolumns that the output has: all, or those with the most values.
    private static func kept(
        _ entries: [ShapesEntry], _ valueCount: (_ input: Int, _ subcolumn: Int) -> Int
    ) -> Set<SubcolumnEntry> {
        var counts: [SubcolumnEntry: Int] = [:]
        var order: [SubcolumnEntry] = []
        for (input, entry) in entries.enumerated() {
            for (number, subcolumn) in entry.subcolumns.enumerated() where subcolumn.type != .overflow {
                if counts[subcolumn] == nil { order.append(subcolumn) }
                counts[subcolumn, default: 0] += valueCount(input, number)
            }
        }
        if order.count > AttributesBuilder.subcolumnLimit {
            let ranked = order.enumerated().sorted { left, right in
                (counts[right.element] ?? 0, left.offset) < (counts[left.element] ?? 0, right.offset)
            }
            order = ranked.prefix(AttributesBuilder.subcolumnLimit).map(\.element)
        }
        var kept = Set(order)
        if entries.contains(where: { $0.subcolumns.contains(Self.overflow) }) { kept.insert(Self.overflow) }
        return kept
    }

    private mutating func add(_ entry: ShapesEntry, input: Int, _ numberOfSubcolumn: inout [SubcolumnEntry: UInt32]) {
        var merged = MergedAttributes.Input(shapes: [], steps: [], subcolumns: entry.subcolumns)
        for shape in entry.shapes {
            var targets = shape.map { numberOfSubcolumn[entry.subcolumns[Int($0)]] }
            var cut = Self.cut(shape, targets, entry)
            if cut == shape.count, !fits(targets.compactMap { $0 }) { cut = 0 }
            if cut < shape.count {
                if numberOfSubcolumn[Self.overflow] == nil {
                    numberOfSubcolumn[Self.overflow] = UInt32(subcolumns.count)
                    subcolumns.append(Self.overflow)
                }
                targets = Array(targets[..<cut]) + [numberOfSubcolumn[Self.overflow]]
                if !fits(targets.compactMap { $0 }) {
                    cut = 0
                    targets = [numberOfSubcolumn[Self.overflow]]
                }
                spills = true
            }
            let start = merged.steps.count
            for (from, to) in zip(shape[..<cut], targets) {
                if let to { merged.steps.append(MergedAttributes.Step(from: from, to: to)) }
            }
            merged.shapes.append(
                MergedAttributes.Shape(
                    number: number(targets.compactMap { $0 }), steps: start..<merged.steps.count,
                    spilled: Array(shape[cut...])))
        }
        merged.spills = merged.shapes.contains { !$0.spilled.isEmpty }
        merged.isSame = !merged.spills && merged.shapes.enumerated().allSatisfy { $0 == Int($1.number) }
        inputs.append(merged)
    }

    /// The first attribute of a shape that is to be spilled. There is one overflow in a shape: if it has one and spills
    /// something behind it, the overflow is spilled too.
    private static func cut(_ shape: [UInt32], _ targets: [UInt32?], _ entry: ShapesEntry) -> Int {
        guard let first = targets.firstIndex(where: { $0 == nil }) else { return shape.count }
        let overflow = shape.firstIndex { entry.subcolumns[Int($0)].type == .overflow } ?? first
        return min(first, overflow)
    }

    /// Whether the output may have the shape: those of overflow alone always find a place.
    private func fits(_ shape: [UInt32]) -> Bool {
        numbers[shape] != nil || shapes.count < AttributesBuilder.shapeLimit || shape.count <= 1
    }

    private mutating func number(_ shape: [UInt32]) -> UInt32 {
        if let known = numbers[shape] { return known }
        let number = UInt32(shapes.count)
        numbers[shape] = number
        shapes.append(shape)
        return number
    }
}

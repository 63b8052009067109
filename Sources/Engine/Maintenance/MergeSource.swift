internal import Columns
internal import Core
internal import Files
internal import Parts

/// What stops a merge while it reads and writes, before it is known which part an input is.
enum MergeFailure: Error {
    case input(Int, PartError)
    case notInOrder(Int)
    /// The output has a page that readers would refuse.
    case unreadable
    /// A row of a view has a state that is none.
    case corruptState
    case file(FileError)
    case cancelled
    /// All rows were left out.
    case empty
}

/// One block of an input. Its leaves are decoded when they are first wanted, and kept until its last row was taken.
final class MergeSource {
    let input: Int
    let part: Part
    let block: Int
    let rowCount: Int
    /// Whether all of its rows are taken: from now on a leaf that was used is let go.
    var isExhausted = false
    private var kept: [LeafKey: LeafValues] = [:]
    private var attributes: [UInt16: AttributeSource] = [:]

    init(input: Int, part: Part, block: Int) {
        self.input = input
        self.part = part
        self.block = block
        rowCount = part.rowCount(ofBlock: block)
    }

    /// Bytes of memory of the leaves that are kept.
    var byteCount: Int {
        kept.values.reduce(0) { $0 + $1.byteCount } + attributes.values.reduce(0) { $0 + $1.shapes.count * 4 }
    }

    /// The values of a leaf; nil if the part does not have it.
    func values(of key: LeafKey, kinds: [LeafKind], count: Int) throws(MergeFailure) -> LeafValues? {
        if let known = kept[key] {
            if isExhausted { kept[key] = nil }
            return known
        }
        do throws(PartError) {
            let values = try part.values(of: key, kinds: kinds, count: count, block: block)
            if !isExhausted, let values { kept[key] = values }
            return values
        } catch {
            throw .input(input, error)
        }
    }

    /// As `values`, of a leaf that will be asked for again.
    func lastingValues(of key: LeafKey, kinds: [LeafKind], count: Int) throws(MergeFailure) -> LeafValues? {
        let values = try values(of: key, kinds: kinds, count: count)
        kept[key] = values
        return values
    }

    /// Where the lists of a nested column begin, and where the last ends.
    func offsets(ofColumn column: UInt16) throws(MergeFailure) -> Buffer<UInt32> {
        // Kept under a key of its own: offsets are sums of what stands under the column's.
        let key = LeafKey(column: column, role: .lengths)
        if case .naturals(let known)? = kept[key] { return known }
        do throws(PartError) {
            let offsets = try part.offsets(ofColumn: column, rows: rowCount, block: block)
            kept[key] = .naturals(offsets)
            return offsets
        } catch {
            throw .input(input, error)
        }
    }

    /// The shapes of an attributes column with `count` sets.
    func attributes(ofColumn column: UInt16, count: Int) throws(MergeFailure) -> AttributeSource {
        if let known = attributes[column] { return known }
        let key = LeafKey(column: column, role: .shapes)
        do throws(PartError) {
            let values = try part.values(of: key, kinds: [.naturals], count: count, block: block)
            let made = AttributeSource(values, part.shapes(ofColumn: column), count: count)
            attributes[column] = made
            return made
        } catch {
            throw .input(input, error)
        }
    }

    /// A page of the block as it is stored; nil if the part does not have the leaf.
    func storedPage(of key: LeafKey, count: Int) throws(MergeFailure) -> StoredPage? {
        do throws(PartError) {
            return try part.storedPage(of: key, count: count, block: block)
        } catch {
            throw .input(input, error)
        }
    }

    func dictionary(_ key: LeafKey) throws(MergeFailure) -> StringDictionary? {
        guard let facts = part.dictionaryFacts(of: key) else { return nil }
        do throws(PartError) { return try part.dictionary(facts, of: key) } catch { throw .input(input, error) }
    }
}

/// The shapes of one block's attributes, and how far its subcolumns have been taken.
final class AttributeSource {
    let shapes: Buffer<UInt32>
    /// By subcolumn: the number of its values in the block.
    let subcolumnCounts: [Int]
    /// By subcolumn: the number of its values in the rows that were passed; the caller adds what it takes.
    var taken: [UInt32]
    /// The rows that were passed.
    private var row = 0
    private let entry: ShapesEntry?

    init(_ values: LeafValues?, _ entry: ShapesEntry?, count: Int) {
        guard case .naturals(let shapes)? = values, let entry else {
            shapes = Buffer(repeatElement(0, count: count))
            subcolumnCounts = []
            taken = []
            self.entry = nil
            return
        }
        var uses = [Int](repeating: 0, count: entry.shapes.count)
        for shape in shapes { uses[Int(shape)] += 1 }
        var counts = [Int](repeating: 0, count: entry.subcolumns.count)
        for (shape, subcolumns) in entry.shapes.enumerated() where uses[shape] > 0 {
            for subcolumn in subcolumns { counts[Int(subcolumn)] += uses[shape] }
        }
        self.shapes = shapes
        subcolumnCounts = counts
        taken = Array(repeating: 0, count: counts.count)
        self.entry = entry
    }

    /// Passes the rows before `row`, which is not before one that was asked for. `taken` has their values then; the caller adds what
    /// it takes of `count` rows.
    func take(from row: Int, count: Int) {
        precondition(row >= self.row && row + count <= shapes.count)
        if let entry {
            // Rows that are left out have values too.
            while self.row < row {
                for subcolumn in entry.shapes[Int(shapes[self.row])] { taken[Int(subcolumn)] += 1 }
                self.row += 1
            }
        }
        self.row = row + count
    }
}

extension LeafValues {
    /// Bytes of memory, about.
    fileprivate var byteCount: Int {
        switch self {
        case .integers(let values): values.count * 8
        case .floats(let values): values.count * 8
        case .fixed(let values): values.bytes.count
        case .naturals(let values): values.count * 4
        case .strings(let values): values.codes.count * 8 + values.dictionary.byteCount
        case .arrays(let values): values.offsets.count * 4 + values.elements.count * 8
        }
    }
}

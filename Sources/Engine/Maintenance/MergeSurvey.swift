internal import Columns
internal import Core
internal import Parts
internal import TableSchema

/// Looks over the inputs of a merge before the first row is moved: which leaves the output has, the unions of dictionaries,
/// and the attributes' subcolumns and shapes.
///
/// A string column gets a dictionary under the rules of `ColumnEncoder`: if the table is ordered by it, or if its values
/// repeat. Inputs that kept it without one are read once more for that, if they are small or another input has one.
struct MergeSurvey {
    /// A dictionary that the order does not need is given up beyond this size, since readers hold it in memory.
    private static let limits = DictionaryUnion.Limits(entries: 1 << 20, bytes: 32 << 20)
    /// Strings that no input has a dictionary for are tried only if they are fewer.
    private static let fewValues = 1 << 16

    let inputs: [Part]
    private let table: TableDefinition
    private let zstdLevel: Int32
    /// Whether the table is a view: states are aggregated, so that no dictionary of the inputs has them.
    private let aggregates: Bool
    private(set) var plan = PartPlan()
    private(set) var columns: [MergedColumn] = []
    /// The last leaf of ids of 8 bytes that is no field of a nested column.
    private var idLeaf: Int?
    /// By input: leaves whose codes become strings, and how long these are on average.
    private var expanded: [[(key: LeafKey, length: Int)]]

    init(_ inputs: [Part], table: TableDefinition, zstdLevel: Int32, aggregates: Bool = false) throws(MergeFailure) {
        self.inputs = inputs
        self.aggregates = aggregates
        self.table = table
        self.zstdLevel = zstdLevel
        expanded = inputs.map { _ in [] }
        for column in table.columns { columns.append(try merged(column, isInner: false)) }
    }

    /// The leaf of a column of the table.
    func leaf(ofColumn id: ColumnID) -> MergedLeaf? {
        for (definition, column) in zip(table.columns, columns) where definition.id == id {
            if case .leaf(let leaf) = column { return leaf }
        }
        return nil
    }

    /// Bytes that a block's rows take once they are moved, about.
    func movedBytes(input: Int, block: Int) -> Int {
        let part = inputs[input]
        return expanded[input].reduce(part.decodedBytes(ofBlock: block)) { sum, leaf in
            sum + part.valueCount(of: leaf.key, block: block) * leaf.length
        }
    }

    private mutating func merged(_ column: ColumnDefinition, isInner: Bool) throws(MergeFailure) -> MergedColumn {
        let number = column.id.number
        switch column.type {
        case .nested(let fields):
            let lengths = add(LeafPlan(key: LeafKey(column: number, role: .lengths), kind: .naturals))
            var merged: [MergedColumn] = []
            for field in fields { merged.append(try self.merged(field, isInner: true)) }
            return .nested(column: number, lengths: lengths, fields: merged)
        case .attributes:
            return .attributes(try attributes(number))
        case .aggregateState where aggregates:
            let key = LeafKey(column: number, role: .values)
            return .leaf(plainStrings(key, inputs.map { _ in key }))
        case .string, .lowCardinality, .aggregateState:
            let key = LeafKey(column: number, role: .values)
            let isOrdered = !isInner && table.order.contains(.column(column.id))
            let share = column.type == .lowCardinality ? 1 : 2
            return .leaf(
                try strings(key, inputs.map { _ in key }, isOrdered: isOrdered, share: share))
        default:
            let kinds = LeafKind.holding(column.type)
            let key = LeafKey(column: number, role: .values)
            var plan = LeafPlan(key: key, kind: kinds[0])
            if !isInner { try refer(&plan) }
            let leaf = add(plan)
            if plan.kind == .fixed8, !isInner { idLeaf = leaf }
            return .leaf(MergedLeaf(number: leaf, kind: plan.kind, kinds: kinds, keys: inputs.map { _ in key }))
        }
    }

    /// As in `ColumnEncoder`: ids of 8 bytes may refer to those of the column before, and what most rows of the inputs have in
    /// lists gets a list.
    private func refer(_ leaf: inout LeafPlan) throws(MergeFailure) {
        switch leaf.kind {
        case .fixed8:
            guard let idLeaf else { return }
            leaf.kind = .related8
            leaf.sibling = idLeaf
        case .fixed16:
            guard isListed(leaf.key, .listed16), let list = try unitedList(leaf.key) else { return }
            leaf.kind = .listed16
            leaf.list = list
        case .integers:
            if isListed(leaf.key, .listedIntegers) { leaf.kind = .listedIntegers }
        default: break
        }
    }

    private func isListed(_ key: LeafKey, _ kind: LeafKind) -> Bool {
        let rows = inputs.reduce(0) { $0 + $1.rowCount }
        let listed = inputs.reduce(0) { $0 + ($1.kind(of: key) == kind ? $1.rowCount : 0) }
        return listed * 2 >= rows
    }

    /// The ids of all inputs' lists, older inputs' first; nil if they are too many.
    private func unitedList(_ key: LeafKey) throws(MergeFailure) -> IDList? {
        var united = IDList()
        for (input, part) in inputs.enumerated() {
            do throws(PartError) {
                if let list = try part.idList(of: key) { united.insert(list) }
            } catch {
                throw .input(input, error)
            }
            if united.count > IDList.limit { return nil }
        }
        return united
    }

    private mutating func add(_ leaf: LeafPlan) -> Int {
        plan.leaves.append(leaf)
        return plan.leaves.count - 1
    }

    // MARK: Strings

    /// - Parameters:
    ///   - keys: by input, the leaf's name there.
    ///   - share: a dictionary pays if it has at most one entry for so many values.
    private mutating func strings(
        _ key: LeafKey, _ keys: [LeafKey?], subcolumn: SubcolumnEntry? = nil, isOrdered: Bool, share: Int
    ) throws(MergeFailure) -> MergedLeaf {
        guard let (streams, indexes) = try streams(keys, isOrdered: isOrdered, share: share),
            let union = try DictionaryUnion.make(
                streams, limits: isOrdered ? nil : limits(keys, share), zstdLevel: zstdLevel,
                use: DictionaryUse(key, subcolumn, in: table))
        else { return plainStrings(key, keys) }
        plan.dictionaries.append(union.dictionary)
        return MergedLeaf(
            number: add(LeafPlan(key: key, kind: .codes, dictionary: plan.dictionaries.count - 1)), kind: .codes,
            kinds: [.codes, .strings], keys: keys, codes: union.codes.map { Buffer($0) },
            isSame: union.codes.map { $0.enumerated().allSatisfy { $0 == Int($1) } }, indexes: indexes)
    }

    /// A leaf without a dictionary.
    private mutating func plainStrings(_ key: LeafKey, _ keys: [LeafKey?]) -> MergedLeaf {
        for (input, part) in inputs.enumerated() {
            guard let key = keys[input], let facts = part.dictionaryFacts(of: key), facts.count > 0 else { continue }
            expanded[input].append((key, facts.byteCount / facts.count))
        }
        return MergedLeaf(
            number: add(LeafPlan(key: key, kind: .strings)), kind: .strings, kinds: [.codes, .strings], keys: keys)
    }

    private func limits(_ keys: [LeafKey?], _ share: Int) -> DictionaryUnion.Limits {
        var values = 0
        for (part, key) in zip(inputs, keys) { if let key { values += part.valueCount(of: key) } }
        return DictionaryUnion.Limits(
            entries: min(Self.limits.entries, max(values / share, 1)), bytes: Self.limits.bytes)
    }

    /// The entries of each input, or nil if there is to be no dictionary.
    private func streams(
        _ keys: [LeafKey?], isOrdered: Bool, share: Int
    ) throws(MergeFailure) -> (streams: [EntryStream?], indexes: [StringIndex?])? {
        var total = 0
        var hasDictionary = isOrdered
        for (part, key) in zip(inputs, keys) {
            guard let key else { continue }
            total += part.valueCount(of: key)
            if part.dictionaryFacts(of: key) != nil { hasDictionary = true }
        }
        guard isOrdered || (total > 0 && (hasDictionary || total <= Self.fewValues)) else { return nil }
        var streams: [EntryStream?] = []
        var indexes: [StringIndex?] = []
        for (input, part) in inputs.enumerated() {
            var index: StringIndex?
            if let key = keys[input] {
                if let facts = part.dictionaryFacts(of: key) {
                    streams.append(try EntryStream(part, key, facts, input: input))
                } else if part.kind(of: key) != nil {
                    let made = try self.index(input, key, share: isOrdered ? nil : share)
                    guard let made else { return nil }
                    streams.append(EntryStream(made.dictionary, input: input))
                    index = made
                } else {
                    streams.append(.missing(input: input))
                }
            } else {
                streams.append(nil)
            }
            indexes.append(index)
        }
        return (streams, indexes)
    }

    /// Gathers the strings of an input that has no dictionary; nil once they turn out not to repeat.
    private func index(_ input: Int, _ key: LeafKey, share: Int?) throws(MergeFailure) -> StringIndex? {
        let part = inputs[input]
        let index = StringIndex()
        var seen = 0
        for block in 0..<part.blockCount {
            let count = part.valueCount(of: key, block: block)
            do throws(PartError) {
                guard
                    case .strings(let strings)? = try part.values(
                        of: key, kinds: [.strings], count: count, block: block)
                else { continue }
                for row in 0..<count { _ = index.code(strings.span(row)) }
                seen += count
            } catch {
                throw .input(input, error)
            }
            // A few strings that do not repeat here may still be those of other inputs.
            if let share, index.count > max(Self.fewValues / 16, seen / share) { return nil }
        }
        return index
    }

    // MARK: Attributes

    private mutating func attributes(_ column: UInt16) throws(MergeFailure) -> MergedAttributes {
        var entries: [ShapesEntry] = []
        for (input, part) in inputs.enumerated() {
            let hasShapes = part.kind(of: LeafKey(column: column, role: .shapes)) != nil
            let entry = hasShapes ? part.shapes(ofColumn: column) : nil
            entries.append(entry ?? ShapesEntry(column: column, subcolumns: [], shapes: [[]]))
            guard Set(entries[input].subcolumns).count == entries[input].subcolumns.count else {
                throw .input(input, .corruptFooter("column \(column) has a subcolumn twice"))
            }
        }
        let united = UnitedShapes(entries) { input, subcolumn in
            inputs[input].valueCount(of: LeafKey(column: column, role: .subcolumn, subcolumn: UInt16(subcolumn)))
        }
        let shapes = add(LeafPlan(key: LeafKey(column: column, role: .shapes), kind: .naturals))
        plan.shapes.append(ShapesEntry(column: column, subcolumns: united.subcolumns, shapes: united.shapes))
        var subcolumns: [MergedLeaf] = []
        for (number, subcolumn) in united.subcolumns.enumerated() {
            let key = LeafKey(column: column, role: .subcolumn, subcolumn: UInt16(number))
            let keys = united.sources[number].map { source in
                source.map { LeafKey(column: column, role: .subcolumn, subcolumn: UInt16($0)) }
            }
            let kinds = LeafKind.holding(subcolumn.type)
            if united.spills, subcolumn.type == .overflow {
                // What is spilled is made row by row, and is in nobody's dictionary.
                subcolumns.append(
                    MergedLeaf(
                        number: add(LeafPlan(key: key, kind: .strings)), kind: .strings, kinds: kinds, keys: keys))
            } else if kinds.contains(.strings) {
                subcolumns.append(try strings(key, keys, subcolumn: subcolumn, isOrdered: false, share: 2))
            } else {
                subcolumns.append(
                    MergedLeaf(
                        number: add(LeafPlan(key: key, kind: kinds[0])), kind: kinds[0], kinds: kinds, keys: keys))
            }
        }
        return MergedAttributes(
            column: column, shapes: shapes, subcolumns: subcolumns,
            overflow: united.spills ? united.subcolumns.firstIndex { $0.type == .overflow } : nil, inputs: united.inputs
        )
    }
}

internal import Columns
internal import Core
internal import Parts
internal import TableSchema

/// Makes the keys of a block's rows: words that compare as the rows do in the order of their table.
struct SortKeys {
    private let survey: MergeSurvey
    private let table: TableDefinition
    /// Words of a key.
    private let width: Int

    init(_ survey: MergeSurvey, _ table: TableDefinition, _ width: Int) {
        self.survey = survey
        self.table = table
        self.width = width
    }

    func keys(of source: MergeSource) throws(MergeFailure) -> Buffer<UInt64> {
        let count = source.rowCount * width
        let memory = BufferMemory<UInt64>(capacity: count)
        memory.base.initialize(repeating: 0, count: count)
        var place = memory.base
        for expression in table.order {
            switch expression {
            case .startOfMinute(let id):
                let values = try integers(id, source)
                fill(source, place) { Self.word((values?.base[$0] ?? 0) / 60_000_000_000) }
                place += 1
            case .column(let id):
                place += try add(id, source, at: place)
            }
        }
        return Buffer(owner: memory, base: memory.base, count: count)
    }

    /// An integer as a word that compares as it does.
    @inline(__always)
    private static func word(_ value: Int64) -> UInt64 { UInt64(bitPattern: value) ^ (1 << 63) }

    @inline(__always)
    private func fill(_ source: MergeSource, _ place: UnsafeMutablePointer<UInt64>, _ word: (Int) -> UInt64) {
        for row in 0..<source.rowCount { place[row * width] = word(row) }
    }

    private func integers(_ id: ColumnID, _ source: MergeSource) throws(MergeFailure) -> Buffer<Int64>? {
        let key = LeafKey(column: id.number, role: .values)
        let kinds: [LeafKind] = [.integers, .listedIntegers]
        guard case .integers(let values)? = try source.values(of: key, kinds: kinds, count: source.rowCount)
        else { return nil }
        return values
    }

    /// - Returns: the number of words.
    private func add(
        _ id: ColumnID, _ source: MergeSource, at place: UnsafeMutablePointer<UInt64>
    ) throws(MergeFailure) -> Int {
        guard let leaf = survey.leaf(ofColumn: id) else { preconditionFailure("a sort column is a column") }
        let key = LeafKey(column: id.number, role: .values)
        switch try source.values(of: key, kinds: leaf.kinds, count: source.rowCount) {
        case .integers(let integers)?: fill(source, place) { Self.word(integers.base[$0]) }
        case .fixed(let ids)?:
            for i in 0..<(ids.width / 8) { fill(source, place + i) { ids.word($0, at: i * 8) } }
        case .naturals(let codes)?:
            let union = leaf.codes[source.input]
            fill(source, place) { UInt64(union.base[Int(codes.base[$0])]) }
        case .strings(let strings)?:
            let union = leaf.codes[source.input]
            let index = leaf.indexes[source.input]
            fill(source, place) { UInt64(union[Int(index?.code(strings.bytes($0)) ?? 0)]) }
        case nil:
            switch leaf.kind {
            case .integers, .listedIntegers: fill(source, place) { _ in Self.word(0) }
            case .codes:
                let code = UInt64(leaf.codes[source.input][0])
                fill(source, place) { _ in code }
            default: break
            }
        case .floats?, .arrays?: preconditionFailure("tables are ordered by integers, ids and strings")
        }
        guard let ordinal = table.ordinal(of: id), case .fixed(let bytes) = table.columns[ordinal].type else {
            return 1
        }
        return bytes / 8
    }
}

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

    func keys(of source: MergeSource) throws(MergeFailure) -> RowKeys {
        var keys = RowKeysBuilder(rowCount: source.rowCount, width: width)
        for expression in table.order {
            switch expression {
            case .startOfMinute(let id): keys.add(try integers(id, source), per: 60_000_000_000)
            case .column(let id): try add(id, source, to: &keys)
            }
        }
        return keys.finish()
    }

    private func integers(_ id: ColumnID, _ source: MergeSource) throws(MergeFailure) -> Buffer<Int64>? {
        let key = LeafKey(column: id.number, role: .values)
        let kinds: [LeafKind] = [.integers, .listedIntegers]
        guard case .integers(let values)? = try source.values(of: key, kinds: kinds, count: source.rowCount)
        else { return nil }
        return values
    }

    private func add(_ id: ColumnID, _ source: MergeSource, to keys: inout RowKeysBuilder) throws(MergeFailure) {
        guard let leaf = survey.leaf(ofColumn: id) else { preconditionFailure("a sort column is a column") }
        let key = LeafKey(column: id.number, role: .values)
        let union = leaf.codes.isEmpty ? .empty : leaf.codes[source.input]
        switch try source.values(of: key, kinds: leaf.kinds, count: source.rowCount) {
        case .integers(let integers)?: keys.add(integers)
        case .fixed(let ids)?: keys.add(ids)
        case .naturals(let codes)?: keys.add(codes, ranks: union)
        case .strings(let strings)?:
            let index = leaf.indexes[source.input]
            keys.add(words: { UInt64(union[Int(index?.code(strings.span($0)) ?? 0)]) })
        case nil:
            switch leaf.kind {
            case .integers, .listedIntegers: keys.add(nil)
            case .codes:
                let code = UInt64(union[0])
                keys.add(words: { _ in code })
            default:
                guard let ordinal = table.ordinal(of: id), case .fixed(let bytes) = table.columns[ordinal].type else {
                    return keys.skip(1)
                }
                keys.skip(bytes / 8)
            }
        case .floats?, .arrays?: preconditionFailure("tables are ordered by integers, ids and strings")
        }
    }
}

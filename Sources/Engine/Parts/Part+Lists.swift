package import Columns
internal import Core
internal import Encoding
internal import Observability

/// Pages of a part that refer to more than themselves: to a list of the part, or to another leaf.
extension Part {
    /// Decodes ids of 8 bytes that may refer to those of another leaf, which is read as well if they do.
    func related(
        _ leaf: LeafEntry, _ bytes: [UInt8], _ block: Int, _ statistics: QueryStatistics? = nil
    ) throws(PartError) -> FixedColumn {
        let page = leaf.pages[block]
        var decoder = LeafDecoder(page: page, column: leaf.key.column, block: block)
        guard page.encoding == EncodingID.distances.rawValue else { return try decoder.fixed(bytes, width: 8) }
        guard let number = leaf.sibling else { throw .corruptPage(column: leaf.key.column, block: block) }
        let sibling = footer.leaves[number]
        let stored = try read(sibling.pages[block], column: sibling.key.column, block: block, statistics)
        var siblings = LeafDecoder(page: sibling.pages[block], column: sibling.key.column, block: block)
        return try decoder.ids(bytes, beside: try siblings.fixed(stored, width: 8))
    }

    /// Decodes integers that may be entries of a list.
    func listed(
        integers leaf: LeafEntry, _ bytes: [UInt8], _ block: Int
    ) throws(PartError) -> Buffer<Int64> {
        let page = leaf.pages[block]
        var decoder = LeafDecoder(page: page, column: leaf.key.column, block: block)
        guard page.encoding == EncodingID.entries.rawValue else { return try decoder.integers(bytes) }
        guard let number = leaf.dictionary else { throw .corruptFooter("entries without a list") }
        return try decoder.integers(bytes, entriesOf: try integerList(number, column: leaf.key.column))
    }

    private func integerList(_ number: Int, column: UInt16) throws(PartError) -> Buffer<Int64> {
        if let known = integerLists[number] { return known }
        let entry = footer.dictionaries[number]
        guard entry.count <= IntegerList.limit else { throw .corruptFooter("a list is too long") }
        var list = BufferBuilder<Int64>(capacity: entry.count)
        for page in entry.pages {
            let bytes = try read(page, column: column, block: 0)
            var decoder = LeafDecoder(page: page, column: column, block: 0)
            let values = try decoder.integers(bytes)
            withExtendedLifetime(values) { list.append(contentsOf: values.unsafeElements) }
        }
        let values = list.snapshot()
        if integerLists.insert(values, number) { keep(bytes: values.count * 8) }
        return values
    }

    /// Decodes ids of 16 bytes that may be entries of a list, of which only the pages are read that the block refers to.
    func listed(
        ids leaf: LeafEntry, _ bytes: [UInt8], _ block: Int, _ statistics: QueryStatistics? = nil
    ) throws(PartError) -> FixedColumn {
        let page = leaf.pages[block]
        var decoder = LeafDecoder(page: page, column: leaf.key.column, block: block)
        guard page.encoding == EncodingID.entries.rawValue else { return try decoder.fixed(bytes, width: 16) }
        guard let number = leaf.dictionary, block < leaf.zones.count, leaf.zones[block].least >= 0,
            leaf.zones[block].greatest < Int64(footer.dictionaries[number].count)
        else { throw .corruptPage(column: leaf.key.column, block: block) }
        let entries = Int(leaf.zones[block].least)...max(Int(leaf.zones[block].greatest), Int(leaf.zones[block].least))
        let (list, first) = try ids(entries, ofList: number, leaf.key.column, statistics)
        return try decoder.ids(bytes, list: list, first: first)
    }

    /// All ids of the list of a leaf, or nil if it has none.
    package func idList(of key: LeafKey) throws(PartError) -> FixedColumn? {
        guard let leaf = leafOfKey[key], footer.leaves[leaf].kind == .listed16,
            let number = footer.leaves[leaf].dictionary, footer.dictionaries[number].count > 0
        else { return nil }
        guard footer.dictionaries[number].count <= IDList.limit else { throw .corruptFooter("a list is too long") }
        let entries = 0...(footer.dictionaries[number].count - 1)
        return FixedColumn(width: 16, bytes: try pages(entries, ofList: number, key.column, nil).bytes)
    }

    /// Entries of a list, and the number of the first id there: a small share of the list is read where it is wanted, else all of
    /// it is kept.
    private func ids(
        _ entries: ClosedRange<Int>, ofList number: Int, _ column: UInt16, _ statistics: QueryStatistics?
    ) throws(PartError) -> (bytes: Buffer<UInt8>, first: Int) {
        if let known = idLists[number] { return (known, 0) }
        let count = footer.dictionaries[number].count
        guard count <= IDList.limit else { throw .corruptFooter("a list is too long") }
        if entries.count <= count / 8 { return try pages(entries, ofList: number, column, statistics) }
        let list = try pages(0...(count - 1), ofList: number, column, statistics).bytes
        if idLists.insert(list, number) { keep(bytes: list.count) }
        return (list, 0)
    }

    /// The pages of a list that have some entries, and the number of the first id on them.
    private func pages(
        _ entries: ClosedRange<Int>, ofList number: Int, _ column: UInt16, _ statistics: QueryStatistics?
    ) throws(PartError) -> (bytes: Buffer<UInt8>, first: Int) {
        var bytes = BufferBuilder<UInt8>()
        var first: Int?
        var start = 0
        for page in footer.dictionaries[number].pages {
            let end = start + page.count
            if end > entries.lowerBound, start <= entries.upperBound {
                if first == nil { first = start }
                let stored = try read(page, column: column, block: 0, statistics)
                var decoder = LeafDecoder(page: page, column: column, block: 0)
                let ids = try decoder.fixed(stored, width: 16).bytes
                withExtendedLifetime(ids) { bytes.append(contentsOf: ids.unsafeElements) }
            }
            start = end
        }
        return (bytes.snapshot(), first ?? 0)
    }
}

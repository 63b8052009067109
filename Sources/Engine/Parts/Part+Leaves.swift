package import Columns
package import Core
package import TableSchema

/// The values of a leaf in one block.
package enum LeafValues: Sendable {
    case integers(Buffer<Int64>)
    case floats(Buffer<Double>)
    case fixed(FixedColumn)
    /// Codes into a dictionary of the part, lengths, or shapes.
    case naturals(Buffer<UInt32>)
    case strings(StringColumn)
    case arrays(ArrayColumn)
}

/// A dictionary of a part, as far as it is known without reading it.
package struct DictionaryFacts: Hashable, Sendable {
    package var number: Int
    package var count: Int
    package var isSorted: Bool
    package var pageCount: Int
    /// Of its entries, about.
    package var byteCount: Int
}

/// A part leaf by leaf, for those who write other parts from it.
extension Part {
    /// How a leaf is encoded, or nil if the part does not have it.
    package func kind(of key: LeafKey) -> LeafKind? { leafOfKey[key].map { footer.leaves[$0].kind } }

    /// The dictionary that the codes of a leaf refer to.
    package func dictionaryFacts(of key: LeafKey) -> DictionaryFacts? {
        guard let leaf = leafOfKey[key], let number = footer.leaves[leaf].dictionary else { return nil }
        let entry = footer.dictionaries[number]
        return DictionaryFacts(
            number: number, count: entry.count, isSorted: entry.isSorted, pageCount: entry.pages.count,
            byteCount: entry.pages.reduce(0) { $0 + $1.rawLength })
    }

    /// The number of values of a leaf.
    package func valueCount(of key: LeafKey) -> Int {
        guard let leaf = leafOfKey[key] else { return 0 }
        return footer.leaves[leaf].pages.reduce(0) { $0 + $1.count }
    }

    /// The number of values of a leaf in a block.
    package func valueCount(of key: LeafKey, block: Int) -> Int {
        leafOfKey[key].map { footer.leaves[$0].pages[block].count } ?? 0
    }

    /// The subcolumns and shapes of an attributes column, or nil if the part does not have it.
    package func shapes(ofColumn column: UInt16) -> ShapesEntry? {
        shapesOfColumn[column].map { footer.shapes[$0] }
    }

    /// The values of a leaf in a block, codes not looked up; nil if the part does not have it.
    ///
    /// - Parameter kinds: those that the leaf may have.
    package func values(
        of key: LeafKey, kinds: [LeafKind], count: Int, block: Int
    ) throws(PartError) -> LeafValues? {
        guard let index = leafOfKey[key] else { return nil }
        let leaf = footer.leaves[index]
        let page = leaf.pages[block]
        guard page.count == count, kinds.contains(leaf.kind) else {
            throw .corruptPage(column: key.column, block: block)
        }
        let bytes = try read(page, column: key.column, block: block)
        var decoder = LeafDecoder(page: page, column: key.column, block: block)
        switch leaf.kind {
        case .integers: return .integers(try decoder.integers(bytes))
        case .floats: return .floats(try decoder.floats(bytes))
        case .fixed8: return .fixed(try decoder.fixed(bytes, width: 8))
        case .related8: return .fixed(try related(leaf, bytes, block))
        case .listed16: return .fixed(try listed(ids: leaf, bytes, block))
        case .listedIntegers: return .integers(try listed(integers: leaf, bytes, block))
        case .fixed16: return .fixed(try decoder.fixed(bytes, width: 16))
        case .strings: return .strings(try decoder.strings(bytes))
        case .integerRows: return .arrays(try decoder.integerRows(bytes))
        case .floatRows: return .arrays(try decoder.floatRows(bytes))
        case .codes:
            guard let number = leaf.dictionary else { throw .corruptFooter("codes without a dictionary") }
            return .naturals(try decoder.naturals(bytes, below: footer.dictionaries[number].count))
        case .naturals:
            let limit = shapes(ofColumn: key.column)?.shapes.count ?? 0
            return .naturals(
                try decoder.naturals(bytes, below: key.role == .shapes ? limit : PartLayout.pageValueLimit))
        }
    }

    /// Where the lists of a nested column begin in a block, and where the last ends.
    package func offsets(ofColumn column: UInt16, rows: Int, block: Int) throws(PartError) -> Buffer<UInt32> {
        let key = LeafKey(column: column, role: .lengths)
        guard case .naturals(let lengths)? = try values(of: key, kinds: [.naturals], count: rows, block: block) else {
            return Buffer(repeatElement(0, count: rows + 1))
        }
        guard let offsets = Offsets.make(lengths, limit: PartLayout.pageValueLimit) else {
            throw .corruptPage(column: column, block: block)
        }
        return offsets
    }

    /// A whole dictionary, kept by the part from now on.
    package func dictionary(_ facts: DictionaryFacts, of key: LeafKey) throws(PartError) -> StringDictionary {
        try dictionary(facts.number, column: key.column)
    }

    /// The entries of one page of a dictionary.
    package func dictionaryPage(
        _ page: Int, of facts: DictionaryFacts, _ key: LeafKey
    ) throws(PartError) -> StringColumn {
        let entry = footer.dictionaries[facts.number].pages[page]
        let bytes = try read(entry, column: key.column, block: 0)
        var decoder = LeafDecoder(page: entry, column: key.column, block: 0)
        return try decoder.strings(bytes)
    }

    /// By row group: the number of its blocks.
    package var blocksOfGroups: [Int] { footer.groupBlocks }

    /// The number of leaves, each of which has a page in every block.
    package var leafCount: Int { footer.leaves.count }

    /// Bytes of memory that a block takes once all of it is decoded, about.
    package func decodedBytes(ofBlock block: Int) -> Int {
        var bytes = 0
        for leaf in footer.leaves {
            let page = leaf.pages[block]
            switch leaf.kind {
            // Where its value is costs a row that has a subcolumn four bytes more.
            case .integers, .listedIntegers, .floats: bytes += page.count * 12
            case .codes, .naturals, .fixed8: bytes += page.count * 8
            // The leaf that they refer to is decoded as well.
            case .fixed16, .listed16, .related8: bytes += page.count * 16
            // Repeated strings, ids and hexadecimal digits are longer once decoded than they are stored.
            case .strings: bytes += page.rawLength * max(page.expansion, 2) + page.count * 12
            case .integerRows, .floatRows: bytes += page.rawLength * 4 + page.count * 4
            }
        }
        return bytes
    }

    /// Bytes of the entries of dictionaries, about: not of the sorted ones that the table is ordered by, which a merge reads
    /// page by page.
    package func dictionaryBytes(exceptOrderOf table: TableDefinition) -> Int {
        var ordered: Set<Int> = []
        for case .column(let id) in table.order {
            if let facts = dictionaryFacts(of: LeafKey(column: id.number, role: .values)), facts.isSorted {
                ordered.insert(facts.number)
            }
        }
        return footer.dictionaries.indices.reduce(0) { sum, number in
            ordered.contains(number) ? sum : footer.dictionaries[number].pages.reduce(sum) { $0 + $1.rawLength }
        }
    }

    /// The number of entries of all dictionaries.
    package var dictionaryEntries: Int { footer.dictionaries.reduce(0) { $0 + $1.count } }
}

package import Columns
package import Indexing
internal import TableSchema

/// What reading a column costs, told by the footer alone.
extension Part {
    /// Bytes of memory that a column of a block takes once it is decoded, about; its dictionaries are not counted.
    package func decodedBytes(ofColumn ordinal: Int, block: Int) -> Int {
        var bytes = 0
        forEachLeaf(ofColumn: ordinal) { leaf in
            let page = leaf.pages[block]
            switch leaf.kind {
            case .integers, .listedIntegers, .floats, .fixed8: bytes += page.count * 8
            case .fixed16, .listed16, .related8: bytes += page.count * 16
            // Shapes come with the places of values, one for each attribute.
            case .naturals, .codes: bytes += page.count * 8
            case .strings: bytes += page.rawLength * page.expansion + page.count * 8
            case .integerRows, .floatRows: bytes += page.rawLength * 2 + page.count * 8
            }
        }
        return bytes
    }

    /// Bytes of memory that the footer takes, about.
    package var footerBytes: Int {
        var bytes = 1024 + blockCount * 16
        for leaf in footer.leaves {
            bytes += 256 + leaf.pages.count * MemoryLayout<PageEntry>.stride + leaf.zones.count * 16
        }
        for entry in footer.dictionaries { bytes += 64 + entry.pages.count * MemoryLayout<PageEntry>.stride }
        for entry in footer.shapes {
            bytes += entry.subcolumns.reduce(0) { $0 + 64 + $1.key.count }
            bytes += entry.shapes.reduce(0) { $0 + 48 + 4 * $1.count }
        }
        return bytes + footer.blooms.count * MemoryLayout<BloomEntry>.stride
    }

    /// Bytes of a column's pages in a block, as stored.
    package func storedBytes(ofColumn ordinal: Int, block: Int) -> Int {
        var bytes = 0
        forEachLeaf(ofColumn: ordinal) { bytes += $0.pages[block].storedLength }
        return bytes
    }

    private func forEachLeaf(ofColumn ordinal: Int, _ body: (LeafEntry) -> Void) {
        for leaf in leavesOfColumn[table.columns[ordinal].id.number] ?? [] { body(footer.leaves[leaf]) }
        guard case .nested(let fields) = table.columns[ordinal].type else { return }
        for field in fields {
            for leaf in leavesOfColumn[field.id.number] ?? [] { body(footer.leaves[leaf]) }
        }
    }

    /// By subcolumn of an attributes column with that key, or of those beyond the limits: the dictionary of its values, or nil if it
    /// has none.
    package func subcolumnDictionaries(
        _ ordinal: Int, key: [UInt8], entryLimit: Int
    ) throws(PartError) -> [(type: AttributeType, dictionary: StringDictionary?)] {
        let column = table.columns[ordinal].id.number
        guard let number = shapesOfColumn[column] else { return [] }
        var found: [(type: AttributeType, dictionary: StringDictionary?)] = []
        for (subcolumn, entry) in footer.shapes[number].subcolumns.enumerated()
        where entry.key == key || entry.type == .overflow {
            let leaf = LeafKey(column: column, role: .subcolumn, subcolumn: UInt16(subcolumn))
            let facts = dictionaryFacts(of: leaf).flatMap { $0.count <= entryLimit ? $0 : nil }
            var dictionary: StringDictionary?
            if let facts { dictionary = try self.dictionary(facts, of: leaf) }
            found.append((entry.type, dictionary))
        }
        return found
    }

    /// How many row groups have a block in the set.
    package func groupCount(of blocks: BlockSet) -> Int {
        var first = 0
        return blocksOfGroups.count { count in
            defer { first += count }
            return (first..<(first + count)).contains { blocks.contains($0) }
        }
    }
}

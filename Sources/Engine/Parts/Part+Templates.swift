package import Columns
package import Core
package import Encoding
package import Indexing
package import Observability
internal import Synchronization
internal import TableSchema

/// Columns of texts that are cut into templates.
extension Part {
    /// The texts of a column in a block, not yet put together; nil if they are stored in another way.
    package func templatedTexts(
        _ ordinal: Int, block: Int, statistics: QueryStatistics? = nil
    ) throws(PartError) -> TemplatedTexts? {
        let key = LeafKey(column: table.columns[ordinal].id.number, role: .values)
        guard let index = leafOfKey[key], footer.leaves[index].kind == .strings else { return nil }
        let page = footer.leaves[index].pages[block]
        guard page.encoding == EncodingID.templates.rawValue else { return nil }
        guard page.count == rowCount(ofBlock: block) else { throw .corruptPage(column: key.column, block: block) }
        let bytes = try read(page, column: key.column, block: block, statistics)
        do throws(EncodingError) {
            return try TemplatedTexts(
                page: bytes, encoding: page.encoding, compression: page.compression, count: page.count,
                rawLength: page.rawLength, byteLimit: PartLayout.pageByteLimit)
        } catch {
            throw .corruptPage(column: key.column, block: block)
        }
    }

    /// Puts some texts of a block together.
    ///
    /// - Parameter rows: ascending; other rows of the result are without meaning. Nil: all.
    package func column(
        of texts: TemplatedTexts, rows: [UInt32]?, _ ordinal: Int, block: Int
    ) throws(PartError) -> StringColumn {
        let corrupt = PartError.corruptPage(column: table.columns[ordinal].id.number, block: block)
        let column: (lengths: Buffer<UInt32>, bytes: Buffer<UInt8>)
        do throws(EncodingError) { column = try texts.texts(rows) } catch { throw corrupt }
        guard let offsets = Offsets.make(column.lengths, limit: Int(UInt32.max)) else { throw corrupt }
        return StringColumn(
            codes: Buffer(0..<UInt32(texts.count)),
            dictionary: StringDictionary(
                offsets: offsets, contents: column.bytes, isUnique: false, isSorted: false))
    }

    /// The lengths of some texts of a block, in bytes.
    ///
    /// - Parameter rows: ascending; others have none. Nil: all.
    package func lengths(
        of texts: TemplatedTexts, rows: [UInt32]?, _ ordinal: Int, block: Int
    ) throws(PartError) -> Buffer<UInt32> {
        do throws(EncodingError) {
            return try texts.lengths(rows)
        } catch {
            throw .corruptPage(column: table.columns[ordinal].id.number, block: block)
        }
    }

    /// Keeps of `rows`, which ascend, those whose text passes all tests.
    ///
    /// - Returns: the bytes of the texts that had to be put together.
    package func keep(
        _ rows: inout [UInt32], of texts: TemplatedTexts, passing tests: [TextTest], _ ordinal: Int, block: Int
    ) throws(PartError) -> Int {
        do throws(EncodingError) {
            return try texts.keep(&rows, passing: tests)
        } catch {
            throw .corruptPage(column: table.columns[ordinal].id.number, block: block)
        }
    }

    /// As `candidates`, by the templates that the texts of a block are made of.
    ///
    /// - Returns: nil if the part has no such index, or the search is not for texts.
    package func candidates(
        byTemplates probe: IndexProbe, column ordinal: Int, statistics: QueryStatistics? = nil
    ) throws(PartError) -> BlockSet? {
        let column = table.columns[ordinal].id.number
        let indexes = footer.tokenIndexes.indices.filter {
            footer.tokenIndexes[$0].column == column && footer.tokenIndexes[$0].kind == .templates
        }
        guard case .texts(let texts) = probe, !indexes.isEmpty else { return nil }
        // What no index is about may have anything.
        var blocks = BlockSet.all(of: blockCount)
        for number in indexes {
            let index = try templateIndex(number, statistics)
            let entry = footer.tokenIndexes[number]
            for block in entry.blocks { blocks.remove(block) }
            for block in index.blocks(mayContain: texts.matchers) { blocks.insert(entry.firstBlock + block) }
        }
        return blocks
    }

    /// An index of templates, which is kept once it was read.
    func templateIndex(_ number: Int, _ statistics: QueryStatistics?) throws(PartError) -> TemplateIndex {
        if let known = templateIndexes[number] { return known }
        let entry = footer.tokenIndexes[number]
        let bytes = try read(entry.directory, column: entry.column, block: entry.firstBlock)
        statistics?[.templates].bytesRead.add(bytes.count, ordering: .relaxed)
        let index: TemplateIndex
        do {
            var decoder = PageDecoder(byteLimit: PartLayout.templateIndexLimit)
            let compression = try CompressionID(checking: entry.directory.compression)
            let raw = try bytes.withUnsafeBytes {
                try decoder.decodeRaw(
                    page: $0, encoding: .plain, compression: compression, rawLength: entry.directory.rawLength)
            }
            index = try TemplateIndex(decoding: raw.array, blockCount: entry.blockCount)
        } catch {
            throw .corruptIndex(column: entry.column, block: entry.firstBlock)
        }
        // Of two threads that read the same index only one counts it.
        if templateIndexes.insert(index, number) { keep(bytes: index.byteCount) }
        return index
    }

    /// Whether an index of templates lacks something that the texts of a block are made of.
    func isDenied(byTemplates number: Int, block: Int) throws(PartError) -> Bool {
        let entry = footer.tokenIndexes[number]
        guard let ordinal = table.columns.firstIndex(where: { $0.id.number == entry.column }),
            let texts = try templatedTexts(ordinal, block: block)
        else { return false }
        return try !templateIndex(number, nil).covers(texts, block: block - entry.firstBlock)
    }
}

extension PageEntry {
    /// About how much longer texts are once they are put together.
    var expansion: Int { encoding == EncodingID.templates.rawValue ? 12 : 1 }
}

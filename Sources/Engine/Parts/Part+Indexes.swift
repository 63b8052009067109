internal import Columns
internal import Files
package import Indexing
package import Observability
internal import Synchronization
internal import TableSchema

/// Which blocks a search need not look at.
extension Part {
    /// The blocks that may have a row that a search wants: never one too few.
    ///
    /// - Returns: nil if the part has no index that could tell, since it is older or a search of another kind.
    package func candidates(
        _ probe: IndexProbe, column ordinal: Int, statistics: QueryStatistics? = nil
    ) throws(PartError) -> BlockSet? {
        try candidates(probe, column: table.columns[ordinal].id.number, statistics)
    }

    /// As `candidates`, of a field of a nested column.
    package func candidates(
        _ probe: IndexProbe, column ordinal: Int, field: Int, statistics: QueryStatistics? = nil
    ) throws(PartError) -> BlockSet? {
        guard case .nested(let fields) = table.columns[ordinal].type else {
            preconditionFailure("column \(table.columns[ordinal].name) is not nested")
        }
        return try candidates(probe, column: fields[field].id.number, statistics)
    }

    private func candidates(
        _ probe: IndexProbe, column: UInt16, _ statistics: QueryStatistics?
    ) throws(PartError) -> BlockSet? {
        let indexes = footer.tokenIndexes.indices.filter {
            footer.tokenIndexes[$0].column == column && footer.tokenIndexes[$0].kind != .templates
        }
        guard !indexes.isEmpty else { return nil }
        guard let conditions = conditions(probe, column) else { return .all(of: blockCount) }
        // What no index is about may have anything.
        var unknown = BlockSet.all(of: blockCount)
        for index in indexes { for block in footer.tokenIndexes[index].blocks { unknown.remove(block) } }
        var found = BlockSet.none(of: blockCount)
        for tokens in conditions {
            var blocks = BlockSet.all(of: blockCount)
            for condition in tokens where !blocks.isEmpty {
                blocks.formIntersection(try self.blocks(with: condition, indexes, statistics))
            }
            found.formUnion(blocks)
        }
        found.formUnion(unknown)
        return found
    }

    /// What the blocks have that a search wants: all of one of these; nil if it has no token that is known whole.
    private func conditions(_ probe: IndexProbe, _ column: UInt16) -> [[TokenCondition]]? {
        switch probe {
        case .texts(let texts): return texts.tokens
        case .ids(let hashes): return hashes.map { [TokenCondition(whole: $0)] }
        case .attribute(let attribute):
            guard let number = shapesOfColumn[column] else { return [] }
            let tokens = Set(footer.shapes[number].subcolumns.flatMap { attribute.tokens($0) })
            return tokens.map { [TokenCondition(whole: $0)] }
        }
    }

    private func blocks(
        with condition: TokenCondition, _ indexes: [Int], _ statistics: QueryStatistics?
    ) throws(PartError) -> BlockSet {
        var blocks = BlockSet.none(of: blockCount)
        for number in indexes {
            let entry = footer.tokenIndexes[number]
            let index = try tokenIndex(number, statistics)
            do throws(TokenIndexFailure<PartError>) {
                try index.find(condition, first: entry.firstBlock, &blocks) { (range) throws(PartError) in
                    statistics?[.tokens].bytesRead.add(range.count, ordering: .relaxed)
                    return try readBytes(at: entry.offset + Int64(range.lowerBound), count: range.count)
                }
            } catch {
                switch error {
                case .indexing: throw .corruptIndex(column: entry.column, block: entry.firstBlock)
                case .read(let error): throw error
                }
            }
        }
        return blocks
    }

    /// Reads a whole index and checks it: what stays in memory of it, and its pages one after the other.
    func readTokenIndex(_ number: Int) throws(PartError) -> (index: TokenIndex, pages: [UInt8]) {
        let entry = footer.tokenIndexes[number]
        let index = try tokenIndex(number, nil)
        var pages: [UInt8] = []
        for (page, range) in index.pages.enumerated() {
            let bytes = try readBytes(at: entry.offset + Int64(range.lowerBound), count: range.count)
            do throws(IndexingError) {
                try index.check(page: page, bytes)
            } catch {
                throw .corruptIndex(column: entry.column, block: entry.firstBlock)
            }
            pages += bytes
        }
        return (index, pages)
    }

    /// The directory of an index, which is kept once it was read.
    private func tokenIndex(_ number: Int, _ statistics: QueryStatistics?) throws(PartError) -> TokenIndex {
        if let known = tokenIndexes[number] { return known }
        let entry = footer.tokenIndexes[number]
        let corrupt = PartError.corruptIndex(column: entry.column, block: entry.firstBlock)
        let bytes = try read(entry.directory, column: entry.column, block: entry.firstBlock)
        statistics?[.tokens].bytesRead.add(bytes.count, ordering: .relaxed)
        let index: TokenIndex
        do throws(IndexingError) {
            index = try TokenIndex(decoding: bytes, kind: entry.kind, blockCount: entry.blockCount)
        } catch {
            throw corrupt
        }
        // Its pages stand before it.
        guard entry.offset <= entry.directory.offset,
            Int64(index.byteCount) <= entry.directory.offset - entry.offset
        else { throw corrupt }
        // Of two threads that read the same index only one counts it.
        if tokenIndexes.insert(index, number) { keep(bytes: index.memoryBytes) }
        return index
    }
}

/// Things of a part that were read once and are kept, by number.
final class PartCache<Value: Sendable>: Sendable {
    private let known: Mutex<[Value?]>

    init(count: Int) { known = Mutex(Array(repeating: nil, count: count)) }

    subscript(number: Int) -> Value? {
        get { known.withLock { $0[number] } }
        set { known.withLock { $0[number] = newValue } }
    }

    /// - Returns: whether there was none.
    func insert(_ value: Value, _ number: Int) -> Bool {
        known.withLock { known in
            defer { known[number] = value }
            return known[number] == nil
        }
    }
}

internal import Columns
internal import Core
internal import Indexing
internal import Observability
internal import Parts
private import Synchronization

/// Asks the indexes of a part which of its blocks may have rows for a scan, the cheapest first. Every index takes blocks out of
/// the same set; a new kind of index is one more case here.
struct BlockPruning {
    let part: Part
    let statistics: QueryStatistics

    /// - Returns: nil if no block is left.
    func blocks(_ filters: [(asked: CompiledFilter, bound: BoundFilter)]) throws -> BlockSet? {
        var blocks = BlockSet.all(of: part.blockCount)
        for filter in filters where isNever(filter.bound) {
            skip(&blocks, by: Self.index(of: filter.asked)) { _ in false }
            return nil
        }
        for filter in filters {
            skip(&blocks, by: .zone) { !filter.bound.isRuledOut(part, block: $0) }
            if blocks.isEmpty { return nil }
        }
        for filter in filters {
            try askIndexes(filter.bound, &blocks)
            if blocks.isEmpty { return nil }
        }
        return blocks
    }

    /// What had to answer for a filter that no row of the part passes.
    private static func index(of filter: CompiledFilter) -> SkipIndex {
        switch filter {
        case .integers, .integerSet, .doubles, .ids, .shortIDs, .not: .zone
        case .strings: .dictionary
        case .attribute, .nestedAttribute, .anyElement, .attributeKeys: .attributeKey
        case .anyOf(let filters): filters.first.map(index) ?? .zone
        case .allOf(let filters): filters.last.map(index) ?? .zone
        case .indexed: .tokens
        }
    }

    private func isNever(_ filter: BoundFilter) -> Bool {
        if case .never = filter { true } else { false }
    }

    /// Takes out the blocks that an index on the values of a column rules out.
    private func askIndexes(_ filter: BoundFilter, _ blocks: inout BlockSet) throws {
        switch filter {
        case .ids(let column, let ids):
            // "None" is in no index.
            guard !ids.contains(where: \.isZero) else { return }
            // A filter tells in less time that the part has nothing, an index which of its blocks have something.
            let possible = try blooms(column, ids)
            skip(&blocks, by: .bloom) { possible.blocks.contains($0) }
            try askTokens(.ids(possible.hashes), column, field: nil, &blocks)
        case .anyOf(let filters):
            // Each choice asks on its own; what one of them counts as skipped, another may still want.
            var possible = BlockSet.none(of: part.blockCount)
            let silent = BlockPruning(part: part, statistics: QueryStatistics())
            for choice in filters where possible != blocks {
                var some = blocks
                some.keep { !choice.isRuledOut(part, block: $0) }
                try silent.askIndexes(choice, &some)
                possible.formUnion(some)
            }
            var index = SkipIndex.bloom
            for kind in [SkipIndex.bloom, .tokens, .templates] {
                let bytes = silent.statistics[kind].bytesRead.load(ordering: .relaxed)
                statistics[kind].bytesRead.add(bytes, ordering: .relaxed)
                if bytes > 0 { index = kind }
            }
            skip(&blocks, by: index) { possible.contains($0) }
        case .allOf(let filters): for filter in filters { try askIndexes(filter, &blocks) }
        case .indexed(let column, let field, let probe): try askTokens(probe, column, field: field, &blocks)
        default: break
        }
    }

    private func askTokens(
        _ probe: IndexProbe, _ column: Int, field: Int?, _ blocks: inout BlockSet
    ) throws(PartError) {
        guard !blocks.isEmpty else { return }
        let possible: BlockSet?
        do throws(PartError) {
            possible =
                if let field {
                    try part.candidates(probe, column: column, field: field, statistics: statistics)
                } else {
                    try part.candidates(probe, column: column, statistics: statistics)
                }
        } catch {
            switch error {
            // No row is lost with an index: what cannot be asked says "maybe".
            case .corruptIndex, .checksumMismatch: possible = nil
            default: throw error
            }
        }
        if let possible { skip(&blocks, by: .tokens) { possible.contains($0) } }
        if field == nil { try askTemplates(probe, column, &blocks) }
    }

    private func askTemplates(_ probe: IndexProbe, _ column: Int, _ blocks: inout BlockSet) throws(PartError) {
        guard !blocks.isEmpty else { return }
        do throws(PartError) {
            let possible = try part.candidates(byTemplates: probe, column: column, statistics: statistics)
            if let possible { skip(&blocks, by: .templates) { possible.contains($0) } }
        } catch {
            switch error {
            // As above.
            case .corruptIndex, .checksumMismatch: return
            default: throw error
            }
        }
    }

    /// The blocks that may have one of the ids, and the hashes of those that may be in one.
    private func blooms(_ column: Int, _ ids: Set<TraceID>) throws -> (blocks: BlockSet, hashes: [UInt64]) {
        var possible = BlockSet.none(of: part.blockCount)
        var left: [UInt64] = []
        for hash in try part.filter(ids.map(BloomKeys.hash), column: column, statistics: statistics) {
            let found = try part.blocks(mayContaining: hash, column: column, statistics: statistics)
            for block in found { possible.insert(block) }
            if !found.isEmpty { left.append(hash) }
        }
        return (possible, left)
    }

    private func skip(_ blocks: inout BlockSet, by index: SkipIndex, keeping accepts: (Int) -> Bool) {
        var (count, rows) = (0, 0)
        blocks.keep { block in
            if accepts(block) { return true }
            count += 1
            rows += part.rowCount(ofBlock: block)
            return false
        }
        guard count > 0 else { return }
        let counters = statistics[index]
        counters.blocksSkipped.add(count, ordering: .relaxed)
        counters.rowsSkipped.add(rows, ordering: .relaxed)
        if blocks.isEmpty { counters.partsSkipped.add(1, ordering: .relaxed) }
    }
}

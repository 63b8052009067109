internal import Columns
internal import Core
internal import Encoding
package import Files
internal import TableSchema

/// Why what is left of a part could not be written.
package enum SalvageError: Error, Hashable, Sendable {
    /// Of the part that is read.
    case part(PartError)
    case file(FileError)
}

/// Writes a part once more, without what a verification found to be damaged.
///
/// 1. Pages of the blocks that are kept are copied as they are, with their checksums verified; row groups that have no block
///    left go, and the others keep their order.
/// 2. Of a dictionary, damaged pages are left out. No block that is kept refers to them; codes behind them move down.
/// 3. Filters are copied if they are whole: over fewer rows they still say no only where no row is. Those that are not whole are
///    left out, which says "maybe" of everything; the next merge makes new ones. Indexes of tokens know blocks by number: they
///    are copied if every block is kept.
package struct PartSalvage: ~Copyable {
    private let part: Part
    private let report: PartReport
    private var output = PartOutput()
    private var encoder = PageEncoder(zstdLevel: 3)
    private var footer: PartFooter
    /// By dictionary that lost pages: the codes that were lost.
    private let lostCodes: [Int: [Range<Int>]]
    private var rowCount = 0

    /// The blocks that can be kept, and their rows.
    package static func keeps(_ part: Part, _ report: PartReport) -> (blocks: Int, rows: Int) {
        guard !report.isLost else { return (0, 0) }
        let blocks = (0..<part.blockCount).filter { !report.blocks.contains($0) }
        return (blocks.count, blocks.reduce(0) { $0 + part.rowCount(ofBlock: $1) })
    }

    /// - Parameters:
    ///   - report: what is wrong with the part; at least one row must be left.
    ///   - origin: of what is written.
    package static func write(
        _ part: Part, without report: PartReport, origin: PartOrigin? = nil, to file: any ObjectWriter
    ) throws(SalvageError) -> PartSummary {
        precondition(keeps(part, report).rows > 0, "a part has rows")
        var salvage = PartSalvage(part, report)
        salvage.footer.origin = origin
        return try salvage.run(file)
    }

    private init(_ part: Part, _ report: PartReport) {
        self.part = part
        self.report = report
        let old = part.footer
        footer = old
        footer.leastTime = .max
        footer.greatestTime = .min
        footer.blockRows = []
        footer.groupBlocks = []
        footer.dictionaries = []
        footer.blooms = []
        footer.tokenIndexes = []
        for leaf in footer.leaves.indices {
            footer.leaves[leaf].pages = []
            footer.leaves[leaf].zones = []
        }
        var lost: [Int: [Range<Int>]] = [:]
        for (number, pages) in report.dictionaryPages {
            var code = 0
            for (index, page) in old.dictionaries[number].pages.enumerated() {
                if pages.contains(index) { lost[number, default: []].append(code..<(code + page.count)) }
                code += page.count
            }
        }
        lostCodes = lost
    }

    private mutating func run(_ file: any ObjectWriter) throws(SalvageError) -> PartSummary {
        /// By old row group: the new one.
        var groups: [Int: Int] = [:]
        var first = 0
        for (group, count) in part.footer.groupBlocks.enumerated() {
            let kept = (first..<(first + count)).filter { !report.blocks.contains($0) }
            first += count
            guard !kept.isEmpty else { continue }
            groups[group] = footer.groupBlocks.count
            footer.groupBlocks.append(kept.count)
            for block in kept {
                footer.blockRows.append(part.rowCount(ofBlock: block))
                rowCount += part.rowCount(ofBlock: block)
            }
            for leaf in footer.leaves.indices { try copy(leaf, kept) }
            try flush(to: file)
        }
        for number in part.footer.dictionaries.indices { try copyDictionary(number) }
        for (number, bloom) in part.footer.blooms.enumerated() where !report.indexes.contains(number) {
            guard let group = bloom.group else {
                footer.blooms.append(
                    BloomEntry(column: bloom.column, group: nil, page: try copy(bloom.page, bloom.column)))
                continue
            }
            guard let kept = groups[group] else { continue }
            footer.blooms.append(
                BloomEntry(column: bloom.column, group: kept, page: try copy(bloom.page, bloom.column)))
        }
        if report.blocks.isEmpty {
            for number in part.footer.tokenIndexes.indices
            where !report.indexes.contains(part.footer.blooms.count + number) {
                try copyTokenIndex(number, to: file)
            }
        }
        output.append(footer)
        try flush(to: file)
        do throws(FileError) { try file.sync() } catch { throw .file(error) }
        return PartSummary(
            rowCount: rowCount, byteCount: Int64(output.offset), partition: footer.partition,
            leastTime: footer.leastTime, greatestTime: footer.greatestTime)
    }

    private mutating func flush(to file: any ObjectWriter) throws(SalvageError) {
        do throws(FileError) { try output.write(to: file) } catch { throw .file(error) }
    }

    private func read(_ page: PageEntry, _ column: UInt16) throws(SalvageError) -> [UInt8] {
        do throws(PartError) { return try part.read(page, column: column, block: 0) } catch { throw .part(error) }
    }

    private mutating func copy(_ page: PageEntry, _ column: UInt16) throws(SalvageError) -> PageEntry {
        var page = page
        let bytes = try read(page, column)
        page.offset = Int64(output.offset)
        output.append(bytes)
        return page
    }

    // MARK: Leaves

    private mutating func copy(_ number: Int, _ blocks: [Int]) throws(SalvageError) {
        let leaf = part.footer.leaves[number]
        let isTime = leaf.key == LeafKey(column: part.table.partitionColumn.number, role: .values)
        for block in blocks {
            if let dictionary = leaf.dictionary, let lost = lostCodes[dictionary] {
                if leaf.kind.isListed { try unlist(number, block) } else { try remap(number, block, lost) }
            } else {
                footer.leaves[number].pages.append(try copy(leaf.pages[block], leaf.key.column))
                if !leaf.zones.isEmpty { footer.leaves[number].zones.append(leaf.zones[block]) }
            }
            if isTime { try note(leaf.key, block) }
        }
    }

    /// Takes the times of a block into the footer's.
    private mutating func note(_ key: LeafKey, _ block: Int) throws(SalvageError) {
        do throws(PartError) {
            let rows = part.rowCount(ofBlock: block)
            guard
                case .integers(let times)? = try part.values(
                    of: key, kinds: [.integers, .listedIntegers], count: rows, block: block)
            else { throw .corruptPage(column: key.column, block: block) }
            footer.leastTime = min(footer.leastTime, times.array.min() ?? .max)
            footer.greatestTime = max(footer.greatestTime, times.array.max() ?? .min)
        } catch {
            throw .part(error)
        }
    }

    /// Writes a page that refers to a list anew, without one: the list has fewer entries now.
    private mutating func unlist(_ number: Int, _ block: Int) throws(SalvageError) {
        let leaf = part.footer.leaves[number]
        let page: EncodedPage
        do throws(PartError) {
            switch try part.values(of: leaf.key, kinds: [leaf.kind], count: leaf.pages[block].count, block: block) {
            case .integers(let values)?:
                page = withExtendedLifetime(values) { encoder.encode(integers: values.unsafeElements) }
            case .fixed(let ids)?:
                page = withExtendedLifetime(ids) { encoder.encode(fixed: ids.bytes.unsafeElements, width: 16) }
            default: throw .corruptPage(column: leaf.key.column, block: block)
            }
        } catch {
            throw .part(error)
        }
        var bytes: [UInt8] = []
        var entry = encoder.store(page, into: &bytes)
        entry.offset = Int64(output.offset)
        output.append(bytes)
        footer.leaves[number].pages.append(entry)
        guard !leaf.zones.isEmpty else { return }
        footer.leaves[number].zones.append(leaf.kind == .listed16 ? Zone(least: 0, greatest: 0) : leaf.zones[block])
    }

    /// Writes a page of codes anew, for a dictionary that has fewer entries now.
    private mutating func remap(_ number: Int, _ block: Int, _ lost: [Range<Int>]) throws(SalvageError) {
        let leaf = part.footer.leaves[number]
        var codes: [UInt32] = []
        do throws(PartError) {
            let values = try part.values(
                of: leaf.key, kinds: [.codes], count: leaf.pages[block].count, block: block)
            guard case .naturals(let old)? = values else { throw .corruptPage(column: leaf.key.column, block: block) }
            codes = old.array
        } catch {
            throw .part(error)
        }
        for row in codes.indices {
            let below = lost.reduce(0) { $1.lowerBound <= Int(codes[row]) ? $0 + $1.count : $0 }
            codes[row] -= UInt32(below)
        }
        let page = codes.withUnsafeBufferPointer { encoder.encode(codes: $0) }
        var bytes: [UInt8] = []
        var entry = encoder.store(page, into: &bytes)
        entry.offset = Int64(output.offset)
        output.append(bytes)
        footer.leaves[number].pages.append(entry)
        guard !leaf.zones.isEmpty else { return }
        footer.leaves[number].zones.append(
            Zone(least: codes.min().map(Int64.init) ?? .max, greatest: codes.max().map(Int64.init) ?? .min))
    }

    private mutating func copyDictionary(_ number: Int) throws(SalvageError) {
        let old = part.footer.dictionaries[number]
        let lost = report.dictionaryPages[number] ?? []
        let column = part.footer.leaves.first { $0.dictionary == number }?.key.column ?? 0
        var entry = DictionaryEntry(count: 0, isSorted: old.isSorted, pages: [])
        for (index, page) in old.pages.enumerated() where !lost.contains(index) {
            entry.pages.append(try copy(page, column))
            entry.count += page.count
        }
        footer.dictionaries.append(entry)
    }

    /// The pages of an index and the directory behind them, which were checked as a whole.
    private mutating func copyTokenIndex(_ number: Int, to file: any ObjectWriter) throws(SalvageError) {
        var entry = part.footer.tokenIndexes[number]
        let end = entry.directory.offset + Int64(entry.directory.storedLength)
        let shift = Int64(output.offset) - entry.offset
        var place = entry.offset
        while place < end {
            let count = Int(min(1 << 20, end - place))
            do throws(PartError) { output.append(try part.readBytes(at: place, count: count)) } catch {
                throw .part(error)
            }
            place += Int64(count)
            try flush(to: file)
        }
        entry.offset += shift
        entry.directory.offset += shift
        footer.tokenIndexes.append(entry)
    }
}

internal import Columns
internal import TableSchema

/// What goes with a part's damaged blocks.
package struct PartLoss: Hashable, Sendable {
    /// Ascending.
    package var blocks: [Int] = []
    package var rowCount = 0
    /// The times that the rows lie between, about.
    package var times: ClosedRange<Int64>?

    package init() {}

    /// - Parameter report: what is wrong with the part.
    package init(_ part: Part, _ report: PartReport) {
        blocks = report.blocks.filter { $0 < part.blockCount }.sorted()
        guard let time = part.table.ordinal(of: part.table.partitionColumn) else { return }
        for block in blocks {
            rowCount += part.rowCount(ofBlock: block)
            let times = part.zone(time, block: block) ?? (part.leastTime...part.greatestTime)
            let (least, greatest) = (self.times?.lowerBound ?? .max, self.times?.upperBound ?? .min)
            self.times = min(least, times.lowerBound)...max(greatest, times.upperBound)
        }
    }
}

extension Part {
    /// Where the pages of what is damaged are in the file, ascending: those of damaged blocks, whether damaged themselves or not,
    /// and those of dictionaries.
    package func places(of report: PartReport) -> [Range<Int64>] {
        var pages = footer.leaves.flatMap { leaf in
            report.blocks.filter { $0 < leaf.pages.count }.map { leaf.pages[$0] }
        }
        for (number, damaged) in report.dictionaryPages {
            pages += damaged.map { footer.dictionaries[number].pages[$0] }
        }
        var places: [Range<Int64>] = []
        for page in pages.sorted(by: { $0.offset < $1.offset }) where page.storedLength > 0 {
            let end = page.offset + Int64(page.storedLength)
            if let last = places.last, page.offset <= last.upperBound {
                places[places.count - 1] = last.lowerBound..<max(last.upperBound, end)
            } else {
                places.append(page.offset..<end)
            }
        }
        return places
    }

    /// Whether every column of a block can be read, whatever else is wrong with it.
    package func canRead(block: Int) -> Bool {
        for ordinal in table.columns.indices {
            do throws(PartError) { _ = try read(ordinal, block: block) } catch { return false }
        }
        return true
    }
}

internal import Columns
internal import Core
internal import Encoding
package import Files
private import Glibc
package import TableSchema

/// A leaf of a part that is being written block by block.
package struct LeafPlan: Sendable {
    package var key: LeafKey
    package var kind: LeafKind
    /// The number of the dictionary of its codes.
    package var dictionary: Int?
    /// The number of the leaf that its ids may refer to: a leaf before it, of ids, whose values of a block come first.
    package var sibling: Int?
    /// The list that its ids may be entries of.
    package var list: IDList?

    package init(
        key: LeafKey, kind: LeafKind, dictionary: Int? = nil, sibling: Int? = nil, list: IDList? = nil
    ) {
        self.key = key
        self.kind = kind
        self.dictionary = dictionary
        self.sibling = sibling
        self.list = list
    }
}

/// What is known of a part before its first row: its leaves, and the dictionaries and shapes that their values refer to.
package struct PartPlan: Sendable {
    package var leaves: [LeafPlan] = []
    package var dictionaries: [EncodedDictionary] = []
    package var shapes: [ShapesEntry] = []

    package init() {}
}

/// Writes one part block by block, so that a part of any size takes the memory of one row group's encoded pages.
///
/// 1. The caller gives each leaf its values of the block, in any order, and ends the block.
/// 2. The pages of a row group gather in memory, leaf by leaf; they go to the file when the group has 64 blocks or 32 MiB.
/// 3. `finish` writes dictionaries, skip indexes, footer and trailer, and syncs the file. Until a catalog record names it,
///    it is no part of anything (invariant 2).
package struct PartStream: ~Copyable {
    package struct Limits: Sendable {
        /// The bytes of pages after which a row group ends.
        package var groupBytes = 12 << 20
        /// The most distinct values of the filter over the whole part; with more, there are filters of row groups alone.
        package var bloomKeys = 1 << 19

        package init() {}
    }

    private struct Bloom {
        var leaf: Int
        var column: ColumnID
        var falsePositives: Double
        /// Of the current row group.
        var keys = KeySet()
        /// Of the row groups that are written.
        var groups: [[UInt64]] = []
        /// Whether the part has too many for one filter over all of it.
        var isTooLarge = false
    }

    /// What compressing the pages of a leaf at a higher level has saved lately: if that is little, it is only tried now and then,
    /// since it takes several times as long. Pages differ along a part: in one of logs, every service has its own.
    private struct Trial {
        /// How many pages are left out after one that gained too little.
        private static let pause = 15
        private var waiting = 0

        /// Whether to try the next page.
        mutating func isDue() -> Bool {
            guard waiting > 0 else { return true }
            waiting -= 1
            return false
        }

        /// Less than 2.5 % is not worth it.
        mutating func note(_ before: Int, _ after: Int) {
            waiting = after < before - before / 40 ? 0 : Self.pause
        }
    }

    private let file: any ObjectWriter
    private var dictionaries: [EncodedDictionary]
    /// By leaf: the list that its ids may be entries of.
    private var idLists: [Int: IDList] = [:]
    /// By leaf: the list of its integers, to which those of each block are added.
    private var integerLists: [Int: IntegerList] = [:]
    private let timeLeaf: Int?
    private let limits: Limits
    private var output = PartOutput()
    private var encoder: PageEncoder
    private var recompressor: PageRecompressor?
    /// By leaf: whether its pages become shorter at the higher level.
    private var trials: [Trial]
    private var footer: PartFooter
    private var group: [[UInt8]]
    /// By leaf: the ids of its last page, if another leaf refers to them.
    private var siblings: [Int: [UInt8]] = [:]
    private var groupLength = 0
    private var groupBlocks = 0
    private var blooms: [Bloom] = []
    private var indexes: [TokenIndexWriter]
    private var templates: [TemplateIndexWriter]
    /// By leaf: which of these its pages go to.
    private var templatesOfLeaf: [Int: Int] = [:]
    /// By leaf: the indexes that its values go to, and what subcolumn it is.
    private var feeds: [[(index: Int, subcolumn: SubcolumnTokens?)]]
    private var rowCount = 0
    /// Whether a page was made that no reader would take: the part is of no use then.
    package private(set) var isUnreadable = false

    package init(
        _ table: TableDefinition, partition: Int64, plan: PartPlan, zstdLevel: Int32, limits: Limits = Limits(),
        origin: PartOrigin? = nil, file: any ObjectWriter
    ) {
        self.limits = limits
        self.file = file
        dictionaries = plan.dictionaries
        // Pages are encoded at the level of flushes, and some of them compressed again: see `Trial`.
        encoder = PageEncoder(zstdLevel: min(zstdLevel, 1))
        if zstdLevel > 1 { recompressor = PageRecompressor(zstdLevel: zstdLevel) }
        trials = Array(repeating: Trial(), count: plan.leaves.count)
        group = Array(repeating: [], count: plan.leaves.count)
        let timeKey = LeafKey(column: table.partitionColumn.number, role: .values)
        timeLeaf = plan.leaves.firstIndex { $0.key == timeKey }
        footer = PartFooter(
            table: table.id, fingerprint: table.fingerprint, partition: partition, leastTime: .max,
            greatestTime: .min, blockRows: [], groupBlocks: [])
        footer.shapes = plan.shapes
        footer.origin = origin
        for (number, leaf) in plan.leaves.enumerated() {
            if leaf.kind == .listedIntegers { integerLists[number] = IntegerList() }
            if let list = leaf.list { idLists[number] = list }
        }
        footer.leaves = plan.leaves.map {
            LeafEntry(key: $0.key, kind: $0.kind, dictionary: $0.dictionary, sibling: $0.sibling)
        }
        indexes = TokenIndexWriter.make(table)
        feeds = Self.feeds(indexes, plan)
        templates = TemplateIndexWriter.make(table)
        for (leaf, entry) in plan.leaves.enumerated() where entry.key.role == .values {
            templatesOfLeaf[leaf] = templates.firstIndex { $0.column == entry.key.column }
        }
        for leaf in footer.leaves.indices where footer.leaves[leaf].kind.isListed {
            footer.leaves[leaf].dictionary = dictionaries.count
            dictionaries.append((idLists[leaf] ?? IDList()).encoded(&encoder))
        }
        footer.dictionaries = dictionaries.map(\.entry)
        for index in table.indexes {
            let key = LeafKey(column: index.column.number, role: .values)
            guard case .bloomFilter(let falsePositives) = index.kind,
                let leaf = plan.leaves.firstIndex(where: { $0.key == key })
            else { continue }
            blooms.append(Bloom(leaf: leaf, column: index.column, falsePositives: falsePositives))
        }
    }

    // MARK: Values of the block

    package mutating func append(integers values: [Int64], to leaf: Int) {
        values.withUnsafeBufferPointer { indexTokens(integers: $0, of: leaf) }
        let page: EncodedPage
        if let entries = integerLists[leaf]?.entries(of: values) {
            page = entries.withUnsafeBufferPointer { encoder.encode(entries: $0) }
        } else {
            page = values.withUnsafeBufferPointer { encoder.encode(integers: $0) }
        }
        add(page, decoded: values.count * 8, to: leaf)
        let zone = Self.zone(values)
        if footer.leaves[leaf].key.role == .values { footer.leaves[leaf].zones.append(zone) }
        guard leaf == timeLeaf, !values.isEmpty else { return }
        footer.leastTime = min(footer.leastTime, zone.least)
        footer.greatestTime = max(footer.greatestTime, zone.greatest)
    }

    private static func zone(_ values: [Int64]) -> Zone {
        var zone = Zone(least: .max, greatest: .min)
        for value in values {
            zone.least = min(zone.least, value)
            zone.greatest = max(zone.greatest, value)
        }
        return zone
    }

    package mutating func append(floats values: [Double], to leaf: Int) {
        indexSubcolumn(leaf, count: values.count) { _, _ in }
        let page = values.withUnsafeBufferPointer { encoder.encode(floats: $0) }
        add(page, decoded: values.count * 8, to: leaf)
    }

    package mutating func append(fixed bytes: [UInt8], width: Int, to leaf: Int) {
        let page = encode(fixed: bytes, width: width, leaf)
        if isSibling(leaf) { siblings[leaf] = bytes }
        add(page, decoded: bytes.count, to: leaf)
        bytes.withUnsafeBytes { index(fixed: $0, width: width, of: leaf) }
    }

    private mutating func index(fixed bytes: UnsafeRawBufferPointer, width: Int, of leaf: Int) {
        for feed in feeds[leaf] { indexes[feed.index].add(ids: bytes, width: width) }
        for bloom in blooms.indices where blooms[bloom].leaf == leaf {
            var last: UnsafeRawBufferPointer?
            for start in stride(from: 0, to: bytes.count, by: width) {
                let value = UnsafeRawBufferPointer(rebasing: bytes[start..<(start + width)])
                // "None" is not looked up, and equal ids often stand together.
                if value.allSatisfy({ $0 == 0 }) { continue }
                if let last, let a = last.baseAddress, let b = value.baseAddress, memcmp(a, b, width) == 0 { continue }
                last = value
                blooms[bloom].keys.insert(XXH3.hash(value))
            }
        }
    }

    /// Whether the values of a leaf have to be seen even if its page is copied.
    package func isIndexed(_ leaf: Int) -> Bool {
        leaf == timeLeaf || isSibling(leaf) || !feeds[leaf].isEmpty || blooms.contains { $0.leaf == leaf }
    }

    /// Whether pages of another leaf refer to those of this one.
    private func isSibling(_ leaf: Int) -> Bool { footer.leaves.contains { $0.sibling == leaf } }

    /// A page of another part whose bytes mean the same here: of codes only with the same dictionary, of shapes only with the
    /// same numbers.
    ///
    /// - Parameter values: the page's, if the leaf is indexed.
    package mutating func append(_ page: StoredPage, values: LeafValues?, to leaf: Int) {
        precondition(takes(page, for: leaf), "a page that has to be encoded anew")
        precondition(footer.leaves[leaf].pages.count == footer.blockRows.count, "one page per leaf and block")
        let start = group[leaf].count
        group[leaf].append(contentsOf: page.bytes)
        addTemplates(group[leaf][start...], page.entry, of: leaf)
        finish(page.entry, at: start, leaf)
        if wantsZones(leaf), let zone = page.zone { footer.leaves[leaf].zones.append(zone) }
        guard isIndexed(leaf), page.count > 0 else { return }
        switch values {
        case .integers(let values)?:
            indexTokens(integers: values.unsafeElements, of: leaf)
            guard leaf == timeLeaf else { return }
            for value in values.unsafeElements {
                footer.leastTime = min(footer.leastTime, value)
                footer.greatestTime = max(footer.greatestTime, value)
            }
        case .fixed(let values)?:
            if isSibling(leaf) { siblings[leaf] = Array(values.bytes.unsafeElements) }
            index(fixed: UnsafeRawBufferPointer(values.bytes.unsafeElements), width: values.width, of: leaf)
        case .naturals(let codes)?: index(codes: codes.unsafeElements, of: leaf)
        case .strings(let values)?:
            indexTokens(of: leaf, count: values.codes.count) { body in
                for row in 0..<values.codes.count { body(values.bytes(row)) }
            }
            for bloom in blooms.indices where blooms[bloom].leaf == leaf {
                for row in 0..<values.codes.count { blooms[bloom].keys.insert(XXH3.hash(values.bytes(row))) }
            }
        case .floats(let values)?: indexSubcolumn(leaf, count: values.count) { _, _ in }
        case .arrays?, nil: preconditionFailure("an indexed page was copied unseen")
        }
    }

    /// Whether a page can be appended as it is stored.
    package func takes(_ page: StoredPage, for leaf: Int) -> Bool {
        page.kind == footer.leaves[leaf].kind && (page.zone != nil || !wantsZones(leaf))
            // Their numbers are those of another part's list.
            && page.entry.encoding != EncodingID.entries.rawValue
    }

    private func wantsZones(_ leaf: Int) -> Bool {
        let entry = footer.leaves[leaf]
        guard entry.key.role == .values else { return false }
        switch entry.kind {
        case .integers, .listedIntegers, .listed16: return true
        case .codes: return entry.dictionary.map { footer.dictionaries[$0].isSorted } ?? false
        default: return false
        }
    }

    /// Bytes that wait in memory: pages of the row group, and hashes for filters.
    package var bufferedBytes: Int {
        groupLength
            + blooms.reduce(0) { sum, bloom in
                sum + bloom.keys.byteCount + bloom.groups.reduce(0) { $0 + $1.count * 8 }
            }
            + indexes.reduce(0) { $0 + $1.byteCount } + templates.reduce(0) { $0 + $1.byteCount }
    }

    private mutating func encode(fixed bytes: [UInt8], width: Int, _ leaf: Int) -> EncodedPage {
        if let list = idLists[leaf] {
            let (page, zone) = bytes.withUnsafeBufferPointer { encoder.encode(ids: $0, in: list) }
            footer.leaves[leaf].zones.append(zone)
            return page
        }
        guard let sibling = footer.leaves[leaf].sibling else {
            return bytes.withUnsafeBufferPointer { encoder.encode(fixed: $0, width: width) }
        }
        guard let others = siblings[sibling], footer.leaves[sibling].pages.count > footer.blockRows.count else {
            preconditionFailure("ids before those that they refer to")
        }
        return bytes.withUnsafeBufferPointer { ids in
            others.withUnsafeBufferPointer { encoder.encode(ids: ids, beside: $0) }
        }
    }

    /// Codes, lengths or shapes.
    package mutating func append(naturals values: [UInt32], to leaf: Int) {
        let page = values.withUnsafeBufferPointer { encoder.encode(codes: $0) }
        add(page, decoded: values.count * 8, to: leaf)
        guard let dictionary = footer.leaves[leaf].dictionary else { return }
        if footer.leaves[leaf].key.role == .values, footer.dictionaries[dictionary].isSorted {
            footer.leaves[leaf].zones.append(
                Zone(least: Int64(values.min() ?? .max), greatest: Int64(values.max() ?? .min)))
        }
        values.withUnsafeBufferPointer { index(codes: $0, of: leaf) }
    }

    private mutating func index(codes: UnsafeBufferPointer<UInt32>, of leaf: Int) {
        guard let dictionary = footer.leaves[leaf].dictionary else { return }
        indexTokens(codes, of: dictionaries[dictionary], leaf)
        for bloom in blooms.indices where blooms[bloom].leaf == leaf {
            for code in codes { blooms[bloom].keys.insert(dictionaries[dictionary].hashes[Int(code)]) }
        }
    }

    package mutating func append(strings lengths: [UInt32], _ contents: [UInt8], to leaf: Int) {
        let page = lengths.withUnsafeBufferPointer { lengths in
            contents.withUnsafeBufferPointer {
                encoder.encode(strings: lengths, bytes: $0, areTexts: templatesOfLeaf[leaf] != nil)
            }
        }
        add(page, decoded: contents.count + lengths.count * 4, to: leaf)
        indexTokens(of: leaf, count: lengths.count) { body in
            contents.withUnsafeBytes { contents in
                var start = 0
                for length in lengths {
                    let end = start + Int(length)
                    body(UnsafeRawBufferPointer(rebasing: contents[start..<end]))
                    start = end
                }
            }
        }
        for bloom in blooms.indices where blooms[bloom].leaf == leaf {
            contents.withUnsafeBytes { contents in
                var start = 0
                for length in lengths {
                    let end = start + Int(length)
                    blooms[bloom].keys.insert(XXH3.hash(UnsafeRawBufferPointer(rebasing: contents[start..<end])))
                    start = end
                }
            }
        }
    }

    package mutating func append(integerRows lengths: [UInt32], _ values: [Int64], to leaf: Int) {
        let page = lengths.withUnsafeBufferPointer { lengths in
            values.withUnsafeBufferPointer { encoder.encode(integerRows: lengths, values: $0) }
        }
        add(page, decoded: values.count * 8 + lengths.count * 4, to: leaf)
    }

    package mutating func append(floatRows lengths: [UInt32], _ values: [Double], to leaf: Int) {
        let page = lengths.withUnsafeBufferPointer { lengths in
            values.withUnsafeBufferPointer { encoder.encode(floatRows: lengths, values: $0) }
        }
        add(page, decoded: values.count * 8 + lengths.count * 4, to: leaf)
    }

    /// - Parameter decoded: bytes of the page's values.
    private mutating func add(_ page: EncodedPage, decoded: Int, to leaf: Int) {
        if page.count > PartLayout.pageValueLimit || max(decoded, page.rawLength) >= PartLayout.pageByteLimit {
            isUnreadable = true
        }
        precondition(footer.leaves[leaf].pages.count == footer.blockRows.count, "one page per leaf and block")
        // Its place in the group's bytes, until it is known where these go.
        let start = group[leaf].count
        let entry = encoder.store(page, into: &group[leaf])
        addTemplates(group[leaf][start...], entry, of: leaf)
        finish(entry, at: start, leaf)
    }

    /// Adds what a page is made of to the index of templates, if its column has one.
    private mutating func addTemplates(_ bytes: ArraySlice<UInt8>, _ page: PageEntry, of leaf: Int) {
        guard let index = templatesOfLeaf[leaf] else { return }
        guard footer.leaves[leaf].kind == .strings else { return templates[index].addUnknown(count: page.count) }
        templates[index].add(bytes, encoding: page.encoding, compression: page.compression, count: page.count)
    }

    /// Ends a page that stands at the end of the group's bytes of its leaf.
    private mutating func finish(_ page: PageEntry, at start: Int, _ leaf: Int) {
        var entry = page
        entry.offset = Int64(start)
        let isCompressed = entry.compression == CompressionID.zstd.rawValue
        let hasText = entry.compression == CompressionID.none.rawValue && entry.encoding == EncodingID.strings.rawValue
        if recompressor != nil, isCompressed || hasText, trials[leaf].isDue() {
            let better =
                isCompressed
                ? recompressor?.recompress(group[leaf][start...], rawLength: entry.rawLength)
                : recompressor?.recompress(strings: group[leaf][start...])
            if let better {
                trials[leaf].note(entry.storedLength, better.count)
                group[leaf].removeSubrange(start...)
                group[leaf].append(contentsOf: better)
                entry.storedLength = better.count
                if hasText { entry.rawLength = better.count }
                entry.checksum = UInt32(truncatingIfNeeded: better.withUnsafeBytes { XXH3.hash($0) })
            } else {
                trials[leaf].note(entry.storedLength, entry.storedLength)
            }
        }
        groupLength += entry.storedLength
        footer.leaves[leaf].pages.append(entry)
    }

    // MARK: Tokens

    private static func feeds(
        _ indexes: [TokenIndexWriter], _ plan: PartPlan
    ) -> [[(index: Int, subcolumn: SubcolumnTokens?)]] {
        plan.leaves.map { leaf in
            var feeds: [(index: Int, subcolumn: SubcolumnTokens?)] = []
            for (number, index) in indexes.enumerated() where index.column.number == leaf.key.column {
                if leaf.key.role == .values { feeds.append((number, nil)) }
                guard leaf.key.role == .subcolumn,
                    let shapes = plan.shapes.first(where: { $0.column == leaf.key.column })
                else { continue }
                feeds.append((number, SubcolumnTokens(shapes.subcolumns[Int(leaf.key.subcolumn)])))
            }
            return feeds
        }
    }

    /// Adds a subcolumn's values to the indexes of its attributes.
    private mutating func indexSubcolumn(
        _ leaf: Int, count: Int, _ body: (SubcolumnTokens, inout TokenIndexWriter) -> Void
    ) {
        guard count > 0 else { return }
        for feed in feeds[leaf] {
            guard let subcolumn = feed.subcolumn else { continue }
            subcolumn.forEachToken { indexes[feed.index].add(token: $0) }
            body(subcolumn, &indexes[feed.index])
        }
    }

    private mutating func indexTokens(integers values: UnsafeBufferPointer<Int64>, of leaf: Int) {
        indexSubcolumn(leaf, count: values.count) { subcolumn, index in
            guard subcolumn.type == .int || subcolumn.type == .bool else { return }
            for value in values { index.add(token: subcolumn.token(value)) }
        }
    }

    private mutating func indexTokens(
        _ codes: UnsafeBufferPointer<UInt32>, of dictionary: EncodedDictionary, _ leaf: Int
    ) {
        indexSubcolumn(leaf, count: codes.count) { subcolumn, index in
            guard subcolumn.type == .string else { return }
            for code in codes { index.add(token: dictionary.tokens[Int(code)]) }
        }
        for feed in feeds[leaf] where feed.subcolumn == nil {
            dictionary.contents.withUnsafeBytes { contents in
                indexes[feed.index].add(codes: codes, count: dictionary.count) { entry in
                    let start = entry == 0 ? 0 : dictionary.ends[entry - 1]
                    return UnsafeRawBufferPointer(rebasing: contents[start..<dictionary.ends[entry]])
                }
            }
        }
    }

    /// - Parameter forEach: hands over the strings one by one.
    private mutating func indexTokens(
        of leaf: Int, count: Int, _ forEach: ((UnsafeRawBufferPointer) -> Void) -> Void
    ) {
        indexSubcolumn(leaf, count: count) { subcolumn, index in
            guard subcolumn.type == .string else { return }
            forEach { index.add(token: subcolumn.token($0)) }
        }
        for feed in feeds[leaf] where feed.subcolumn == nil { forEach { indexes[feed.index].add(text: $0) } }
    }

    // MARK: Blocks and groups

    /// Ends a block, to which every leaf was given its page.
    package mutating func endBlock(rows: Int) throws(FileError) {
        precondition(rows > 0, "a block has rows")
        footer.blockRows.append(rows)
        rowCount += rows
        for leaf in footer.leaves {
            precondition(leaf.pages.count == footer.blockRows.count, "every leaf has a page in every block")
        }
        for index in indexes.indices { indexes[index].endBlock() }
        for index in templates.indices { templates[index].endBlock() }
        groupBlocks += 1
        if groupBlocks == PartLayout.groupBlocks || groupLength >= limits.groupBytes { try endGroup() }
    }

    private mutating func endGroup() throws(FileError) {
        guard groupBlocks > 0 else { return }
        let first = footer.blockRows.count - groupBlocks
        for leaf in footer.leaves.indices {
            for block in first..<footer.blockRows.count {
                footer.leaves[leaf].pages[block].offset += Int64(output.offset)
            }
            output.append(group[leaf])
            group[leaf].removeAll(keepingCapacity: true)
            if output.bytes.count >= 1 << 20 { try output.write(to: file) }
        }
        footer.groupBlocks.append(groupBlocks)
        groupBlocks = 0
        groupLength = 0
        for bloom in blooms.indices {
            blooms[bloom].groups.append(blooms[bloom].keys.keys)
            blooms[bloom].keys.removeAll()
        }
        try endBlooms()
        for index in indexes.indices where !indexes[index].segments.isEmpty {
            indexes[index].writeSegments(&output, &footer)
            try output.write(to: file)
        }
        for index in templates.indices where !templates[index].segments.isEmpty {
            templates[index].writeSegments(&output, &footer)
            try output.write(to: file)
        }
    }

    /// Once a part has so many distinct values that there will be no filter over all of it, those of its groups can be written,
    /// and their values let go.
    private mutating func endBlooms() throws(FileError) {
        for bloom in blooms.indices {
            let total = blooms[bloom].groups.reduce(0) { $0 + $1.count }
            if total > limits.bloomKeys { blooms[bloom].isTooLarge = true }
            guard blooms[bloom].isTooLarge else { continue }
            for (index, keys) in blooms[bloom].groups.enumerated() where !keys.isEmpty {
                output.append(
                    bloom: keys, blooms[bloom].falsePositives, blooms[bloom].column, group: index, &footer)
                blooms[bloom].groups[index] = []
            }
            try output.write(to: file)
        }
    }

    /// Writes what is left, and syncs the file.
    package consuming func finish() throws(FileError) -> PartSummary {
        try endGroup()
        precondition(rowCount > 0, "a part has rows")
        // Zones of a leaf without any value say nothing.
        for leaf in footer.leaves.indices where footer.leaves[leaf].zones.allSatisfy({ $0.least > $0.greatest }) {
            footer.leaves[leaf].zones = []
        }
        for (leaf, list) in integerLists {
            guard let number = footer.leaves[leaf].dictionary else { continue }
            dictionaries[number] = list.encoded(&encoder)
            footer.dictionaries[number] = dictionaries[number].entry
        }
        for dictionary in footer.dictionaries.indices {
            var place = Int64(output.offset)
            for page in footer.dictionaries[dictionary].pages.indices {
                footer.dictionaries[dictionary].pages[page].offset = place
                place += Int64(footer.dictionaries[dictionary].pages[page].storedLength)
            }
            output.append(dictionaries[dictionary].bytes)
        }
        for bloom in blooms where !bloom.isTooLarge {
            if bloom.groups.count > 1 {
                for (group, keys) in bloom.groups.enumerated() {
                    output.append(bloom: keys, bloom.falsePositives, bloom.column, group: group, &footer)
                }
            }
            let all = bloom.groups.flatMap { $0 }
            output.append(bloom: all, bloom.falsePositives, bloom.column, group: nil, &footer)
        }
        for index in indexes.indices {
            indexes[index].endSegment()
            indexes[index].writeSegments(&output, &footer)
        }
        for index in templates.indices {
            templates[index].endSegment()
            templates[index].writeSegments(&output, &footer)
        }
        output.append(footer)
        try output.write(to: file)
        try file.sync()
        return PartSummary(
            rowCount: rowCount, byteCount: Int64(output.offset), partition: footer.partition,
            leastTime: footer.leastTime, greatestTime: footer.greatestTime)
    }
}

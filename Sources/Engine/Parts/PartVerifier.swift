internal import Columns
internal import Core
internal import Encoding
package import Files
internal import Indexing
package import TableSchema

/// Reads every byte of a part, and compares what it says with what it says of itself.
///
/// 1. The file: header, trailer, the footer's checksum, and that no two pages share a byte.
/// 2. Dictionaries, page by page: checksums, entries unique, and ascending where the footer says so.
/// 3. Blocks, leaf by leaf: checksums, that every page decodes to as many values as the leaves around it demand, that codes and
///    shapes exist, that zones hold their values; then that rows are in the table's order and inside the partition.
/// 4. Filters: a value that is in a block is in the filters over it, and a token in the indexes over it (invariant 7).
///
/// A block is in memory leaf by leaf, and of dictionaries one page, and the hashes of those that have a filter. Columns with an
/// index of tokens are there whole, with their dictionaries.
package struct PartVerifier {
    /// With more entries than this, it is not checked that an unsorted dictionary's are unique.
    private static let entryLimit = 1 << 26

    private struct Filter {
        /// Its place in the footer.
        var number: Int
        var column: UInt16
        var group: Int?
        var bytes: [UInt8]
    }

    private let part: Part
    private let table: TableDefinition
    private let progress: (Int) -> Void
    private var report = PartReport()
    /// By dictionary: codes whose entries cannot be read.
    private var lostCodes: [Int: [Range<Int>]] = [:]
    /// By dictionary that has a filter over it: the hash of each entry.
    private var entryHashes: [Int: [UInt64]] = [:]
    private var filters: [Filter] = []
    private var tokens: TokenIndexCheck
    private var order: OrderCheck
    /// The values of the block that is being read, of columns that its order depends on.
    private var keys: [LeafKey: LeafValues] = [:]

    /// - Parameter progress: is told how many bytes were read since the last time.
    /// - Returns: the part, if it can be opened, and what is wrong with it.
    package static func verify(
        _ file: any ReadableFile, table: TableDefinition, progress: (Int) -> Void = { _ in }
    ) -> (part: Part?, report: PartReport) {
        withoutActuallyEscaping(progress) { progress in
            do throws(PartError) {
                let part = try Part(file, table: table)
                var verifier = PartVerifier(part, progress)
                verifier.run(file)
                return (part, verifier.report)
            } catch {
                var report = PartReport()
                report.add(PartDamage(.part, nil, error.reason))
                if case .unsupportedVersion = error { report.isUnsupported = true }
                return (nil, report)
            }
        }
    }

    private init(_ part: Part, _ progress: @escaping (Int) -> Void) {
        self.part = part
        self.progress = progress
        table = part.table
        tokens = TokenIndexCheck(part)
        order = OrderCheck(table: part.table)
    }

    private mutating func run(_ file: any ReadableFile) {
        checkFile(file)
        guard !report.isLost else { return }
        readFilters()
        readTokenIndexes()
        for number in part.footer.dictionaries.indices { readDictionary(number) }
        var block = 0
        for (group, count) in part.footer.groupBlocks.enumerated() {
            for _ in 0..<count {
                readBlock(block, group: group)
                block += 1
            }
        }
    }

    private mutating func lose(_ reason: String) { report.add(PartDamage(.part, nil, reason)) }

    // MARK: The file

    private mutating func checkFile(_ file: any ReadableFile) {
        if let header = try? file.readExactly(at: 0, count: PartLayout.headerLength), header[12...] != [0, 0, 0, 0] {
            lose("the header is damaged")
        }
        let footer = part.footer
        if footer.blockRows.isEmpty || footer.rowCount == 0 { lose("it has no rows") }
        if footer.blockRows.contains(where: { $0 > PartLayout.blockRows }) { lose("a block has too many rows") }
        if Set(footer.leaves.map(\.key)).count != footer.leaves.count { lose("the footer has a leaf twice") }
        if Set(footer.shapes.map(\.column)).count != footer.shapes.count { lose("the footer has shapes twice") }
        if footer.leastTime > footer.greatestTime
            || table.partitionUnit.start(of: footer.partition) != footer.partition
            || table.partitionUnit.start(of: footer.leastTime) != footer.partition
            || table.partitionUnit.start(of: footer.greatestTime) != footer.partition
        {
            lose("its times are not those of a partition")
        }
        var pages =
            footer.leaves.flatMap(\.pages) + footer.dictionaries.flatMap(\.pages) + footer.blooms.map(\.page)
            + footer.tokenIndexes.map(\.directory)
        pages.removeAll { $0.storedLength == 0 }
        pages.sort { $0.offset < $1.offset }
        var end = Int64(PartLayout.headerLength)
        for page in pages {
            guard page.offset >= end else { return lose("two pages share the byte \(page.offset)") }
            end = page.offset + Int64(page.storedLength)
        }
    }

    // MARK: Indexes

    private mutating func readFilters() {
        for (number, bloom) in part.footer.blooms.enumerated() {
            do throws(PartError) {
                let bytes = try part.read(bloom.page, column: bloom.column, block: 0)
                filters.append(Filter(number: number, column: bloom.column, group: bloom.group, bytes: bytes))
                if bytes.isEmpty || bytes.count % SplitBlockBloom.blockBytes != 0 {
                    addIndexDamage(number, "the filter's length is wrong")
                }
            } catch {
                addIndexDamage(number, error.reason)
            }
            progress(bloom.page.storedLength)
        }
    }

    /// Of tokens: whether they can be read.
    private mutating func readTokenIndexes() {
        for (number, index) in part.footer.tokenIndexes.enumerated() {
            do throws(PartError) {
                if index.kind == .templates {
                    _ = try part.templateIndex(number, nil)
                    progress(index.directory.storedLength)
                } else {
                    progress(try part.readTokenIndex(number).pages.count + index.directory.storedLength)
                }
            } catch {
                addTokenDamage(number, error.reason)
            }
        }
    }

    private mutating func addTokenDamage(_ number: Int, _ reason: String) {
        let place = part.footer.blooms.count + number
        guard !report.indexes.contains(place) else { return }
        report.add(PartDamage(.index(place), "tokens \(part.name(part.footer.tokenIndexes[number].column))", reason))
    }

    private mutating func checkTokens(_ block: Int) {
        for (number, index) in part.footer.tokenIndexes.enumerated()
        where index.blocks.contains(block) && !report.indexes.contains(part.footer.blooms.count + number) {
            // What cannot be read is damage of the block or of a dictionary, which are found on their own.
            if index.kind == .templates {
                guard let isDenied = try? part.isDenied(byTemplates: number, block: block) else { continue }
                if isDenied { addTokenDamage(number, "the index says no of a text that is there") }
                continue
            }
            guard let isDenied = try? tokens.denies(number, block: block) else { continue }
            if isDenied { addTokenDamage(number, "the index says no of a token that is there") }
        }
    }

    private mutating func addIndexDamage(_ number: Int, _ reason: String) {
        // Once is enough: a filter that is wrong is wrong in many blocks.
        guard !report.indexes.contains(number) else { return }
        report.add(PartDamage(.index(number), "bloom \(part.name(part.footer.blooms[number].column))", reason))
    }

    private mutating func checkFilters(_ key: LeafKey, _ leaf: LeafEntry, _ values: LeafValues, group: Int) {
        guard key.role == .values else { return }
        for filter in filters where filter.column == key.column && (filter.group ?? group) == group {
            let isHeld = filter.bytes.withUnsafeBytes { bytes in
                hashes(values, leaf).allSatisfy { SplitBlockBloom.mayContain($0, in: bytes) }
            }
            if !isHeld { addIndexDamage(filter.number, "the filter says no of a value that is there") }
        }
    }

    /// Of the values that a filter over them holds.
    private func hashes(_ values: LeafValues, _ leaf: LeafEntry) -> Set<UInt64> {
        var hashes: Set<UInt64> = []
        switch values {
        case .fixed(let column):
            column.bytes.array.withUnsafeBytes { bytes in
                for start in stride(from: 0, to: bytes.count, by: column.width) {
                    let value = UnsafeRawBufferPointer(rebasing: bytes[start..<(start + column.width)])
                    if value.contains(where: { $0 != 0 }) { hashes.insert(XXH3.hash(value)) }
                }
            }
        case .naturals(let codes):
            guard let known = leaf.dictionary.flatMap({ entryHashes[$0] }) else { return [] }
            for code in Set(codes.array) where Int(code) < known.count { hashes.insert(known[Int(code)]) }
        case .strings(let column):
            for row in 0..<column.codes.count { hashes.insert(XXH3.hash(column.bytes(row))) }
        case .integers, .floats, .arrays: break
        }
        return hashes
    }

    // MARK: Dictionaries

    private mutating func readDictionary(_ number: Int) {
        let entry = part.footer.dictionaries[number]
        guard let leaf = part.footer.leaves.first(where: { $0.dictionary == number }) else {
            return lose("a dictionary belongs to nothing")
        }
        if leaf.kind.isListed { return readList(number, leaf) }
        let wantsHashes = leaf.key.role == .values && filters.contains { $0.column == leaf.key.column }
        let path = part.path(leaf.key) + " dictionary"
        var hashes: [UInt64] = []
        var seen: Set<UInt64> = []
        var last: [UInt8]?
        var code = 0
        for (pageNumber, page) in entry.pages.enumerated() {
            do throws(PartError) {
                let bytes = try part.read(page, column: leaf.key.column, block: 0)
                var decoder = LeafDecoder(page: page, column: leaf.key.column, block: 0)
                let strings = try decoder.strings(bytes)
                for row in 0..<strings.codes.count {
                    let text = strings.bytes(row)
                    if wantsHashes { hashes.append(XXH3.hash(text)) }
                    if entry.isSorted {
                        let follows = last.map { $0.withUnsafeBytes { ByteOrder.compare($0, text) < 0 } } ?? true
                        last = Array(text)
                        if !follows { return loseDictionary(number, path, "its entries do not ascend") }
                    } else if entry.count <= Self.entryLimit, !seen.insert(XXH3.hash(text)).inserted {
                        return loseDictionary(number, path, "an entry stands twice")
                    }
                }
            } catch {
                report.add(PartDamage(.dictionary(number, page: pageNumber), path, error.reason))
                lostCodes[number, default: []].append(code..<(code + page.count))
                hashes.append(contentsOf: repeatElement(0, count: wantsHashes ? page.count : 0))
                last = nil
            }
            code += page.count
            progress(page.storedLength)
        }
        if wantsHashes { entryHashes[number] = hashes }
    }

    /// Reads a list of integers or of ids; blocks that refer to a page that cannot be read are found when they are read.
    private mutating func readList(_ number: Int, _ leaf: LeafEntry) {
        var entry = 0
        for (pageNumber, page) in part.footer.dictionaries[number].pages.enumerated() {
            do throws(PartError) {
                let bytes = try part.read(page, column: leaf.key.column, block: 0)
                var decoder = LeafDecoder(page: page, column: leaf.key.column, block: 0)
                if leaf.kind == .listed16 {
                    _ = try decoder.fixed(bytes, width: 16)
                } else {
                    _ = try decoder.integers(bytes)
                }
            } catch {
                let path = part.path(leaf.key) + " dictionary"
                report.add(PartDamage(.dictionary(number, page: pageNumber), path, error.reason))
                lostCodes[number, default: []].append(entry..<(entry + page.count))
            }
            entry += page.count
            progress(page.storedLength)
        }
    }

    /// Which of the entries is wrong cannot be told: all are.
    private mutating func loseDictionary(_ number: Int, _ path: String, _ reason: String) {
        let entry = part.footer.dictionaries[number]
        for page in entry.pages.indices { report.add(PartDamage(.dictionary(number, page: page), path, reason)) }
        lostCodes[number] = [0..<entry.count]
    }

    // MARK: Blocks

    private mutating func readBlock(_ block: Int, group: Int) {
        keys = [:]
        let rows = part.rowCount(ofBlock: block)
        var visited: Set<LeafKey> = []
        for column in table.columns { read(column, rows: rows, block, group, &visited) }
        // Columns that the schema has no more.
        for leaf in part.footer.leaves where !visited.contains(leaf.key) {
            _ = values(leaf.key, kinds: [leaf.kind], count: leaf.pages[block].count, block, group)
        }
        if !report.blocks.contains(block) {
            checkOrder(block, rows)
            checkTokens(block)
        } else {
            order.forget()
        }
        progress(part.footer.leaves.reduce(0) { $0 + $1.pages[block].storedLength })
    }

    private mutating func read(
        _ column: ColumnDefinition, rows: Int, _ block: Int, _ group: Int, _ visited: inout Set<LeafKey>
    ) {
        let number = column.id.number
        switch column.type {
        case .nested(let fields):
            let key = LeafKey(column: number, role: .lengths)
            visited.insert(key)
            guard case .naturals(let lengths)? = values(key, kinds: [.naturals], count: rows, block, group) else {
                // What the fields must have is not known; a part that lacks the column lacks them too.
                return
            }
            let inner = lengths.array.reduce(0) { $0 + Int($1) }
            for field in fields { read(field, rows: inner, block, group, &visited) }
        case .attributes: readAttributes(number, rows: rows, block, group, &visited)
        default:
            let key = LeafKey(column: number, role: .values)
            visited.insert(key)
            _ = values(key, kinds: LeafKind.holding(column.type), count: rows, block, group)
        }
    }

    private mutating func readAttributes(
        _ column: UInt16, rows: Int, _ block: Int, _ group: Int, _ visited: inout Set<LeafKey>
    ) {
        let key = LeafKey(column: column, role: .shapes)
        visited.insert(key)
        guard case .naturals(let shapes)? = values(key, kinds: [.naturals], count: rows, block, group),
            let entry = part.shapes(ofColumn: column)
        else { return }
        var uses = [Int](repeating: 0, count: entry.shapes.count)
        for shape in shapes.array { uses[Int(shape)] += 1 }
        var counts = [Int](repeating: 0, count: entry.subcolumns.count)
        for (shape, subcolumns) in entry.shapes.enumerated() where uses[shape] > 0 {
            for subcolumn in subcolumns { counts[Int(subcolumn)] += uses[shape] }
        }
        for (number, subcolumn) in entry.subcolumns.enumerated() {
            let key = LeafKey(column: column, role: .subcolumn, subcolumn: UInt16(truncatingIfNeeded: number))
            visited.insert(key)
            guard part.kind(of: key) != nil else {
                report.add(PartDamage(.block(block), part.path(key), "it is not there"))
                continue
            }
            _ = values(key, kinds: LeafKind.holding(subcolumn.type), count: counts[number], block, group)
        }
    }

    /// The values of a leaf; nil if the part does not have it, or if it is damaged.
    private mutating func values(
        _ key: LeafKey, kinds: [LeafKind], count: Int, _ block: Int, _ group: Int
    ) -> LeafValues? {
        guard let number = part.leafOfKey[key] else { return nil }
        let leaf = part.footer.leaves[number]
        do throws(PartError) {
            guard let values = try part.values(of: key, kinds: kinds, count: count, block: block) else { return nil }
            if let reason = contradiction(leaf, values, block) {
                report.add(PartDamage(.block(block), part.path(key), reason))
                return nil
            }
            checkFilters(key, leaf, values, group: group)
            if order.needs(key) { keys[key] = values }
            return values
        } catch {
            report.add(PartDamage(.block(block), part.path(key), error.reason))
            return nil
        }
    }

    /// What is wrong with values that could be decoded.
    private func contradiction(_ leaf: LeafEntry, _ values: LeafValues, _ block: Int) -> String? {
        var range: ClosedRange<Int64>?
        switch values {
        case .integers(let values):
            if let least = values.array.min(), let greatest = values.array.max() { range = least...greatest }
        case .naturals(let codes):
            guard let number = leaf.dictionary else { break }
            let codes = codes.array
            if let lost = lostCodes[number], codes.contains(where: { code in lost.contains { $0.contains(Int(code)) } })
            {
                return "it refers to a damaged page of its dictionary"
            }
            if let least = codes.min(), let greatest = codes.max() { range = Int64(least)...Int64(greatest) }
        default: break
        }
        guard let range, !leaf.zones.isEmpty else { return nil }
        let zone = leaf.zones[block]
        return zone.least <= range.lowerBound && range.upperBound <= zone.greatest
            ? nil : "its zone leaves out values that are there"
    }

    private mutating func checkOrder(_ block: Int, _ rows: Int) {
        if case .integers(let times)? = keys[LeafKey(column: table.partitionColumn.number, role: .values)] {
            let least = times.array.min() ?? part.leastTime
            let greatest = times.array.max() ?? part.greatestTime
            if least < part.leastTime || greatest > part.greatestTime {
                report.add(PartDamage(.block(block), nil, "rows lie outside the times that the footer names"))
            }
        } else {
            report.add(PartDamage(.block(block), nil, "rows have no time"))
        }
        do throws(PartError) {
            if try !order.accepts(keys, part, rows: rows) {
                report.add(PartDamage(.block(block), nil, "rows are not in the order of the table"))
            }
        } catch {
            order.forget()
        }
    }
}

extension LeafKind {
    /// The kinds of leaf that hold values of a type.
    fileprivate static func holding(_ type: ColumnType) -> [LeafKind] { allCases.filter { Part.fits($0, type) } }

    /// The kinds of leaf that hold a subcolumn of a type.
    fileprivate static func holding(_ type: AttributeType) -> [LeafKind] {
        switch type {
        case .empty, .bool, .int: [.integers]
        case .double: [.floats]
        case .string, .array, .map, .bytes, .overflow: [.codes, .strings]
        }
    }
}

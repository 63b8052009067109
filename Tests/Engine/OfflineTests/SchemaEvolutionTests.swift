import Columns
import Core
import EngineFixtures
import Files
import Indexing
import Maintenance
import Offline
import Parts
import Randomness
import Scheduling
import TableSchema
import Testing

@testable import Storage

/// Parts of an older schema under a newer one: columns and fields are added and retired, indexes are added and dropped.
struct SchemaEvolutionTests {
    /// What changes from the older table to the newer one.
    enum Change: String, CaseIterable, Sendable {
        case addColumns, retireColumns, addFields, retireFields, addIndexes, dropIndexes, everything
    }

    private let disk = SimulatedFileSystem(seed: 1)

    // MARK: Tables

    private static func column(_ number: UInt16, _ name: String, _ type: ColumnType) -> ColumnDefinition {
        ColumnDefinition(id: ColumnID(number: number), name: name, type: type)
    }

    /// Columns of every type that `EveryTypeTable` lacks.
    private static let more = [
        column(30, "new_number", .integer(.int64)), column(31, "new_float", .float),
        column(32, "new_trace", .fixed(width: 16)), column(33, "new_span", .fixed(width: 8)),
        column(34, "new_text", .string), column(35, "new_label", .lowCardinality),
        column(36, "new_attributes", .attributes), column(37, "new_naturals", .array(of: .integer(.uint64))),
        column(38, "new_doubles", .array(of: .float)), column(39, "new_nested", .nested(inner)),
    ]
    private static let inner = [
        column(40, "n", .integer(.int64)), column(41, "s", .string), column(42, "a", .attributes),
        column(43, "f", .float), column(44, "id", .fixed(width: 8)), column(45, "ns", .array(of: .integer(.int64))),
    ]
    private static let fields = [
        column(50, "new_n", .integer(.int64)), column(51, "new_s", .lowCardinality), column(52, "new_a", .attributes),
        column(53, "new_xs", .array(of: .float)), column(54, "new_id", .fixed(width: 16)),
    ]
    private static let indexes = [
        SkipIndexDefinition(name: "words", column: ColumnID(number: 6), kind: .tokenPostings),
        SkipIndexDefinition(name: "sets", column: ColumnID(number: 8), kind: .tokenBloom(falsePositives: 0.01)),
        SkipIndexDefinition(name: "inner", column: ColumnID(number: 14), kind: .tokenPostings),
        SkipIndexDefinition(name: "spans", column: ColumnID(number: 5), kind: .bloomFilter(falsePositives: 0.01)),
    ]
    /// Of columns that are new themselves.
    private static let newIndexes = [
        SkipIndexDefinition(name: "new_words", column: ColumnID(number: 34), kind: .tokenPostings),
        SkipIndexDefinition(name: "new_sets", column: ColumnID(number: 36), kind: .tokenPostings),
        SkipIndexDefinition(name: "new_ids", column: ColumnID(number: 32), kind: .bloomFilter(falsePositives: 0.01)),
        SkipIndexDefinition(name: "new_inner", column: ColumnID(number: 42), kind: .tokenBloom(falsePositives: 0.01)),
    ]

    private static func with(
        _ table: TableDefinition, columns: Bool = false, fields: Bool = false, indexes: Bool = false
    ) -> TableDefinition {
        var table = table
        if columns {
            table.columns += more
            table.indexes += newIndexes
        }
        if indexes { table.indexes += self.indexes }
        if fields {
            for place in table.columns.indices {
                guard table.columns[place].id.number == 11, case .nested(let known) = table.columns[place].type
                else { continue }
                // Not at the end: fields are known by their numbers.
                table.columns[place].type = .nested(Self.fields + known)
            }
        }
        table.fingerprint &+= (columns ? 1 : 0) + (fields ? 2 : 0) + (indexes ? 4 : 0)
        return table
    }

    private static func tables(_ change: Change) -> (old: TableDefinition, new: TableDefinition) {
        let base = EveryTypeTable.make(unit: .month)
        switch change {
        case .addColumns: return (base, with(base, columns: true))
        case .retireColumns: return (with(base, columns: true), base)
        case .addFields: return (base, with(base, fields: true))
        case .retireFields: return (with(base, fields: true), base)
        case .addIndexes: return (base, with(base, indexes: true))
        case .dropIndexes: return (with(base, indexes: true), base)
        case .everything:
            // Some go, others come: what the older one had besides is not in the newer one.
            var new = with(base, fields: true, indexes: true)
            let retired: Set<UInt16> = [2, 4, 6, 10]
            new.columns.removeAll { retired.contains($0.id.number) }
            new.indexes.removeAll { retired.contains($0.column.number) }
            return (with(base, columns: true), new)
        }
    }

    // MARK: Rows

    /// Random rows of any table whose other columns are `EveryTypeTable`'s.
    private static func rows(_ count: Int, _ table: TableDefinition, _ random: inout SeededRandom) -> [[Cell]] {
        var style = EveryTypeTable.Style()
        style.spread = 86_400_000_000_000
        let base = EveryTypeTable.make(unit: .month)
        return EveryTypeTable.rows(count, &random, style).map { row in
            row.enumerated().reduce(into: [ColumnID: Cell]()) { $0[base.columns[$1.offset].id] = $1.element }
        }.map { known in
            table.columns.map { cell($0, known[$0.id], &random) }
        }
    }

    private static func cell(_ column: ColumnDefinition, _ known: Cell?, _ random: inout SeededRandom) -> Cell {
        switch (column.type, known) {
        case (.nested(let fields), .rows(let rows)?):
            // The known fields stand behind the new ones.
            return .rows(
                rows.map { row in
                    fields.prefix(fields.count - row.count).map { cell($0, nil, &random) } + row
                })
        case (_, let known?): return known
        case (.integer, nil): return .integer(Int64(random.below(1000)) - 500)
        case (.float, nil): return .bits(Double(random.below(100)).bitPattern)
        case (.fixed(let width), nil): return .bytes(random.bytes(width))
        case (.string, nil), (.lowCardinality, nil), (.aggregateState, nil):
            return .bytes(Array("word \(random.below(50)) of \(random.below(1000))".utf8))
        case (.attributes, nil):
            let value = Array("value \(random.below(20))".utf8)
            return .attributes(
                AttributeSet(random.oneIn(3) ? [] : [.init(key: Array("key".utf8), type: 1, value: value)]))
        case (.array(let element), nil):
            return .list((0..<random.below(4)).map { _ in cell(Self.column(0, "", element), nil, &random) })
        case (.nested(let fields), nil):
            return .rows((0..<random.below(3)).map { _ in fields.map { cell($0, nil, &random) } })
        }
    }

    /// What a row of one table is in another: what this does not know goes, what the other did not know is zeros and empty.
    private static func row(_ row: [Cell], of old: [ColumnDefinition], as new: [ColumnDefinition]) -> [Cell] {
        new.map { column in
            guard let place = old.firstIndex(where: { $0.id == column.id }) else { return nothing(column.type) }
            guard case .nested(let fields) = column.type, case .nested(let known) = old[place].type,
                case .rows(let rows) = row[place]
            else { return row[place] }
            return .rows(rows.map { self.row($0, of: known, as: fields) })
        }
    }

    private static func nothing(_ type: ColumnType) -> Cell {
        switch type {
        case .integer: .integer(0)
        case .float: .bits(0)
        case .fixed(let width): .bytes(Array(repeating: 0, count: width))
        case .string, .lowCardinality, .aggregateState: .bytes([])
        case .array: .list([])
        case .attributes: .attributes(AttributeSet([]))
        case .nested: .rows([])
        }
    }

    private func count(_ rows: [[Cell]]) -> [[Cell]: Int] { rows.reduce(into: [:]) { $0[$1, default: 0] += 1 } }

    // MARK: The directory

    private func store(_ table: TableDefinition) throws -> Store {
        try Store(directory: "/data", tables: TableCatalog(tables: [table], rollups: []), fileSystem: disk)
    }

    private func flush(_ rows: [[Cell]], _ table: TableDefinition) throws {
        let store = try store(table)
        let key = TenantTable(tenant: .default, table: table.id)
        let records = try store.writeParts(BatchOfCells.make(rows, table), of: key, zstdLevel: 1)
        try store.commit(CatalogEdit(added: records))
    }

    private func handles(_ table: TableDefinition) throws -> [PartHandle] {
        try store(table).parts(TenantTable(tenant: .default, table: table.id), in: .everything)
    }

    private func isClean(_ table: TableDefinition) throws -> Bool {
        var findings: [Finding] = []
        let directory = try DataDirectory(
            "/data", tables: TableCatalog(tables: [table], rollups: []), fileSystem: disk)
        let summary = try DirectoryVerifier.verify(directory, report: { findings.append($0) })
        #expect(findings.map(\.text) == [])
        return summary.isClean
    }

    /// By scanning all columns, with a condition on one that both tables have.
    private func scan(_ table: TableDefinition, _ filters: [CompiledFilter]) throws -> [[Cell]: Int] {
        let snapshot = TableSnapshot(table: table, memory: [], parts: try handles(table))
        var scan = Scan(
            snapshot, ScanRequest(range: .everything, columns: Array(table.columns.indices), filters: filters),
            context: QueryContext(tenant: .default))
        var found: [[Cell]: Int] = [:]
        try scan.run { block in
            for row in block.rows {
                found[block.batch.columns.map { $0?.cell(Int(row)) ?? .list([]) }, default: 0] += 1
            }
            return true
        }
        return found
    }

    /// Searches that leave out blocks by the indexes of a part find every row all the same.
    private func checkIndexes(_ table: TableDefinition, _ rows: [[Cell]], _ random: inout SeededRandom) throws {
        for (ordinal, column) in table.columns.enumerated() {
            for _ in 0..<10 {
                let row = random.pick(rows)
                let filters: [CompiledFilter]
                switch (column.type, row[ordinal]) {
                case (.string, .bytes(let text)):
                    guard let probe = IndexProbe.containing(anyOf: [text]) else { continue }
                    filters = [.indexed(ordinal, probe), .strings(ordinal) { Array(copying: $0) == text }]
                case (.fixed(16), .bytes(let id)):
                    let words = [0, 8].map { id[$0..<($0 + 8)].reduce(0 as UInt64) { $0 << 8 | UInt64($1) } }
                    filters = [.ids(ordinal, [TraceID(high: words[0], low: words[1])])]
                case (.attributes, .attributes(let set)):
                    guard let entry = set.entries.first(where: { $0.type == 1 }) else { continue }
                    let text = String(decoding: entry.value, as: UTF8.self)
                    filters = [.indexed(ordinal, .attribute(AttributeProbe(key: entry.key, text: text)))]
                default: continue
                }
                #expect(try scan(table, filters)[row] == count(rows)[row], "\(column.name): \(row[ordinal])")
            }
        }
    }

    // MARK: Tests

    @Test(arguments: Change.allCases, [60, 9000])
    func `parts of the older schema read, scan, merge and verify under the newer one`(
        change: Change, size: Int
    ) throws {
        var random = SeededRandom(seed: UInt64(size))
        let (old, new) = Self.tables(change)
        let oldRows = Self.rows(size, old, &random)
        try flush(oldRows, old)
        let projected = oldRows.map { Self.row($0, of: old.columns, as: new.columns) }

        // Alone.
        #expect(try count(handles(new).flatMap { try $0.part().naiveRows() }) == count(projected))
        #expect(try scan(new, []) == count(projected))
        #expect(try isClean(new) && isClean(old))

        // Beside parts of the newer one.
        let newRows = Self.rows(size / 2, new, &random)
        try flush(newRows, new)
        let all = projected + newRows
        #expect(try scan(new, []) == count(all))
        let range: ClosedRange<Int64> = 0...400
        let place = try #require(new.columns.firstIndex { $0.id.number == 1 })
        let middle = all.map { $0[place].integer }.sorted()[all.count / 2]
        #expect(
            try scan(new, [.integers(place, middle...Int64.max)]) == count(all.filter { $0[place].integer >= middle }))
        for (ordinal, column) in new.columns.enumerated() where column.type == .integer(.int64) {
            // Also of a column that older parts lack: their rows have zero.
            let expected = all.filter { range.contains($0[ordinal].integer) }
            #expect(try scan(new, [.integers(ordinal, range)]) == count(expected), "\(column.name)")
        }
        if size < 1000 { try checkIndexes(new, all, &random) }
        #expect(try isClean(new))

        // As one part.
        #expect(try Compaction.run(store(new), Compaction.Options()).merges == 1)
        let merged = try handles(new)
        #expect(merged.count == 1)
        let part = try #require(merged.first).part()
        #expect(try count(part.naiveRows()) == count(all) && part.fingerprint == new.fingerprint)
        #expect(try isClean(new))
        if size < 1000 { try checkIndexes(new, all, &random) }
        // It has the newer table's columns and indexes, and no others.
        let sizes = part.storedSizes(fileLength: try #require(merged.first).record.byteCount)
        // A leaf of a column that the table lacks would be called by its number.
        #expect(sizes.allSatisfy { !$0.path.contains("column ") })
        for index in new.indexes {
            let column = Self.name(index.column, new)
            #expect(sizes.contains { $0.kind == .index && $0.path.hasSuffix(" \(column)") }, "\(index.name)")
        }
        #expect(sizes.filter { $0.kind == .index }.count == new.indexes.count)
    }

    private static func name(_ column: ColumnID, _ table: TableDefinition) -> String {
        for definition in table.columns {
            if definition.id == column { return definition.name }
            guard case .nested(let fields) = definition.type else { continue }
            for field in fields where field.id == column { return "\(definition.name).\(field.name)" }
        }
        return "?"
    }
}

/// Turns what was parsed into definitions: looks names up, checks types, and takes the numbers from Schema/LOCK.
struct Resolver {
    var lock: Lock
    private(set) var tables: [TableDefinition] = []
    var rollups: [RollupDefinition] = []

    init(lock: Lock) { self.lock = lock }

    mutating func add(_ table: TableSyntax) throws(SchemaError) {
        _ = try define(table.name, columns: table.columns, clauses: table.clauses, in: table.file)
    }

    /// Makes the definition of a table or of a view's target, and adds it.
    mutating func define(
        _ name: Name, columns: [ColumnSyntax], clauses: ClausesSyntax, in file: SourceFile
    ) throws(SchemaError) -> TableDefinition {
        guard !tables.contains(where: { $0.name == name.text }) else {
            throw file.error(at: name.offset, "there is a table '\(name.text)' already")
        }
        let id = try lock.tableID(name, in: file)
        let columns = try define(columns, under: "", of: id, in: file)
        guard let first = columns.first else { throw file.error(at: name.offset, "a table has a column") }
        var table = TableDefinition(
            id: id, name: name.text, columns: columns, partitionColumn: first.id, partitionUnit: clauses.partition.unit,
            order: [], indexes: [], timeToLive: clauses.timeToLive?.nanoseconds, ttlColumn: nil, fingerprint: 0)
        table.partitionColumn = try table.time(clauses.partition.column, in: file)
        table.order = try clauses.order.map { sort throws(SchemaError) in try table.sortExpression(sort, in: file) }
        table.indexes = try indexes(clauses.indexes, of: table, in: file)
        table.ttlColumn = try clauses.timeToLive.map { ttl throws(SchemaError) in try table.time(ttl.column, in: file) }
        try lock.check(\.partition, table.partitionText, at: clauses.partition.column.offset, of: id, in: file)
        try lock.check(\.order, table.orderText, at: clauses.orderOffset, of: id, in: file)
        table.fingerprint = table.computedFingerprint
        tables.append(table)
        return table
    }

    private mutating func define(
        _ columns: [ColumnSyntax], under prefix: String, of table: TableID, in file: SourceFile
    ) throws(SchemaError) -> [ColumnDefinition] {
        var seen: Set<String> = []
        var definitions: [ColumnDefinition] = []
        for column in columns {
            guard seen.insert(column.name.text).inserted else {
                throw file.error(at: column.name.offset, "there is a column '\(column.name.text)' already")
            }
            let path = prefix + column.name.text
            let type: ColumnType
            var fields: [ColumnSyntax] = []
            switch column.kind {
            case .plain(let plain):
                type = plain
                if !prefix.isEmpty, case .aggregateState = plain {
                    throw file.error(at: column.name.offset, "a nested column cannot hold a state")
                }
            case .nested(let inner):
                guard prefix.isEmpty else {
                    throw file.error(at: column.name.offset, "a nested column cannot hold another")
                }
                type = .nested([])
                fields = inner
            }
            let id = try lock.columnID(path, at: column.name.offset, type: type, of: table, in: file)
            var definition = ColumnDefinition(id: id, name: column.name.text, type: type, codecs: column.codecs)
            if case .nested = type {
                definition.type = .nested(try define(fields, under: path + ".", of: table, in: file))
            }
            definitions.append(definition)
        }
        return definitions
    }

    private func indexes(
        _ indexes: [ClausesSyntax.Index], of table: TableDefinition, in file: SourceFile
    ) throws(SchemaError) -> [SkipIndexDefinition] {
        var definitions: [SkipIndexDefinition] = []
        for index in indexes {
            guard !definitions.contains(where: { $0.name == index.name.text }) else {
                throw file.error(at: index.name.offset, "there is an index '\(index.name.text)' already")
            }
            let column = try table.indexedColumn(index.column, in: file)
            guard index.kind.canIndex(column.type) else {
                throw file.error(at: index.column.offset, "this kind of index takes no \(column.type.sql)")
            }
            definitions.append(SkipIndexDefinition(name: index.name.text, column: column.id, kind: index.kind))
        }
        return definitions
    }
}

extension SkipIndexDefinition.Kind {
    fileprivate func canIndex(_ type: ColumnType) -> Bool {
        switch (self, type) {
        case (.bloomFilter, .fixed), (.bloomFilter, .string), (.bloomFilter, .lowCardinality), (.bloomFilter, .integer):
            true
        case (.tokenBloom, .string), (.tokenBloom, .lowCardinality), (.tokenBloom, .attributes), (.tokenBloom, .fixed):
            true
        case (.tokenPostings, .string), (.tokenPostings, .lowCardinality), (.tokenPostings, .attributes),
            (.tokenPostings, .fixed):
            true
        case (.templates, .string): true
        case (.minMax, .integer), (.minMax, .float): true
        default: false
        }
    }
}

extension TableDefinition {
    /// A column, or a field of a nested one, `events.attributes`, of those that indexes of tokens take.
    fileprivate func indexedColumn(_ name: Name, in file: SourceFile) throws(SchemaError) -> ColumnDefinition {
        let path = name.text.split(separator: ".", maxSplits: 1).map(String.init)
        guard path.count == 2, case .nested(let fields)? = column(path[0])?.type,
            let field = fields.first(where: { $0.name == path[1] }), field.type == .attributes
        else { return try column(name, in: file) }
        return field
    }

    func column(_ name: Name, in file: SourceFile) throws(SchemaError) -> ColumnDefinition {
        guard let column = column(name.text) else {
            throw file.error(at: name.offset, "'\(self.name)' has no column '\(name.text)'")
        }
        return column
    }

    fileprivate func time(_ name: Name, in file: SourceFile) throws(SchemaError) -> ColumnID {
        let column = try column(name, in: file)
        guard column.type == .integer(.dateTime64) else {
            throw file.error(at: name.offset, "the column '\(name.text)' is \(column.type.sql), not DateTime64(9)")
        }
        return column.id
    }

    fileprivate func sortExpression(
        _ sort: ClausesSyntax.Sort, in file: SourceFile
    ) throws(SchemaError) -> SortExpression {
        if sort.isStartOfMinute { return .startOfMinute(try time(sort.column, in: file)) }
        let column = try column(sort.column, in: file)
        guard column.type.isSortable else {
            throw file.error(at: sort.column.offset, "rows cannot be put in order by \(column.type.sql)")
        }
        return .column(column.id)
    }

    private func name(_ id: ColumnID) -> String {
        columns.first { $0.id == id }?.name ?? ""
    }

    fileprivate var partitionText: String { "\(partitionUnit.rawValue)(\(name(partitionColumn)))" }

    fileprivate var orderText: String {
        order.map { expression in
            switch expression {
            case .column(let id): name(id)
            case .startOfMinute(let id): "toStartOfMinute(\(name(id)))"
            }
        }.joined(separator: ", ")
    }
}

/// The tables and rollups that Schema/ declares.
package struct TableCatalog: Hashable, Sendable {
    /// Every table, the targets of rollups among them, in the order of their numbers.
    package let tables: [TableDefinition]
    package let rollups: [RollupDefinition]

    package init(tables: [TableDefinition], rollups: [RollupDefinition]) {
        self.tables = tables
        self.rollups = rollups
    }

    /// Reads the files of Schema/ and checks them against Schema/LOCK.
    ///
    /// - Throws: at the first place that is wrong.
    package static func parse(
        files: [(name: String, bytes: [UInt8])], lock: [UInt8]
    ) throws(SchemaError) -> TableCatalog {
        var lock = try Lock(bytes: lock, absence: .refuse)
        return try resolve(files, &lock)
    }

    /// The text that Schema/LOCK must have: `lock` with a number for everything in `files` that has none.
    ///
    /// - Throws: where `files` contradict `lock`.
    package static func lock(
        for files: [(name: String, bytes: [UInt8])], extending lock: [UInt8]
    ) throws(SchemaError) -> String {
        var lock = try Lock(bytes: lock, absence: .assign)
        _ = try resolve(files, &lock)
        return lock.text
    }

    package func table(named name: String) -> TableDefinition? {
        tables.first { $0.name == name }
    }

    package func table(id: TableID) -> TableDefinition? {
        tables.first { $0.id == id }
    }

    /// The rollups that are aggregated from the rows of `table`.
    /// The view whose rows the table has.
    package func rollup(_ view: TableID) -> RollupDefinition? { rollups.first { $0.target.id == view } }

    /// Views of a table.
    package func rollups(of table: TableID) -> [RollupDefinition] {
        rollups.filter { $0.source == table }
    }

    private static func resolve(
        _ files: [(name: String, bytes: [UInt8])], _ lock: inout Lock
    ) throws(SchemaError) -> TableCatalog {
        var resolver = Resolver(lock: lock)
        var views: [ViewSyntax] = []
        for (index, file) in files.enumerated() {
            let source = SourceFile(name: file.name, bytes: file.bytes)
            guard index < SchemaLimit.files else { throw source.error(at: 0, "more than \(SchemaLimit.files) files") }
            var parser = try Parser(file: source)
            let statements = try parser.statements()
            for table in statements.tables { try resolver.add(table) }
            views += statements.views
        }
        for view in views { try resolver.add(view) }
        try resolver.lock.checkAllUsed()
        lock = resolver.lock
        return TableCatalog(tables: resolver.tables.sorted { $0.id < $1.id }, rollups: resolver.rollups)
    }
}

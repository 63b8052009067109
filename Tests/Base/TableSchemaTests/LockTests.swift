import Testing

@testable import TableSchema

struct LockTests {
    static let sql = """
        CREATE TABLE t (time DateTime64(9), name String, steps Nested(size Int64))
        PARTITION BY toStartOfDay(time) ORDER BY (name, time);
        """

    static let lock = """
        table 3 t
        partition 3 toStartOfDay(time)
        order 3 name, time
        column 3.7 time DateTime64(9)
        column 3.2 name String
        column 3.4 steps Nested
        column 3.9 steps.size Int64
        """

    private func parse(_ sql: String, _ lock: String) throws -> TableCatalog {
        try TableCatalog.parse(files: [("x.sql", Array(sql.utf8))], lock: Array(lock.utf8))
    }

    @Test func `numbers come from the lock alone`() throws {
        let catalog = try parse(Self.sql, Self.lock)
        let table = try #require(catalog.table(id: TableID(number: 3)))
        #expect(table.columns.map(\.id.number) == [7, 2, 4])
        guard case .nested(let fields) = table.columns[2].type else { throw TestFailure() }
        #expect(fields[0].id.number == 9)
        #expect(catalog.table(id: TableID(number: 1)) == nil)
    }

    /// A change of the lock, and what must be said of it.
    static let refusals: [(change: (String, String), message: String)] = [
        (("column 3.2 name String\n", ""), "the column 'name' has no number: run tools/schema --add"),
        (
            ("column 3.2 name String", "retired column 3.2 name String"),
            "the column 'name' has no number: run tools/schema --add"
        ),
        (
            ("name String", "name Int64"),
            "the column 'name' is String, but Int64 in Schema/LOCK; a column keeps its type"
        ),
        (("column 3.2 name", "column 3.7 name"), "the number 3.7 belongs to another column"),
        (("column 3.2 name", "column 3.0 name"), "expected a number from 1 to 65535 instead of '0'"),
        (("column 3.2 name", "column 3.65536 name"), "expected a number from 1 to 65535 instead of '65536'"),
        (("column 3.2 name", "column 3.02 name"), "expected a number from 1 to 65535 instead of '02'"),
        (("column 3.2 name", "column 3 name"), "expected a number like 1.2 instead of '3'"),
        (("column 3.2 name", "column 4.2 name"), "no table has the number 4"),
        (("column 3.2 name", "column 3.5 time T\ncolumn 3.2 name"), "the column 'time' has a number already"),
        (
            ("column 3.2 name", "column 3.5 size Int64\ncolumn 3.2 name"),
            "'t' has no column 'size'; if it is gone, write 'retired' here"
        ),
        (("table 3 t", "table 9 u\ntable 3 t"), "Schema/ has no table 'u'; if it is gone, write 'retired' here"),
        (("table 3 t", "table 3 u\ntable 3 t"), "the number 3 belongs to another table"),
        (("table 3 t", "table 1 t\ntable 3 t"), "the table 't' has a number already"),
        (
            ("order 3 name, time", "order 3 time"),
            "'name, time' is 'time' in Schema/LOCK, and the parts on disk are like that"
        ),
        (("order 3 name, time\n", ""), "'name, time' is not in Schema/LOCK: run tools/schema --add"),
        (("order 3 name, time", "order 3 name, time\norder 3 time"), "the table 3 has its order already"),
        (
            ("toStartOfDay(time)", "toStartOfHour(time)"),
            "'toStartOfDay(time)' is 'toStartOfHour(time)' in Schema/LOCK, and the parts on disk are like that"
        ),
        (("table 3 t", "tables 3 t"), "expected table, partition, order or column with its number and name"),
    ]

    @Test(arguments: refusals)
    func `a lock that contradicts Schema/ or itself is refused`(change: (String, String), message: String) {
        let changed = Self.lock.replacing(change.0, with: change.1, maxReplacements: 1)
        #expect(changed != Self.lock)
        let error = #expect(throws: SchemaError.self) { try parse(Self.sql, changed) }
        #expect(error?.message == message)
    }

    @Test func `adding appends the next numbers and leaves the rest alone`() throws {
        let lock = Self.lock + "\nretired column 3.12 old Int64\nretired table 8 gone"
        let files = [
            (name: "x.sql", bytes: Array(Self.sql.replacing("name String", with: "name String, old String").utf8)),
            (name: "y.sql", bytes: Array(Self.sql.replacing("TABLE t", with: "TABLE u").utf8)),
        ]
        let text = try TableCatalog.lock(for: files, extending: Array(lock.utf8))
        let lines = text.split(separator: "\n").map(String.init).filter { !$0.hasPrefix("#") }
        let table =
            Self.lock.split(separator: "\n").map(String.init) + [
                "retired column 3.12 old Int64", "column 3.13 old String",
            ]
        let added = [
            "table 9 u", "partition 9 toStartOfDay(time)", "order 9 name, time", "column 9.1 time DateTime64(9)",
            "column 9.2 name String", "column 9.3 steps Nested", "column 9.4 steps.size Int64",
        ]
        #expect(lines == table + ["retired table 8 gone"] + added)
        #expect(try TableCatalog.lock(for: files, extending: Array(text.utf8)) == text)
    }

    @Test func `a retired column's number is not given again`() throws {
        let lock = Self.lock.replacing("column 3.2 name String", with: "retired column 3.2 name String")
        let text = try TableCatalog.lock(for: [("x.sql", Array(Self.sql.utf8))], extending: Array(lock.utf8))
        #expect(text.contains("\nretired column 3.2 name String\n"))
        #expect(text.contains("\ncolumn 3.10 name String\n"))
    }
}

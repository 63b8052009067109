import Randomness
import Testing

@testable import TableSchema

struct SchemaErrorTests {
    /// A schema with one mistake; the caret stands under where the error must be.
    struct Mistake: Sendable, CustomTestStringConvertible {
        var text: String
        var line: Int
        var column: Int
        var message: String

        var testDescription: String { message }
    }

    /// A table that is right but for `column` on its third line, or for the clauses behind it.
    static func table(
        _ column: String = "body String", partition: String = "toStartOfDay(time)", order: String = "time",
        ttl: String = "time + INTERVAL 1 DAY"
    ) -> String {
        """
        CREATE TABLE t (
            time DateTime64(9),
            \(column)
        ) PARTITION BY \(partition)
          ORDER BY (\(order))
          TTL \(ttl);
        """
    }

    static func view(
        _ select: String = "toStartOfHour(time) AS hour, count() AS n", from: String = "t",
        where condition: String = "",
        group: String = "hour", order: String = "hour", partition: String = "toStartOfMonth(hour)"
    ) -> String {
        table("id FixedString(16), kind UInt8, name LowCardinality(String), value Float64, tags Array(Int64)") + "\n"
            + "CREATE MATERIALIZED VIEW v PARTITION BY \(partition) ORDER BY (\(order))\n"
            + "AS SELECT \(select)\nFROM \(from)\(condition)\nGROUP BY \(group);"
    }

    static let tables: [Mistake] = [
        .init(text: "DROP TABLE t;", line: 1, column: 1, message: "expected CREATE before 'DROP'"),
        .init(text: "CREATE VIEW v;", line: 1, column: 8, message: "expected TABLE before 'VIEW'"),
        .init(text: "CREATE TABLE t", line: 1, column: 15, message: "expected '(' before the end of the file"),
        .init(text: "CREATE TABLE t (é)", line: 1, column: 17, message: "unexpected character"),
        .init(text: "\n\nCREATE TABLE 'x", line: 3, column: 14, message: "the text has no closing quote on its line"),
        .init(text: table("body Strin"), line: 3, column: 10, message: "unknown type 'Strin'"),
        .init(text: table("body"), line: 4, column: 1, message: "expected a type before ')'"),
        .init(text: table("a DateTime64(3)"), line: 3, column: 18, message: "DateTime64 has a precision of 9"),
        .init(text: table("a FixedString(9)"), line: 3, column: 19, message: "a FixedString is an id of 8 or 16 bytes"),
        .init(
            text: table("a LowCardinality(Int64)"), line: 3, column: 22, message: "expected String before 'Int64'"),
        .init(text: table("a Array(String)"), line: 3, column: 13, message: "an array holds Int64, UInt64 or Float64"),
        .init(
            text: table("a Map(String, Dynamic)"), line: 3, column: 11,
            message: "expected LowCardinality(String) before 'String'"),
        .init(
            text: table("a Map(LowCardinality(String), String)"), line: 3, column: 35,
            message: "a map's values have the type Dynamic"),
        .init(
            text: table("a Nested(b Nested(c Int64))"), line: 3, column: 14,
            message: "a nested column cannot hold another"),
        .init(
            text: table("a Nested(b AggregateFunction(exponentialHistogram, Int64))"), line: 3, column: 14,
            message: "a nested column cannot hold a state"),
        .init(
            text: table("a AggregateFunction(median, Int64)"), line: 3, column: 25,
            message: "no aggregate function 'median' that keeps a state"),
        .init(
            text: table("a AggregateFunction(exponentialHistogram, String)"), line: 3, column: 47,
            message: "exponentialHistogram takes no String"),
        .init(text: table("time Int64"), line: 3, column: 5, message: "there is a column 'time' already"),
        .init(text: table("a Nested(b Int8, b Int8)"), line: 3, column: 22, message: "there is a column 'b' already"),
        .init(text: table("a Int64 CODEC(Gorilla)"), line: 3, column: 19, message: "unknown codec 'Gorilla'"),
        .init(
            text: table("a Int64 CODEC(ZSTD(23))"), line: 3, column: 24,
            message: "expected a level of ZSTD from 1 to 19"),
        .init(text: table("INDEX i b TYPE minmax"), line: 3, column: 13, message: "'t' has no column 'b'"),
        .init(
            text: table("INDEX i time TYPE tokenbf(0.1)"), line: 3, column: 13,
            message: "this kind of index takes no DateTime64(9)"),
        .init(text: table("INDEX i time TYPE fancy"), line: 3, column: 23, message: "unknown kind of index 'fancy'"),
        .init(
            text: table("INDEX i time TYPE bloom_filter(2)"), line: 3, column: 36,
            message: "expected a rate of false positives from 0.000001 to 0.5"),
        .init(
            text: table("INDEX i time TYPE minmax GRANULARITY 4"), line: 3, column: 42,
            message: "an index has GRANULARITY 1: it tells blocks apart"),
        .init(
            text: table("INDEX i time TYPE minmax, INDEX i time TYPE minmax"), line: 3, column: 37,
            message: "there is an index 'i' already"),
        .init(
            text: table(partition: "toStartOfYear(time)"), line: 4, column: 16,
            message:
                "expected toStartOfHour, toStartOfDay, toStartOfWeek or toStartOfMonth before 'toStartOfYear'"),
        .init(
            text: table(partition: "toStartOfDay(body)"), line: 4, column: 29,
            message: "the column 'body' is String, not DateTime64(9)"),
        .init(text: table(order: ""), line: 5, column: 13, message: "expected a column before ')'"),
        .init(text: table(order: "tim"), line: 5, column: 13, message: "'t' has no column 'tim'"),
        .init(
            text: table(order: "toStartOfHour(time)"), line: 5, column: 13,
            message: "expected toStartOfMinute before 'toStartOfHour'"),
        .init(
            text: table("a Array(Int64)", order: "a"), line: 5, column: 13,
            message: "rows cannot be put in order by Array(Int64)"),
        .init(
            text: table(ttl: "time + INTERVAL 0 DAY"), line: 6, column: 23,
            message: "expected a number of units from 1 to 100000"),
        .init(
            text: table(ttl: "time + INTERVAL 1 EON"), line: 6, column: 25,
            message: "expected HOUR, DAY, WEEK, MONTH or YEAR before 'EON'"),
        .init(
            text: table(ttl: "time + INTERVAL 293 YEAR"), line: 6, column: 23,
            message: "an interval may have 292 years at most"),
        .init(text: table() + "\n" + table(), line: 7, column: 14, message: "there is a table 't' already"),
        .init(
            text: table("a Int64 CODEC(ZSTD(99999999999999999999))"), line: 3, column: 24,
            message: "not a number, or too large a one"),
        .init(
            text: table("a " + String(repeating: "Array(", count: 40)), line: 3, column: 103,
            message: "nested more than 16 deep"),
        .init(
            text: table(String(repeating: "a", count: 200) + " Int64"), line: 3, column: 5,
            message: "a name may have 128 characters at most"),
    ]

    static let views: [Mistake] = [
        .init(text: view(from: "u"), line: 9, column: 6, message: "there is no table 'u'"),
        .init(text: view("hours"), line: 8, column: 11, message: "'t' has no column 'hours'"),
        .init(
            text: view("toStartOfHour(time), count() AS n"), line: 8, column: 30,
            message: "expected AS and a name for the expression before ','"),
        .init(
            text: view("toStartOfHour(kind) AS hour"), line: 8, column: 25, message: "toStartOfHour takes no UInt8"),
        .init(
            text: view("tags", group: "tags"), line: 8, column: 11,
            message: "a view cannot use a column of type Array(Int64)"),
        .init(
            text: view("toStartOfHour(time) AS hour, median(value) AS m"), line: 8, column: 40,
            message: "there is no aggregate function median(Float64)"),
        .init(
            text: view("toStartOfHour(time) AS hour, sum(name) AS m"), line: 8, column: 40,
            message: "there is no aggregate function sum(LowCardinality(String))"),
        .init(
            text: view("toStartOfHour(time) AS hour, count() AS n", group: "hour, x"), line: 10, column: 16,
            message: "the view selects no 'x'"),
        .init(
            text: view("toStartOfHour(time) AS hour, count() AS n", group: "hour, n"), line: 10, column: 16,
            message: "'n' is an aggregate, and rows cannot be grouped by it"),
        .init(
            text: view("toStartOfHour(time) AS hour, name"), line: 8, column: 40,
            message: "'name' must be in GROUP BY or an aggregate"),
        .init(
            text: view("toStartOfHour(time) AS hour, name", group: "hour, name"), line: 7, column: 62,
            message: "a view's ORDER BY must name each column of its GROUP BY once"),
        .init(
            text: view("toStartOfHour(time) AS hour, min(time) AS first", partition: "toStartOfMonth(first)"), line: 7,
            column: 56, message: "a view's PARTITION BY must use a column of its GROUP BY"),
        .init(
            text: view("toStartOfHour(time) AS hour, argMin(value, time) AS first"), line: 8, column: 40,
            message:
                "argMin can only be merged if the view also selects min of the second argument, under the same condition"
        ),
        .init(
            text: view("toStartOfHour(time) AS hour, min(time) AS a, argMinIf(value, time, kind = 1) AS b"), line: 8,
            column: 56,
            message:
                "argMin can only be merged if the view also selects min of the second argument, under the same condition"
        ),
        .init(
            text: view(
                "toStartOfHour(time) AS hour, min(time) AS a, max(time) AS b, argMin(value, time) AS c, "
                    + "counterIncrease(value, time) AS d"), line: 8, column: 98,
            message:
                "counterIncrease can only be merged if the view also selects argMax of the same arguments, under the same condition"
        ),
        .init(text: view(where: " WHERE kind"), line: 9, column: 14, message: "expected a condition"),
        .init(
            text: view(where: " WHERE name = 3"), line: 9, column: 21,
            message: "a number cannot be compared with LowCardinality(String)"),
        .init(text: view(where: " WHERE kind = -1"), line: 9, column: 21, message: "UInt8 is never negative"),
        .init(
            text: view(where: " WHERE name < 'x'"), line: 9, column: 14,
            message: "texts and ids can be compared with = and != only"),
        .init(
            text: view(where: " WHERE id = 'seventeen letters'"), line: 9, column: 19,
            message: "the text is longer than 16 bytes"),
        .init(
            text: view(where: " WHERE kind = name"), line: 9, column: 14,
            message: "UInt8 and LowCardinality(String) cannot be compared"),
        .init(
            text: view(where: " INNER JOIN u AS b ON t.id = b.id"), line: 9, column: 19,
            message: "a row can be joined to rows of 't' only"),
        .init(
            text: view(where: " INNER JOIN t AS t ON t.id = t.id"), line: 9, column: 24,
            message: "both sides of the join are called 't'"),
        .init(
            text: view(where: " INNER JOIN t AS b ON t.id = b.id"), line: 8, column: 25,
            message: "'time' must say whose: 't.time'"),
        .init(
            text: view("toStartOfHour(t.time) AS hour", where: " INNER JOIN t AS b ON t.id != b.id"), line: 9,
            column: 29,
            message: "a join compares columns of the two rows with = and AND"),
        .init(
            text: view(where: " WHERE " + String(repeating: "(", count: 40)), line: 9, column: 30,
            message: "nested more than 16 deep"),
        .init(
            text: view(where: " WHERE kind = 1" + String(repeating: " AND kind = 1", count: 64)), line: 9, column: 846,
            message: "a condition may have 64 parts at most"),
    ]

    @Test(arguments: tables + views)
    func `an error says what is wrong, and where`(mistake: Mistake) {
        let error = #expect(throws: SchemaError.self) {
            try TableCatalog.lock(for: [("x.sql", Array(mistake.text.utf8))], extending: [])
        }
        #expect(error?.message == mistake.message)
        #expect(error?.line == mistake.line)
        #expect(error?.column == mistake.column)
    }

    @Test func `the caret stands under the mistake, behind tabs too`() {
        let error = #expect(throws: SchemaError.self) {
            try TableCatalog.lock(for: [("x.sql", Array("CREATE TABLE t (\n\tbody\tStrin\n);".utf8))], extending: [])
        }
        #expect(error?.description == "x.sql:2:7: unknown type 'Strin'\n\tbody\tStrin\n\t    \t^")
    }

    @Test func `the tables and views of these tests are right without their mistakes`() throws {
        for text in [Self.table(), Self.view()] {
            _ = try TableCatalog.lock(for: [("x.sql", Array(text.utf8))], extending: [])
        }
    }

    @Test func `a file of any bytes is read or refused`() {
        let text = Array(Self.view(where: " WHERE NOT (kind = 1 OR id != '')").utf8)
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededRandom(seed: seed)
        for _ in 0..<2_000 {
            var bytes = text
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                let source = Int.random(in: 0..<text.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.remove(at: place)
                default: bytes.insert(contentsOf: text.suffix(from: source).prefix(12), at: place)
                }
            }
            do throws(SchemaError) {
                _ = try TableCatalog.lock(for: [("x.sql", bytes)], extending: [])
            } catch {
                #expect(error.line >= 1 && error.column >= 1, "seed \(seed)")
                #expect(error.description.hasSuffix("^"), "seed \(seed)")
            }
        }
    }
}

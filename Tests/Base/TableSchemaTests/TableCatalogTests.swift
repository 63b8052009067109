import Schema
import Testing

@testable import TableSchema

struct TableCatalogTests {
    static let table = """
        -- Everything that a table can have.
        CREATE TABLE events (
            time     DateTime64(9) CODEC(Delta, ZSTD(3)),
            a        UInt8, b UInt16, c UInt32, d UInt64, e Int8, f Int16, g Int32, h Int64, i Bool,
            ratio    Float64,
            body     String CODEC(LZ4), -- any bytes
            service  LowCardinality(String),
            id       FixedString(16),
            parent   FixedString(8),
            counts   Array(UInt64),
            tags     Map(LowCardinality(String), Dynamic),
            sizes    AggregateFunction(exponentialHistogram, Int64),
            steps Nested(
                name  LowCardinality(String),
                tags  Map(LowCardinality(String), Dynamic)
            ),
            INDEX by_id   id   TYPE bloom_filter(0.001),
            INDEX by_word body TYPE tokenbf(0.01) GRANULARITY 1,
            INDEX by_tag  tags TYPE token_postings,
            INDEX by_size h    TYPE minmax
        ) PARTITION BY toStartOfWeek(time)
          ORDER BY (service, toStartOfMinute(time), id)
          TTL time + INTERVAL 2 WEEK;
        """

    static let view = """
        CREATE MATERIALIZED VIEW events_1h
            PARTITION BY toStartOfMonth(bucket) ORDER BY (service, kind, bucket) TTL bucket + INTERVAL 1 YEAR
        AS SELECT
            toStartOfHour(child.time) AS bucket, child.service AS service, parent.a AS kind,
            count() AS calls,
            countIf(child.a = 2 AND NOT child.id = '') AS errors,
            sum(child.h) AS total, sum(child.c) AS unsigned, max(child.time + child.h) AS end,
            min(child.time) AS first_time, max(child.time) AS last_time,
            argMin(child.ratio, child.time) AS first, argMax(child.ratio, child.time) AS last,
            counterIncrease(child.ratio, child.time) AS increase, counterResets(child.ratio, child.time) AS resets,
            exponentialHistogram(child.h) AS sizes, groupUniqArray(child.service) AS services
        FROM events AS child
        INNER JOIN events AS parent ON child.id = parent.id AND parent.h = child.h
        WHERE bitAnd(child.c, 1) != 0 OR child.service != parent.service
        GROUP BY bucket, service, kind;
        """

    static func catalog(_ text: String) throws -> TableCatalog {
        let files = [(name: "x.sql", bytes: Array(text.utf8))]
        let lock = try TableCatalog.lock(for: files, extending: [])
        return try TableCatalog.parse(files: files, lock: Array(lock.utf8))
    }

    private func id(_ name: String, _ table: TableDefinition) throws -> ColumnID { try #require(table.column(name)).id }

    @Test func `a table has what its statement says`() throws {
        let table = try #require(try Self.catalog(Self.table).table(named: "events"))
        let types: [ColumnType] =
            [
                .integer(.dateTime64), .integer(.uint8), .integer(.uint16), .integer(.uint32), .integer(.uint64),
                .integer(.int8), .integer(.int16), .integer(.int32), .integer(.int64), .integer(.bool), .float, .string,
                .lowCardinality, .fixed(width: 16), .fixed(width: 8), .array(of: .integer(.uint64)), .attributes,
                .aggregateState(function: "exponentialHistogram"),
            ]
        #expect(table.columns.dropLast().map(\.type) == types)
        #expect(table.columns[0].codecs == ["Delta", "ZSTD(3)"])
        guard case .nested(let fields) = table.columns[18].type else { throw TestFailure() }
        #expect(fields.map(\.name) == ["name", "tags"])
        #expect(fields.map(\.type) == [.lowCardinality, .attributes])
        #expect(table.columns.map(\.id.number) == Array(1...19))
        #expect(fields.map(\.id.number) == [20, 21])
        #expect(table.partitionUnit == .week)
        #expect(table.partitionColumn == table.columns[0].id)
        #expect(
            table.order == [
                .column(try id("service", table)), .startOfMinute(try id("time", table)), .column(try id("id", table)),
            ])
        #expect(table.timeToLive == Int64(14 * 86_400_000_000_000))
        #expect(
            table.indexes.map(\.kind) == [
                .bloomFilter(falsePositives: 0.001), .tokenBloom(falsePositives: 0.01), .tokenPostings, .minMax,
            ])
        #expect(table.indexes.map(\.column.number) == [14, 12, 17, 9])
    }

    @Test func `a view has what its statement says`() throws {
        let catalog = try Self.catalog(Self.table + "\n" + Self.view)
        let source = try #require(catalog.table(named: "events"))
        let rollup = try #require(catalog.rollups.first)
        let target = rollup.target
        #expect(catalog.table(named: "events_1h") == target)
        #expect(catalog.rollups(of: source.id) == [rollup])
        #expect(rollup.source == source.id)
        let expected: [(String, ColumnType)] = [
            ("bucket", .integer(.dateTime64)), ("service", .lowCardinality), ("kind", .integer(.uint8)),
            ("calls", .integer(.uint64)), ("errors", .integer(.uint64)), ("total", .integer(.int64)),
            ("unsigned", .integer(.uint64)), ("end", .integer(.dateTime64)), ("first_time", .integer(.dateTime64)),
            ("last_time", .integer(.dateTime64)), ("first", .float), ("last", .float), ("increase", .float),
            ("resets", .integer(.uint64)), ("sizes", .aggregateState(function: "exponentialHistogram")),
            ("services", .aggregateState(function: "groupUniqArray")),
        ]
        #expect(target.columns.map(\.name) == expected.map(\.0))
        #expect(target.columns.map(\.type) == expected.map(\.1))

        let time = RollupColumn.source(try id("time", source))
        let size = RollupColumn.source(try id("h", source))
        let ratio = RollupExpression.column(.source(try id("ratio", source)))
        let service = try id("service", source)
        #expect(
            rollup.keys.map(\.expression) == [
                .bucket(time, width: 3_600_000_000_000), .column(.source(service)),
                .column(.joined(try id("a", source))),
            ])
        let segment = CounterSegment(
            firstTime: try id("first_time", target), first: try id("first", target),
            lastTime: try id("last_time", target), last: try id("last", target))
        #expect(
            rollup.aggregates.map(\.function) == [
                .count, .count, .sum(.column(size)), .sum(.column(.source(try id("c", source)))),
                .max(.sum(time, size)),
                .min(.column(time)), .max(.column(time)),
                .argMin(ratio, by: .column(time), key: segment.firstTime),
                .argMax(ratio, by: .column(time), key: segment.lastTime),
                .counterIncrease(ratio, by: .column(time), segment: segment),
                .counterResets(ratio, by: .column(time), segment: segment),
                .exponentialHistogram(.column(size)), .groupUniqArray(.column(.source(service))),
            ])
        #expect(
            rollup.aggregates[1].condition
                == .and(
                    .integer(.source(try id("a", source)), mask: nil, .equal, 2),
                    .not(.bytes(.source(try id("id", source)), .equal, Array(repeating: 0, count: 16)))))
        #expect(
            rollup.condition
                == .or(
                    .integer(.source(try id("c", source)), mask: 1, .notEqual, 0),
                    .columns(.source(service), .notEqual, .joined(service))))
        #expect(
            rollup.join?.pairs == [
                .init(source: try id("id", source), joined: try id("id", source)),
                .init(source: try id("h", source), joined: try id("h", source)),
            ])
    }

    @Test func `a view may stand in a file before its table's`() throws {
        let files = [Self.view, Self.table].map { (name: "x.sql", bytes: Array($0.utf8)) }
        let lock = try TableCatalog.lock(for: files, extending: [])
        #expect(try TableCatalog.parse(files: files, lock: Array(lock.utf8)).rollups.count == 1)
    }

    @Test(arguments: [
        ("UInt8,", "UInt16,"), ("ZSTD(3)", "ZSTD(4)"), ("bloom_filter(0.001)", "bloom_filter(0.002)"),
        ("toStartOfWeek", "toStartOfDay"), ("INTERVAL 2 WEEK", "INTERVAL 3 WEEK"), ("service, to", "body, to"),
        ("            parent", "            parent_id"), ("name  Low", "title Low"),
        ("TYPE token_postings", "TYPE tokenbf(0.1)"),
    ])
    func `the fingerprint depends on every part of a definition`(change: (String, String)) throws {
        let before = try #require(try Self.catalog(Self.table).tables.first)
        let changed = Self.table.replacing(
            change.0.trimmingPrefix("            "), with: change.1.trimmingPrefix("            "))
        #expect(changed != Self.table)
        let after = try #require(try Self.catalog(changed).tables.first)
        #expect(before.fingerprint != after.fingerprint)
    }

    /// Ids and kinds of aggregates of the real rollups, by hand from what docs/SCHEMA.md says of them.
    @Test(arguments: [
        ("otel_metrics_5m", "otel_metrics", 6, 10, Int64(90)), ("otel_metrics_1h", "otel_metrics", 6, 10, 365),
        ("otel_logs_errors_1h", "otel_logs", 4, 3, 365), ("otel_trace_index", "otel_traces", 2, 8, 30),
        ("otel_span_stats_1h", "otel_traces", 4, 6, 365), ("otel_service_dependencies_1h", "otel_traces", 3, 3, 365),
        ("otel_logs_counts_1h", "otel_logs", 5, 1, 30),
    ])
    func `each rollup aggregates its source`(
        name: String, source: String, keys: Int, aggregates: Int, days: Int64
    ) throws {
        let catalog = try TableCatalog.parse(files: Schema.files, lock: Schema.lock)
        let table = try #require(catalog.table(named: source))
        let rollup = try #require(catalog.rollups(of: table.id).first { $0.target.name == name })
        #expect(rollup.keys.count == keys)
        #expect(rollup.aggregates.count == aggregates)
        #expect(rollup.target.timeToLive == Optional(days * 86_400_000_000_000))
        #expect((rollup.join != nil) == (name == "otel_service_dependencies_1h"))
    }

    @Test func `comments and blanks leave the fingerprint as it is`() throws {
        let plain = Self.table.split(separator: "\n").map {
            $0.split(separator: "--", omittingEmptySubsequences: false)[0]
        }
        .joined(separator: " ")
        #expect(try Self.catalog(plain) == Self.catalog(Self.table))
    }

    @Test func `Schema/ parses, and its LOCK is complete`() throws {
        let catalog = try TableCatalog.parse(files: Schema.files, lock: Schema.lock)
        let names = [
            "otel_metrics", "otel_logs", "otel_traces", "otel_metrics_5m", "otel_metrics_1h", "otel_logs_errors_1h",
            "otel_trace_index", "otel_span_stats_1h", "otel_service_dependencies_1h", "otel_logs_counts_1h",
        ]
        #expect(catalog.tables.map(\.name) == names)
        #expect(Set(catalog.rollups.map(\.target.name)) == Set(names.dropFirst(3)))
        let lock = try TableCatalog.lock(for: Schema.files, extending: Schema.lock)
        #expect(lock == String(decoding: Schema.lock, as: UTF8.self))
        #expect(Set(catalog.tables.map(\.fingerprint)).count == catalog.tables.count)
    }
}

struct TestFailure: Error {}

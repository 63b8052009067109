import Core
import Foundation
import Observability
import QueryModel
import Readers
import Scheduling
import Testing
import TraceFixtures

/// Pages that are read after the scan, when a row is known to be wanted: if one is damaged, its block is left out with a warning.
struct DamagedBlockTests {
    /// Flips a bit at places over the file of the only part, one at a time.
    private func forEachDamage(in directory: String, _ body: (_ at: Int) throws -> Void) throws {
        let names = FileManager.default.subpaths(atPath: directory) ?? []
        let path = directory + "/" + (try #require(names.first { $0.hasSuffix(".vp") }))
        let file = try #require(FileHandle(forUpdatingAtPath: path))
        let size = try Int(file.seekToEnd())
        for at in stride(from: 16, to: size, by: max(1, size / 150)) {
            try file.seek(toOffset: UInt64(at))
            let byte = try #require(try file.read(upToCount: 1)).first ?? 0
            try file.seek(toOffset: UInt64(at))
            try file.write(contentsOf: [byte ^ 4])
            try body(at)
            try file.seek(toOffset: UInt64(at))
            try file.write(contentsOf: [byte])
        }
    }

    @Test func `counts of spans lack the spans of damaged blocks`() throws {
        var random = RandomTraces(seed: 3)
        let sent = random.spans(traces: 60)
        let storage = try TraceStorage(sent, .parts, requests: 1)
        let times = sent.map(\.start.nanoseconds)
        let first = try #require(times.min())
        let range = TimeRange(
            start: Timestamp(nanoseconds: first), end: Timestamp(nanoseconds: try #require(times.max()) + 1))
        func ask() throws -> (calls: Int, errors: Int, warnings: [String]) {
            let context = QueryContext(tenant: .default)
            let counts = try storage.reader.spanStatistics(
                SpanStatisticsQuery(range: range, step: 1_000_000), context: context
            ).rows.map(\.measures)
            #expect(context.heldBytes == 0)
            return (
                counts.reduce(0) { $0 + $1.calls }, counts.reduce(0) { $0 + $1.errors }, context.statistics.warnings
            )
        }
        let whole = try ask()
        #expect(whole.calls == sent.count && whole.warnings.isEmpty)
        var lost = 0
        try forEachDamage(in: storage.directory) { at in
            let some = try ask()
            #expect((some.calls < whole.calls) == !some.warnings.isEmpty, "byte \(at)")
            #expect(some.calls < whole.calls || some.errors == whole.errors, "byte \(at)")
            lost += some.calls < whole.calls ? 1 : 0
        }
        #expect(lost > 0)
    }

    @Test func `a list of operations that lacks damaged blocks is not kept`() throws {
        var random = RandomTraces(seed: 4)
        let sent = random.spans(traces: 60)
        let storage = try TraceStorage(sent, .parts, requests: 1)
        let service = try #require(sent.compactMap(\.resource.serviceName).first { !$0.isEmpty })
        func ask(_ reader: TraceReader) throws -> (names: [String], warnings: [String]) {
            let context = QueryContext(tenant: .default)
            let operations = try reader.operations(of: service, context: context)
            return (operations.map { "\($0.name) \($0.kind)" }, context.statistics.warnings)
        }
        let whole = Set(sent.filter { $0.resource.serviceName == service }.map { "\($0.name) \($0.kind)" })
        var lost = 0
        var reader = TraceReader(table: storage.table, spans: storage.spans)
        try forEachDamage(in: storage.directory) { at in
            // What the last reader did not keep is there again once the disk is.
            if lost > 0 { #expect(try Set(ask(reader).names).isSubset(of: whole)) }
            reader = TraceReader(table: storage.table, spans: storage.spans)
            let some = try (ask(reader), ask(reader))
            #expect(some.0 == some.1, "byte \(at)")
            #expect((Set(some.0.names) == whole) == some.0.warnings.isEmpty, "byte \(at)")
            lost += some.0.warnings.isEmpty ? 0 : 1
        }
        #expect(lost > 0)
        #expect(try Set(ask(reader).names) == whole)
    }

    @Test(arguments: [ScanOrder.any, .newestFirst, .oldestFirst])
    func `entries of damaged blocks are left out, whichever column is damaged`(order: ScanOrder) throws {
        let store = try LogTestStore()
        let trace = TraceID(high: 5, low: 6)
        let records = (0..<300).map { number in
            var record = SentLog(
                resource: [Attribute(key: "service.name", value: .string("shop"))], scopeName: "s\(number % 3)",
                time: 1_700_000_000_000_000_000 + Int64(number * 7919 % 300), severityText: "info",
                body: .string("line \(number) \(number &* 2_654_435_761 % 1_000_003)"))
            record.attributes = [Attribute(key: "user", value: .string("u\(number * 31 % 97)"))]
            if number % 3 == 0 { record.traceID = trace }
            return record
        }
        try store.ingest(records)
        try store.flush()
        let request = try LogScanRequest(
            selector: [LabelMatcher("service_name", .equal, "shop")], range: .everything, order: order)
        let traced = try LogScanRequest(
            selector: [], labels: [LabelMatcher("trace_id", .equal, trace.hex)], range: .everything, order: order)
        func ask(_ request: LogScanRequest) throws -> (count: Int, warnings: [String]) {
            let context = QueryContext(tenant: .default)
            var count = 0
            try store.reader.scan(request, context: context) { (entries: [LogEntry]) throws(QueryError) -> Bool in
                count += entries.count
                return true
            }
            #expect(context.heldBytes == 0)
            return (count, context.statistics.warnings)
        }
        #expect(try ask(request).count == 300 && ask(traced).count == 100)
        var lost = 0
        try forEachDamage(in: store.directory) { at in
            for (request, all) in [(request, 300), (traced, 100)] {
                let (count, warnings) = try ask(request)
                #expect(count == 0 || count == all, "byte \(at)")
                #expect((count == 0) == !warnings.isEmpty, "byte \(at): \(warnings)")
                lost += count == 0 ? 1 : 0
            }
        }
        #expect(lost > 10)
    }

    @Test func `sums leave out the rows of damaged blocks, and hold nothing afterwards`() throws {
        let store = try LogTestStore()
        let records = (0..<300).map { number in
            var record = SentLog(
                resource: [Attribute(key: "service.name", value: .string("shop"))],
                time: 1_700_000_000_000_000_000 + Int64(number), severityText: number % 2 == 0 ? "info" : "",
                body: .string("line \(number) \(number &* 2_654_435_761 % 1_000_003)"))
            record.attributes = [Attribute(key: "user", value: .string("u\(number * 31 % 97)"))]
            return record
        }
        try store.ingest(records)
        try store.flush()
        func count() throws -> (rows: Int, warnings: [String]) {
            let context = QueryContext(tenant: .default)
            let request = LogScanRequest(selector: [], range: .everything, order: .any)
            let rows = try store.rows(
                request, LogRowNeeds(labels: ["user", "detected_level"], lines: true), context: context
            ).rows.count
            #expect(context.heldBytes == 0)
            return (rows, context.statistics.warnings)
        }
        #expect(try count().rows == 300)
        var lost = 0
        try forEachDamage(in: store.directory) { at in
            let (rows, warnings) = try count()
            #expect(rows == 0 || rows == 300, "byte \(at)")
            #expect((rows == 0) == !warnings.isEmpty, "byte \(at): \(warnings)")
            lost += rows == 0 ? 1 : 0
        }
        #expect(lost > 10)
    }
}

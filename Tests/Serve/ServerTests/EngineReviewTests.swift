import Columns
import Core
import Files
import Ingest
import OTLP
import Observability
import QueryModel
import Readers
import Scheduling
import Server
import Storage
import TableSchema
import Telemetry
import Testing

/// The engine against requests that are hostile, or large and legal.
struct EngineReviewTests {
    private let directory = "/tmp/varve-engine-review-\(UInt64.random(in: 0 ... .max))"

    private func engine() throws -> Engine {
        var configuration = EngineConfiguration(dataDirectory: directory)
        configuration.durability = .memory
        return try Engine(configuration, fileSystem: PosixFileSystem(), report: .silent)
    }

    private func ingest(
        _ body: [UInt8], _ signal: LoggedRequest.Signal = .logs, tenant: TenantID = .default, into engine: Engine
    ) throws -> (accepted: Int, rejected: Int) {
        let request = LoggedRequest(
            signal: signal, format: .protobuf, coding: .identity, tenant: tenant, received: 1, body: body)
        let outcome = try engine.ingest(request, protobuf: body)
        return (outcome.accepted, outcome.rejected)
    }

    private func field(_ number: UInt64, _ bytes: [UInt8]) -> [UInt8] {
        var writer = ProtobufWriter()
        writer.field(number, bytes: bytes)
        return writer.bytes
    }

    /// A request with one resource and one scope.
    private func request(resource: [UInt8] = [], _ items: [[UInt8]]) -> [UInt8] {
        field(1, field(1, resource) + field(2, items.flatMap { field(2, $0) }))
    }

    private func attribute(_ key: String, _ value: [UInt8]) -> [UInt8] {
        field(1, Array(key.utf8)) + field(2, field(1, value))
    }

    @Test func `records whose bodies together exceed what one page may hold can be read back`() throws {
        let engine = try engine()
        defer { engine.close() }
        // 1200 bodies of 64 KiB: 75 MiB in what would be one block.
        var random = SystemRandomNumberGenerator()
        for _ in 0..<12 {
            let items = (0..<100).map { _ -> [UInt8] in
                let word = random.next()
                return field(5, field(1, Array(String(word, radix: 16).utf8) + [UInt8](repeating: 0x20, count: 65_536)))
            }
            #expect(try ingest(request(items), into: engine).accepted == 100)
        }
        try engine.flush()
        let snapshot = engine.logs.snapshot(.default, in: .everything)
        #expect(snapshot.memory.isEmpty)
        var rows = 0
        var blocks = 0
        let columns = Array(engine.logTable.definition.columns.indices)
        var scan = Scan(
            snapshot, ScanRequest(range: .everything, columns: columns), context: QueryContext(tenant: .default))
        try scan.run { (block: ScanBlock) throws(ScanError) in
            rows += block.rows.count
            blocks += 1
            for row in block.rows { #expect(block.batch[engine.logTable.body].bytes(Int(row)).count > 65_536) }
            return true
        }
        #expect(rows == 1200)
        #expect(blocks >= 3)
    }

    @Test func `strings of refused requests do not stay in memory`() throws {
        let engine = try engine()
        defer { engine.close() }
        for number in 0..<8 {
            let name = Array("\(number)".utf8) + [UInt8](repeating: 0x61, count: 900_000)
            let items = (0..<4).map { field(3, Array("\($0)".utf8) + name) }
            // A scope whose last field ends beyond it.
            let body = field(1, field(2, items.flatMap { field(2, $0) } + [0x12, 0x7F]))
            #expect(throws: ProtobufError.self) { try ingest(body, into: engine) }
        }
        #expect(engine.memtableBytes == 0)
    }

    @Test func `tenants of which nothing is stored take no memory`() throws {
        let engine = try engine()
        defer { engine.close() }
        for number in 0..<100 {
            let tenant = try #require(TenantID("tenant-\(number)"))
            #expect(try ingest([], tenant: tenant, into: engine).accepted == 0)
            #expect(throws: ProtobufError.self) { try ingest([0xFF], tenant: tenant, into: engine) }
        }
        #expect(engine.memtableBytes == 0)
    }

    @Test func `a span with too many events is refused alone (O-5)`() throws {
        let engine = try engine()
        defer { engine.close() }
        let ids = field(1, [UInt8](repeating: 1, count: 16)) + field(2, [UInt8](repeating: 2, count: 8))
        let fits = ids + [[UInt8]](repeating: field(11, []), count: RequestLimits.children).flatMap { $0 }
        let outcome = try ingest(request([fits, fits + field(11, []), ids]), .traces, into: engine)
        #expect(outcome == (accepted: 2, rejected: 1))
        try engine.flush()
        let context = QueryContext(tenant: .default)
        var events: [Int] = []
        var scan = Scan(
            engine.spans.snapshot(.default, in: .everything),
            ScanRequest(range: .everything, columns: [engine.spanTable.events.ordinal]), context: context)
        try scan.run { (block: ScanBlock) throws(ScanError) in
            for row in block.rows { events.append(block.batch[engine.spanTable.events].range(Int(row)).count) }
            return true
        }
        #expect(events.sorted() == [0, RequestLimits.children])
    }

    @Test func `identities and sets of attributes that are too large are refused`() throws {
        let engine = try engine()
        defer { engine.close() }
        let long = [UInt8](repeating: 0x61, count: RequestLimits.identityBytes)
        #expect(throws: ProtobufError.tooLarge) {
            try ingest(request(resource: field(1, attribute("k", long)), [[]]), into: engine)
        }
        #expect(throws: ProtobufError.tooLarge) {
            let point = field(1, field(7, attribute("k", [])))
            _ = try ingest(request([field(1, [0x6D]) + field(2, long) + field(5, point)]), .metrics, into: engine)
        }
        let many = (0...RequestLimits.attributes).flatMap { field(6, attribute("k\($0)", [])) }
        #expect(throws: ProtobufError.tooLarge) { try ingest(request([many]), into: engine) }
    }

    @Test func `an engine whose log cannot be read lets go of the directory`() throws {
        try engine().close()
        let disk = PosixFileSystem()
        let segment = try #require(try disk.list(directory + "/wal").first).name
        var header = try disk.contents(of: directory + "/wal/" + segment, limit: 1 << 20)
        header[8] = 9
        let hash = XXH3.hash(Array(header[..<24]))
        for i in 0..<8 { header[24 + i] = UInt8(truncatingIfNeeded: hash >> (8 * UInt64(i))) }
        try disk.remove(directory + "/wal/" + segment)
        try disk.open(directory + "/wal/" + segment, .create).append(header)
        #expect(throws: EngineError.self) { try engine() }
        try disk.remove(directory + "/wal/" + segment)
        try engine().close()
    }
}

extension EngineReviewTests {
    /// A request of spans, each a service, a name and a kind.
    private func spans(_ operations: [(service: String, name: String, kind: UInt64)]) -> [UInt8] {
        operations.enumerated().flatMap { number, operation -> [UInt8] in
            var span = ProtobufWriter()
            span.field(1, bytes: [UInt8](repeating: UInt8(number + 1), count: 16))
            span.field(2, bytes: [UInt8](repeating: 1, count: 8))
            span.field(5, bytes: Array(operation.name.utf8))
            span.field(6, varint: operation.kind)
            span.field(7, fixed64: 1)
            return request(
                resource: field(1, attribute("service.name", Array(operation.service.utf8))), [span.bytes])
        }
    }

    @Test func `operations are those of memory and of parts, whatever their kinds, and of their service alone`() throws
    {
        let engine = try engine()
        defer { engine.close() }
        let reader = TraceReader(table: engine.spanTable, spans: engine.spans)
        let context = QueryContext(tenant: .default)
        func operations(_ service: String) throws -> [String] {
            try reader.operations(of: service, context: context).map { "\($0.name) \($0.kind)" }
        }
        _ = try ingest(spans([("a", "x", 2), ("a", "x", 2), ("b", "y", 3), ("a", "z", 99)]), .traces, into: engine)
        #expect(try operations("a") == ["x 2", "z 99"])
        try engine.flush()
        #expect(try operations("a") == ["x 2", "z 99"])
        _ = try ingest(spans([("a", "w", 1), ("a", "x", 2)]), .traces, into: engine)
        #expect(try operations("a") == ["w 1", "x 2", "z 99"])
        #expect(try operations("b") == ["y 3"])
        #expect(try operations("c") == [])
    }

    @Test func `memory for spans that a search has passed is given back`() throws {
        let engine = try engine()
        defer { engine.close() }
        let reader = TraceReader(table: engine.spanTable, spans: engine.spans)
        _ = try ingest(spans((0..<200).map { ("a", "\($0)", 1) }), .traces, into: engine)
        // Enough for the 200 spans once, and not for twice.
        let context = QueryContext(tenant: .default, byteLimit: 600_000)
        for _ in 0..<3 {
            var count = 0
            let everything = TraceQuery(range: .everything, limit: 10)
            try reader.scan(everything, context: context) { spans in
                count += spans.count
                return true
            }
            #expect(count == 200)
            let id = TraceID(high: 0x0101_0101_0101_0101, low: 0x0101_0101_0101_0101)
            #expect(try reader.spans(of: [id], context: context).map(\.count) == [1])
        }
    }

    @Test(.timeLimit(.minutes(1))) func `a resource in a million pieces is joined in their time`() throws {
        let engine = try engine()
        defer { engine.close() }
        let pieces = [[UInt8]](repeating: [0x0A, 0], count: 1_000_000).flatMap { $0 }
        let resource = field(1, attribute("service.name", Array("s".utf8) + [UInt8](repeating: 0x61, count: 100_000)))
        #expect(try ingest(field(1, field(1, resource) + pieces + field(2, field(2, []))), into: engine).accepted == 1)
    }
}

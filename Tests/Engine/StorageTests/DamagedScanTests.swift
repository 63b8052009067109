import Columns
import Core
import EngineFixtures
import Files
import OTLP
import Observability
import Parts
import Scheduling
import TableSchema
import Telemetry
import Testing

@testable import Storage

/// A scan over parts of which pages are damaged: those blocks are left out, named, and the rest is as it was.
struct DamagedScanTests {
    private let tables: TestTables
    private let disk = SimulatedFileSystem(seed: 1)

    init() throws { tables = try TestTables() }

    private func bodies(_ store: Store, _ context: QueryContext) throws -> [String] {
        let key = TenantTable(tenant: .default, table: tables.logs.definition.id)
        let snapshot = TableSnapshot(
            table: tables.logs.definition, memory: [], parts: store.parts(key, in: .everything))
        var scan = Scan(
            snapshot, ScanRequest(range: .everything, columns: [tables.logs.body.ordinal]), context: context)
        var found: [String] = []
        try scan.run { block in
            let column = block.batch[tables.logs.body]
            found += block.rows.map { column.string(Int($0)) }
            return true
        }
        return found.sorted()
    }

    private func flush(_ range: Range<Int>, _ store: Store) throws {
        var builder = LogBuilder(tables.logs)
        for number in range {
            var body = ProtobufWriter()
            body.field(1, bytes: Array("line \(number)".utf8))
            var record = ProtobufWriter()
            record.field(1, fixed64: 1_700_000_000_000_000_000 + UInt64(number))
            record.field(5, bytes: body.bytes)
            var scope = ProtobufWriter()
            scope.field(2, bytes: record.bytes)
            var group = ProtobufWriter()
            group.field(2, bytes: scope.bytes)
            var request = ProtobufWriter()
            request.field(1, bytes: group.bytes)
            _ = try request.bytes.withUnsafeBytes { try LogDecoder.decode($0, received: 1, into: &builder) }
        }
        let key = TenantTable(tenant: .default, table: tables.logs.definition.id)
        let batch = builder.snapshot(rows: builder.rowCount)
        try store.commit(CatalogEdit(added: store.writeParts(batch, of: key, zstdLevel: 1)))
    }

    @Test func `a page or footer that is damaged costs its block or part, and the answer says so`() throws {
        var store: Store? = try Store(directory: "/data", tables: tables.catalog, fileSystem: disk)
        try store.map { try flush(0..<30, $0) }
        try store.map { try flush(100..<120, $0) }
        let path = try #require(store?.allParts.values.joined().map(\.path).sorted().first)
        store = nil
        let whole = try #require(disk.bytes(of: path))
        let others = (100..<120).map { "line \($0)" }.sorted()
        let all = ((0..<30).map { "line \($0)" } + others).sorted()
        var kinds: Set<Damage.Kind> = []
        for at in stride(from: 16, to: whole.count, by: 5) {
            disk.edit(path) { $0[at] ^= 8 }
            let damage = DamageLog()
            let damaged = try Store(directory: "/data", tables: tables.catalog, fileSystem: disk, damage: damage)
            let context = QueryContext(tenant: .default)
            let found = try bodies(damaged, context)
            // A page that the query does not read is not missed.
            #expect(found == all || found == others, "byte \(at)")
            #expect((found == others) == !context.statistics.warnings.isEmpty, "byte \(at)")
            #expect((found == others) == !damage.all.isEmpty, "byte \(at)")
            kinds.formUnion(damage.all.map(\.kind))
            disk.edit(path) { $0[at] ^= 8 }
        }
        #expect(kinds == [.block, .part])
    }
}

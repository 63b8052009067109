import Columns
import Core
import EngineFixtures
import Files
import Offline
import Parts
import Storage
import TableSchema
import Testing

/// Compaction without a server: rows stay, parts become one, and it may be interrupted.
struct CompactionTests {
    private let place = OfflineDirectory()

    @Test func `each partition becomes one part with the same rows, and a second run has nothing to do`() throws {
        try place.fill(20, rows: 50, seed: 1)
        let before = try place.rows()
        var store: Store? = try place.directory().openStore()
        let summary = try Compaction.run(try #require(store), Compaction.Options())
        #expect(summary.rows >= 1000 && summary.partitions == 3)
        #expect(try Compaction.run(try #require(store), Compaction.Options()).merges == 0)
        store = nil
        #expect(place.partFiles.count == 3)
        #expect(try place.rows() == before && place.verify().summary.isClean)
    }

    @Test func `only what was chosen is merged`() throws {
        try place.fill(4, rows: 50, seed: 2)
        let partitions = Set(try place.directory().parts.map(\.record.partition)).sorted()
        var options = Compaction.Options()
        options.selection.range = TimeRange(
            start: Timestamp(nanoseconds: partitions[1]), end: Timestamp(nanoseconds: partitions[1] + 1))
        var store: Store? = try place.store()
        #expect(try Compaction.run(try #require(store), options).partitions == 1)
        options.selection.range = nil
        options.selection.tenant = TenantID("nobody")
        #expect(try Compaction.run(try #require(store), options).merges == 0)
        store = nil
        let counts = Dictionary(grouping: try place.directory().parts, by: \.record.partition).mapValues(\.count)
        #expect(counts[partitions[1]] == 1 && counts[partitions[0]] == 4)
    }

    @Test func `a partition that has had its last merge is written again if asked`() throws {
        try place.fill(2, rows: 50, seed: 3, spread: 3_600_000_000_000)
        let store = try place.store()
        #expect(try Compaction.run(store, Compaction.Options()).merges == 1)
        var options = Compaction.Options()
        options.again = true
        options.zstdLevel = 12
        let summary = try Compaction.run(store, options)
        #expect(summary.merges == 1 && summary.inputParts == 1 && summary.rows == 100)
    }

    @Test func `interrupted anywhere, it leaves the rows as they are, and goes on later`() throws {
        try place.fill(6, rows: 60, seed: 4)
        let before = try place.rows()
        var interruptions = 0
        for stop in 0..<6 {
            var store: Store? = try place.store()
            var calls = 0
            do {
                _ = try Compaction.run(try #require(store), Compaction.Options()) { (_) throws(OfflineError) in
                    calls += 1
                    if calls > stop % 3 { throw .interrupted }
                }
            } catch OfflineError.interrupted {
                interruptions += 1
            }
            store = nil
            #expect(try place.rows() == before && place.verify().summary.isClean)
        }
        #expect(interruptions >= 1)
        _ = try Compaction.run(place.store(), Compaction.Options())
        #expect(place.partFiles.count == 3)
    }
}

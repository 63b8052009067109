import Core
import Pattern
import QueryModel
import Randomness
import Readers
import Scheduling
import Synchronization
import Testing

/// What a query keeps of the dictionaries that it meets counts, as long as it keeps it.
struct LogMemoryTests {
    private static let day: Int64 = 86_400_000_000_000
    private static let days = 12
    private static let bodiesOfDay = 100
    private static let bodySize = 2000

    /// A part for each day, in which each of some long bodies comes back.
    private func store() throws -> LogTestStore {
        var random = SeededRandom(seed: 11)
        let store = try LogTestStore()
        for day in 0..<Int64(Self.days) {
            let bodies = (0..<Self.bodiesOfDay).map { _ in
                String(
                    decoding: (0..<Self.bodySize).map { _ in UInt8.random(in: 97...121, using: &random) }, as: UTF8.self
                )
            }
            var records: [SentLog] = []
            for index in 0..<2000 {
                var record = SentLog(resource: [Attribute(key: "service.name", value: .string("s"))])
                record.time = 20_000 * Self.day + day * Self.day + Int64(index)
                record.body = .string(bodies[index % Self.bodiesOfDay])
                records.append(record)
            }
            try store.ingest(records)
        }
        try store.flush()
        return store
    }

    private struct Count: LogRowAggregate {
        var rows = 0

        mutating func add(_ block: borrowing LogRows) throws(QueryError) { rows += block.rows.count }
        mutating func merge(_ other: consuming Count) throws(QueryError) { rows += other.rows }
    }

    private static func count(_ reader: Readers.LogReader, _ context: QueryContext) throws -> Int {
        // No body has a z, and no index can say so of a single letter.
        let request = LogScanRequest(
            selector: [], lines: [.mismatches(allOf: [try Pattern(unanchored: "z")])], range: .everything, order: .any)
        return try reader.aggregate(request, LogRowNeeds(labels: ["service_name"]), context: context) { Count() }
            .rows
    }

    private final class Outcomes: Sendable {
        private let state = Mutex<(results: [Result<Int, QueryError>], heldBytes: Int)>(([], 0))

        func add(_ result: Result<Int, QueryError>, leaving bytes: Int) {
            state.withLock { state in
                state.results.append(result)
                state.heldBytes += bytes
            }
        }

        var results: [Result<Int, QueryError>] { state.withLock { $0.results } }
        var heldBytes: Int { state.withLock { $0.heldBytes } }
    }

    @Test func `a query over many dictionaries ends at its limit, and another goes on`() throws {
        let store = try store()
        #expect(store.partCount == Self.days)
        let (reader, memory) = (store.reader, QueryMemory(limit: 1 << 30))
        // Eight dictionaries at least are kept.
        let limit = 6 * Self.bodiesOfDay * Self.bodySize
        let outcomes = [Outcomes(), Outcomes()]
        let threads = outcomes.indices.map { side in
            WorkerThread {
                for _ in 0..<4 {
                    let context = QueryContext(tenant: .default, byteLimit: side == 0 ? limit : 1 << 30, memory: memory)
                    let rows = Result { try Self.count(reader, context) }.mapError {
                        $0 as? QueryError ?? .execution("\($0)")
                    }
                    outcomes[side].add(rows, leaving: context.heldBytes)
                }
            }
        }
        for thread in threads { thread.join() }
        #expect(outcomes[0].results == Array(repeating: .failure(.interrupted(.overBudget(bytes: limit))), count: 4))
        #expect(outcomes[1].results == Array(repeating: .success(Self.days * 2000), count: 4))
        #expect(outcomes.allSatisfy { $0.heldBytes == 0 })
        #expect(memory.usedBytes == 0)
    }
}

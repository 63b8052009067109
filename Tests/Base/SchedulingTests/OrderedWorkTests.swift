import Core
import Observability
import Scheduling
import Synchronization
import Testing

/// Work that several threads do in pieces.
struct OrderedWorkTests {
    private struct Failure: Error, Equatable { let piece: Int }

    private static let pools = [1, 2, 5].map { QueryPool(threadCount: $0) }

    private static func spin(_ number: Int) -> Int {
        // Pieces take unequal times, so that they end in another order than they begin.
        var hash = UInt64(number &+ 1)
        for _ in 0..<((number * 7919) % 13 * 400) { hash = hash &* 6_364_136_223_846_793_005 &+ 1 }
        return hash == 0 ? 0 : number
    }

    @Test(arguments: [0, 1, 2, 40, 500])
    func `results come in order, each once`(count: Int) throws {
        for pool in Self.pools {
            let work = OrderedWork(count: count, on: pool) { Self.spin($0) }
            var found: [Int] = []
            try work.run(window: 7) {
                found.append($0)
                return true
            }
            #expect(found == Array(0..<count), "\(pool.threadCount) threads")
        }
    }

    @Test func `no more pieces are begun than the window allows`() throws {
        for pool in Self.pools {
            let begun = Atomic<Int>(0)
            let excess = Atomic<Int>(0)
            let taken = Atomic<Int>(0)
            let work = OrderedWork(count: 200, on: pool) { piece in
                begun.add(1, ordering: .sequentiallyConsistent)
                // The one that is taken now, and five ahead.
                if piece > taken.load(ordering: .sequentiallyConsistent) + 6 {
                    excess.add(1, ordering: .sequentiallyConsistent)
                }
                return Self.spin(piece)
            }
            try work.run(window: 6) { _ in
                taken.add(1, ordering: .sequentiallyConsistent)
                return true
            }
            #expect(begun.load(ordering: .sequentiallyConsistent) == 200)
            #expect(excess.load(ordering: .sequentiallyConsistent) == 0)
        }
    }

    @Test func `a caller that has enough ends the work, and no thread is left in it`() throws {
        for pool in Self.pools {
            let running = Atomic<Int>(0)
            let begun = Atomic<Int>(0)
            let work = OrderedWork(count: 10_000, on: pool) { piece in
                running.add(1, ordering: .sequentiallyConsistent)
                begun.add(1, ordering: .sequentiallyConsistent)
                defer { running.subtract(1, ordering: .sequentiallyConsistent) }
                return Self.spin(piece)
            }
            var taken = 0
            try work.run(window: 8) { _ in
                taken += 1
                return taken < 3
            }
            #expect(taken == 3)
            #expect(running.load(ordering: .sequentiallyConsistent) == 0)
            // The window doubles from one: 1, 2, 4.
            #expect(begun.load(ordering: .sequentiallyConsistent) <= 2 + 4)
        }
    }

    @Test func `the first error in order is thrown, after the results before it`() throws {
        for pool in Self.pools {
            let work = OrderedWork(count: 100, on: pool) { piece in
                if piece == 31 || piece == 33 { throw Failure(piece: piece) }
                return Self.spin(piece)
            }
            var found: [Int] = []
            #expect(throws: Failure(piece: 31)) {
                try work.run(window: 16) {
                    found.append($0)
                    return true
                }
            }
            #expect(found == Array(0..<31))
        }
    }

    @Test func `a long query does not keep a short one waiting`() async throws {
        let pool = QueryPool(threadCount: 2)
        let isDone = Atomic<Bool>(false)
        let piecesAfter = Atomic<Int>(0)
        let long = WorkerThread {
            let work = OrderedWork(count: 4000, on: pool) { piece in
                if isDone.load(ordering: .relaxed) { piecesAfter.add(1, ordering: .relaxed) }
                return Self.spin(piece) + Self.spin(piece + 1)
            }
            try? work.run(window: 64, first: 64) { _ in true }
        }
        let short = OrderedWork(count: 6, on: pool) { Self.spin($0) }
        var sum = 0
        try short.run(window: 6, first: 6) {
            sum += $0
            return true
        }
        isDone.store(true, ordering: .relaxed)
        long.join()
        #expect(sum == 15)
        #expect(piecesAfter.load(ordering: .relaxed) > 1000, "the short one waited for the long one")
    }

    @Test func `many queries at once come to their ends`() throws {
        let pool = QueryPool(threadCount: 3)
        let total = Atomic<Int>(0)
        let threads = (0..<12).map { query in
            WorkerThread {
                let work = OrderedWork(count: 50 + query, on: pool) { Self.spin($0) }
                try? work.run(window: 5) {
                    total.add($0, ordering: .relaxed)
                    return true
                }
            }
        }
        for thread in threads { thread.join() }
        let expected = (0..<12).reduce(0) { $0 + (0..<(50 + $1)).reduce(0, +) }
        #expect(total.load(ordering: .relaxed) == expected)
    }
}

/// What queries hold, each and all together.
struct QueryMemoryTests {
    @Test func `a query that wants more than it may is told its limit`() {
        let context = QueryContext(tenant: .default, byteLimit: 1000)
        #expect(throws: Never.self) { try context.spend(bytes: 1000) }
        #expect(throws: QueryInterruption.overBudget(bytes: 1000)) { try context.spend(bytes: 1) }
        context.release(bytes: 1001)
        #expect(throws: Never.self) { try context.spend(bytes: 1000) }
    }

    @Test func `all queries together hold no more than they may, and give back what they held`() {
        let memory = QueryMemory(limit: 1000)
        do {
            let first = QueryContext(tenant: .default, memory: memory)
            let second = QueryContext(tenant: .default, memory: memory)
            #expect(throws: Never.self) { try first.spend(bytes: 600) }
            #expect(throws: QueryInterruption.memoryExhausted(bytes: 1000)) { try second.spend(bytes: 600) }
            second.release(bytes: 600)
            #expect(throws: Never.self) { try second.spend(bytes: 400) }
            #expect(memory.usedBytes == 1000)
            withExtendedLifetime((first, second)) {}
        }
        #expect(memory.usedBytes == 0)
    }

    @Test func `a lease gives back what it took once nobody has it`() throws {
        let memory = QueryMemory(limit: 1 << 20)
        let context = QueryContext(tenant: .default, memory: memory)
        do {
            let lease = MemoryLease(context)
            try lease.extend(bytes: 100)
            try lease.extend(bytes: 20)
            #expect(context.heldBytes == 120 && memory.usedBytes == 120)
            withExtendedLifetime(lease) {}
        }
        #expect(context.heldBytes == 0 && memory.usedBytes == 0)
        #expect(context.statistics.totals.first { $0.name == "peakBytes" }?.value == 120)
    }
}

import Scheduling
import Sockets
import Synchronization
import Testing

/// Threads for calls: as many as are wanted, and more while those wait.
struct CallPoolTests {
    @Test func `every job is done, in line, also such as come while it stops`() {
        let done = Monitor<[Int]>([])
        let pool = CallPool(threads: 1, most: 1)
        for number in 0..<5000 { pool.add { done.notifying { $0.append(number) } } }
        pool.stop()
        #expect(done.withLock { $0 } == Array(0..<5000))
    }

    @Test func `when all threads wait there is another one, up to a limit`() {
        let gate = Monitor(false)
        let waiting = Monitor(0)
        let pool = CallPool(threads: 2, most: 4)
        for _ in 0..<6 {
            pool.add {
                waiting.notifying { $0 += 1 }
                _ = gate.wait { $0 ? true : nil }
            }
        }
        _ = waiting.wait(timeout: .seconds(20)) { $0 == 2 ? true : nil }
        // A look that sees jobs begun since the last one changes nothing.
        pool.growIfStuck()
        for expected in [3, 4] {
            pool.growIfStuck()
            _ = waiting.wait(timeout: .seconds(20)) { $0 == expected ? true : nil }
            pool.growIfStuck()
        }
        for _ in 0..<5 { pool.growIfStuck() }
        #expect(waiting.withLock { $0 } == 4)
        gate.notifying { $0 = true }
        pool.stop()
        #expect(waiting.withLock { $0 } == 6)
    }
}

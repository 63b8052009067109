import Core
import Randomness
import Testing

@testable import LogQL

struct StepWindowTests {
    @Test func `timestamps of one segment lie in the same windows, and no timestamp beside it does`() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededRandom(seed: seed)
        for _ in 0..<2000 {
            let start = Int64.random(in: -50...50, using: &random)
            guard
                let grid = StepGrid(
                    from: Timestamp(nanoseconds: start),
                    through: Timestamp(nanoseconds: start + Int64.random(in: 0...60, using: &random)),
                    step: Int64.random(in: 1...20, using: &random))
            else { continue }
            let windows = StepWindows(
                grid: grid, range: Int64.random(in: 1...40, using: &random),
                offset: Int64.random(in: -20...20, using: &random))
            let timestamp = Int64.random(in: -200...200, using: &random)
            let segment = windows.segment(around: Timestamp(nanoseconds: timestamp))
            #expect(segment.timestamps.contains(timestamp), "seed \(seed)")
            for other in segment.timestamps {
                #expect(
                    windows.steps(holding: Timestamp(nanoseconds: other)) == segment.steps, "seed \(seed): \(windows)")
            }
            // By the definition of a window: every step t with t - range < timestamp + offset <= t.
            let steps = (0..<grid.count).filter { step in
                let end = grid[step].nanoseconds - windows.offset
                return end - windows.range < timestamp && timestamp <= end
            }
            #expect(Array(segment.steps) == steps, "seed \(seed): \(windows) at \(timestamp)")
        }
    }

    @Test func `the ends of time are no obstacle`() throws {
        let grid = try #require(
            StepGrid(from: Timestamp(nanoseconds: -5), through: Timestamp(nanoseconds: .max - 10), step: 1 << 60))
        for offset in [Int64.min, 0, .max] {
            let windows = StepWindows(grid: grid, range: .max, offset: offset)
            for timestamp in [Int64.min, -1, 0, .max] {
                let segment = windows.segment(around: Timestamp(nanoseconds: timestamp))
                #expect(segment.timestamps.contains(timestamp))
                #expect(segment.steps == windows.steps(holding: Timestamp(nanoseconds: timestamp)))
            }
        }
    }
}

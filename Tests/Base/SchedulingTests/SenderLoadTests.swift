import Testing

@testable import Scheduling

/// Which senders are put behind queries.
struct SenderLoadTests {
    private static let second = 1_000_000_000

    @Test func `a thread is busy that takes more than a quarter of a processor`() {
        var load = SenderLoad()
        // What it took before it was looked at first does not count.
        let look1 = load.isBusy(wall: 5 * Self.second, processor: 4 * Self.second)
        #expect(!look1)
        let look2 = load.isBusy(wall: 6 * Self.second, processor: 4 * Self.second + Self.second / 4)
        #expect(!look2)
        let look3 = load.isBusy(wall: 7 * Self.second, processor: 4 * Self.second + Self.second / 2 + 1)
        #expect(look3)
    }

    @Test func `it is looked at once in a second, over all of the time since`() {
        var load = SenderLoad()
        let look4 = load.isBusy(wall: 0, processor: 0)
        #expect(!look4)
        let look5 = load.isBusy(wall: Self.second - 1, processor: Self.second - 1)
        #expect(!look5)
        // All of the first second, and nothing of the next four.
        let look6 = load.isBusy(wall: 5 * Self.second, processor: Self.second)
        #expect(!look6)
        let look7 = load.isBusy(wall: 6 * Self.second, processor: 2 * Self.second)
        #expect(look7)
    }
}

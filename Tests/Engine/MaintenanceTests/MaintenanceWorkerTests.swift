import Columns
import Core
import EngineFixtures
import Foundation
import Maintenance
import Observability
import Randomness
import Scheduling
import Storage
import Synchronization
import TableSchema
import Testing

private final class Reports: Sendable {
    private let texts = Mutex<[String]>([])

    func add(_ error: MaintenanceError) { texts.withLock { $0.append("\(error)") } }
    var all: [String] { texts.withLock { $0 } }
}

private func worker(
    _ test: TestStore, _ reports: Reports, _ change: (inout MaintenanceWorker.Policy) -> Void = { _ in }
) -> MaintenanceWorker {
    var policy = MaintenanceWorker.Policy()
    policy.merge?.newParts = 3
    policy.merge?.mostNewParts = 3
    change(&policy)
    return MaintenanceWorker(
        test.store, policy: policy, clock: { Timestamp(nanoseconds: 0) }, report: { reports.add($0) })
}

@Test func `the worker merges what is due, and counts it`() throws {
    var random = SeededRandom(seed: 1)
    let test = try TestStore(.minutes)
    let reports = Reports()
    let worker = worker(test, reports)
    for _ in 0..<2 { try test.flush(AnyTable.batch(AnyTable.Style(rows: 50, keys: 5, texts: 9), &random)) }
    #expect(!worker.runOnce(now: Timestamp(nanoseconds: 0)))
    try test.flush(AnyTable.batch(AnyTable.Style(rows: 50, keys: 5, texts: 9), &random))
    let before = try test.contents()
    #expect(worker.runOnce(now: Timestamp(nanoseconds: 0)))
    #expect(!worker.runOnce(now: Timestamp(nanoseconds: 0)))
    #expect(test.records.map(\.level) == [1])
    #expect(try test.contents() == before)
    #expect(worker.statistics.total(\.merges) == 1 && worker.statistics.total(\.rows) == 150)
    #expect(worker.statistics.total(\.bytesWritten) == Int(test.records[0].byteCount))
    #expect(reports.all.isEmpty)
}

@Test func `a part that cannot be read is reported once, and the others are merged without it`() throws {
    var random = SeededRandom(seed: 2)
    let test = try TestStore(.minutes)
    let reports = Reports()
    let worker = worker(test, reports)
    for _ in 0..<4 { try test.flush(AnyTable.batch(AnyTable.Style(rows: 50, keys: 5, texts: 9), &random)) }
    let broken = test.records[1]
    test.damage(try #require(test.store.allParts[test.key]?.first { $0.record == broken }?.path), at: 30)
    #expect(!worker.runOnce(now: Timestamp(nanoseconds: 0)))
    #expect(!worker.runOnce(now: Timestamp(nanoseconds: 1)), "a failure is not tried again at once")
    #expect(worker.runOnce(now: Timestamp(nanoseconds: 10_000_000_001)))
    #expect(reports.all.count == 1 && reports.all.allSatisfy { $0.contains("part \(broken.id.number) cannot be read") })
    #expect(test.records.count == 2 && test.records.contains(broken))
}

@Test func `retention drops what is too old, after a dry run that says so`() throws {
    var random = SeededRandom(seed: 3)
    let test = try TestStore(.minutes)
    let worker = worker(test, Reports())
    try test.flush(AnyTable.batch(AnyTable.Style(rows: 50, keys: 5, texts: 9), &random))
    try test.flush(AnyTable.batch(AnyTable.Style(rows: 40, keys: 5, texts: 9, start: 5 * AnyTable.hour), &random))
    let now = Timestamp(nanoseconds: 25 * AnyTable.hour + 1)
    #expect(worker.retentionPlan(now: now).map(\.rowCount) == [50])
    #expect(test.records.count == 2)
    _ = worker.runOnce(now: now)
    #expect(test.records.map(\.rowCount) == [40])
    #expect(worker.statistics.total(\.droppedRows) == 50 && worker.statistics.droppedPartitions.value == 1)
    #expect(test.files(".vp").count == 1)
}

@Test func `a full disk is reported, and tried again later`() throws {
    var random = SeededRandom(seed: 4)
    let test = try TestStore(.minutes)
    let reports = Reports()
    let worker = worker(test, reports)
    for _ in 0..<3 { try test.flush(AnyTable.batch(AnyTable.Style(rows: 50, keys: 5, texts: 9), &random)) }
    test.disk.setRoom(0)
    #expect(!worker.runOnce(now: Timestamp(nanoseconds: 0)))
    test.disk.setCapacity(nil)
    #expect(!worker.runOnce(now: Timestamp(nanoseconds: 5_000_000_000)))
    #expect(worker.runOnce(now: Timestamp(nanoseconds: 10_000_000_000)))
    #expect(reports.all.count == 1)
}

@Test func `the thread merges on its own, and ends when it is asked to`() throws {
    var random = SeededRandom(seed: 5)
    let test = try TestStore(.minutes)
    for _ in 0..<3 { try test.flush(AnyTable.batch(AnyTable.Style(rows: 50, keys: 5, texts: 9), &random)) }
    let worker = worker(test, Reports()) { $0.pause = .milliseconds(5) }
    let threads = worker.start()
    let end = ContinuousClock.now + .seconds(20)
    while worker.statistics.total(\.merges) == 0, ContinuousClock.now < end { Thread.sleep(forTimeInterval: 0.005) }
    worker.stop()
    for thread in threads { thread.join() }
    #expect(test.records.count == 1)
}

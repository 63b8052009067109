import Core
import Foundation
import PromQL
import QueryModel
import QuerySupport
import Randomness
import Scheduling
import Testing

/// The same series and the same expressions, here and in a real Prometheus: answers must agree.
///
/// Debian's Prometheus is of the 2.x series, whose windows are closed on both sides; samples therefore never fall on a window's
/// bound. Values are multiples of 1/8, so that sums are exact in any order.
@Suite(.serialized)
struct DifferentialTests {
    /// Reported as skipped where the program is not installed.
    @Test(
        .enabled(if: PeerPrometheus.isInstalled, "the program `prometheus` is not installed"), .timeLimit(.minutes(5)))
    func `random expressions have the same values as in Prometheus`() async throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SeededRandom(seed: seed)
        let series = DifferentialData.series(using: &generator)
        let peer = try await PeerPrometheus(holding: series)
        defer { peer.stop() }
        let engine = PromQLEngine(source: MemorySeriesSource(series))
        var expressions = ExpressionGenerator(generator: generator)
        var (agreed, failedInBoth) = (0, 0)
        for i in 0..<500 {
            let query =
                i < ExpressionGenerator.fixed.count ? ExpressionGenerator.fixed[i] : expressions.vector(depth: 3)
            let isRange = i % 2 == 0
            let grid =
                isRange
                ? try #require(
                    TimeGrid(
                        from: DifferentialData.start + 603_000, through: DifferentialData.start + 6_000_000,
                        step: 420_000))
                : TimeGrid(at: DifferentialData.start + 3_003_000)
            // 2.x knows the function by its old name.
            let theirs = try await peer.answer(
                query.replacingOccurrences(of: "double_exponential_smoothing", with: "holt_winters"), over: grid)
            let ours = Result { try Self.answer(engine, query, over: grid) }
            switch (ours, theirs) {
            case (.success(let ours), .success(let theirs)):
                if let difference = Self.difference(ours, theirs) {
                    Issue.record("\(query)\nover \(grid), seed \(seed): \(difference)")
                } else if !theirs.isEmpty {
                    agreed += 1
                }
            case (.failure, .failure): failedInBoth += 1
            case (.failure(let error), .success):
                Issue.record("\(query)\nseed \(seed): only ours failed: \(TestScript.message(error))")
            case (.success, .failure(let error)):
                Issue.record("\(query)\nseed \(seed): only theirs failed: \(error)")
            }
        }
        // Otherwise the comparison says little.
        #expect(agreed > 200, "\(agreed) answers with values, \(failedInBoth) failures in both, seed \(seed)")
    }

    @Test(
        .enabled(if: PeerPrometheus.isInstalled, "the program `prometheus` is not installed"), .timeLimit(.minutes(5)))
    func `texts that Prometheus refuses are refused`() async throws {
        let peer = try await PeerPrometheus(holding: [])
        defer { peer.stop() }
        let grid = TimeGrid(at: DifferentialData.start)
        // What came after 2.x: durations as numbers and the reverse, more keywords as names; and what fails without data.
        let newer: Set = [
            "up[300]", "5m", "1h30m", "1_000", "up offset 60", "on", "bool", "a + on", "topk(scalar(x), up)",
        ]
        for query in ParserTests.accepted where !newer.contains(query) && !query.contains("\"") {
            if case .failure(let error) = try await peer.answer(query, over: grid) {
                Issue.record("\(query) is refused by Prometheus: \(error)")
            }
        }
        for (query, _) in ParserTests.refused where !query.isEmpty {
            if case .success = try await peer.answer(query, over: grid) {
                Issue.record("\(query) is accepted by Prometheus")
            }
        }
    }

    private static func answer(
        _ engine: PromQLEngine, _ text: String, over grid: TimeGrid
    ) throws -> [Labels: [Int64: Double]] {
        let query = try PromQLQuery(text)
        let context = QueryContext(tenant: .default)
        let answer =
            grid.count == 1
            ? try engine.instant(query, at: grid.start, context: context)
            : try engine.range(query, over: grid, context: context)
        switch answer.value {
        case .scalar(let time, let value): return [.empty: [time: value]]
        case .string: return [:]
        case .vector(let elements):
            var result: [Labels: [Int64: Double]] = [:]
            for element in elements {
                if case .float(let value) = element.value { result[element.labels] = [element.timestamp: value] }
            }
            return result
        case .matrix(let series):
            return Dictionary(
                uniqueKeysWithValues: series.map { one in
                    (one.labels, Dictionary(uniqueKeysWithValues: one.floats.map { ($0.timestamp, $0.value) }))
                })
        }
    }

    private static func difference(
        _ ours: [Labels: [Int64: Double]], _ theirs: [Labels: [Int64: Double]]
    ) -> String? {
        for labels in Set(ours.keys).union(theirs.keys) {
            guard let left = ours[labels], let right = theirs[labels] else {
                return "\(labels.text) is only in \(ours[labels] == nil ? "theirs" : "ours")"
            }
            for time in Set(left.keys).union(right.keys).sorted() {
                let (l, r) = (left[time], right[time])
                guard let l, let r, areEqual(l, r) else {
                    let texts = [l, r].map { value in value.map { "\($0)" } ?? "none" }
                    return "\(labels.text) at \(time): ours \(texts[0]), theirs \(texts[1])"
                }
            }
        }
        return nil
    }

    private static func areEqual(_ left: Double, _ right: Double) -> Bool {
        if left.isNaN || right.isNaN { return left.isNaN && right.isNaN }
        // Below 1e-9 what remains is what the two ways of summing up lose.
        return left == right || abs(left - right) <= max(1e-12 * max(abs(left), abs(right)), 1e-9)
    }
}

import Core
import LogFixtures
import QueryModel
import Randomness
import Scheduling
import Testing

@testable import LogQL

/// Metric queries against a naive twin: for each timestamp it looks at every entry, and knows nothing of plans or one pass.
struct TwinTests {
    private struct Case {
        var entries: [LogEntry]
        var operation: String
        var range: Int64
        var offset: Int64
        var step: Int64
        var start: Int64
        var count: Int
        var filter: String
        var group: [String]?

        var end: Int64 { start + Int64(count - 1) * step }

        var query: String {
            let pipeline = filter.isEmpty ? "" : " |= \"\(filter)\""
            let shift = offset < 0 ? "offset -\(-offset)ns" : "offset \(offset)ns"
            let unwrap =
                operation.hasSuffix("_over_time") && !["count_over_time", "bytes_over_time"].contains(operation)
            let parse = unwrap ? " | logfmt | unwrap v" : ""
            let inner = "\(operation)({app=~\"a|b\"}\(pipeline)\(parse) [\(range)ns] \(shift))"
            guard let group else { return inner }
            return "sum by (\(group.joined(separator: ","))) (\(inner))"
        }
    }

    private static func randomCase(_ random: inout SeededRandom) -> Case {
        let streams = ["a", "b", "c"].map { LogStream(labels: Labels([Label("app", $0)])) }
        let entries = (0..<Int.random(in: 0...60, using: &random)).map { _ in
            LogEntry(
                timestamp: Timestamp(nanoseconds: Int64.random(in: 0...400, using: &random)),
                stream: streams[Int.random(in: 0..<3, using: &random)],
                line: "v=\(Int.random(in: 0...9, using: &random))"
                    + String(repeating: " pad", count: Int.random(in: 0...3, using: &random)),
                metadata: Bool.random(using: &random)
                    ? [Label("level", Bool.random(using: &random) ? "info" : "warn")] : [])
        }
        let operations = [
            "count_over_time", "rate", "bytes_over_time", "bytes_rate", "sum_over_time", "max_over_time",
            "first_over_time",
        ]
        return Case(
            entries: entries, operation: operations.randomElement(using: &random) ?? "rate",
            range: Int64.random(in: 1...150, using: &random), offset: Int64.random(in: -60...60, using: &random),
            step: Int64.random(in: 1...80, using: &random), start: Int64.random(in: -50...300, using: &random),
            count: Int.random(in: 1...12, using: &random),
            filter: ["", "v=1", "pad pad"].randomElement(using: &random) ?? "",
            group: [nil, [], ["app"], ["level"], ["app", "level"]].randomElement(using: &random) ?? nil)
    }

    private static func twin(_ one: Case) -> [Labels: [Double?]] {
        var result: [Labels: [Double?]] = [:]
        for step in 0..<one.count {
            let end = one.start + Int64(step) * one.step - one.offset
            var groups: [Labels: [LogEntry]] = [:]
            for entry in one.entries.sorted(by: { $0.timestamp < $1.timestamp }) {
                let time = entry.timestamp.nanoseconds
                guard time > end - one.range, time <= end, entry.stream.labels["app"] != "c" else { continue }
                guard one.filter.isEmpty || entry.line.contains(one.filter) else { continue }
                // `pad` becomes no label: it has no value. `v` is unwrapped, and so taken away.
                groups[Labels(entry.stream.labels.pairs + entry.metadata), default: []].append(entry)
            }
            var outer: [Labels: Double] = [:]
            for (labels, entries) in groups {
                let key = one.group.map { labels.keeping(Set($0)) } ?? labels
                outer[key, default: 0] += value(one, entries)
            }
            for (labels, value) in outer {
                result[labels, default: Array(repeating: nil, count: one.count)][step] = value
            }
        }
        return result
    }

    private static func value(_ one: Case, _ entries: [LogEntry]) -> Double {
        let seconds = Double(one.range) / 1e9
        let values = entries.map { Double(String(Array($0.line)[2])) ?? .nan }
        switch one.operation {
        case "count_over_time": return Double(entries.count)
        case "rate": return Double(entries.count) / seconds
        case "bytes_over_time": return Double(entries.reduce(0) { $0 + $1.line.utf8.count })
        case "bytes_rate": return Double(entries.reduce(0) { $0 + $1.line.utf8.count }) / seconds
        case "sum_over_time": return values.reduce(0, +)
        case "max_over_time": return values.max() ?? .nan
        default: return values.first ?? .nan
        }
    }

    @Test(arguments: [UInt64(1), 20_261_121, 77])
    func `one pass gives what looking at every window gives`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        for round in 0..<150 {
            let one = Self.randomCase(&random)
            guard case .metric(let expression) = try LogQLParser.query(one.query),
                let grid = StepGrid(
                    from: Timestamp(nanoseconds: one.start), through: Timestamp(nanoseconds: one.end), step: one.step)
            else { continue }
            // Entries of equal time come in an order of their own, which `first_over_time` may show.
            if one.operation == "first_over_time", Set(one.entries.map(\.timestamp)).count < one.entries.count {
                continue
            }
            let engine = LogQLEngine(source: MemoryLogSource(one.entries))
            guard
                case .series(let series) = try engine.metric(
                    expression, over: grid, context: QueryContext(tenant: .default))
            else { continue }
            let expected = Self.twin(one)
            #expect(Set(series.map(\.labels)) == Set(expected.keys), "seed \(seed), round \(round): \(one.query)")
            for found in series {
                let wanted = expected[found.labels] ?? []
                let isEqual = zip(found.values, wanted).allSatisfy { value, wanted in
                    guard let wanted else { return GridSeries.isAbsent(value) }
                    return abs(value - wanted) <= 1e-9 * max(1, abs(wanted))
                }
                #expect(isEqual, "seed \(seed), round \(round): \(one.query) \(found.labels.text)")
            }
        }
    }

    @Test func `windows at the ends of time do not overflow`() throws {
        let stream = LogStream(labels: Labels([Label("app", "a")]))
        let entries = [Int64.min, -1, 0, .max - 1].map {
            LogEntry(timestamp: Timestamp(nanoseconds: $0), stream: stream, line: "x", metadata: [])
        }
        let engine = LogQLEngine(source: MemoryLogSource(entries))
        for query in [
            "count_over_time({app=\"a\"}[292y])", "rate({app=\"a\"}[1s] offset 292y)",
            "rate({app=\"a\"}[1s] offset -292y)",
        ] {
            guard case .metric(let expression) = try LogQLParser.query(query) else { continue }
            for timestamp in [Timestamp.min, .max, Timestamp(nanoseconds: 0)] {
                _ = try engine.metric(
                    expression, over: StepGrid(at: timestamp), context: QueryContext(tenant: .default))
            }
        }
    }
}

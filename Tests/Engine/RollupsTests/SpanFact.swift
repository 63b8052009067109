import Columns
import Core
import EngineFixtures
import Randomness
import TableSchema

/// What views make of a span.
struct SpanFact: Hashable {
    var start: Int64
    var duration: Int64
    var trace: UInt64
    var span: UInt64
    /// 0: a root.
    var parent: UInt64
    var service: String
    var name: String
    var kind: Int64
    var status: Int64

    static let hour: Int64 = 3_600_000_000_000
    /// 2023-11-14T21:00:00Z.
    static let origin: Int64 = 1_699_995_600_000_000_000

    var hourStart: Int64 { start - start % Self.hour }
    var dayStart: Int64 { start - start % (24 * Self.hour) }

    /// Spans of some traces over `hours` hours, whose parents may be anywhere in their trace, and some of which are missing.
    static func random(_ count: Int, hours: Int, _ random: inout SeededRandom) -> [SpanFact] {
        var spans: [SpanFact] = []
        for number in 0..<count {
            let trace = UInt64(1 + random.below(max(1, count / 5)))
            let others = spans.filter { $0.trace == trace }
            let parent =
                random.oneIn(5) || others.isEmpty ? 0 : random.oneIn(8) ? 9_999_999 : random.pick(others).span
            let near =
                others.last.map { $0.start } ?? origin + Int64.random(in: 0..<Int64(hours) * hour, using: &random)
            let start =
                random.oneIn(6)
                ? origin + Int64.random(in: 0..<Int64(hours) * hour, using: &random)
                : min(near + Int64(random.below(90)) * 1_000_000_000, origin + Int64(hours) * hour - 1)
            spans.append(
                SpanFact(
                    start: start, duration: random.oneIn(9) ? -5 : Int64(random.below(1 << (1 + random.below(40)))),
                    trace: trace, span: UInt64(number + 1), parent: parent,
                    service: random.pick(["", "cart", "shop", "pay", "\u{e9}t\u{e9}"]),
                    name: random.pick(["GET /", "POST /a/b", "", "consume"]), kind: Int64(random.below(6)),
                    status: Int64(random.below(3))))
        }
        return spans.shuffled(using: &random)
    }

    static func batch(_ spans: [SpanFact], _ table: TableDefinition) -> ColumnBatch {
        BatchOfCells.make(
            spans.map { span in
                table.row([
                    "start_time": .integer(span.start), "duration": .integer(span.duration),
                    "trace_id": .bytes(Array(repeating: 7, count: 8) + span.trace.bigEndianBytes),
                    "span_id": .bytes(span.span.bigEndianBytes), "parent_span_id": .bytes(span.parent.bigEndianBytes),
                    "service_name": .bytes(Array(span.service.utf8)), "span_name": .bytes(Array(span.name.utf8)),
                    "span_kind": .integer(span.kind), "status_code": .integer(span.status),
                ])
            }, table)
    }
}

extension UInt64 {
    fileprivate var bigEndianBytes: [UInt8] { littleEndianBytes.reversed() }
}

/// Views as a dictionary of plain values, aggregated row by row.
enum NaiveViews {
    typealias Rows = [[String]: [String]]

    static func text(_ trace: UInt64) -> String { "7/\(trace)" }

    static func statistics(_ spans: [SpanFact]) -> Rows {
        Dictionary(grouping: spans) { ["\($0.hourStart)", $0.service, $0.name, "\($0.kind)"] }.mapValues { spans in
            let durations = spans.map(\.duration)
            return [
                "\(spans.count)", "\(spans.count { $0.status == 2 })", "\(durations.reduce(0) { $0 + max($1, 0) })",
                "\(durations.min() ?? 0)", "\(durations.max() ?? 0)", histogram(durations),
            ]
        }
    }

    static func histogram(_ durations: [Int64]) -> String {
        var histogram = ExponentialHistogram()
        for duration in durations { histogram.insert(duration) }
        return "\(histogram.bytes)"
    }

    static func index(_ spans: [SpanFact]) -> Rows {
        Dictionary(grouping: spans) { [text($0.trace), "\($0.dayStart)"] }.mapValues { spans in
            let roots = spans.filter { $0.parent == 0 }
            let first = roots.map(\.start).min()
            let best = roots.filter { $0.start == first }
            return [
                "\(spans.map(\.start).min() ?? 0)", "\(spans.map { $0.start + $0.duration }.max() ?? 0)",
                "\(first ?? .max)",
                best.map(\.service).min { $0.utf8.lexicographicallyPrecedes($1.utf8) } ?? "",
                best.map(\.name).min { $0.utf8.lexicographicallyPrecedes($1.utf8) } ?? "",
                "\(spans.count)", "\(spans.count { $0.status == 2 })",
                Set(spans.map(\.service)).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
                    .joined(separator: "|"),
            ]
        }
    }

    /// - Parameter isNear: only parents of the child's hour and the one before it count.
    static func dependencies(_ spans: [SpanFact], isNear: Bool) -> Rows {
        struct Name: Hashable {
            let trace, span: UInt64
        }
        let byName = Dictionary(spans.map { (Name(trace: $0.trace, span: $0.span), $0) }) { first, _ in first }
        let edges = spans.compactMap { span -> ([String], SpanFact)? in
            guard span.parent != 0, let parent = byName[Name(trace: span.trace, span: span.parent)],
                parent.service != span.service,
                !isNear || [span.hourStart, span.hourStart - SpanFact.hour].contains(parent.hourStart)
            else { return nil }
            return (["\(span.hourStart)", parent.service, span.service], span)
        }
        return Dictionary(grouping: edges) { $0.0 }.mapValues { edges in
            ["\(edges.count)", "\(edges.count { $0.1.status == 2 })", histogram(edges.map(\.1.duration))]
        }
    }
}

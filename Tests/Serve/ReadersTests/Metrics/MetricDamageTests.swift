import Core
import Foundation
import Observability
import QueryModel
import Readers
import Scheduling
import Testing

/// Metrics of which pages are damaged: a query leaves their blocks out with a warning, and fails for none.
struct MetricDamageTests {
    typealias Point = MetricRequest.Point

    /// Points of gauges, more than a block of them, and of a histogram.
    private func points(from start: Double, gauges: Int, _ service: String) -> [Point] {
        let resource = attributes(["service.name": service])
        var points: [Point] = []
        for number in 0..<gauges {
            var point = Point(
                metric: .gauge("load"), resource: resource, time: second(start + Double(number / 4)),
                value: .double(Double(number % 977) / 8))
            point.attributes = attributes(["core": "\(number % 4)"])
            points.append(point)
        }
        for number in 0..<40 {
            var point = Point(
                metric: .histogram("latency"), resource: resource, time: second(start + Double(number)),
                value: .histogram(
                    count: UInt64(number), sum: 1, min: nil, max: nil, bounds: [1, 2.5], counts: [UInt64(number), 0, 0])
            )
            point.exemplars = [
                MetricRequest.Exemplar(
                    time: point.time, value: .double(0.5), traceID: TraceID(high: 1, low: UInt64(number)),
                    spanID: SpanID(word: 1))
            ]
            points.append(point)
        }
        return points
    }

    /// A sample, or anything else that an answer is made of.
    private typealias Answer = Set<String>

    private func ask(_ reader: MetricReader) throws -> (answer: Answer, warnings: [String]) {
        let context = QueryContext(tenant: .default, byteLimit: 1 << 30)
        var answer: Answer = []
        for name in ["load", "latency_bucket", "target_info"] {
            for series in try reader.series(matching: selector(name), in: .everything, context: context) {
                for (time, value) in zip(series.timestamps, series.values) {
                    answer.insert("\(series.labels) \(time) \(value)")
                }
            }
        }
        for labels in try reader.labelSets(matching: [selector("latency_bucket")], in: .everything, context: context) {
            answer.insert("\(labels)")
        }
        for value in try reader.labelValues(of: "le", matching: [], in: .everything, context: context) {
            answer.insert("le \(value)")
        }
        let everything = TimeRange(start: Timestamp(nanoseconds: 0), end: Timestamp(nanoseconds: second(1e6)))
        for (labels, exemplars) in try reader.exemplars(
            matching: [selector("latency_bucket")], in: everything, context: context)
        {
            for exemplar in exemplars { answer.insert("\(labels) \(exemplar)") }
        }
        for point in try reader.metricPoints(
            name: "latency", service: nil, in: .everything, limit: 100, context: context)
        {
            answer.insert("\(point)")
        }
        return (answer, context.statistics.warnings)
    }

    @Test func `a damaged page leaves out its block with a warning, and fails no query`() throws {
        let store = try MetricStore()
        try store.ingest(points(from: 0, gauges: 9000, "shop"))
        try store.flush()
        try store.ingest(points(from: 10_000, gauges: 400, "cart"))
        try store.flush()
        let whole = try ask(store.reader)
        #expect(whole.warnings.isEmpty)
        let others = whole.answer.filter { $0.contains("cart") }
        #expect(others.count > 400)
        let size = try Data(contentsOf: URL(filePath: store.partFiles[0])).count
        var lostSome = 0
        var lostNone = 0
        for step in 0..<24 {
            let at = 16 + step * (size - 60) / 24
            let copy = try MetricStore(copying: store.directory)
            let path = copy.partFiles[0]
            let file = try #require(FileHandle(forUpdatingAtPath: path))
            try file.seek(toOffset: UInt64(at))
            let byte = try #require(try file.read(upToCount: 1)).first ?? 0
            try file.seek(toOffset: UInt64(at))
            try file.write(contentsOf: [byte ^ 16])
            try file.close()
            let (answer, warnings) = try ask(copy.reader)
            // Where target_info has its samples depends on which blocks there are.
            let foreign = answer.subtracting(whole.answer).filter { !$0.contains("target_info") }
            #expect(foreign.isEmpty, "byte \(at): \(foreign.first ?? "")")
            #expect(others.isSubset(of: answer), "byte \(at)")
            #expect((answer != whole.answer) == !warnings.isEmpty, "byte \(at): \(warnings)")
            #expect(warnings.allSatisfy { $0.contains("cannot be read and is left out") }, "byte \(at): \(warnings)")
            let again = try ask(copy.reader)
            #expect(again.answer == answer && again.warnings == warnings, "byte \(at), asked again")
            if answer == whole.answer {
                lostNone += 1
            } else if answer.contains(where: { $0.contains("load") && $0.contains("shop") }) {
                lostSome += 1
            }
        }
        // Most pages are of one block: the other blocks of the part are served.
        #expect(lostSome >= 3, "\(lostSome) of 24 lost a block, \(lostNone) nothing")
    }
}

import Core
import HTTP
import JSON
import LogQL
import Observability
import QueryModel
import Scheduling

/// Writes the reply to a query (rules L-10 to L-14): clients read it as it comes, so `resultType` and `encodingFlags` stand
/// before `result`, and the statistics behind it.
struct LokiReply {
    private static let categorizedFlag = "categorize-labels"

    private var json = JSONWriter()
    private let categorizesLabels: Bool
    private var entriesReturned = 0

    init(categorizesLabels: Bool) {
        self.categorizesLabels = categorizesLabels
        json.beginObject()
        json.key("status")
        json.string("success")
        json.key("data")
        json.beginObject()
    }

    // MARK: Streams

    /// Entries in the query's order; streams by their labels, the entries of each in that order.
    mutating func streams(_ entries: [PipelineEntry], _ context: QueryContext) throws(QueryError) {
        var account = JSONAccount(context)
        entriesReturned = entries.count
        var streams: [(labels: [Label], members: [Int])] = []
        var slots: [[Label]: Int] = [:]
        for (member, entry) in entries.enumerated() {
            let labels = categorizesLabels ? entry.streamLabels : entry.allLabels
            if let slot = slots[labels] {
                streams[slot].members.append(member)
            } else {
                slots[labels] = streams.count
                streams.append((labels, [member]))
            }
        }
        streams.sort { $0.labels.lexicographicallyPrecedes($1.labels) }
        json.key("resultType")
        json.string("streams")
        if categorizesLabels {
            json.key("encodingFlags")
            json.beginArray()
            json.string(Self.categorizedFlag)
            json.endArray()
        }
        json.key("result")
        json.beginArray()
        for stream in streams {
            json.beginObject()
            json.key("stream")
            write(stream.labels)
            json.key("values")
            json.beginArray()
            for member in stream.members { write(entries[member]) }
            json.endArray()
            json.endObject()
            try account.count(json)
        }
        json.endArray()
    }

    private mutating func write(_ entry: PipelineEntry) {
        json.beginArray()
        json.quoted(entry.timestamp.nanoseconds)
        json.string(entry.line)
        if categorizesLabels {
            let parsed = entry.parsed
            json.beginObject()
            if !entry.metadata.isEmpty {
                json.key("structuredMetadata")
                write(entry.metadata)
            }
            if !parsed.isEmpty {
                json.key("parsed")
                write(parsed)
            }
            json.endObject()
        }
        json.endArray()
    }

    private mutating func write(_ labels: [Label]) {
        json.beginObject()
        for label in labels {
            json.key(label.name)
            json.string(label.value)
        }
        json.endObject()
    }

    // MARK: Metrics

    mutating func instant(_ result: MetricResult, at timestamp: Timestamp) {
        json.key("resultType")
        switch result {
        case .scalar(let value):
            json.string("scalar")
            json.key("result")
            write(value, at: timestamp)
        case .series(let series):
            entriesReturned = series.count
            json.string("vector")
            json.key("result")
            json.beginArray()
            for one in series where one.isPresent(0) {
                json.beginObject()
                json.key("metric")
                write(one.labels.pairs)
                json.key("value")
                write(one.values[0], at: timestamp)
                json.endObject()
            }
            json.endArray()
        }
    }

    mutating func range(
        _ result: MetricResult, over grid: StepGrid, _ context: QueryContext
    ) throws(QueryError) {
        var account = JSONAccount(context)
        let series: [GridSeries] =
            switch result {
            case .series(let series): series
            case .scalar(let value): [GridSeries(labels: .empty, values: Array(repeating: value, count: grid.count))]
            }
        entriesReturned = series.count
        json.key("resultType")
        json.string("matrix")
        json.key("result")
        json.beginArray()
        for one in series {
            json.beginObject()
            json.key("metric")
            write(one.labels.pairs)
            json.key("values")
            json.beginArray()
            for step in 0..<grid.count where one.isPresent(step) { write(one.values[step], at: grid[step]) }
            json.endArray()
            json.endObject()
            try account.count(json)
        }
        json.endArray()
    }

    private mutating func write(_ value: Double, at timestamp: Timestamp) {
        json.beginArray()
        json.prometheusTime(milliseconds: timestamp.milliseconds)
        json.prometheusValue(value)
        json.endArray()
    }

    // MARK: The end

    mutating func finish(_ statistics: QueryStatistics, time: Duration) -> HTTPResponse {
        json.key("stats")
        LokiStatistics(statistics, time: time, entriesReturned: entriesReturned).write(to: &json)
        json.endObject()
        if !statistics.warnings.isEmpty {
            json.key("warnings")
            json.beginArray()
            for warning in statistics.warnings { json.string(warning) }
            json.endArray()
        }
        json.endObject()
        return .json(json.bytes)
    }
}

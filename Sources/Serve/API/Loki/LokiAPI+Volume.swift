import Core
import HTTP
import JSON
import LogQL
import QueryModel

/// `/index/stats`, `/index/volume` and `/index/volume_range` (rules L-24, L-25).
extension LokiAPI {
    /// `{"streams":n,"chunks":n,"bytes":n,"entries":n}`; a stream counts as one chunk.
    func indexStatistics(_ request: APIRequest) throws(RequestFailure) -> HTTPResponse {
        let parameters = parameters(request)
        let matchers = try reading { () throws(LogQLError) in try LogQLParser.matchers(parameters.query) }
        let range = try parameters.range()
        try admit(range, request)
        let volumes = try volumes(request, matchers, in: range)
        var json = JSONWriter()
        json.beginObject()
        json.key("streams")
        json.int(volumes.count)
        json.key("chunks")
        json.int(volumes.count)
        json.key("bytes")
        json.int(volumes.reduce(0) { $0 + $1.bytes })
        json.key("entries")
        json.int(volumes.reduce(0) { $0 + $1.entries })
        json.endObject()
        return .json(json.bytes)
    }

    private func volumes(
        _ request: APIRequest, _ matchers: [LabelMatcher], in range: TimeRange
    ) throws(RequestFailure) -> [LogVolume] {
        guard !range.isEmpty else { return [] }
        return try askingLoki { () throws(QueryError) in
            try engine.source.volumes(matching: matchers, in: range, context: request.context)
        }
    }

    func volume(_ request: APIRequest) throws(RequestFailure) -> HTTPResponse {
        let parameters = parameters(request)
        let grouping = try VolumeGrouping(parameters)
        let range = try parameters.range()
        try admit(range, request)
        let limit = try parameters.limit()
        var table = VolumeTable()
        for volume in try volumes(request, grouping.matchers, in: range) {
            for key in grouping.keys(of: volume.stream.labels) { table.add(volume.bytes, to: key, at: range.end) }
        }
        return Self.success { json in
            json.beginObject()
            json.key("resultType")
            json.string("vector")
            json.key("result")
            json.beginArray()
            for row in table.largest(limit) {
                json.beginObject()
                Self.write(row.labels, to: &json)
                json.key("value")
                for point in row.points { Self.write(point, to: &json) }
                json.endObject()
            }
            json.endArray()
            json.endObject()
        }
    }

    /// Each point is the volume from its time on, over one step.
    func volumeRange(_ request: APIRequest) throws(RequestFailure) -> HTTPResponse {
        let parameters = parameters(request)
        let grouping = try VolumeGrouping(parameters)
        let range = try parameters.range()
        try admit(range, request)
        let step = try parameters.step(over: range)
        let limit = try parameters.limit()
        var table = VolumeTable()
        var start = range.start
        while start < range.end {
            let end = min(start.advanced(by: step), range.end)
            for volume in try volumes(request, grouping.matchers, in: TimeRange(start: start, end: end)) {
                for key in grouping.keys(of: volume.stream.labels) { table.add(volume.bytes, to: key, at: start) }
            }
            start = end
        }
        return Self.success { json in
            json.beginObject()
            json.key("resultType")
            json.string("matrix")
            json.key("result")
            json.beginArray()
            for row in table.largest(limit) {
                json.beginObject()
                Self.write(row.labels, to: &json)
                json.key("values")
                json.beginArray()
                for point in row.points { Self.write(point, to: &json) }
                json.endArray()
                json.endObject()
            }
            json.endArray()
            json.endObject()
        }
    }

    private static func write(_ labels: [Label], to json: inout JSONWriter) {
        json.key("metric")
        json.beginObject()
        for label in labels {
            json.key(label.name)
            json.string(label.value)
        }
        json.endObject()
    }

    private static func write(_ point: VolumeTable.Point, to json: inout JSONWriter) {
        json.beginArray()
        json.prometheusTime(milliseconds: point.time.milliseconds)
        json.quoted(Int64(point.bytes))
        json.endArray()
    }
}

/// Which labels volumes are added up by.
private struct VolumeGrouping {
    let matchers: [LabelMatcher]
    /// Nil: all labels.
    private let names: Set<String>?
    /// Whether each label counts by itself, whatever its values.
    private let countsNames: Bool

    init(_ parameters: LokiParameters) throws(RequestFailure) {
        let matchers = try reading { () throws(LogQLError) in try LogQLParser.matchers(parameters.query) }
        let targets = parameters.names("targetLabels")
        let used = targets.isEmpty ? matchers.map(\.name) : targets
        self.matchers = matchers
        names = used.isEmpty ? nil : Set(used)
        switch parameters.text("aggregateBy") {
        case nil, "series": countsNames = false
        case "labels": countsNames = true
        case let other?:
            throw .badRequest("invalid aggregation option \"\(other)\": it must be either 'series' or 'labels'")
        }
    }

    /// The rows that a stream counts for.
    func keys(of labels: Labels) -> [[Label]] {
        let shown = labels.pairs.filter { names?.contains($0.name) ?? true }
        return countsNames ? shown.map { [Label($0.name, "")] } : [shown]
    }
}

/// Bytes by label set and time.
private struct VolumeTable {
    struct Point {
        var time: Timestamp
        var bytes: Int
    }

    struct Row {
        var labels: [Label]
        /// Ascending in time.
        var points: [Point]
        var total: Int { points.reduce(0) { $0 + $1.bytes } }
    }

    private var rows: [Row] = []
    private var slots: [[Label]: Int] = [:]

    /// Times may only ascend.
    mutating func add(_ bytes: Int, to labels: [Label], at time: Timestamp) {
        let slot = slots[labels] ?? rows.count
        if slot == rows.count {
            rows.append(Row(labels: labels, points: []))
            slots[labels] = slot
        }
        if let last = rows[slot].points.indices.last, rows[slot].points[last].time == time {
            rows[slot].points[last].bytes += bytes
        } else {
            rows[slot].points.append(Point(time: time, bytes: bytes))
        }
    }

    /// The rows with most bytes first; of equal ones the first by labels.
    func largest(_ limit: Int) -> [Row] {
        let sorted = rows.map { ($0, $0.total) }.sorted { left, right in
            left.1 == right.1 ? left.0.labels.lexicographicallyPrecedes(right.0.labels) : left.1 > right.1
        }
        return sorted.prefix(limit).map(\.0)
    }
}

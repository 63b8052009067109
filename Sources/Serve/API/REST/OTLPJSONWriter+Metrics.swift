import Core
import JSON
import QueryModel

/// `resourceMetrics`.
extension OTLPJSONWriter {
    /// Writes the array that is `resourceMetrics`; points of one metric are put together.
    mutating func resourceMetrics(_ points: [MetricPoint]) throws(QueryError) {
        try grouped(points, scopesKey: "scopeMetrics", itemsKey: "metrics", origin: { ($0.resource, $0.scope) }) {
            (writer, points) throws(QueryError) in try writer.metrics(points)
        }
    }

    private mutating func metrics(_ points: [MetricPoint]) throws(QueryError) {
        var order: [MetricIdentity] = []
        var pointsByMetric: [MetricIdentity: [MetricPoint]] = [:]
        for point in points {
            let identity = MetricIdentity(point)
            if pointsByMetric[identity] == nil { order.append(identity) }
            pointsByMetric[identity, default: []].append(point)
        }
        for identity in order {
            metric(identity, pointsByMetric[identity] ?? [])
            try countText()
        }
    }

    private mutating func metric(_ metric: MetricIdentity, _ points: [MetricPoint]) {
        json.beginObject()
        json.key("name")
        json.string(metric.name)
        text("description", metric.description)
        text("unit", metric.unit)
        switch metric.kind {
        case .gauge: json.key("gauge")
        case .sum: json.key("sum")
        case .histogram: json.key("histogram")
        case .exponentialHistogram: json.key("exponentialHistogram")
        case .summary: json.key("summary")
        }
        json.beginObject()
        json.key("dataPoints")
        json.beginArray()
        for point in points { dataPoint(point) }
        json.endArray()
        if metric.kind != .gauge, metric.kind != .summary {
            json.key("aggregationTemporality")
            json.int(Int64(metric.temporality))
        }
        if metric.isMonotonic {
            json.key("isMonotonic")
            json.bool(true)
        }
        json.endObject()
        if !metric.metadata.isEmpty { attributes(metric.metadata, key: "metadata") }
        json.endObject()
    }

    private mutating func dataPoint(_ point: MetricPoint) {
        json.beginObject()
        attributes(point.attributes)
        if point.startTime.nanoseconds != 0 { time("startTimeUnixNano", point.startTime) }
        time("timeUnixNano", point.time)
        pointValue(point.value)
        count("flags", point.flags)
        if !point.exemplars.isEmpty {
            json.key("exemplars")
            json.beginArray()
            for exemplar in point.exemplars { self.exemplar(exemplar) }
            json.endArray()
        }
        json.endObject()
    }

    private mutating func exemplar(_ exemplar: MetricPoint.Exemplar) {
        json.beginObject()
        time("timeUnixNano", exemplar.time)
        pointValue(exemplar.value)
        id("spanId", exemplar.spanID)
        id("traceId", exemplar.traceID)
        if !exemplar.attributes.isEmpty { attributes(exemplar.attributes, key: "filteredAttributes") }
        json.endObject()
    }

    private mutating func pointValue(_ value: MetricPoint.Value) {
        switch value {
        case .none: break
        case .int(let integer):
            json.key("asInt")
            json.quoted(integer)
        case .double(let double):
            json.key("asDouble")
            number(double)
        case .histogram(let count, let sum, let min, let max, let bounds, let counts):
            distribution(count: count, sum: sum, min: min, max: max)
            bucketCounts(counts)
            json.key("explicitBounds")
            json.beginArray()
            for bound in bounds { number(bound) }
            json.endArray()
        case .exponentialHistogram(
            let count, let sum, let min, let max, let scale, let zeroCount, let zeroThreshold, let positiveOffset,
            let positive, let negativeOffset, let negative):
            distribution(count: count, sum: sum, min: min, max: max)
            json.key("scale")
            json.int(Int64(scale))
            json.key("zeroCount")
            json.quoted(zeroCount)
            if zeroThreshold != 0 {
                json.key("zeroThreshold")
                number(zeroThreshold)
            }
            buckets("positive", positiveOffset, positive)
            buckets("negative", negativeOffset, negative)
        case .summary(let count, let sum, let quantiles):
            distribution(count: count, sum: sum, min: nil, max: nil)
            json.key("quantileValues")
            json.beginArray()
            for pair in quantiles {
                json.beginObject()
                json.key("quantile")
                number(pair.quantile)
                json.key("value")
                number(pair.value)
                json.endObject()
            }
            json.endArray()
        }
    }

    private mutating func distribution(count: UInt64, sum: Double?, min: Double?, max: Double?) {
        json.key("count")
        json.quoted(count)
        if let sum {
            json.key("sum")
            number(sum)
        }
        if let min {
            json.key("min")
            number(min)
        }
        if let max {
            json.key("max")
            number(max)
        }
    }

    private mutating func buckets(_ key: StaticString, _ offset: Int32, _ counts: [UInt64]) {
        guard !counts.isEmpty else { return }
        json.key(key)
        json.beginObject()
        json.key("offset")
        json.int(Int64(offset))
        bucketCounts(counts)
        json.endObject()
    }

    private mutating func bucketCounts(_ counts: [UInt64]) {
        json.key("bucketCounts")
        json.beginArray()
        for count in counts { json.quoted(count) }
        json.endArray()
    }
}

/// What data points of one metric have in common.
private struct MetricIdentity: Hashable {
    let name: String
    let description: String
    let unit: String
    let kind: MetricKind
    let temporality: Int32
    let isMonotonic: Bool
    let metadata: [Attribute]

    init(_ point: MetricPoint) {
        name = point.name
        description = point.description
        unit = point.unit
        kind = point.kind
        temporality = point.temporality
        isMonotonic = point.isMonotonic
        metadata = point.metadata
    }
}

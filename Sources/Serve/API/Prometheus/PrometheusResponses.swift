import HTTP
import JSON
import Observability
import PromQL
import QueryModel
import Scheduling

/// Answers in the envelope and the forms of Prometheus's API (rules P-1, P-5 to P-7, P-12).
struct PrometheusResponses {
    static let limitWarning = "results truncated due to limit"

    /// The most annotations of each kind; the rest is only counted.
    private static let mostAnnotations = 10

    static func success<Failure>(
        warnings: [String] = [], infos: [String] = [], data: (inout JSONWriter) throws(Failure) -> Void
    ) throws(Failure) -> HTTPResponse {
        var json = JSONWriter()
        json.beginObject()
        json.key("status")
        json.string("success")
        json.key("data")
        try data(&json)
        if !warnings.isEmpty {
            json.key("warnings")
            json.strings(cut(warnings, kind: "warning"))
        }
        if !infos.isEmpty {
            json.key("infos")
            json.strings(cut(infos, kind: "info"))
        }
        json.endObject()
        return .json(json.bytes)
    }

    private static func cut(_ annotations: [String], kind: String) -> [String] {
        let more = annotations.count - mostAnnotations
        if more <= 0 { return annotations }
        return annotations.prefix(mostAnnotations) + ["\(more) more \(kind) annotations omitted"]
    }

    /// A list, whose text counts against its query's memory.
    static func list<Element>(
        _ elements: [Element], limit: Int? = nil, _ context: QueryContext, _ write: (inout JSONWriter, Element) -> Void
    ) throws(QueryError) -> HTTPResponse {
        let isCut = limit.map { elements.count > $0 } ?? false
        var account = JSONAccount(context)
        return try success(warnings: isCut ? [limitWarning] : []) { (json) throws(QueryError) in
            json.beginArray()
            for element in elements.prefix(limit ?? elements.count) {
                write(&json, element)
                try account.count(json, atLeast: 1 << 10)
            }
            json.endArray()
        }
    }

    /// - Parameters:
    ///   - context: of the query, which the text counts for, and which says what the answer lacks.
    ///   - statistics: writes the member `stats`, if it was asked for.
    static func answer(
        _ answer: QueryAnswer, limit: Int?, _ context: QueryContext, statistics: ((inout JSONWriter) -> Void)?
    ) throws(QueryError) -> HTTPResponse {
        var answer = answer
        let isCut = limit.map { answer.limit(to: $0) } ?? false
        let warnings = context.statistics.warnings + answer.annotations.warnings + (isCut ? [limitWarning] : [])
        return try success(warnings: warnings, infos: answer.annotations.infos) { (json) throws(QueryError) in
            json.beginObject()
            json.key("resultType")
            json.string(answer.resultType)
            json.key("result")
            try json.value(answer.value, context)
            if let statistics {
                json.key("stats")
                statistics(&json)
            }
            json.endObject()
        }
    }
}

extension QueryAnswer {
    fileprivate var resultType: String {
        switch value {
        case .scalar: "scalar"
        case .string: "string"
        case .vector: "vector"
        case .matrix: "matrix"
        }
    }

    /// Drops series beyond `count`.
    ///
    /// - Returns: whether there were any.
    fileprivate mutating func limit(to count: Int) -> Bool {
        switch value {
        case .vector(let elements) where elements.count > count:
            value = .vector(Array(elements.prefix(count)))
            return true
        case .matrix(let series) where series.count > count:
            value = .matrix(Array(series.prefix(count)))
            return true
        default: return false
        }
    }
}

extension JSONWriter {
    mutating func strings(_ values: [String]) {
        beginArray()
        for value in values { string(value) }
        endArray()
    }

    /// Keys are sorted, as labels are (rule P-6).
    mutating func labels(_ labels: Labels) {
        beginObject()
        for label in labels.pairs {
            key(label.name)
            string(label.value)
        }
        endObject()
    }

    fileprivate mutating func value(_ value: QueryAnswer.Value, _ context: QueryContext) throws(QueryError) {
        var account = JSONAccount(context)
        switch value {
        case .scalar(let time, let number): sample(time, number)
        case .string(let time, let text):
            beginArray()
            prometheusTime(milliseconds: time)
            string(text)
            endArray()
        case .vector(let elements):
            beginArray()
            for element in elements {
                self.element(element)
                try account.count(self)
            }
            endArray()
        case .matrix(let series):
            beginArray()
            for one in series {
                self.series(one)
                try account.count(self)
            }
            endArray()
        }
    }

    private mutating func sample(_ time: Int64, _ value: Double) {
        beginArray()
        prometheusTime(milliseconds: time)
        prometheusValue(value)
        endArray()
    }

    private mutating func sample(_ time: Int64, _ value: NativeHistogram) {
        beginArray()
        prometheusTime(milliseconds: time)
        histogram(value)
        endArray()
    }

    private mutating func element(_ element: QueryAnswer.Element) {
        beginObject()
        key("metric")
        labels(element.labels)
        switch element.value {
        case .float(let number):
            key("value")
            sample(element.timestamp, number)
        case .histogram(let histogram):
            key("histogram")
            sample(element.timestamp, histogram)
        }
        endObject()
    }

    private mutating func series(_ series: MatrixSeries) {
        beginObject()
        key("metric")
        labels(series.labels)
        if !series.floats.isEmpty {
            key("values")
            beginArray()
            for (time, value) in series.floats { sample(time, value) }
            endArray()
        }
        if !series.histograms.isEmpty {
            key("histograms")
            beginArray()
            for (time, value) in series.histograms { sample(time, value) }
            endArray()
        }
        endObject()
    }

    /// Filled buckets ascend; the first number of each says which of its bounds belong to it (rule P-12).
    private mutating func histogram(_ histogram: NativeHistogram) {
        beginObject()
        key("count")
        prometheusValue(histogram.count)
        key("sum")
        prometheusValue(histogram.sum)
        let buckets = histogram.presentedBuckets
        if !buckets.isEmpty {
            key("buckets")
            beginArray()
            for bucket in buckets {
                beginArray()
                int(bucket.rule)
                prometheusValue(bucket.lower)
                prometheusValue(bucket.upper)
                prometheusValue(bucket.count)
                endArray()
            }
            endArray()
        }
        endObject()
    }
}

extension NativeHistogram {
    /// Rule 0 is (lower, upper], 1 is [lower, upper), 3 is [lower, upper].
    fileprivate var presentedBuckets: [(rule: Int, lower: Double, upper: Double, count: Double)] {
        var buckets: [(rule: Int, lower: Double, upper: Double, count: Double)] = []
        for (i, count) in negative.enumerated().reversed() where count != 0 {
            let index = Int(negativeOffset) + i
            buckets.append((1, -upperBound(index), -upperBound(index - 1), count))
        }
        if zeroCount != 0 { buckets.append((3, -zeroThreshold, zeroThreshold, zeroCount)) }
        for (i, count) in positive.enumerated() where count != 0 {
            let index = Int(positiveOffset) + i
            buckets.append((0, upperBound(index - 1), upperBound(index), count))
        }
        return buckets
    }
}

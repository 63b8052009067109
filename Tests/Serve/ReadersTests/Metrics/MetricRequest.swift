import Core
import Telemetry

/// Data points in Swift, and the OTLP request that carries them, composed field by field.
struct MetricRequest {
    enum Value {
        case none
        case int(Int64)
        case double(Double)
        case histogram(count: UInt64, sum: Double?, min: Double?, max: Double?, bounds: [Double], counts: [UInt64])
        case exponential(
            count: UInt64, sum: Double?, scale: Int32, zeroCount: UInt64, zeroThreshold: Double,
            positiveOffset: Int32, positive: [UInt64], negativeOffset: Int32, negative: [UInt64])
        case summary(count: UInt64, sum: Double, quantiles: [(Double, Double)])
    }

    struct Exemplar {
        var time: Int64
        var value: Value
        var traceID: TraceID
        var spanID: SpanID
        var attributes: [Attribute] = []
    }

    struct Metric: Hashable {
        var name: String
        var description = ""
        var unit = ""
        /// OTLP's field of the data: 5 gauge, 7 sum, 9 histogram, 10 exponential histogram, 11 summary.
        var kind: UInt64 = 5
        var temporality: UInt64 = 0
        var isMonotonic = false
        var metadata: [Attribute] = []

        static func gauge(_ name: String, unit: String = "") -> Metric { Metric(name: name, unit: unit) }
        static func counter(_ name: String, unit: String = "", isDelta: Bool = false) -> Metric {
            Metric(name: name, unit: unit, kind: 7, temporality: isDelta ? 1 : 2, isMonotonic: true)
        }
        static func histogram(_ name: String, unit: String = "", isDelta: Bool = false) -> Metric {
            Metric(name: name, unit: unit, kind: 9, temporality: isDelta ? 1 : 2)
        }
        static func exponential(_ name: String, isDelta: Bool = false) -> Metric {
            Metric(name: name, kind: 10, temporality: isDelta ? 1 : 2)
        }
        static func summary(_ name: String) -> Metric { Metric(name: name, kind: 11) }
    }

    struct Point {
        var metric: Metric
        var resource: [Attribute] = [Attribute(key: "service.name", value: .string("shop"))]
        var resourceSchemaURL = ""
        var scope = "library"
        var attributes: [Attribute] = []
        /// Nanoseconds.
        var time: Int64
        var start: Int64 = 0
        var value: Value
        var flags: UInt32 = 0
        var exemplars: [Exemplar] = []
    }

    /// One `ResourceMetrics` per point, in their order.
    static func bytes(_ points: [Point]) -> [UInt8] {
        var request = ProtobufWriter()
        for point in points { request.field(1, bytes: resourceMetrics(point)) }
        return request.bytes
    }

    private static func resourceMetrics(_ point: Point) -> [UInt8] {
        var resource = ProtobufWriter()
        for attribute in point.resource { resource.field(1, bytes: keyValue(attribute)) }
        var scope = ProtobufWriter()
        scope.field(1, bytes: Array(point.scope.utf8))
        scope.field(2, bytes: Array("1.2".utf8))
        var scopeMetrics = ProtobufWriter()
        scopeMetrics.field(1, bytes: scope.bytes)
        scopeMetrics.field(2, bytes: metric(point))
        var result = ProtobufWriter()
        result.field(1, bytes: resource.bytes)
        result.field(2, bytes: scopeMetrics.bytes)
        if !point.resourceSchemaURL.isEmpty { result.field(3, bytes: Array(point.resourceSchemaURL.utf8)) }
        return result.bytes
    }

    private static func metric(_ point: Point) -> [UInt8] {
        var metric = ProtobufWriter()
        metric.field(1, bytes: Array(point.metric.name.utf8))
        metric.field(2, bytes: Array(point.metric.description.utf8))
        metric.field(3, bytes: Array(point.metric.unit.utf8))
        var data = ProtobufWriter()
        data.field(1, bytes: dataPoint(point))
        if point.metric.temporality != 0 { data.field(2, varint: point.metric.temporality) }
        if point.metric.isMonotonic { data.field(3, varint: 1) }
        metric.field(point.metric.kind, bytes: data.bytes)
        for attribute in point.metric.metadata { metric.field(12, bytes: keyValue(attribute)) }
        return metric.bytes
    }

    private static func dataPoint(_ point: Point) -> [UInt8] {
        var writer = ProtobufWriter()
        writer.field(2, fixed64: UInt64(point.start))
        writer.field(3, fixed64: UInt64(point.time))
        let fields: (attributes: UInt64, flags: UInt64, exemplars: UInt64) =
            switch point.metric.kind {
            case 9: (9, 10, 8)
            case 10: (1, 10, 11)
            case 11: (7, 8, 0)
            default: (7, 8, 5)
            }
        for attribute in point.attributes { writer.field(fields.attributes, bytes: keyValue(attribute)) }
        if point.flags != 0 { writer.field(fields.flags, varint: UInt64(point.flags)) }
        for item in point.exemplars { writer.field(fields.exemplars, bytes: exemplar(item)) }
        write(point.value, &writer)
        return writer.bytes
    }

    private static func write(_ value: Value, _ writer: inout ProtobufWriter) {
        func packed(_ values: [UInt64]) -> [UInt8] {
            values.flatMap { value in withUnsafeBytes(of: value.littleEndian) { Array($0) } }
        }
        switch value {
        case .none: break
        case .int(let integer): writer.field(6, fixed64: UInt64(bitPattern: integer))
        case .double(let double): writer.field(4, fixed64: double.bitPattern)
        case .histogram(let count, let sum, let min, let max, let bounds, let counts):
            writer.field(4, fixed64: count)
            if let sum { writer.field(5, fixed64: sum.bitPattern) }
            writer.field(6, bytes: packed(counts))
            writer.field(7, bytes: packed(bounds.map(\.bitPattern)))
            if let min { writer.field(11, fixed64: min.bitPattern) }
            if let max { writer.field(12, fixed64: max.bitPattern) }
        case .exponential(
            let count, let sum, let scale, let zeroCount, let threshold, let positiveOffset, let positive,
            let negativeOffset, let negative):
            writer.field(4, fixed64: count)
            if let sum { writer.field(5, fixed64: sum.bitPattern) }
            writer.field(6, varint: zigzag(scale))
            writer.field(7, fixed64: zeroCount)
            for (field, offset, counts) in [(UInt64(8), positiveOffset, positive), (9, negativeOffset, negative)] {
                var buckets = ProtobufWriter()
                buckets.field(1, varint: zigzag(offset))
                for count in counts { buckets.field(2, varint: count) }
                writer.field(field, bytes: buckets.bytes)
            }
            writer.field(14, fixed64: threshold.bitPattern)
        case .summary(let count, let sum, let quantiles):
            writer.field(4, fixed64: count)
            writer.field(5, fixed64: sum.bitPattern)
            for (quantile, value) in quantiles {
                var item = ProtobufWriter()
                item.field(1, fixed64: quantile.bitPattern)
                item.field(2, fixed64: value.bitPattern)
                writer.field(6, bytes: item.bytes)
            }
        }
    }

    private static func zigzag(_ value: Int32) -> UInt64 { UInt64(UInt32(bitPattern: value << 1 ^ value >> 31)) }

    private static func exemplar(_ exemplar: Exemplar) -> [UInt8] {
        var writer = ProtobufWriter()
        for attribute in exemplar.attributes { writer.field(7, bytes: keyValue(attribute)) }
        writer.field(2, fixed64: UInt64(exemplar.time))
        switch exemplar.value {
        case .int(let integer): writer.field(6, fixed64: UInt64(bitPattern: integer))
        case .double(let double): writer.field(3, fixed64: double.bitPattern)
        default: break
        }
        let ids = [exemplar.traceID.high, exemplar.traceID.low, exemplar.spanID.word].map { word in
            withUnsafeBytes(of: word.bigEndian) { Array($0) }
        }
        writer.field(4, bytes: ids[2])
        writer.field(5, bytes: ids[0] + ids[1])
        return writer.bytes
    }

    private static func keyValue(_ attribute: Attribute) -> [UInt8] {
        var writer = ProtobufWriter()
        writer.field(1, bytes: Array(attribute.key.utf8))
        writer.field(2, bytes: anyValue(attribute.value))
        return writer.bytes
    }

    private static func anyValue(_ value: AttributeValue) -> [UInt8] {
        var writer = ProtobufWriter()
        switch value {
        case .empty: break
        case .string(let text): writer.field(1, bytes: Array(text.utf8))
        case .bool(let flag): writer.field(2, varint: flag ? 1 : 0)
        case .int(let integer): writer.field(3, varint: UInt64(bitPattern: integer))
        case .double(let double): writer.field(4, fixed64: double.bitPattern)
        case .bytes(let bytes): writer.field(7, bytes: bytes)
        case .array(let values):
            var list = ProtobufWriter()
            for value in values { list.field(1, bytes: anyValue(value)) }
            writer.field(5, bytes: list.bytes)
        case .map(let members):
            var list = ProtobufWriter()
            for member in members { list.field(1, bytes: keyValue(member)) }
            writer.field(6, bytes: list.bytes)
        }
        return writer.bytes
    }
}

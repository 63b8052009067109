import OTLP
import TableSchema
import Telemetry

/// OTLP/JSON: what is transcoded is protobuf that the decoders read.
extension FuzzTarget {
    static let tracesJSON = FuzzTarget("traces-json", seeds: { [Array(tracesText.utf8)] }) { bytes in
        check(try? OTLPJSON.transcode(traces: Array(bytes))) { body throws(ProtobufError) in
            var builder = SpanBuilder(bound { try SpanTable(table("otel_traces")) })
            _ = try TraceDecoder.decode(body, into: &builder)
        }
    }

    static let logsJSON = FuzzTarget("logs-json", seeds: { [Array(logsText.utf8)] }) { bytes in
        check(try? OTLPJSON.transcode(logs: Array(bytes))) { body throws(ProtobufError) in
            var builder = LogBuilder(bound { try LogTable(table("otel_logs")) })
            _ = try LogDecoder.decode(body, received: 0, into: &builder)
        }
    }

    static let metricsJSON = FuzzTarget("metrics-json", seeds: { [Array(metricsText.utf8)] }) { bytes in
        check(try? OTLPJSON.transcode(metrics: Array(bytes))) { body throws(ProtobufError) in
            var builder = MetricBuilder(bound { try MetricTable(table("otel_metrics")) })
            _ = try MetricDecoder.decode(body, into: &builder)
        }
    }

    private static func check(
        _ protobuf: [UInt8]?, _ decode: (UnsafeRawBufferPointer) throws(ProtobufError) -> Void
    ) {
        guard let protobuf else { return }
        protobuf.withUnsafeBytes { body in
            do throws(ProtobufError) { try decode(body) } catch {
                preconditionFailure("transcoded to no protobuf: \(error)")
            }
        }
    }

    private static let tracesText = #"""
        {"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"json"}}],
        "droppedAttributesCount":1},"scopeSpans":[{"scope":{"name":"s","version":"1"},"spans":[{"traceId":"5b8efff798038103d269b633813fc60c",
        "spanId":"eee19b7ec3c1b174","parentSpanId":"EEE19B7EC3C1B173","traceState":"a=b","name":"op","kind":2,"flags":769,
        "startTimeUnixNano":"1789999000000000000","endTimeUnixNano":1789999000000000500,"attributes":[
        {"key":"i","value":{"intValue":"-5"}},{"key":"d","value":{"doubleValue":"NaN"}},{"key":"b","value":{"boolValue":true}},
        {"key":"y","value":{"bytesValue":"AAH/"}},{"key":"a","value":{"arrayValue":{"values":[{"intValue":1},{}]}}},
        {"key":"m","value":{"kvlistValue":{"values":[{"key":"k","value":{"stringValue":"v"}}]}}}],
        "events":[{"timeUnixNano":"1789999000000000100","name":"e","attributes":[]}],
        "links":[{"traceId":"5b8efff798038103d269b633813fc60d","spanId":"eee19b7ec3c1b175"}],
        "status":{"code":2,"message":"m"}}],"schemaUrl":"u"}]}]}
        """#

    private static let logsText = #"""
        {"resourceLogs":[{"resource":{},"scopeLogs":[{"scope":null,"logRecords":[{"timeUnixNano":"1789999000000000000",
        "observedTimeUnixNano":"1789999000000000001","severityNumber":9,"severityText":"INFO","body":{"stringValue":"\u00e9 line"},
        "attributes":[{"key":"k","value":{"intValue":7}}],"flags":1,"traceId":"5B8EFFF798038103D269B633813FC60C",
        "spanId":"eee19b7ec3c1b174","eventName":"n","unknown":[1,{"x":null}]}]}]}]}
        """#

    private static let metricsText = #"""
        {"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"g","unit":"s","gauge":{"dataPoints":[{"asDouble":1.5,
        "timeUnixNano":"1789999000000000000"}]}},{"name":"c","sum":{"isMonotonic":true,"aggregationTemporality":2,"dataPoints":[
        {"asInt":"5","timeUnixNano":"1789999000000000000","exemplars":[{"asInt":"1","spanId":"eee19b7ec3c1b174"}]}]}},
        {"name":"h","histogram":{"aggregationTemporality":1,"dataPoints":[{"count":"3","sum":2.5,"bucketCounts":["1","2"],
        "explicitBounds":[0.5],"min":0,"max":9}]}},{"name":"e","exponentialHistogram":{"aggregationTemporality":2,"dataPoints":[
        {"count":3,"scale":-1,"zeroCount":"1","positive":{"offset":-3,"bucketCounts":["2"]},"zeroThreshold":1e-9}]}},
        {"name":"q","summary":{"dataPoints":[{"count":"1","sum":"Infinity","quantileValues":[{"quantile":0.5,"value":1}]}]}}]}]}]}
        """#
}

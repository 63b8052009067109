import Columns
import Compression
import Encoding
import OTLP
import Parts
import Schema

/// Valid inputs to start from: without them a fuzzer spends its time on the first bytes.
extension FuzzTarget {
    var seeds: [[UInt8]] {
        get throws {
            switch self {
            case .traces: [try OTLPJSON.transcode(traces: Self.tracesText)]
            case .logs: [try OTLPJSON.transcode(logs: Self.logsText)]
            case .metrics: [try OTLPJSON.transcode(metrics: Self.metricsText)]
            case .tracesJSON: [Self.tracesText]
            case .logsJSON: [Self.logsText]
            case .metricsJSON: [Self.metricsText]
            case .json: [Self.tracesText, Array(#"[1,-2.5e3,"\u00e9\n",true,null,{"a":{}}]"#.utf8)]
            case .gzip: [Gzip.compress(Self.logsText, level: 6)]
            case .zstd: [Self.zstdFrame]
            case .lz4: [Array("\u{F0}\u{0}abcabcabc".utf8)]
            case .pages: Self.encodedPages
            case .part: try Self.wholeParts
            case .schema: Schema.files.map(\.bytes)
            case .lock: [Schema.lock]
            case .promql: Self.metricQueries.map { Array($0.utf8) }
            case .logql: Self.logQueries.map { Array($0.utf8) }
            case .canary: [Array("bird".utf8)]
            case .pattern: [Array("a|b|(?i)c+[d-f]*(?P<n>.)$".utf8)]
            }
        }
    }

    private static let metricQueries = [
        #"sum by (job) (rate(orders_total{job=~"a|b",x!=""}[5m] offset 1h @ end())) / on (job) group_left (y) up > bool 0x1F"#,
        #"topk(3, histogram_quantile(0.9, {"http.server.duration", le!~".+"}[1h:5m] + -Inf)) or vector(1_000) # x"#,
        #"label_replace(a, 'b', `$1`, "c", "(.*)") unless ignoring (d) max_over_time(e[1d12h]) ^ 2 % atan2(1)"#,
    ]

    private static let logQueries = [
        #"sum by (level) (rate({service_name="a",b=~`c.+`} |= "x" or "y" !~ "z" | json a="b.c[0]", d | status >= 500 [5m]))"#,
        #"{a="b"} |> "<_> level=error <_>" | logfmt --strict | line_format "{{.a | ToUpper}}" | drop __error__, c=~"d""#,
        #"quantile_over_time(0.9, {a="b"} | pattern "<ip> - <_>" | unwrap duration(d) | __error__="" [1m] offset 5m) by (e)"#,
        #"topk(3, sum(count_over_time({a="b"} != ip("10.0.0.0/8") | size > 5KiB and ip = ip("::1") [1m])) by (x)) > 1"#,
    ]

    private static func text(_ json: String) -> [UInt8] { Array(json.utf8) }

    private static let resource = #"""
        "resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},"schemaUrl":"u"
        """#

    private static let attributes = #"""
        "attributes":[{"key":"s","value":{"stringValue":"x"}},{"key":"i","value":{"intValue":"-5"}},
        {"key":"d","value":{"doubleValue":2.5}},{"key":"b","value":{"boolValue":true}},{"key":"y","value":{"bytesValue":"AAE="}},
        {"key":"l","value":{"arrayValue":{"values":[{"stringValue":"e"},{"kvlistValue":{"values":[]}}]}}}]
        """#

    private static let tracesText = text(
        #"""
        {"resourceSpans":[{\#(resource),"scopeSpans":[{"scope":{"name":"n","version":"1"},"spans":[
        {"traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"0102030405060708","parentSpanId":"","name":"GET","kind":2,
        "startTimeUnixNano":"1700000000000000000","endTimeUnixNano":"1700000001000000000",\#(attributes),
        "events":[{"timeUnixNano":"1700000000500000000","name":"e",\#(attributes)}],
        "links":[{"traceId":"0102030405060708090a0b0c0d0e0f11","spanId":"0102030405060709","flags":1}],
        "status":{"code":2,"message":"m"},"traceState":"a=b","flags":257}]}]}]}
        """#)

    private static let logsText = text(
        #"""
        {"resourceLogs":[{\#(resource),"scopeLogs":[{"scope":{"name":"n"},"logRecords":[
        {"timeUnixNano":"1700000000000000000","observedTimeUnixNano":"1700000000000000001","severityNumber":17,
        "severityText":"ERROR","body":{"stringValue":"card refused"},\#(attributes),"eventName":"e",
        "traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"0102030405060708"},{"body":{"kvlistValue":{"values":[]}}}]}]}]}
        """#)

    private static let metricsText = text(
        #"""
        {"resourceMetrics":[{\#(resource),"scopeMetrics":[{"scope":{"name":"n"},"metrics":[
        {"name":"g","unit":"By","gauge":{"dataPoints":[{"timeUnixNano":"1700000000000000000","asInt":"9007199254740993"}]}},
        {"name":"s","sum":{"aggregationTemporality":2,"isMonotonic":true,"dataPoints":[{"timeUnixNano":"1700000000000000000",
        "asDouble":1.5,\#(attributes),"exemplars":[{"timeUnixNano":"1700000000000000000","asDouble":2}]}]}},
        {"name":"h","histogram":{"aggregationTemporality":2,"dataPoints":[{"timeUnixNano":"1700000000000000000","count":"3","sum":4,
        "bucketCounts":["1","2"],"explicitBounds":[0.5]}]}},
        {"name":"e","exponentialHistogram":{"aggregationTemporality":1,"dataPoints":[{"timeUnixNano":"1700000000000000000",
        "count":"3","scale":5,"zeroCount":"1","positive":{"offset":-2,"bucketCounts":["1","1"]}}]}},
        {"name":"q","summary":{"dataPoints":[{"timeUnixNano":"1700000000000000000","count":"1","sum":1,
        "quantileValues":[{"quantile":0.5,"value":1}]}]}}]}]}]}
        """#)

    private static var zstdFrame: [UInt8] {
        var frame: [UInt8] = []
        logsText.withUnsafeBytes { _ = Zstd.compress($0, level: 1, into: &frame) }
        return frame
    }

    private static var encodedPages: [[UInt8]] {
        var seeds: [[UInt8]] = []
        let integers: [[Int64]] = [
            (0..<3000).map { $0 * $0 % 977 }, (0..<2000).map { 1_700_000_000 + $0 * 15 }, [7, 7, 7],
        ]
        for values in integers {
            var encoder = PageEncoder(zstdLevel: 1)
            let page = values.withUnsafeBufferPointer { encoder.encode(integers: $0) }
            seeds.append(
                [
                    0, page.encoding.rawValue, page.compression.rawValue, UInt8(values.count & 255),
                    UInt8(values.count >> 8),
                ]
                    + [UInt8(page.rawLength & 255), UInt8(page.rawLength >> 8 & 255)] + encoder.output[page.bytes])
        }
        return seeds
    }

    private static var wholeParts: [[UInt8]] {
        get throws {
            let batches = [
                ("otel_traces", try decodeTraces(OTLPJSON.transcode(traces: tracesText))),
                ("otel_logs", try decodeLogs(OTLPJSON.transcode(logs: logsText))),
                ("otel_metrics", try decodeMetrics(OTLPJSON.transcode(metrics: metricsText))),
            ]
            return try batches.flatMap { name, batch in
                try RowOrder.partitions(of: batch, table: table(name)).map { rows in
                    let file = MemoryFile()
                    _ = try PartWriter.write(batch, rows, table: table(name), zstdLevel: 1, to: file)
                    return file.bytes
                }
            }
        }
    }
}

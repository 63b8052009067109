import OTLP
import Randomness
import Testing

/// OTLP/JSON to protobuf, against bytes that are composed here from the field numbers of the contract's §8.4.
struct JSONTranscoderTests {
    @Test func `an empty request is an empty message (O-4)`() throws {
        #expect(try transcode(traces: "{}") == [])
        #expect(try transcode(traces: #" {"resourceSpans":null,"unknown":[{"a":1}]} "#) == [])
        #expect(try OTLPJSON.transcode(logs: Array(#"{"resourceLogs":[]}"#.utf8)) == [])
    }

    @Test func `every field of a span has its number and its wire type`() throws {
        let json = #"""
            {"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}],
             "droppedAttributesCount":7},"schemaUrl":"r","scopeSpans":[{"schemaUrl":"s",
             "scope":{"name":"lib","version":"1","attributes":[{"key":"k","value":{"boolValue":false}}],
             "droppedAttributesCount":300},
             "spans":[{"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"eee19b7ec3c1b174",
             "traceState":"a=b","parentSpanId":"eee19b7ec3c1b173","name":"GET /é","kind":2,
             "startTimeUnixNano":"1544712660000000000","endTimeUnixNano":1544712661000000000,
             "attributes":[],"droppedAttributesCount":"1","events":[{"timeUnixNano":"1","name":"e",
             "attributes":[{"key":"i","value":{"intValue":"-1"}}],"droppedAttributesCount":2}],"droppedEventsCount":3,
             "links":[{"traceId":"00","spanId":"01","traceState":"t","attributes":[{"key":"d","value":{"doubleValue":0.5}}],
             "droppedAttributesCount":4,"flags":256}],"droppedLinksCount":5,
             "status":{"message":"m","code":2},"flags":257}]}]}]}
            """#
        let event = fixed(1, 1) + bytes(2, "e") + attribute(3, "i", varint(3, .max)) + varint(4, 2)
        let link =
            bytes(1, [0]) + bytes(2, [1]) + bytes(3, "t")
            + attribute(4, "d", fixed(4, 0x3FE0_0000_0000_0000)) + varint(5, 4) + fixed32(6, 256)
        let span =
            bytes(1, [0x5B, 0x8E, 0xFF, 0xF7, 0x98, 0x03, 0x81, 0x03, 0xD2, 0x69, 0xB6, 0x33, 0x81, 0x3F, 0xC6, 0x0C])
            + bytes(2, [0xEE, 0xE1, 0x9B, 0x7E, 0xC3, 0xC1, 0xB1, 0x74]) + bytes(3, "a=b")
            + bytes(4, [0xEE, 0xE1, 0x9B, 0x7E, 0xC3, 0xC1, 0xB1, 0x73]) + bytes(5, "GET /é") + varint(6, 2)
            + fixed(7, 1_544_712_660_000_000_000) + fixed(8, 1_544_712_661_000_000_000) + varint(10, 1)
            + bytes(11, event) + varint(12, 3) + bytes(13, link) + varint(14, 5)
            + bytes(15, bytes(2, "m") + varint(3, 2)) + fixed32(16, 257)
        let scope = bytes(1, "lib") + bytes(2, "1") + attribute(3, "k", varint(2, 0)) + varint(4, 300)
        let resource = attribute(1, "service.name", bytes(1, "shop")) + varint(2, 7)
        let scopeSpans = bytes(3, "s") + bytes(1, scope) + bytes(2, span)
        #expect(try transcode(traces: json) == bytes(1, bytes(1, resource) + bytes(3, "r") + bytes(2, scopeSpans)))
    }

    @Test func `every field of a log record has its number and its wire type`() throws {
        let json = #"""
            {"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"2","observedTimeUnixNano":"3",
             "severityNumber":"SEVERITY_NUMBER_WARN2","severityText":"WARN","body":{"kvlistValue":{"values":[
             {"key":"a","value":{"arrayValue":{"values":[{"stringValue":""},{},null,{"bytesValue":"_-8="}]}}},
             {"key":"b"}]}},"attributes":[{"key":"x","value":{}}],"droppedAttributesCount":1,"flags":1,
             "traceId":"","spanId":"0102030405060708","eventName":"n"}]}]}]}
            """#
        let array = bytes(1, bytes(1, "")) + bytes(1, []) + bytes(1, []) + bytes(1, bytes(7, [0xFF, 0xEF]))
        let body = bytes(6, attribute(1, "a", bytes(5, array)) + bytes(1, bytes(1, "b")))
        let record =
            fixed(1, 2) + fixed(11, 3) + varint(2, 14) + bytes(3, "WARN") + bytes(5, body) + attribute(6, "x", [])
            + varint(7, 1) + fixed32(8, 1) + bytes(10, [1, 2, 3, 4, 5, 6, 7, 8]) + bytes(12, "n")
        #expect(try OTLPJSON.transcode(logs: Array(json.utf8)) == bytes(1, bytes(2, bytes(2, record))))
    }

    @Test func `number points tell zero from absent, and carry exemplars`() throws {
        let json = #"""
            {"gauge":{"dataPoints":[{"asInt":"0"},{"asInt":-5},{"asDouble":0},{"asDouble":"NaN"},{"asDouble":"-Infinity"},
            {"startTimeUnixNano":1,"timeUnixNano":2,"flags":1,"attributes":[{"key":"k","value":{"intValue":1}}],
            "exemplars":[{"timeUnixNano":3,"asDouble":1,"spanId":"02","traceId":"01","filteredAttributes":
            [{"key":"f","value":{"stringValue":"v"}}]},{"asInt":4}]}]}}
            """#
        let exemplar =
            fixed(2, 3) + fixed(3, 1.0.bitPattern) + bytes(4, [2]) + bytes(5, [1]) + attribute(7, "f", bytes(1, "v"))
        let rich =
            fixed(2, 1) + fixed(3, 2) + varint(8, 1) + attribute(7, "k", varint(3, 1)) + bytes(5, exemplar)
            + bytes(5, fixed(6, 4))
        let points = [
            fixed(6, 0), fixed(6, UInt64(bitPattern: -5)), fixed(4, 0), fixed(4, Double.nan.bitPattern),
            fixed(4, (-Double.infinity).bitPattern), rich,
        ]
        #expect(try transcode(metric: json) == bytes(5, points.flatMap { bytes(1, $0) }))
    }

    @Test func `distributions write packed numbers, and sums say their kind`() throws {
        #expect(
            try transcode(
                metric:
                    #"{"name":"n","description":"d","unit":"u","metadata":[{"key":"k"}],"sum":{"dataPoints":[],"aggregationTemporality":"AGGREGATION_TEMPORALITY_DELTA","isMonotonic":true}}"#
            )
                == bytes(1, "n") + bytes(2, "d") + bytes(3, "u") + bytes(12, bytes(1, "k"))
                + bytes(7, varint(2, 1) + varint(3, 1)))
        let histogram = #"""
            {"histogram":{"aggregationTemporality":2,"dataPoints":[{"count":"3","sum":0,"min":0,"max":1e2,
            "bucketCounts":["1",2],"explicitBounds":[0.5],"startTimeUnixNano":"1","timeUnixNano":"2","flags":1}]}}
            """#
        let point =
            fixed(4, 3) + fixed(5, 0) + fixed(11, 0) + fixed(12, 100.0.bitPattern)
            + bytes(6, [1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0])
            + bytes(7, [0, 0, 0, 0, 0, 0, 0xE0, 0x3F]) + fixed(2, 1) + fixed(3, 2) + varint(10, 1)
        #expect(try transcode(metric: histogram) == bytes(9, varint(2, 2) + bytes(1, point)))
    }

    @Test func `exponential histograms write zigzag offsets, and summaries their quantiles`() throws {
        let exponential = #"""
            {"exponentialHistogram":{"dataPoints":[{"scale":-1,"count":1,"zeroCount":2,"zeroThreshold":0.5,
            "positive":{"offset":3,"bucketCounts":["300"]},"negative":{"offset":-3,"bucketCounts":[]}}]}}
            """#
        let point =
            varint(6, 1) + fixed(4, 1) + fixed(7, 2) + fixed(14, 0.5.bitPattern)
            + bytes(8, varint(1, 6) + bytes(2, [0xAC, 0x02])) + bytes(9, varint(1, 5))
        #expect(try transcode(metric: exponential) == bytes(10, bytes(1, point)))
        let summary = #"{"summary":{"dataPoints":[{"count":1,"sum":2,"quantileValues":[{"quantile":1,"value":0}]}]}}"#
        let quantiles = fixed(4, 1) + fixed(5, 2.0.bitPattern) + bytes(6, fixed(1, 1.0.bitPattern))
        #expect(try transcode(metric: summary) == bytes(11, bytes(1, quantiles)))
    }

    @Test func `snake_case names say the same as lowerCamelCase ones (O-21)`() throws {
        let camel =
            #"{"resourceSpans":[{"scopeSpans":[{"spans":[{"startTimeUnixNano":5,"traceId":"0a"}]}],"schemaUrl":"u"}]}"#
        let snake =
            #"{"resource_spans":[{"scope_spans":[{"spans":[{"start_time_unix_nano":5,"trace_id":"0A"}]}],"schema_url":"u"}]}"#
        #expect(try transcode(traces: snake) == transcode(traces: camel))
    }

    @Test(arguments: [
        ("[]", "", "expected an object, found an array"),
        (#"{"resourceSpans":{}}"#, "resourceSpans", "expected an array, found an object"),
        (#"{"resourceSpans":[1]}"#, "resourceSpans[0]", "expected an object, found a number"),
        (
            #"{"resourceSpans":[{},{"scopeSpans":[{"spans":[{"traceId":"xy"}]}]}]}"#,
            "resourceSpans[1].scopeSpans[0].spans[0].traceId", "is not hexadecimal"
        ),
        (
            span(#""spanId":"123""#), "resourceSpans[0].scopeSpans[0].spans[0].spanId",
            "has an odd number of hexadecimal digits"
        ),
        (span(#""name":5"#), "resourceSpans[0].scopeSpans[0].spans[0].name", "expected a string, found a number"),
        (
            span(#""startTimeUnixNano":-1"#), "resourceSpans[0].scopeSpans[0].spans[0].startTimeUnixNano",
            "is not an unsigned 64-bit integer"
        ),
        (
            span(#""startTimeUnixNano":1.5"#), "resourceSpans[0].scopeSpans[0].spans[0].startTimeUnixNano",
            "is not an unsigned 64-bit integer"
        ),
        (
            span(#""droppedAttributesCount":4294967296"#),
            "resourceSpans[0].scopeSpans[0].spans[0].droppedAttributesCount",
            "is not an unsigned 32-bit integer"
        ),
        (span(#""kind":"SERVER""#), "resourceSpans[0].scopeSpans[0].spans[0].kind", "is not a known name"),
        (
            span(#""kind":99999999999"#), "resourceSpans[0].scopeSpans[0].spans[0].kind",
            "is not a signed 32-bit integer"
        ),
        (
            span(#""attributes":[{"key":"k","value":{"intValue":"x"}}]"#),
            "resourceSpans[0].scopeSpans[0].spans[0].attributes[0].value.intValue", "is not a signed 64-bit integer"
        ),
        (
            span(#""attributes":[{"key":"k","value":{"doubleValue":"inf"}}]"#),
            "resourceSpans[0].scopeSpans[0].spans[0].attributes[0].value.doubleValue", "is not a number"
        ),
        (
            span(#""attributes":[{"key":"k","value":{"bytesValue":"?"}}]"#),
            "resourceSpans[0].scopeSpans[0].spans[0].attributes[0].value.bytesValue", "is not base64"
        ),
        (
            span(#""attributes":[{"key":"k","value":{"boolValue":"true"}}]"#),
            "resourceSpans[0].scopeSpans[0].spans[0].attributes[0].value.boolValue",
            "expected true or false, found a string"
        ),
        (
            span(#""attributes":[{"key":"k","value":{"intValue":1,"stringValue":""}}]"#),
            "resourceSpans[0].scopeSpans[0].spans[0].attributes[0].value.stringValue",
            "excludes another field of the same object"
        ),
    ])
    func `a wrong value is an error that names its place`(json: String, path: String, reason: String) {
        #expect(throws: OTLPJSONError(path: path, reason: reason)) { try transcode(traces: json) }
    }

    @Test(arguments: ["", "{", "nonsense", #"{"resourceSpans":[}"#, #"{"resourceSpans":[]} x"#])
    func `what is not JSON is an error of the whole text`(text: String) {
        let error = #expect(throws: OTLPJSONError.self) { try transcode(traces: text) }
        #expect(error?.path == "")
    }

    @Test func `values nest 64 deep and no deeper`() throws {
        func nested(_ depth: Int) -> String {
            let opening = String(repeating: #"{"arrayValue":{"values":["#, count: depth - 1)
            let closing = String(repeating: "]}}", count: depth - 1)
            return Self.span(#""attributes":[{"key":"k","value":\#(opening)1\#(closing)}]"#)
                .replacing("[1]", with: #"[{"intValue":1}]"#)
        }
        #expect(try !transcode(traces: nested(64)).isEmpty)
        let error = #expect(throws: OTLPJSONError.self) { try transcode(traces: nested(65)) }
        #expect(error?.reason == "values are nested more than 64 deep")
        #expect(throws: OTLPJSONError.self) { try transcode(traces: nested(100_000)) }
        #expect(throws: OTLPJSONError.self) { try transcode(traces: String(repeating: "[", count: 1_000_000)) }
    }

    @Test func `integral numbers may be written as doubles, and integers as text`() throws {
        let plain = try transcode(traces: Self.span(#""startTimeUnixNano":1000"#))
        #expect(try transcode(traces: Self.span(#""startTimeUnixNano":1e3"#)) == plain)
        #expect(try transcode(traces: Self.span(#""startTimeUnixNano":"1000""#)) == plain)
        let largest = try transcode(traces: Self.span(#""startTimeUnixNano":18446744073709551615"#))
        #expect(largest.suffix(9) == fixed(7, .max)[...])
    }

    @Test func `a damaged request is an error or a request, but never a crash`() {
        var random = SeededRandom(seed: 7)
        let text = Array(Self.span(#""kind":2,"name":"é","attributes":[{"key":"k","value":{"doubleValue":1.5}}]"#).utf8)
        for _ in 0..<5_000 {
            var damaged = text
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let place = Int.random(in: damaged.indices, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: damaged[place] = UInt8.random(in: 0...255, using: &random)
                case 1: damaged.remove(at: place)
                default: damaged.insert(damaged[Int.random(in: damaged.indices, using: &random)], at: place)
                }
            }
            _ = try? OTLPJSON.transcode(traces: damaged)
        }
    }

    static func span(_ fields: String) -> String {
        #"{"resourceSpans":[{"scopeSpans":[{"spans":[{\#(fields)}]}]}]}"#
    }

    private func transcode(traces json: String) throws -> [UInt8] { try OTLPJSON.transcode(traces: Array(json.utf8)) }

    /// The bytes of the one metric of a request.
    private func transcode(metric json: String) throws -> [UInt8] {
        let request = #"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[\#(json)]}]}]}"#
        var rest = try OTLPJSON.transcode(metrics: Array(request.utf8))[...]
        for tag: UInt8 in [0x0A, 0x12, 0x12] {
            #expect(rest.popFirst() == tag)
            let isLong = rest.removeFirst() >= 0x80
            if isLong { rest.removeFirst() }
        }
        return Array(rest)
    }
}

// The wire format, written down a second time.

private func varint(_ value: UInt64) -> [UInt8] {
    value < 0x80 ? [UInt8(value)] : [UInt8(value & 0x7F) | 0x80] + varint(value >> 7)
}

private func varint(_ number: UInt64, _ value: UInt64) -> [UInt8] { varint(number << 3) + varint(value) }

private func fixed(_ number: UInt64, _ value: UInt64) -> [UInt8] {
    varint(number << 3 | 1) + withUnsafeBytes(of: value.littleEndian) { Array($0) }
}

private func fixed32(_ number: UInt64, _ value: UInt32) -> [UInt8] {
    varint(number << 3 | 5) + withUnsafeBytes(of: value.littleEndian) { Array($0) }
}

private func bytes(_ number: UInt64, _ content: [UInt8]) -> [UInt8] {
    varint(number << 3 | 2) + varint(UInt64(content.count)) + content
}

private func bytes(_ number: UInt64, _ text: String) -> [UInt8] { bytes(number, Array(text.utf8)) }

private func attribute(_ number: UInt64, _ key: String, _ value: [UInt8]) -> [UInt8] {
    bytes(number, bytes(1, key) + bytes(2, value))
}

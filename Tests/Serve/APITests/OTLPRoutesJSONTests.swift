import API
import HTTP
import Ingest
import OTLP
import Testing

/// OTLP's JSON mapping through the routes (O-20 to O-24): texts that say the same are received as the same, and errors say
/// where.
struct OTLPRoutesJSONTests {
    private static let ids = #""traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174""#

    private func span(_ fields: String) -> String {
        #"{"resourceSpans":[{"scopeSpans":[{"spans":[{\#(fields)}]}]}]}"#
    }

    private func attribute(_ value: String) -> String {
        span(Self.ids + #","attributes":[{"key":"k","value":\#(value)}]"#)
    }

    private func received(_ json: String) throws -> [UInt8] {
        let client = OTLPClient()
        let response = client.post(json: json)
        try #require(response.status == 200, "\(json): \(response.text)")
        let received = try #require(client.receiver.all.first)
        #expect(received.request.body == Array(json.utf8) && received.request.format == .json)
        return received.protobuf
    }

    /// Fields of a span beside its ids, and others that say the same.
    private static let spellings: [(one: String, other: String)] = [
        // O-21: unknown fields at every level.
        (#","unknown":{"a":[1,{"b":null}]},"kind":2"#, #","kind":2"#),
        // O-22: numbers as strings and as numbers.
        (#","startTimeUnixNano":"1544712660000000000""#, #","startTimeUnixNano":1544712660000000000"#),
        (#","kind":2"#, #","kind":"2""#), (#","kind":"SPAN_KIND_SERVER""#, #","kind":2"#),
        (#","droppedAttributesCount":"7""#, #","droppedAttributesCount":7"#),
        // O-23: null is absent.
        (#","name":null,"status":null,"attributes":null,"parentSpanId":null"#, ""), (#","parentSpanId":"""#, ""),
    ]

    @Test(arguments: spellings)
    func `two spellings of a span are one span`(one: String, other: String) throws {
        #expect(try received(span(Self.ids + one)) == received(span(Self.ids + other)))
    }

    @Test func `ids are hexadecimal of any case (O-20)`() throws {
        #expect(try received(span(Self.ids)) == received(span(Self.ids.uppercased().replacingKeys)))
    }

    @Test(arguments: [
        (#"{"intValue":"-12"}"#, #"{"intValue":-12}"#), (#"{"doubleValue":2}"#, #"{"doubleValue":2.0}"#),
        (#"{}"#, #"{"stringValue":null}"#), (#"{"bytesValue":"_-8="}"#, #"{"bytesValue":"/+8="}"#),
        (#"{"arrayValue":{}}"#, #"{"arrayValue":{"values":null}}"#),
    ])
    func `two spellings of a value are one value (O-22, O-23)`(one: String, other: String) throws {
        #expect(try received(attribute(one)) == received(attribute(other)))
    }

    @Test func `the special doubles are received as such (O-22)`() throws {
        let doubles: [(String, Double)] = [("NaN", .nan), ("Infinity", .infinity), ("-Infinity", -.infinity)]
        for (text, double) in doubles {
            let bytes = try received(attribute(#"{"doubleValue":"\#(text)"}"#))
            let sent = Double(bitPattern: bytes.suffix(8).reversed().reduce(0) { $0 << 8 | UInt64($1) })
            #expect(sent == double || (sent.isNaN && double.isNaN), "\(text)")
        }
    }

    @Test(arguments: [
        (#""traceId":"zz8efff798038103d269b633813fc60c""#, "resourceSpans[0].scopeSpans[0].spans[0].traceId: "),
        (#""kind":"SPAN_KIND_NONE""#, "resourceSpans[0].scopeSpans[0].spans[0].kind: "),
        (#""startTimeUnixNano":"soon""#, "resourceSpans[0].scopeSpans[0].spans[0].startTimeUnixNano: "),
        (#""startTimeUnixNano":-1"#, "resourceSpans[0].scopeSpans[0].spans[0].startTimeUnixNano: "),
        (#""name":5"#, "resourceSpans[0].scopeSpans[0].spans[0].name: "),
        (#""attributes":{}"#, "resourceSpans[0].scopeSpans[0].spans[0].attributes: "),
        (
            #""attributes":[{"key":"a"},{"value":{"intValue":"x"}}]"#,
            "resourceSpans[0].scopeSpans[0].spans[0].attributes[1].value.intValue: "
        ),
    ])
    func `what is not of its type is 400 that says where (O-6)`(fields: String, place: String) {
        let client = OTLPClient()
        let response = client.post(json: span(fields))
        #expect(
            response.status == 400 && response.text.hasPrefix(#"{"code":3,"message":"\#(place)"#), "\(response.text)")
        #expect(client.receiver.all.isEmpty)
    }

    @Test(arguments: [
        ("{", "unexpected end of JSON input at offset 1"), ("[]x", "text after the JSON value at offset 2"),
        (#"{"a":01}"#, "invalid number at offset "), ("\u{1}", "unexpected byte 1 at offset 0"),
        (String(repeating: "[", count: 100_000), "nesting exceeds 288 levels at offset 288"),
    ])
    func `what is not JSON is 400 that says where`(text: String, message: String) {
        let response = OTLPClient().post(json: text)
        #expect(
            response.status == 400 && response.text.hasPrefix(#"{"code":3,"message":"\#(message)"#), "\(response.text)")
    }

    @Test(arguments: ["[]", "3", #""text""#, "true"])
    func `a request that is no object is 400`(text: String) {
        let response = OTLPClient().post(json: text)
        #expect(response.status == 400, "\(response.text)")
    }
}

extension String {
    /// The keys of ids as they must be, in a text that was put in upper case.
    fileprivate var replacingKeys: String {
        split(separator: "TRACEID").joined(separator: "traceId").split(separator: "SPANID").joined(separator: "spanId")
    }
}

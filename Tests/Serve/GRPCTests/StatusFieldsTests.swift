import Testing

@testable import GRPC

/// How an outcome is written into trailers (rules O-30, O-31).
struct StatusFieldsTests {
    @Test(
        arguments: [
            ("plain text", "plain text"), ("100%", "100%25"), ("a\nb", "a%0Ab"), ("naïve", "na%C3%AFve"), ("~ ", "~ "),
        ])
    func `messages are percent-encoded`(text: String, expected: String) {
        #expect(StatusFields.percentEncoded(text) == expected)
    }

    /// RFC 4648, section 10.
    @Test(arguments: [
        ("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("fooba", "Zm9vYmE"),
        ("foobar", "Zm9vYmFy"),
    ])
    func `binary values are base64 without padding`(text: String, expected: String) {
        #expect(StatusFields.base64(Array(text.utf8)) == expected)
    }

    @Test func `a status that may be tried again says when, and others do not`() {
        #expect(StatusFields.trailers(.ok).map(\.value) == ["0"])
        #expect(
            StatusFields.trailers(GRPCStatus(.invalidArgument, "bad")).map(\.name) == ["grpc-status", "grpc-message"])
        let status = GRPCStatus(.unavailable, "full", retryAfter: 1)
        #expect(
            StatusFields.trailers(status).map(\.name) == ["grpc-status", "grpc-message", "grpc-status-details-bin"])
        let type = Array("type.googleapis.com/google.rpc.RetryInfo".utf8)
        // Status { code: 14, message: "full", details: [Any { type_url, value: RetryInfo { retry_delay: { seconds: 1 } } }] }
        let value: [UInt8] = [0x0A, 0x02, 0x08, 0x01]
        let any = [0x0A, UInt8(type.count)] + type + [0x12, UInt8(value.count)] + value
        let expected = [0x08, 14, 0x12, 4] + Array("full".utf8) + [0x1A, UInt8(any.count)] + any
        #expect(StatusFields.details(status, retryAfter: 1) == expected)
    }

    @Test func `resets and empty frames are forgiven with time, and pings with every answer`() {
        var strikes = Strikes()
        /// How many of as many resets are taken.
        func resets(_ count: Int) -> Int { (0..<count).count { _ in !strikes.reset() } }
        func emptyFrames(_ count: Int) -> Int { (0..<count).count { _ in !strikes.emptyFrame() } }
        #expect(resets(Strikes.resets.burst + 1) == Strikes.resets.burst)
        let start = ContinuousClock.now
        for tenth in 0...23 { strikes.forgive(at: start + .milliseconds(100 * tenth)) }
        #expect(resets(1000) == 2 * Strikes.resets.perSecond - 1)
        for _ in 0..<3 {
            #expect(emptyFrames(Strikes.emptyFrames) == Strikes.emptyFrames)
            strikes.reward()
        }
        #expect(emptyFrames(Strikes.emptyFrames + 1) == Strikes.emptyFrames)
    }
}

import Core
import Testing

/// Base64, and the textual form of attributes.
struct AttributeTextTests {
    @Test(arguments: [
        (0.0, "0"), (-0.0, "-0"), (1, "1"), (-2.5, "-2.5"), (0.1, "0.1"), (100, "100"), (1234567.125, "1234567.125"),
        (1e16, "10000000000000000"), (1e20, "100000000000000000000"), (1e21, "1e+21"), (1.5e300, "1.5e+300"),
        (0.000001, "0.000001"), (0.0000015, "0.0000015"), (1e-7, "1e-7"), (-1.25e-10, "-1.25e-10"),
        (.leastNonzeroMagnitude, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"), (.nan, "NaN"), (.infinity, "Infinity"),
        (-.infinity, "-Infinity"),
    ])
    func `a double's text is its shortest`(double: Double, text: String) {
        #expect(double.shortestText == text)
    }

    @Test func `a double's text reads back as the same double`() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<20_000 {
            let double = Double(bitPattern: random.next())
            guard double.isFinite else { continue }
            #expect(Double(double.shortestText)?.bitPattern == double.bitPattern, "bits \(double.bitPattern)")
        }
    }

    @Test(
        arguments: [
            ([], ""), ([0x66], "Zg=="), ([0x66, 0x6F], "Zm8="), ([0x66, 0x6F, 0x6F], "Zm9v"),
            ([0x66, 0x6F, 0x6F, 0x62], "Zm9vYg=="), ([0xFF, 0xEF, 0xBE], "/+++"), ([0, 0, 0, 0], "AAAAAA=="),
        ] as [([UInt8], String)])
    func `base64 encodes and decodes`(bytes: [UInt8], text: String) {
        #expect(Base64.encode(bytes) == text)
        #expect(Base64.decode(text) == bytes)
        #expect(Base64.decode(text.filter { $0 != "=" }) == bytes)
    }

    @Test func `base64 reads the URL-safe alphabet`() {
        #expect(Base64.decode("_--_") == [0xFF, 0xEF, 0xBF])
    }

    @Test(arguments: ["A", "AAAAA", "A===", "AA=", "AAA==", "AA=A", "AAAA====", "A A=", "é"])
    func `what is not base64 is refused`(text: String) {
        #expect(Base64.decode(text) == nil)
    }
}

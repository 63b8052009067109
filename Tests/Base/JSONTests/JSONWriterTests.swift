import Foundation
import JSON
import Randomness
import Testing

/// Rules G-2 and P-5: what is written, byte for byte.
struct JSONWriterTests {
    @Test func `commas separate and never trail`() {
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("a")
        writer.beginArray()
        writer.int(1)
        writer.bool(true)
        writer.null()
        writer.beginObject()
        writer.endObject()
        writer.beginArray()
        writer.endArray()
        writer.string("x")
        writer.endArray()
        writer.key(String("b\"c"))
        writer.raw("[1, 2]")
        writer.key("n")
        writer.quoted(Int64.min)
        writer.key("u")
        writer.uint(.max)
        writer.endObject()
        #expect(
            writer.text
                == #"{"a":[1,true,null,{},[],"x"],"b\"c":[1, 2],"n":"-9223372036854775808","u":18446744073709551615}"#)
    }

    @Test(arguments: [
        ("plain", #""plain""#), ("<a href='x'>&", #""<a href='x'>&""#), ("\"\\/", #""\"\\/""#),
        ("\u{0}\u{1F}\u{7F}", "\"\\u0000\\u001f\u{7F}\""), ("\n\r\t\u{8}\u{C}", #""\n\r\t\b\f""#),
        ("ü€😀\u{2028}", "\"ü€😀\u{2028}\""), ("", #""""#),
        ("0123456789abcdef\"0123456789abcdefé\\", #""0123456789abcdef\"0123456789abcdefé\\""#),
    ])
    func `only quotes, backslashes and control characters are escaped`(text: String, expected: String) {
        var writer = JSONWriter()
        writer.string(text)
        #expect(writer.text == expected)
        var fromBytes = JSONWriter()
        fromBytes.string(Array(text.utf8))
        #expect(fromBytes.bytes == writer.bytes)
    }

    @Test func `bytes that are not UTF-8 are replaced as the standard library replaces them`() {
        var random = SeededRandom(seed: 7)
        for _ in 0..<20_000 {
            let bytes =
                (0..<Int.random(in: 0...12, using: &random)).map { _ in
                    [0x41, 0x80, 0xBF, 0xC2, 0xE0, 0xA0, 0xED, 0x9F, 0xF0, 0x90, 0xF4, 0x8F, 0xFF, 0xE2, 0x82, 0xAC]
                        .randomElement(using: &random)!
                } as [UInt8]
            var writer = JSONWriter()
            writer.string(bytes)
            #expect(writer.bytes == Array("\"\(String(decoding: bytes, as: UTF8.self))\"".utf8), "\(bytes)")
        }
    }

    // Expected by hand, after rule P-5.
    @Test(
        arguments: [
            (0, "0"), (-0.0, "-0"), (1, "1"), (-1, "-1"), (0.1, "0.1"), (-0.5, "-0.5"), (1.5, "1.5"), (100, "100"),
            (123_456.789, "123456.789"), (1e20, "100000000000000000000"), (1e21, "1e+21"), (-1e21, "-1e+21"),
            (1.5e300, "1.5e+300"), (999_999_999_999_999_868_928, "999999999999999900000"), (0.000001, "0.000001"),
            (0.0000001, "1e-07"), (0.00000123, "0.00000123"), (1.23e-7, "1.23e-07"), (-1e-9, "-1e-09"),
            (.leastNonzeroMagnitude, "5e-324"), (1e-100, "1e-100"),
            (.greatestFiniteMagnitude, "1.7976931348623157e+308"), (9_007_199_254_740_992, "9007199254740992"),
            (1e16, "10000000000000000"), (12_345e15, "12345000000000000000"),
            (0.30000000000000004, "0.30000000000000004"), (.nan, "NaN"), (-.nan, "NaN"), (.infinity, "+Inf"),
            (-.infinity, "-Inf"), (9.99999999999e-7, "9.99999999999e-07"), (1234.5678e-3, "1.2345678"),
        ] as [(Double, String)])
    func `values are the shortest decimals, mostly without exponent`(value: Double, expected: String) {
        #expect(PrometheusNumber.format(value) == expected)
    }

    @Test func `every finite value reads back as itself`() {
        var random = SeededRandom(seed: 11)
        for _ in 0..<100_000 {
            let value = Double(bitPattern: random.next())
            guard value.isFinite else { continue }
            let text = PrometheusNumber.format(value)
            #expect(Double(text) == value, "\(text)")
        }
    }

    @Test(
        arguments: [
            (1_435_781_451_000, "1435781451"), (1_435_781_451_781, "1435781451.781"),
            (1_435_781_451_070, "1435781451.070"),
            (1_435_781_451_001, "1435781451.001"), (-500, "-0.500"), (0, "0"), (-1000, "-1"), (5, "0.005"),
            (.min, "-9223372036854775.808"), (.max, "9223372036854775.807"),
        ] as [(Int64, String)])
    func `times are seconds with three decimals or none`(milliseconds: Int64, expected: String) {
        #expect(PrometheusNumber.seconds(milliseconds: milliseconds) == expected)
    }

    @Test func `numbers that JSON cannot say are null`() {
        var writer = JSONWriter()
        writer.beginArray()
        writer.double(.nan)
        writer.double(-.infinity)
        writer.double(0.25)
        writer.double(1e30)
        writer.endArray()
        #expect(writer.text == "[null,null,0.25,1e+30]")
    }
}

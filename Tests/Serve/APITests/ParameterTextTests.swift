import API
import Core
import Foundation
import Observability
import Settings
import Testing

/// Rules G-1, P-4, L-1, L-5 and Go's durations: what clients write, in nanoseconds.
struct ParameterTextTests {
    @Test(
        arguments: [
            ("0", 0), ("1", 1_000_000_000), ("1700000000.123", 1_700_000_000_123_000_000), ("1.0004", 1_000_000_000),
            ("1.0005", 1_001_000_000), ("-1.5", -1_500_000_000), ("1e3", 1_000_000_000_000), ("1.5E1", 15_000_000_000),
            ("2026-01-02T03:04:05.678Z", 1_767_323_045_678_000_000), ("1970-01-01T00:00:00.0019Z", 1_000_000),
            ("1969-12-31T23:59:59.9999Z", -1_000_000), ("1970-01-01T02:00:00+02:00", 0),
            ("1969-12-31T22:30:00-01:30", 0), ("2000-02-29T00:00:00Z", 951_782_400_000_000_000),
            // Milliseconds where seconds are expected, and the sentinels (rule G-1, S-6, S-10).
            ("1700000000000", .max), ("9223372036854775", .max), ("-9223372036854775", .min),
            ("-292273086-05-16T16:47:06Z", .min), ("292277025-08-18T07:12:54.999999999Z", .max),
            ("9999-12-31T23:59:59Z", .max), ("0001-01-01T00:00:00Z", .min), ("1e999", .max), ("-1e999", .min),
            ("", nil), ("x", nil), ("NaN", nil), ("inf", nil), ("0x10", nil), ("1_000", nil),
            ("2026-02-29T00:00:00Z", nil),
            ("2026-01-02", nil), ("2026-13-01T00:00:00Z", nil), ("2026-01-02T24:00:00Z", nil),
            ("2026-01-02T03:04:05", nil),
            ("2026-01-02T03:04:05.Z", nil), ("2026-01-02T03:04:05Zx", nil), ("e", nil), ("1 ", nil), ("--1", nil),
        ] as [(String, Int64?)])
    func `Prometheus times are seconds or RFC 3339, in milliseconds`(text: String, expected: Int64?) {
        #expect(TimeText.prometheus(text)?.nanoseconds == expected)
    }

    @Test(
        arguments: [
            ("4000000000", 4_000_000_000_000_000_000), ("1700000000123", 1_700_000_000_123),
            ("1700000000000000001", 1_700_000_000_000_000_001), ("1700000000.1234", 1_700_000_000_123_000_000),
            ("9999999999", .max), ("99999999999999999999", .max), ("-99999999999999999999", .min), ("0", 0),
            ("2026-01-02T03:04:05.678901234Z", 1_767_323_045_678_901_234), ("", nil), ("x.y", nil), ("1h", nil),
            ("1e3", nil),
        ] as [(String, Int64?)])
    func `Loki times follow their length`(text: String, expected: Int64?) {
        #expect(TimeText.loki(text)?.nanoseconds == expected)
    }

    @Test func `RFC 3339 agrees with Foundation's calendar`() {
        var random = SystemRandomNumberGenerator()
        let formatter = ISO8601DateFormatter()
        for _ in 0..<500 {
            let seconds = Int64.random(in: -9_000_000_000...9_000_000_000, using: &random)
            let text = formatter.string(from: Date(timeIntervalSince1970: Double(seconds)))
            #expect(TimeText.rfc3339(text)?.nanoseconds == seconds * 1_000_000_000, "\(text)")
        }
    }

    @Test(
        arguments: [
            ("5m", 300), ("1h30m", 5400), ("1d", 86_400), ("1w", 604_800), ("1y", 31_536_000), ("0", 0),
            ("1y1w1d1h1m1s", 32_230_861),
            ("", nil), ("5", nil), ("m", nil), ("1m1h", nil), ("1m1m", nil), ("1.5h", nil), ("-5m", nil), ("5M", nil),
            ("5m ", nil),
            ("300y", nil), ("99999999999999999999s", nil),
        ] as [(String, Int64?)])
    func `Prometheus durations have descending units`(text: String, seconds: Int64?) {
        #expect(DurationText.prometheus(text) == seconds.map { $0 * 1_000_000_000 })
    }

    @Test(
        arguments: [
            ("15", 15_000), ("0.5", 500), ("0.001", 1), ("-1", -1000), ("500ms", 500), ("1h", 3_600_000),
            ("1e2", 100_000),
            ("1e30", nil), ("1.5s", nil), ("abc", nil),
        ] as [(String, Int64?)])
    func `steps are seconds or Prometheus durations`(text: String, milliseconds: Int64?) {
        #expect(DurationText.secondsOrPrometheus(text) == milliseconds.map { $0 * 1_000_000 })
    }

    @Test(
        arguments: [
            ("15000ms", 15_000), ("0.5s", 500), ("0.5", 500), ("1d", 86_400_000), ("1h30m", 5_400_000), ("x", nil),
        ] as [(String, Int64?)])
    func `Loki steps take any form`(text: String, milliseconds: Int64?) {
        #expect(DurationText.loki(text) == milliseconds.map { $0 * 1_000_000 })
    }

    @Test(
        arguments: [
            ("1.2s", 1_200_000_000), ("100ms", 100_000_000), ("500us", 500_000), ("500µs", 500_000), ("500μs", 500_000),
            ("1h2m", 3_720_000_000_000), ("-1.5h", -5_400_000_000_000), ("+1ns", 1), ("0", 0), ("1.ms", 1_000_000),
            (".5s", 500_000_000),
            ("0.3333333333333333333h", 1_199_999_999_999), ("0.9ns", 0), ("1m1h", 3_660_000_000_000),
            ("9223372036s", 9_223_372_036_000_000_000),
            ("9223372037s", nil), ("1", nil), ("", nil), ("-", nil), ("s", nil), (".s", nil), ("1..5s", nil),
            ("1d", nil), ("1s2", nil),
            ("99999999999999999999ns", nil), ("1 s", nil),
        ] as [(String, Int64?)])
    func `Go durations have any units, with decimals`(text: String, expected: Int64?) {
        #expect(DurationText.go(text) == expected)
    }

    @Test func `metrics are written in the text format`() {
        let registry = MetricsRegistry()
        let counter = registry.counter("varve_b_total", help: "Back\\slash\nand line.", labels: ["path": "a\"b\\c\nd"])
        counter.add(3)
        registry.computed("varve_a", help: "A.") { 0.5 }
        let histogram = registry.histogram("varve_c_seconds", help: "C.", bounds: [0.1, 1])
        histogram.observe(0.1)
        histogram.observe(0.5)
        histogram.observe(7)
        #expect(
            String(decoding: MetricsText.render(registry.families), as: UTF8.self) == #"""
                # HELP varve_a A.
                # TYPE varve_a gauge
                varve_a 0.5
                # HELP varve_b_total Back\\slash\nand line.
                # TYPE varve_b_total counter
                varve_b_total{path="a\"b\\c\nd"} 3
                # HELP varve_c_seconds C.
                # TYPE varve_c_seconds histogram
                varve_c_seconds_bucket{le="0.1"} 1
                varve_c_seconds_bucket{le="1"} 2
                varve_c_seconds_bucket{le="+Inf"} 3
                varve_c_seconds_sum 7.6
                varve_c_seconds_count 3

                """#)
    }
}

import Core
import Testing

/// Times as text: expected values are from RFC 3339 itself and from GNU date.
struct CalendarTimeTests {
    @Test(
        arguments: [
            ("1970-01-01", 0), ("1985-04-12T23:20:50.52Z", 482_196_050_520_000_000),
            ("1996-12-19T16:39:57-08:00", 851_042_397_000_000_000),
            ("2026-11-21T14:03:27.000000001Z", 1_795_269_807_000_000_001),
            ("2026-11-21 14:03", 1_795_269_780_000_000_000), ("1969-12-31T23:59:59.999999999Z", -1),
            ("2024-02-29", 1_709_164_800_000_000_000), ("1700000000000000000", 1_700_000_000_000_000_000),
        ] as [(String, Int64)])
    func `a time is read`(text: String, nanoseconds: Int64) {
        #expect(CalendarTime.parse(text)?.nanoseconds == nanoseconds)
    }

    @Test(arguments: [
        "", "yesterday", "2026", "2026-13-01", "2026-02-29", "2026-11-21T", "2026-11-21T24:00", "2026-11-21T14:60",
        "2026-11-21T14:03:27.", "2026-11-21T14:03:27.0000000001Z", "2026-11-21T14:03:27+2", "2026-11-21T14:03:27Zx",
        "1600-01-01", "2300-01-01", "99999999999999999999",
    ])
    func `what is no time, or none that can be represented, is refused`(text: String) {
        #expect(CalendarTime.parse(text) == nil)
    }

    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00Z"), (1_795_269_807_000_000_001, "2026-11-21T14:03:27.000000001Z"),
            (482_196_050_520_000_000, "1985-04-12T23:20:50.52Z"), (-1, "1969-12-31T23:59:59.999999999Z"),
            (.max, "2262-04-11T23:47:16.854775807Z"), (.min, "1677-09-21T00:12:43.145224192Z"),
        ] as [(Int64, String)])
    func `a time is written, and read back`(nanoseconds: Int64, text: String) {
        #expect(CalendarTime.shortText(Timestamp(nanoseconds: nanoseconds)) == text)
        #expect(CalendarTime.text(Timestamp(nanoseconds: nanoseconds)).utf8.count == 30)
        if nanoseconds != .min { #expect(CalendarTime.parse(text)?.nanoseconds == nanoseconds) }
    }
}

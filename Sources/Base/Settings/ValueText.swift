/// Values as operators write them.
package enum ValueText {
    private static let units: [(name: String, bytes: Int)] = [
        ("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("TB", 1_000_000_000_000),
        ("GB", 1_000_000_000), ("MB", 1_000_000), ("KB", 1000), ("B", 1), ("", 1),
    ]

    /// `64MiB`, `64 MB`, `65536`.
    package static func size(_ text: String, in range: ClosedRange<Int>) throws(SettingError) -> Int {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let unit = text.dropFirst(digits.count).drop { $0 == " " }
        guard let count = Int(digits), let factor = units.first(where: { $0.name.lowercased() == unit.lowercased() })
        else { throw SettingError("\"\(text)\" is no size; it looks like 64MiB, 500MB or 65536") }
        let (bytes, overflow) = count.multipliedReportingOverflow(by: factor.bytes)
        guard !overflow, range.contains(bytes) else {
            throw SettingError("\(text) is not between \(size(range.lowerBound)) and \(size(range.upperBound))")
        }
        return bytes
    }

    package static func size(_ bytes: Int) -> String {
        let unit = units.first { $0.name != "" && bytes >= $0.bytes && bytes % $0.bytes == 0 } ?? ("B", 1)
        return "\(bytes / unit.bytes)\(unit.name)"
    }

    /// Nanoseconds, above zero.
    package static func duration(_ text: String) throws(SettingError) -> Int64 {
        guard let nanoseconds = DurationText.go(text) ?? DurationText.prometheus(text) else {
            throw SettingError("\"\(text)\" is no duration; it looks like 30s, 1m30s or 500ms")
        }
        guard nanoseconds > 0 else { throw SettingError("a duration is above zero") }
        return nanoseconds
    }

    package static func duration(_ nanoseconds: Int64) -> String {
        let units: [(name: String, nanoseconds: Int64)] = [
            ("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1000),
        ]
        let unit = units.first { nanoseconds % $0.nanoseconds == 0 } ?? ("ns", 1)
        return "\(nanoseconds / unit.nanoseconds)\(unit.name)"
    }

    package static func integer(_ text: String, in range: ClosedRange<Int>) throws(SettingError) -> Int {
        guard let number = Int(text), range.contains(number) else {
            throw SettingError("\"\(text)\" is no whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    package static func oneOf<Value>(_ values: [Value], _ text: String, name: (Value) -> String) throws(SettingError)
        -> Value
    {
        if let value = values.first(where: { name($0) == text }) { return value }
        throw SettingError("\"\(text)\" is none of \(values.map(name).joined(separator: ", "))")
    }
}

internal import API
private import Glibc

/// Values as operators write them.
enum ValueText {
    typealias ValueError = Setting.ValueError

    /// `127.0.0.1:4318`, `[::1]:4318`, `localhost:4318`, or `:4318` for all addresses of the machine.
    static func address(_ text: String) throws(ValueError) -> ListenAddress {
        let expected = "\"\(text)\" is no address; it looks like 127.0.0.1:4318, [::1]:4318 or :4318"
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            throw ValueError(expected)
        }
        var host = String(text[..<colon])
        if host.isEmpty { host = "0.0.0.0" }
        if host == "localhost" { host = "127.0.0.1" }
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
        if isBracketed { host = String(host.dropFirst().dropLast()) }
        var storage = in6_addr()
        guard inet_pton(isBracketed ? AF_INET6 : AF_INET, host, &storage) == 1 else { throw ValueError(expected) }
        return ListenAddress(host: host, port: port)
    }

    private static let units: [(name: String, bytes: Int)] = [
        ("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("TB", 1_000_000_000_000),
        ("GB", 1_000_000_000), ("MB", 1_000_000), ("KB", 1000), ("B", 1), ("", 1),
    ]

    /// `64MiB`, `64 MB`, `65536`.
    static func size(_ text: String, in range: ClosedRange<Int>) throws(ValueError) -> Int {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let unit = text.dropFirst(digits.count).drop { $0 == " " }
        guard let count = Int(digits), let factor = units.first(where: { $0.name.lowercased() == unit.lowercased() })
        else { throw ValueError("\"\(text)\" is no size; it looks like 64MiB, 500MB or 65536") }
        let (bytes, overflow) = count.multipliedReportingOverflow(by: factor.bytes)
        guard !overflow, range.contains(bytes) else {
            throw ValueError("\(text) is not between \(size(range.lowerBound)) and \(size(range.upperBound))")
        }
        return bytes
    }

    static func size(_ bytes: Int) -> String {
        let unit = units.first { $0.name != "" && bytes >= $0.bytes && bytes % $0.bytes == 0 } ?? ("B", 1)
        return "\(bytes / unit.bytes)\(unit.name)"
    }

    /// Nanoseconds, above zero.
    static func duration(_ text: String) throws(ValueError) -> Int64 {
        guard let nanoseconds = DurationText.go(text) ?? DurationText.prometheus(text) else {
            throw ValueError("\"\(text)\" is no duration; it looks like 30s, 1m30s or 500ms")
        }
        guard nanoseconds > 0 else { throw ValueError("a duration is above zero") }
        return nanoseconds
    }

    static func duration(_ nanoseconds: Int64) -> String {
        let units: [(name: String, nanoseconds: Int64)] = [
            ("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1000),
        ]
        let unit = units.first { nanoseconds % $0.nanoseconds == 0 } ?? ("ns", 1)
        return "\(nanoseconds / unit.nanoseconds)\(unit.name)"
    }

    static func integer(_ text: String, in range: ClosedRange<Int>) throws(ValueError) -> Int {
        guard let number = Int(text), range.contains(number) else {
            throw ValueError("\"\(text)\" is no whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    static func oneOf<Value>(_ values: [Value], _ text: String, name: (Value) -> String) throws(ValueError) -> Value {
        if let value = values.first(where: { name($0) == text }) { return value }
        throw ValueError("\"\(text)\" is none of \(values.map(name).joined(separator: ", "))")
    }

    /// `*`, `none`, or origins separated by commas.
    static func origins(_ text: String) throws(ValueError) -> Router.Origins {
        if text == "*" { return .any }
        if text == "none" { return .none }
        let list = text.split(separator: ",").map { String($0.filter { $0 != " " }) }
        guard !list.isEmpty, list.allSatisfy({ $0.contains("://") && $0.count { $0 == "*" } <= 1 }) else {
            throw ValueError("\"\(text)\" is no list of origins; one looks like https://grafana.example.com")
        }
        return .only(list)
    }

    static func origins(_ origins: Router.Origins) -> String {
        switch origins {
        case .none: "none"
        case .any: "*"
        case .only(let list): list.joined(separator: ",")
        }
    }
}

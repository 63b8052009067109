/// Durations as clients write them, in nanoseconds. Nil is what cannot be read or does not fit 64 bits.
package enum DurationText {
    /// Prometheus's form: `1h30m`, units `y w d h m s ms` in descending order, each at most once, whole numbers; or `0`.
    package static func prometheus(_ text: String) -> Int64? {
        if text == "0" { return 0 }
        guard !text.isEmpty else { return nil }
        let units: [(name: String, nanoseconds: Int64)] = [
            ("y", 365 * day), ("w", 7 * day), ("d", day), ("h", hour), ("m", minute), ("s", second),
            ("ms", second / 1000),
        ]
        var total: Int64 = 0
        var next = 0
        var rest = Substring(text).utf8
        while !rest.isEmpty {
            let digits = rest.prefix { (0x30...0x39).contains($0) }
            rest = rest.dropFirst(digits.count)
            let name = rest.prefix { !(0x30...0x39).contains($0) }
            rest = rest.dropFirst(name.count)
            guard let count = Int64(Substring(digits)),
                let unit = units.indices.first(where: { $0 >= next && units[$0].name.utf8.elementsEqual(name) })
            else { return nil }
            let (product, overflow) = count.multipliedReportingOverflow(by: units[unit].nanoseconds)
            let (sum, sumOverflow) = total.addingReportingOverflow(product)
            guard !overflow, !sumOverflow else { return nil }
            total = sum
            next = unit + 1
        }
        return total
    }

    /// Go's form: `1.5s`, `100ms`, `-1h2m`, `500us`, in any order; or `0`.
    package static func go(_ text: String) -> Int64? {
        var rest = Substring(text).utf8
        let isNegative = rest.first == UInt8(ascii: "-")
        if isNegative || rest.first == UInt8(ascii: "+") { rest = rest.dropFirst() }
        if rest.elementsEqual("0".utf8) { return 0 }
        guard !rest.isEmpty else { return nil }
        var total: Int64 = 0
        while !rest.isEmpty {
            let digits = rest.prefix { (0x30...0x39).contains($0) || $0 == UInt8(ascii: ".") }
            rest = rest.dropFirst(digits.count)
            let name = rest.prefix { !(0x30...0x39).contains($0) && $0 != UInt8(ascii: ".") }
            rest = rest.dropFirst(name.count)
            guard let unit = goUnit(Substring(name)), let part = scaled(digits, by: unit) else { return nil }
            let (sum, overflow) = total.addingReportingOverflow(part)
            guard !overflow else { return nil }
            total = sum
        }
        return isNegative ? -total : total
    }

    private static let second: Int64 = 1_000_000_000
    private static let minute = 60 * second
    private static let hour = 60 * minute
    private static let day = 24 * hour

    private static func goUnit(_ name: Substring) -> Int64? {
        switch String(name) {
        case "ns": 1
        // The micro sign and the Greek letter.
        case "us", "\u{B5}s", "\u{3BC}s": 1000
        case "ms": 1_000_000
        case "s": second
        case "m": minute
        case "h": hour
        default: nil
        }
    }

    /// `digits`, with at most one point, times `unit`; what is smaller than a nanosecond is dropped.
    private static func scaled(_ digits: Substring.UTF8View, by unit: Int64) -> Int64? {
        let pieces = digits.split(separator: UInt8(ascii: "."), maxSplits: 2, omittingEmptySubsequences: false)
        guard pieces.count <= 2, pieces.contains(where: { !$0.isEmpty }) else { return nil }
        var whole: Int64 = 0
        if let text = pieces.first, !text.isEmpty {
            guard let count = Int64(Substring(text)) else { return nil }
            let (product, overflow) = count.multipliedReportingOverflow(by: unit)
            guard !overflow else { return nil }
            whole = product
        }
        guard pieces.count == 2, !pieces[1].isEmpty else { return whole }
        // Eighteen digits fit 64 bits, and are more than an hour's nanoseconds tell apart.
        let decimals = pieces[1].prefix(18)
        guard let numerator = Int64(Substring(decimals)) else { return nil }
        var denominator: Int128 = 1
        for _ in decimals { denominator *= 10 }
        let fraction = Int64(Int128(numerator) * Int128(unit) / denominator)
        let (sum, overflow) = whole.addingReportingOverflow(fraction)
        return overflow ? nil : sum
    }
}

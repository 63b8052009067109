import Glibc

/// Functions on numbers, sizes, durations and times.
extension TemplateFunctions {
    static let numbers: [String: Entry] = [
        "int": Entry(1) { (a) throws(TemplateError) in .integer(a.values[0].integer ?? 0) },
        "float64": Entry(1) { (a) throws(TemplateError) in .number(a.values[0].number ?? 0) },
        "add": aggregate { $0.addingReportingOverflow($1) },
        "mul": aggregate { $0.multipliedReportingOverflow(by: $1) },
        "sub": pair { $0.subtractingReportingOverflow($1) },
        "div": pair { $0.dividedReportingOverflow(by: $1) },
        "mod": pair { $0.remainderReportingOverflow(dividingBy: $1) },
        "max": Entry(1...mostArguments) { (a) throws(TemplateError) in .integer(try integers(a).max() ?? 0) },
        "min": Entry(1...mostArguments) { (a) throws(TemplateError) in .integer(try integers(a).min() ?? 0) },
        "addf": Entry(1...mostArguments) { (a) throws(TemplateError) in .number(try doubles(a).reduce(0, +)) },
        "mulf": Entry(1...mostArguments) { (a) throws(TemplateError) in .number(try doubles(a).reduce(1, *)) },
        "subf": Entry(1...mostArguments) { (a) throws(TemplateError) in .number(try reduceDoubles(a, -)) },
        "divf": Entry(1...mostArguments) { (a) throws(TemplateError) in .number(try reduceDoubles(a, /)) },
        "maxf": Entry(1...mostArguments) { (a) throws(TemplateError) in
            .number(try reduceDoubles(a) { $0 < $1 ? $1 : $0 })
        },
        "minf": Entry(1...mostArguments) { (a) throws(TemplateError) in
            .number(try reduceDoubles(a) { $1 < $0 ? $1 : $0 })
        },
        "ceil": Entry(1) { (a) throws(TemplateError) in .number(try a.number(0).rounded(.up)) },
        "floor": Entry(1) { (a) throws(TemplateError) in .number(try a.number(0).rounded(.down)) },
        "round": Entry(1...3) { (a) throws(TemplateError) in .number(try rounded(a)) },
        "bytes": Entry(1) { (a) throws(TemplateError) in
            guard let value = Quantity.bytes(a.text(0)) else {
                throw TemplateError("\(a.text(0).quoted) is not a size")
            }
            return .number(Double(value))
        },
        "duration": seconds, "duration_seconds": seconds,
    ]

    private static let seconds = Entry(1) { (a) throws(TemplateError) in
        guard let value = Quantity.duration(a.text(0)) else {
            throw TemplateError("\(a.text(0).quoted) is not a duration")
        }
        return .number(Double(value) / 1e9)
    }

    private typealias Checked = @Sendable (Int64, Int64) -> (partialValue: Int64, overflow: Bool)

    private static func aggregate(_ combine: @escaping Checked) -> Entry {
        Entry(1...mostArguments) { (a) throws(TemplateError) in
            var result = try a.integer(0)
            for place in a.values.indices.dropFirst() {
                let (value, overflow) = combine(result, try a.integer(place))
                guard !overflow else { throw TemplateError("error calling \(a.name): integer out of range") }
                result = value
            }
            return .integer(result)
        }
    }

    private static func pair(_ combine: @escaping Checked) -> Entry {
        let aggregate = aggregate(combine)
        return Entry(2, aggregate.run)
    }

    private static func integers(_ a: TemplateArguments) throws(TemplateError) -> [Int64] {
        var all: [Int64] = []
        for place in a.values.indices { all.append(try a.integer(place)) }
        return all
    }

    private static func doubles(_ a: TemplateArguments) throws(TemplateError) -> [Double] {
        var all: [Double] = []
        for place in a.values.indices { all.append(try a.number(place)) }
        return all
    }

    private static func reduceDoubles(
        _ a: TemplateArguments, _ combine: (Double, Double) -> Double
    ) throws(TemplateError) -> Double {
        let all = try doubles(a)
        return all.dropFirst().reduce(all[0], combine)
    }

    /// `round value [digits [threshold]]`
    private static func rounded(_ a: TemplateArguments) throws(TemplateError) -> Double {
        let digits = a.values.count > 1 ? try a.integer(1) : 0
        let threshold = a.values.count > 2 ? try a.number(2) : 0.5
        let scale = pow(10, Double(digits))
        let scaled = try a.number(0) * scale
        let whole = scaled.rounded(.down)
        return (scaled - whole >= threshold ? whole + 1 : whole) / scale
    }

    // MARK: Times

    static let times: [String: Entry] = [
        "now": Entry(0) { (_) throws(TemplateError) in .time(currentTime()) },
        "date": Entry(2) { (a) throws(TemplateError) in .string(TimeLayout(a.text(0)).format(try time(a, 1))) },
        "toDate": Entry(2) { (a) throws(TemplateError) in .time(try parse(a.text(1), layout: a.text(0))) },
        "toDateInZone": Entry(3) { (a) throws(TemplateError) in
            guard ["", "UTC", "Local"].contains(a.text(1)) else {
                throw TemplateError("error calling toDateInZone: unknown time zone \(a.text(1))")
            }
            return .time(try parse(a.text(2), layout: a.text(0)))
        },
        "unixEpoch": Entry(1) { (a) throws(TemplateError) in .string(String(floorDivide(try time(a, 0), 1_000_000_000)))
        },
        "unixEpochMillis": Entry(1) { (a) throws(TemplateError) in
            .string(String(floorDivide(try time(a, 0), 1_000_000)))
        },
        "unixEpochNanos": Entry(1) { (a) throws(TemplateError) in .string(String(try time(a, 0))) },
        "unixToTime": Entry(1) { (a) throws(TemplateError) in .time(try unixTime(a.text(0))) },
    ]

    private static func parse(_ text: String, layout: String) throws(TemplateError) -> Int64 {
        guard let time = TimeLayout(layout).parse(text) else {
            throw TemplateError("parsing time \(text.quoted) as \(layout.quoted): cannot parse")
        }
        return time
    }

    private static func time(_ a: TemplateArguments, _ place: Int) throws(TemplateError) -> Int64 {
        if case .time(let value) = a.values[place] { return value }
        throw TemplateError("error calling \(a.name): \(a.text(place).quoted) is not a time")
    }

    /// Days, seconds, milliseconds, microseconds or nanoseconds, told apart by the number of digits.
    private static func unixTime(_ text: String) throws(TemplateError) -> Int64 {
        let scales: [Int: Int64] = [
            5: 86_400_000_000_000, 10: 1_000_000_000, 13: 1_000_000, 16: 1_000, 19: 1,
        ]
        guard let value = Int64(text), let scale = scales[text.utf8.count] else {
            throw TemplateError("unable to parse time \(text.quoted)")
        }
        let (time, overflow) = value.multipliedReportingOverflow(by: scale)
        guard !overflow else { throw TemplateError("unable to parse time \(text.quoted)") }
        return time
    }

    private static func currentTime() -> Int64 {
        var now = timespec()
        _ = unsafe clock_gettime(CLOCK_REALTIME, &now)
        return Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
    }

    private static func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
        let quotient = value / divisor
        return value % divisor < 0 ? quotient - 1 : quotient
    }
}

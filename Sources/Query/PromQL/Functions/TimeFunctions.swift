import QueryModel

/// The query's time, samples' times, and the parts of a date in UTC (rules of §3.5).
enum TimeFunctions {
    static let all: [FunctionDefinition] = [
        scalar("time") { grid, _ in grid.indices.map { Double(grid[$0]) / 1000 } },
        scalar("start") { grid, whole in Array(repeating: Double(whole.start) / 1000, count: grid.count) },
        scalar("end") { grid, whole in Array(repeating: Double(whole.end) / 1000, count: grid.count) },
        scalar("step") { grid, whole in
            Array(repeating: whole.count == 1 ? 0 : Double(whole.step) / 1000, count: grid.count)
        },
        scalar("range") { grid, whole in
            Array(repeating: Double(whole.end - whole.start) / 1000, count: grid.count)
        },
        FunctionDefinition("timestamp", [.instantVector], .general(timestamp)),
        part("minute") { Double($0.secondOfDay / 60 % 60) },
        part("hour") { Double($0.secondOfDay / 3600) },
        part("day_of_week") { Double(($0.day % 7 + 11) % 7) },
        part("day_of_month") { Double($0.dayOfMonth) },
        part("day_of_year") { Double($0.dayOfYear) },
        part("days_in_month") { Double($0.daysInMonth) },
        part("month") { Double($0.month) },
        part("year") { Double($0.year) },
    ]

    /// - Parameter body: from the grid of the call and the grid of the whole query.
    private static func scalar(
        _ name: String, _ body: @escaping @Sendable (TimeGrid, TimeGrid) -> [Double]
    ) -> FunctionDefinition {
        FunctionDefinition(
            name, [], returns: .scalar,
            .general { frame throws(QueryError) in
                try frame.evaluator.chargeSteps(of: frame.grid)
                return .scalar(body(frame.grid, frame.evaluator.queryGrid))
            })
    }

    private static func part(
        _ name: String, _ body: @escaping @Sendable (CivilDate) -> Double
    ) -> FunctionDefinition {
        FunctionDefinition(
            name, [.instantVector], optional: 1,
            .general { frame throws(QueryError) in
                let input: [GridSeries]
                if frame.argumentCount > 0 {
                    input = try frame.vector(0)
                } else {
                    try frame.evaluator.chargeSteps(of: frame.grid)
                    let now = frame.grid.indices.map { Double(frame.grid[$0]) / 1000 }
                    input = [GridSeries(labels: .empty, values: now)]
                }
                let output = input.map { series in
                    let values = series.values.map { value in
                        if GridSeries.isAbsent(value) { return value }
                        return CivilDate(seconds: value).map(body) ?? .nan
                    }
                    return GridSeries(labels: series.labels.withoutMetricName, values: values)
                }
                return .vector(try frame.evaluator.merged(output.filter(\.hasAnyValue)))
            })
    }

    /// A plain selector's samples have times of their own; any other vector has the query's.
    private static func timestamp(_ frame: CallFrame) throws(QueryError) -> Evaluator.Value {
        let argument = frame.call.arguments[0]
        if case .vector(let selector) = argument.unwrapped.node {
            var series = try frame.evaluator.instantVector(selector, on: frame.grid, reading: .timestamps)
            for i in series.indices { series[i].labels = series[i].labels.withoutMetricName }
            return .vector(try frame.evaluator.merged(series))
        }
        let output = try frame.vector(0).map { series in
            let values = series.values.indices.map { step in
                series.isPresent(step) ? Double(frame.grid[step]) / 1000 : GridSeries.absent
            }
            return GridSeries(labels: series.labels.withoutMetricName, values: values)
        }
        return .vector(try frame.evaluator.merged(output))
    }
}

/// A date of the proleptic Gregorian calendar, in UTC.
///
/// Source: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms": years are counted from March, so that the leap day is a
/// year's last, and 400 years are one cycle of 146,097 days.
struct CivilDate {
    /// Days since 1970-01-01, a Thursday.
    let day: Int
    let secondOfDay: Int
    let year: Int
    let month: Int
    let dayOfMonth: Int

    /// - Returns: nil for NaN, infinities and times some billions of years away.
    init?(seconds: Double) {
        guard abs(seconds) < 1e17 else { return nil }
        let whole = Int(seconds)
        day = whole >= 0 ? whole / 86_400 : (whole - 86_399) / 86_400
        secondOfDay = whole - day * 86_400
        let shifted = day + 719_468
        let cycle = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfCycle = shifted - cycle * 146_097
        let yearOfCycle =
            (dayOfCycle - dayOfCycle / 1460 + dayOfCycle / 36_524 - dayOfCycle / 146_096) / 365
        let dayOfYear = dayOfCycle - (365 * yearOfCycle + yearOfCycle / 4 - yearOfCycle / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        dayOfMonth = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        year = yearOfCycle + cycle * 400 + (month <= 2 ? 1 : 0)
    }

    private var isLeapYear: Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

    var daysInMonth: Int {
        switch month {
        case 2: isLeapYear ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    var dayOfYear: Int {
        let before = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334][month - 1]
        return before + dayOfMonth + (month > 2 && isLeapYear ? 1 : 0)
    }
}

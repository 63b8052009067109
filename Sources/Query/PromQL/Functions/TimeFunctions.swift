internal import Core
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
        part("day_of_week") { Double($0.day.weekday) },
        part("day_of_month") { Double($0.day.dayOfMonth) },
        part("day_of_year") { Double($0.day.dayOfYear) },
        part("days_in_month") { Double($0.day.daysInMonth) },
        part("month") { Double($0.day.month) },
        part("year") { Double($0.day.year) },
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

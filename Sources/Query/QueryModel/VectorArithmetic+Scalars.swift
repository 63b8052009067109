/// Operators between a vector and a scalar (rules of §3.3).
extension VectorArithmetic {
    /// `scalar` has a value for each timestamp. A filter keeps the vector's value, on whichever side it stands.
    package func combine(
        _ operator: BinaryOperator, _ vector: [GridSeries], scalar: [Double], scalarIsLeft: Bool,
        returnsBool: Bool, dropped: inout Bool
    ) throws(QueryError) -> [GridSeries] {
        precondition(!`operator`.isSet && scalar.count == stepCount)
        var output: [GridSeries] = []
        for series in vector {
            try context.proceed()
            let labels =
                `operator`.dropsMetricName || returnsBool
                ? series.labels.withoutMetricName : series.labels
            var result = GridSeries(labels: labels, empty: stepCount)
            for step in 0..<stepCount {
                let value = series.values[step]
                if !GridSeries.isAbsent(value) {
                    let (l, r) = scalarIsLeft ? (scalar[step], value) : (value, scalar[step])
                    if let number = `operator`.apply(l, r, returnsBool: returnsBool, kept: value) {
                        result.values[step] = number
                    }
                } else if let element = series[step] {
                    let number = SampleValue.float(scalar[step])
                    let (l, r) = scalarIsLeft ? (number, element) : (element, number)
                    result[step] = `operator`.apply(l, r, returnsBool: returnsBool, dropped: &dropped)
                }
            }
            if result.hasAnyValue { output.append(result) }
        }
        return output
    }

    /// A comparison between scalars always has the value 0 or 1.
    package static func combine(
        _ operator: BinaryOperator, _ left: [Double], _ right: [Double]
    ) -> [Double] {
        zip(left, right).map { l, r in
            `operator`.isComparison ? (`operator`.compare(l, r) ? 1 : 0) : `operator`.calculate(l, r)
        }
    }
}

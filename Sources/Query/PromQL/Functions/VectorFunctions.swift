import QueryModel

/// Functions of whole vectors: order, absence, conversion (rules of §3.5 and §3.6).
enum VectorFunctions {
    static let all: [FunctionDefinition] = [
        FunctionDefinition("vector", [.scalar], .general(vector)),
        FunctionDefinition("scalar", [.instantVector], returns: .scalar, .general(scalar)),
        FunctionDefinition("absent", [.instantVector], .general(absent)),
        FunctionDefinition(
            "sort", [.instantVector],
            .general { frame throws(QueryError) in try sort(frame) { $0 < $1 } }),
        FunctionDefinition(
            "sort_desc", [.instantVector],
            .general { frame throws(QueryError) in try sort(frame) { $0 > $1 } }),
        FunctionDefinition(
            "sort_by_label", [.instantVector, .string], repeats: true,
            .general { frame throws(QueryError) in try sortByLabel(frame, descending: false) }),
        FunctionDefinition(
            "sort_by_label_desc", [.instantVector, .string], repeats: true,
            .general { frame throws(QueryError) in try sortByLabel(frame, descending: true) }),
    ]

    private static func vector(_ frame: CallFrame) throws(QueryError) -> Evaluator.Value {
        .vector([GridSeries(labels: .empty, values: try frame.scalar(0))])
    }

    /// NaN unless the vector has exactly one number.
    private static func scalar(_ frame: CallFrame) throws(QueryError) -> Evaluator.Value {
        let input = try frame.vector(0)
        var values = Array(repeating: Double.nan, count: frame.grid.count)
        var counts = Array(repeating: 0, count: frame.grid.count)
        for series in input {
            for step in frame.grid.indices where !GridSeries.isAbsent(series.values[step]) {
                counts[step] += 1
                values[step] = counts[step] == 1 ? series.values[step] : .nan
            }
        }
        return .scalar(values)
    }

    // MARK: absent

    private static func absent(_ frame: CallFrame) throws(QueryError) -> Evaluator.Value {
        var isPresent = Array(repeating: false, count: frame.grid.count)
        for series in try frame.vector(0) {
            for step in frame.grid.indices where series.isPresent(step) { isPresent[step] = true }
        }
        return absent(isPresent, described: frame.call.arguments[0])
    }

    /// One where nothing is present, with the labels that the selector's equality matchers name.
    static func absent(_ isPresent: [Bool], described argument: Expression) -> Evaluator.Value {
        let matchers: [LabelMatcher] =
            switch argument.unwrapped.node {
            case .vector(let selector): selector.matchers
            case .matrix(let matrix): matrix.selector.matchers
            default: []
            }
        var labels = Labels.empty
        var seen: Set<String> = []
        for matcher in matchers where matcher.name != Labels.metricName {
            // A label that is matched twice, or not by equality, has no one value.
            let isFirst = seen.insert(matcher.name).inserted
            let value = isFirst && matcher.operator == .equal ? matcher.value : ""
            labels = labels.setting(matcher.name, to: value)
        }
        let series = GridSeries(labels: labels, values: isPresent.map { $0 ? GridSeries.absent : 1 })
        return .vector(series.hasAnyValue ? [series] : [])
    }

    // MARK: Order

    /// By value at the first timestamp, which is the only one where order shows; NaN last.
    private static func sort(
        _ frame: CallFrame, _ isBefore: (Double, Double) -> Bool
    ) throws(QueryError) -> Evaluator.Value {
        let input = try frame.vector(0)
        guard frame.grid.count == 1 else { return .vector(input) }
        let numbers = input.filter { !GridSeries.isAbsent($0.values[0]) }
        let order = numbers.indices.sorted { left, right in
            let (l, r) = (numbers[left].values[0], numbers[right].values[0])
            if l.isNaN || r.isNaN { return l.isNaN && r.isNaN ? left < right : r.isNaN }
            return l == r ? left < right : isBefore(l, r)
        }
        return .vector(order.map { numbers[$0] })
    }

    private static func sortByLabel(
        _ frame: CallFrame, descending: Bool
    ) throws(QueryError) -> Evaluator.Value {
        let input = try frame.vector(0)
        var names: [String] = []
        for position in 1..<max(frame.argumentCount, 1) { names.append(try frame.string(position)) }
        guard frame.grid.count == 1 else { return .vector(input) }
        let sorted = input.sorted { left, right in
            for name in names {
                let (l, r) = (left.labels[name], right.labels[name])
                if l != r { return NaturalOrder.isBefore(l, r) != descending }
            }
            return (left.labels < right.labels) != descending && left.labels != right.labels
        }
        return .vector(sorted)
    }
}

/// The order in which people sort: runs of digits by their number, so that `node-9` comes before `node-10`.
enum NaturalOrder {
    static func isBefore(_ left: String, _ right: String) -> Bool {
        var (l, r) = (Array(left.utf8)[...], Array(right.utf8)[...])
        while let a = l.first, let b = r.first {
            guard Lexer.isDigit(a), Lexer.isDigit(b) else {
                if a != b { return a < b }
                (l, r) = (l.dropFirst(), r.dropFirst())
                continue
            }
            let (first, second) = (number(&l), number(&r))
            if first.count != second.count { return first.count < second.count }
            if first != second { return first.lexicographicallyPrecedes(second) }
        }
        if l.isEmpty != r.isEmpty { return l.isEmpty }
        // Equal but for leading zeros.
        return left.utf8.lexicographicallyPrecedes(right.utf8)
    }

    /// The digits at the front, without leading zeros.
    private static func number(_ text: inout ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        let digits = text.prefix { Lexer.isDigit($0) }
        text = text.dropFirst(digits.count)
        return digits.drop { $0 == UInt8(ascii: "0") }
    }
}

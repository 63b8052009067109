import QueryModel

extension Expression {
    /// Functions whose value is the query's grid, or whose series may get equal labels.
    private static let unbounded: Set<String> = ["start", "end", "range", "step", "label_replace", "label_join"]

    /// Nil if values at a step can depend on other steps or on no bounded time, or if evaluating some steps alone may find no fault where
    /// all steps together would: with `@`, and wherever series of different steps could have equal labels.
    func dependence(_ options: PromQLEngine.Options) -> TimeDependence? {
        switch node {
        case .number, .string: return TimeDependence.none
        case .vector(let selector): return selector.dependence(reachingBack: options.lookback)
        case .matrix(let matrix): return matrix.selector.dependence(reachingBack: matrix.range)
        case .subquery(let subquery):
            guard subquery.shift.fixed == nil, let inner = subquery.expression.dependence(options) else { return nil }
            return inner.reaching(back: subquery.range, offset: subquery.shift.offset ?? 0)
        case .aggregate(let aggregate):
            switch aggregate.operator {
            case .limitk, .countValues: return nil
            default: return Self.united([aggregate.parameter, aggregate.expression].compactMap { $0 }, options)
            }
        case .binary: return dependenceOfChain(options)
        case .unary(let unary): return unary.operand.dependence(options)
        case .call(let call):
            return Self.unbounded.contains(call.name) ? nil : Self.united(call.arguments, options)
        case .parenthesized(let inner): return inner.dependence(options)
        }
    }

    private static func united(
        _ expressions: [Expression], _ options: PromQLEngine.Options
    ) -> TimeDependence? {
        var all = TimeDependence.none
        for expression in expressions {
            guard let one = expression.dependence(options) else { return nil }
            all = all.union(one)
        }
        return all
    }

    /// A chain of operators leans to the left: it is walked, not descended.
    private func dependenceOfChain(_ options: PromQLEngine.Options) -> TimeDependence? {
        var all = TimeDependence.none
        var first = self
        while case .binary(let binary) = first.node {
            // Elements of one side that match several of the other, and unions, are what may clash.
            guard !binary.hasMatching, binary.operator != .or, let right = binary.right.dependence(options) else {
                return nil
            }
            all = all.union(right)
            first = binary.left
        }
        return first.dependence(options).map(all.union)
    }
}

extension VectorSelector {
    fileprivate func dependence(reachingBack: Int64) -> TimeDependence? {
        // Series of one metric stay different when the name is dropped.
        guard shift.fixed == nil, matchers.contains(where: { $0.name == "__name__" && $0.operator == .equal }) else {
            return nil
        }
        return TimeDependence.none.reaching(back: reachingBack, offset: shift.offset ?? 0)
    }
}

import Glibc
import QueryModel

/// Functions of single numbers (rules of §3.5).
enum MathFunctions {
    static let all: [FunctionDefinition] = [
        of("abs") { abs($0) },
        of("ceil") { $0.rounded(.up) },
        of("floor") { $0.rounded(.down) },
        of("exp") { exp($0) },
        of("ln") { log($0) },
        of("log2") { log2($0) },
        of("log10") { log10($0) },
        of("sqrt") { $0.squareRoot() },
        of("sgn") { $0 > 0 ? 1 : $0 < 0 ? -1 : $0 },
        FunctionDefinition(
            "round", [.instantVector, .scalar], optional: 1,
            .elementwise { value, scalars in round(value, to: scalars.count > 0 ? scalars[0] : 1) }),
        FunctionDefinition(
            "clamp", [.instantVector, .scalar, .scalar],
            .elementwise { value, scalars in
                scalars[1] < scalars[0] ? nil : greater(scalars[0], lesser(scalars[1], value))
            }),
        FunctionDefinition(
            "clamp_min", [.instantVector, .scalar],
            .elementwise { value, scalars in greater(scalars[0], value) }),
        FunctionDefinition(
            "clamp_max", [.instantVector, .scalar],
            .elementwise { value, scalars in lesser(scalars[0], value) }),
        FunctionDefinition(
            "min_of", [.scalar, .scalar], returns: .scalar,
            .general { frame throws(QueryError) in try combine(frame, lesser) }),
        FunctionDefinition(
            "max_of", [.scalar, .scalar], returns: .scalar,
            .general { frame throws(QueryError) in try combine(frame, greater) }),
    ]

    static func of(_ name: String, _ body: @escaping @Sendable (Double) -> Double) -> FunctionDefinition {
        FunctionDefinition(name, [.instantVector], .elementwise { value, _ in body(value) })
    }

    /// The nearest multiple; of two equally near the greater. Divides by the inverse, which is exact for 0.1 and its like.
    private static func round(_ value: Double, to nearest: Double) -> Double {
        let inverse = 1 / nearest
        return (value * inverse + 0.5).rounded(.down) / inverse
    }

    /// Unlike the comparison operators these answer NaN if either is NaN.
    private static func greater(_ left: Double, _ right: Double) -> Double {
        if left.isNaN || right.isNaN { return .nan }
        if left == 0 && right == 0 { return left.sign == .minus ? right : left }
        return left > right ? left : right
    }

    private static func lesser(_ left: Double, _ right: Double) -> Double {
        if left.isNaN || right.isNaN { return .nan }
        if left == 0 && right == 0 { return left.sign == .minus ? left : right }
        return left < right ? left : right
    }

    private static func combine(
        _ frame: CallFrame, _ body: (Double, Double) -> Double
    ) throws(QueryError) -> Evaluator.Value {
        let (left, right) = (try frame.scalar(0), try frame.scalar(1))
        return .scalar(zip(left, right).map(body))
    }
}

/// Angles are radians (rules of §3.5).
enum TrigonometricFunctions {
    static let all: [FunctionDefinition] = [
        MathFunctions.of("acos") { acos($0) },
        MathFunctions.of("acosh") { acosh($0) },
        MathFunctions.of("asin") { asin($0) },
        MathFunctions.of("asinh") { asinh($0) },
        MathFunctions.of("atan") { atan($0) },
        MathFunctions.of("atanh") { atanh($0) },
        MathFunctions.of("cos") { cos($0) },
        MathFunctions.of("cosh") { cosh($0) },
        MathFunctions.of("sin") { sin($0) },
        MathFunctions.of("sinh") { sinh($0) },
        MathFunctions.of("tan") { tan($0) },
        MathFunctions.of("tanh") { tanh($0) },
        MathFunctions.of("deg") { $0 * 180 / .pi },
        MathFunctions.of("rad") { $0 * .pi / 180 },
        FunctionDefinition(
            "pi", [], returns: .scalar,
            .general { frame throws(QueryError) in try frame.evaluator.constant(.pi, on: frame.grid) }),
    ]
}

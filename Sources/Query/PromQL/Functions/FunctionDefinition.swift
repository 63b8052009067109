import QueryModel

/// A function of PromQL: its signature and what it does. To add one, add an entry to its family's list.
struct FunctionDefinition: Sendable {
    /// A function of each number of a vector, and of scalars; nil drops the element.
    typealias Elementwise = @Sendable (Double, ScalarArguments.Row) -> Double?
    typealias General = @Sendable (CallFrame) throws(QueryError) -> Evaluator.Value

    enum Body: Sendable {
        case elementwise(Elementwise)
        case window(WindowFunction)
        case general(General)
    }

    let name: String
    let parameters: [ExpressionType]
    /// The fewest and most arguments; nil: as many as one likes, of the last parameter's type.
    let fewest: Int
    let most: Int?
    let result: ExpressionType
    let body: Body

    /// - Parameters:
    ///   - optional: how many of the last parameters may be left out.
    ///   - repeats: whether the last parameter may stand any number of times, also none.
    init(
        _ name: String, _ parameters: [ExpressionType], optional: Int = 0, repeats: Bool = false,
        returns result: ExpressionType = .instantVector, _ body: Body
    ) {
        self.name = name
        self.parameters = parameters
        fewest = parameters.count - (repeats ? 1 : optional)
        most = repeats ? nil : parameters.count
        self.result = result
        self.body = body
    }

    func type(ofArgument position: Int) -> ExpressionType {
        parameters[min(position, parameters.count - 1)]
    }
}

/// A function of the samples in a window.
struct WindowFunction: Sendable {
    /// Never called with an empty window; nil means no value.
    typealias Body = @Sendable (borrowing SampleWindow, ScalarArguments.Row) throws(QueryError) -> SampleValue?

    var floats: Body?
    /// For series of histograms; nil leaves them out.
    var histograms: Body?
    var keepsName = false
    var expectsCounter = false
    /// Whether the first argument is a quantile.
    var expectsQuantile = false
    /// Whether the query's own time matters, and not only the window.
    var dependsOnTime = false

    /// A function of numbers.
    static func numbers(
        _ body: @escaping @Sendable (borrowing SampleWindow, ScalarArguments.Row) -> Double?
    ) -> WindowFunction {
        WindowFunction(floats: { window, scalars in body(window, scalars).map(SampleValue.float) })
    }

    /// A function that treats histograms as it treats numbers.
    static func samples(
        _ body: @escaping @Sendable (borrowing SampleWindow, ScalarArguments.Row) -> SampleValue?
    ) -> WindowFunction {
        WindowFunction(
            floats: { window, scalars in body(window, scalars) },
            histograms: { window, scalars in body(window, scalars) })
    }
}

/// The scalar arguments of a call, in order, for each timestamp of a grid.
struct ScalarArguments: Sendable {
    let all: [[Double]]

    init(_ all: [[Double]]) { self.all = all }

    func at(_ step: Int) -> Row { Row(all: all, step: step) }

    struct Row: Sendable {
        fileprivate let all: [[Double]]
        fileprivate let step: Int

        var count: Int { all.count }

        subscript(position: Int) -> Double { all[position][step] }
    }
}

/// One call of a function over a grid.
struct CallFrame {
    let evaluator: Evaluator
    let call: FunctionCall
    let expression: Expression
    let grid: TimeGrid

    var argumentCount: Int { call.arguments.count }

    func vector(_ position: Int) throws(QueryError) -> [GridSeries] {
        try evaluator.vector(call.arguments[position], on: grid)
    }

    func scalar(_ position: Int) throws(QueryError) -> [Double] {
        try evaluator.scalar(call.arguments[position], on: grid)
    }

    func string(_ position: Int) throws(QueryError) -> String {
        try evaluator.string(call.arguments[position])
    }
}

/// All functions, by name.
enum FunctionTable {
    private static let byName: [String: FunctionDefinition] = {
        let families = [
            MathFunctions.all, TrigonometricFunctions.all, RateFunctions.all, OverTimeFunctions.all,
            TimeFunctions.all, LabelFunctions.all, VectorFunctions.all, HistogramFunctions.all,
        ]
        return Dictionary(uniqueKeysWithValues: families.joined().map { ($0.name, $0) })
    }()

    static func function(named name: String) -> FunctionDefinition? { byName[name] }

    static var names: [String] { byName.keys.sorted() }
}

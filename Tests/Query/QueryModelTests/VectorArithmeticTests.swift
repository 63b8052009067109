import Core
import QueryModel
import Scheduling
import Testing

/// Matching, set operators and scalars over a grid (rules of §3.3). `nil` stands for an empty place.
struct VectorArithmeticTests {
    let context = QueryContext(tenant: .default)

    func series(_ labels: [String: String], _ values: Double?...) -> GridSeries {
        GridSeries(
            labels: Labels(labels.map { Label($0.key, $0.value) }),
            values: values.map { $0 ?? GridSeries.absent })
    }

    func text(_ series: [GridSeries]) -> [String] {
        series.map { one in
            let values = one.values.map { GridSeries.isAbsent($0) ? "_" : "\($0)" }
            return one.labels.text + " " + values.joined(separator: " ")
        }
    }

    func combine(
        _ op: BinaryOperator, _ left: [GridSeries], _ right: [GridSeries],
        _ matching: VectorMatching = VectorMatching(), bool: Bool = false
    ) throws(QueryError) -> [String] {
        var dropped = false
        let arithmetic = VectorArithmetic(stepCount: left.first?.values.count ?? 1, context: context)
        let result = try arithmetic.combine(
            op, left, right, matching: matching, returnsBool: bool, dropped: &dropped)
        return text(result)
    }

    @Test func `elements match on all labels but the name, timestamp by timestamp`() throws {
        let left = [series(["__name__": "a", "x": "1"], 1, 2, nil), series(["__name__": "a", "x": "2"], 5, 6, 7)]
        let right = [series(["__name__": "b", "x": "1"], 10, nil, 30)]
        #expect(try combine(.add, left, right) == [#"{x="1"} 11.0 _ _"#])
        #expect(try combine(.less, left, right) == [#"{__name__="a", x="1"} 1.0 _ _"#])
        #expect(try combine(.greater, left, right, bool: true) == [#"{x="1"} 0.0 _ _"#])
    }

    @Test func `two series of one match group may take turns, and fail where they meet`() throws {
        let left = [series(["x": "1"], 1, 2)]
        let turns = [series(["x": "1", "y": "a"], 10, nil), series(["x": "1", "y": "b"], nil, 20)]
        let meet = [series(["x": "1", "y": "a"], 10, nil), series(["x": "1", "y": "b"], 10, 20)]
        let on = VectorMatching(labels: ["x"], isOn: true)
        #expect(try combine(.add, left, turns, on) == [#"{x="1"} 11.0 22.0"#])
        #expect(
            throws: QueryError.execution(
                #"found duplicate series for the match group {x="1"} on the right hand-side of the operation: "#
                    + #"[{x="1", y="b"}, {x="1", y="a"}];many-to-many matching not allowed: matching labels must be "#
                    + "unique on one side")
        ) { try combine(.add, left, meet, on) }
        #expect(
            throws: QueryError.execution(
                "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)")
        ) { try combine(.add, meet, left, on) }
    }

    @Test func `group_left and group_right copy labels from the side of one and keep the operands' order`() throws {
        let many = [series(["x": "1", "y": "a", "z": "old"], 8), series(["x": "1", "y": "b"], 6)]
        let one = [series(["x": "1", "z": "new"], 2)]
        let left = VectorMatching(cardinality: .manyToOne, labels: ["x"], isOn: true, included: ["z"])
        let right = VectorMatching(cardinality: .oneToMany, labels: ["x"], isOn: true, included: ["z"])
        #expect(
            try combine(.divide, many, one, left)
                == [#"{x="1", y="a", z="new"} 4.0"#, #"{x="1", y="b", z="new"} 3.0"#])
        #expect(
            try combine(.divide, one, many, right)
                == [#"{x="1", y="a", z="new"} 0.25"#, #"{x="1", y="b", z="new"} \#(2.0 / 6.0)"#])
    }

    @Test func `set operators choose timestamp by timestamp and keep names`() throws {
        let left = [series(["__name__": "a", "x": "1"], 1, nil), series(["__name__": "a", "x": "2"], 3, 4)]
        let right = [series(["__name__": "b", "x": "1"], 5, 6)]
        let arithmetic = VectorArithmetic(stepCount: 2, context: context)
        func combine(_ op: BinaryOperator) throws(QueryError) -> [String] {
            text(try arithmetic.combineSets(op, left, right, matching: VectorMatching()))
        }
        #expect(try combine(.and) == [#"{__name__="a", x="1"} 1.0 _"#])
        #expect(try combine(.unless) == [#"{__name__="a", x="2"} 3.0 4.0"#])
        #expect(
            try combine(.or) == [
                #"{__name__="a", x="1"} 1.0 _"#, #"{__name__="a", x="2"} 3.0 4.0"#, #"{__name__="b", x="1"} _ 6.0"#,
            ])
    }

    @Test func `or puts both sides' timestamps of one series together`() throws {
        let arithmetic = VectorArithmetic(stepCount: 2, context: context)
        let result = try arithmetic.combineSets(
            .or, [series(["x": "1"], 1, nil)], [series(["x": "1"], 5, 6)], matching: VectorMatching())
        #expect(text(result) == [#"{x="1"} 1.0 6.0"#])
    }

    @Test func `a filter against a scalar keeps the vector's value on either side`() throws {
        var dropped = false
        let arithmetic = VectorArithmetic(stepCount: 2, context: context)
        let vector = [series(["__name__": "a"], 1, 5)]
        let result = try arithmetic.combine(
            .less, vector, scalar: [3, 3], scalarIsLeft: true, returnsBool: false, dropped: &dropped)
        #expect(text(result) == [#"{__name__="a"} _ 5.0"#])
    }

    @Test(arguments: [
        (BinaryOperator.modulo, -7.0, 3.0, -1.0), (.modulo, 5.5, -2, 1.5), (.divide, 1, 0, .infinity),
        (.power, 2, -1, 0.5),
        (.atan2, 0, -1, Double.pi),
    ])
    func `arithmetic is C's`(op: BinaryOperator, left: Double, right: Double, expected: Double) {
        #expect(op.calculate(left, right) == expected)
    }

    @Test func `the byte budget holds for results`() {
        let small = QueryContext(tenant: .default, byteLimit: 100)
        let arithmetic = VectorArithmetic(stepCount: 1, context: small)
        var dropped = false
        #expect(throws: QueryError.interrupted(.overBudget(bytes: 100))) {
            try arithmetic.combine(
                .add, [series([:], 1)], [series([:], 1)], matching: VectorMatching(), returnsBool: false,
                dropped: &dropped)
        }
    }
}

extension Parser {
    /// `name [(INDEX …, …)] PARTITION BY … ORDER BY … [TTL …] AS SELECT … FROM … [INNER JOIN …] [WHERE …] GROUP BY …`.
    mutating func view() throws(SchemaError) -> ViewSyntax {
        let name = try name("the view's name")
        var indexes: [ClausesSyntax.Index] = []
        if take(.open) {
            indexes = try list { parser throws(SchemaError) in try parser.index() }
            try expect(.close)
        }
        let clauses = try clauses(indexes: indexes)
        try expect(keyword: "AS")
        try expect(keyword: "SELECT")
        let items = try list { parser throws(SchemaError) in try parser.item() }
        try expect(keyword: "FROM")
        let source = try source()
        let join = take(keyword: "INNER") ? try join() : nil
        let condition = take(keyword: "WHERE") ? try expression() : nil
        let groupOffset = token.offset
        try expect(keyword: "GROUP")
        try expect(keyword: "BY")
        let groups = try list { parser throws(SchemaError) in try parser.name("a column of the view") }
        return ViewSyntax(
            file: file, name: name, clauses: clauses, items: items, source: source, join: join, condition: condition,
            groups: groups, groupOffset: groupOffset)
    }

    private mutating func item() throws(SchemaError) -> ViewSyntax.Item {
        let expression = try expression()
        if take(keyword: "AS") {
            return ViewSyntax.Item(expression: expression, name: try name("a name for the expression"))
        }
        guard case .column(_, let name) = expression else {
            throw error("expected AS and a name for the expression before \(token.shown)")
        }
        return ViewSyntax.Item(expression: expression, name: name)
    }

    private mutating func source() throws(SchemaError) -> ViewSyntax.Source {
        let table = try name("a table")
        return ViewSyntax.Source(table: table, alias: take(keyword: "AS") ? try name("another name") : table)
    }

    private mutating func join() throws(SchemaError) -> ViewSyntax.Join {
        try expect(keyword: "JOIN")
        let source = try source()
        try expect(keyword: "ON")
        return ViewSyntax.Join(source: source, condition: try expression())
    }

    // MARK: Expressions

    mutating func expression() throws(SchemaError) -> ExpressionSyntax {
        try nested { parser throws(SchemaError) in try parser.disjunction() }
    }

    private mutating func disjunction() throws(SchemaError) -> ExpressionSyntax {
        var left = try conjunction()
        var count = 1
        while take(keyword: "OR") {
            try checkLength(&count)
            left = .binary(.or, left, try conjunction())
        }
        return left
    }

    private mutating func conjunction() throws(SchemaError) -> ExpressionSyntax {
        var left = try negation()
        var count = 1
        while take(keyword: "AND") {
            try checkLength(&count)
            left = .binary(.and, left, try negation())
        }
        return left
    }

    /// A chain nests to its left as deep as it is long, and what walks it recurses.
    private func checkLength(_ count: inout Int) throws(SchemaError) {
        count += 1
        guard count <= 64 else { throw error("a condition may have 64 parts at most") }
    }

    private mutating func negation() throws(SchemaError) -> ExpressionSyntax {
        let offset = token.offset
        guard take(keyword: "NOT") else { return try comparison() }
        return .not(try nested { parser throws(SchemaError) in try parser.negation() }, offset: offset)
    }

    private mutating func comparison() throws(SchemaError) -> ExpressionSyntax {
        let left = try sum()
        guard case .symbol(let symbol) = token.kind, let comparison = RollupComparison(rawValue: symbol.rawValue)
        else { return left }
        advance()
        return .binary(.comparison(comparison), left, try sum())
    }

    private mutating func sum() throws(SchemaError) -> ExpressionSyntax {
        let left = try primary()
        if take(.minus) { return try .earlier(left, nanoseconds: nanoseconds()) }
        guard take(.plus) else { return left }
        return .binary(.plus, left, try primary())
    }

    /// `INTERVAL 1 NANOSECOND`
    private mutating func nanoseconds() throws(SchemaError) -> Int64 {
        try expect(keyword: "INTERVAL")
        let count = try integer(1...999_999_999, "a number of nanoseconds")
        try expect(keyword: "NANOSECOND")
        return count
    }

    private mutating func primary() throws(SchemaError) -> ExpressionSyntax {
        let start = token
        switch start.kind {
        case .integer(let value):
            advance()
            return .integer(value, offset: start.offset)
        case .symbol(.minus):
            advance()
            return .integer(-(try integer(0...Int64.max, "a number")), offset: start.offset)
        case .text(let bytes):
            advance()
            return .text(bytes, offset: start.offset)
        case .symbol(.open):
            advance()
            let inside = try expression()
            try expect(.close)
            return inside
        case .word: return try callOrColumn()
        default: throw error("expected an expression before \(start.shown)")
        }
    }

    private mutating func callOrColumn() throws(SchemaError) -> ExpressionSyntax {
        let name = try name("a column")
        if take(.dot) { return .column(qualifier: name, try self.name("a column")) }
        guard take(.open) else { return .column(qualifier: nil, name) }
        if take(.close) { return .call(name, []) }
        let arguments = try list { parser throws(SchemaError) in try parser.expression() }
        try expect(.close)
        return .call(name, arguments)
    }
}

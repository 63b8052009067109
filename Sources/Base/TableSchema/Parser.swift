/// Reads statements of the subset of ClickHouse's DDL that docs/SCHEMA.md describes, by recursive descent.
struct Parser {
    let file: SourceFile
    private let tokens: [Token]
    private var position = 0
    private var depth = 0

    init(file: SourceFile) throws(SchemaError) {
        self.file = file
        tokens = try Lexer.tokens(of: file)
    }

    /// Reads the whole file.
    mutating func statements() throws(SchemaError) -> (tables: [TableSyntax], views: [ViewSyntax]) {
        var tables: [TableSyntax] = []
        var views: [ViewSyntax] = []
        while token.kind != .end {
            try expect(keyword: "CREATE")
            if take(keyword: "MATERIALIZED") {
                try expect(keyword: "VIEW")
                views.append(try view())
            } else {
                try expect(keyword: "TABLE")
                tables.append(try table())
            }
            try expect(.semicolon)
        }
        return (tables, views)
    }

    // MARK: Tokens

    var token: Token { tokens[position] }

    /// The token behind the next one.
    var following: Token { tokens[min(position + 1, tokens.count - 1)] }

    mutating func advance() { position = min(position + 1, tokens.count - 1) }

    func error(_ message: String) -> SchemaError { file.error(at: token.offset, message) }

    mutating func take(_ symbol: Symbol) -> Bool {
        guard token.kind == .symbol(symbol) else { return false }
        advance()
        return true
    }

    mutating func take(keyword: String) -> Bool {
        guard token.isKeyword(keyword) else { return false }
        advance()
        return true
    }

    mutating func expect(_ symbol: Symbol) throws(SchemaError) {
        guard take(symbol) else { throw error("expected '\(symbol.rawValue)' before \(token.shown)") }
    }

    mutating func expect(keyword: String) throws(SchemaError) {
        guard take(keyword: keyword) else { throw error("expected \(keyword) before \(token.shown)") }
    }

    mutating func name(_ what: String) throws(SchemaError) -> Name {
        guard case .word(let word) = token.kind else { throw error("expected \(what) before \(token.shown)") }
        let name = Name(text: word, offset: token.offset)
        advance()
        return name
    }

    mutating func integer(_ range: ClosedRange<Int64>, _ what: String) throws(SchemaError) -> Int64 {
        guard case .integer(let value) = token.kind, range.contains(value) else {
            throw error("expected \(what) from \(range.lowerBound) to \(range.upperBound)")
        }
        advance()
        return value
    }

    /// One or more elements with commas between them.
    mutating func list<Element>(
        _ element: (inout Parser) throws(SchemaError) -> Element
    ) throws(SchemaError) -> [Element] {
        var elements: [Element] = []
        repeat {
            guard elements.count < SchemaLimit.list else { throw error("a list may have \(SchemaLimit.list) elements") }
            elements.append(try element(&self))
        } while take(.comma)
        return elements
    }

    mutating func nested<Value>(
        _ read: (inout Parser) throws(SchemaError) -> Value
    ) throws(SchemaError) -> Value {
        guard depth < SchemaLimit.depth else { throw error("nested more than \(SchemaLimit.depth) deep") }
        depth += 1
        defer { depth -= 1 }
        return try read(&self)
    }

    // MARK: Tables

    private mutating func table() throws(SchemaError) -> TableSyntax {
        enum Entry {
            case column(ColumnSyntax)
            case index(ClausesSyntax.Index)
        }
        let name = try name("the table's name")
        try expect(.open)
        let entries = try list { parser throws(SchemaError) -> Entry in
            if parser.token.isKeyword("INDEX") { return .index(try parser.index()) }
            return .column(try parser.column())
        }
        try expect(.close)
        let columns = entries.compactMap { if case .column(let column) = $0 { column } else { nil } }
        let indexes = entries.compactMap { if case .index(let index) = $0 { index } else { nil } }
        return TableSyntax(file: file, name: name, columns: columns, clauses: try clauses(indexes: indexes))
    }

    private mutating func column() throws(SchemaError) -> ColumnSyntax {
        let name = try name("a column's name")
        if take(keyword: "NESTED") {
            try expect(.open)
            let fields = try nested { parser throws(SchemaError) in
                try parser.list { inner throws(SchemaError) in try inner.column() }
            }
            try expect(.close)
            return ColumnSyntax(name: name, kind: .nested(fields))
        }
        let type = try type()
        return ColumnSyntax(name: name, kind: .plain(type), codecs: take(keyword: "CODEC") ? try codecs() : [])
    }

    private mutating func codecs() throws(SchemaError) -> [String] {
        try expect(.open)
        let codecs = try list { parser throws(SchemaError) -> String in
            let start = parser.token
            let name = try parser.name("a codec")
            switch name.text {
            case "Delta", "LZ4", "NONE": return name.text
            case "ZSTD":
                guard parser.take(.open) else { return name.text }
                let level = try parser.integer(1...19, "a level of ZSTD")
                try parser.expect(.close)
                return "ZSTD(\(level))"
            default: throw parser.file.error(at: start.offset, "unknown codec \(start.shown)")
            }
        }
        try expect(.close)
        return codecs
    }

    /// `INDEX name column TYPE kind(parameters) [GRANULARITY 1]`.
    mutating func index() throws(SchemaError) -> ClausesSyntax.Index {
        try expect(keyword: "INDEX")
        let name = try name("the index's name")
        var column = try self.name("the indexed column")
        if token.kind == .symbol(.dot) {
            advance()
            column.text += "." + (try self.name("the indexed field")).text
        }
        try expect(keyword: "TYPE")
        let start = token
        let kind: SkipIndexDefinition.Kind
        switch try self.name("the kind of index").text {
        case "bloom_filter": kind = .bloomFilter(falsePositives: try rate())
        case "tokenbf": kind = .tokenBloom(falsePositives: try rate())
        case "token_postings": kind = .tokenPostings
        case "templates": kind = .templates
        case "minmax": kind = .minMax
        default: throw file.error(at: start.offset, "unknown kind of index \(start.shown)")
        }
        if take(keyword: "GRANULARITY") {
            guard token.kind == .integer(1) else { throw error("an index has GRANULARITY 1: it tells blocks apart") }
            advance()
        }
        return ClausesSyntax.Index(name: name, column: column, kind: kind)
    }

    /// `(0.001)`.
    private mutating func rate() throws(SchemaError) -> Double {
        try expect(.open)
        guard case .decimal(let rate) = token.kind, rate >= 1e-6, rate <= 0.5 else {
            throw error("expected a rate of false positives from 0.000001 to 0.5")
        }
        advance()
        try expect(.close)
        return rate
    }

    // MARK: Clauses

    /// `PARTITION BY … ORDER BY … [TTL …]`.
    mutating func clauses(indexes: [ClausesSyntax.Index]) throws(SchemaError) -> ClausesSyntax {
        try expect(keyword: "PARTITION")
        try expect(keyword: "BY")
        let partition = try partition()
        let orderOffset = token.offset
        try expect(keyword: "ORDER")
        try expect(keyword: "BY")
        try expect(.open)
        let order = try list { parser throws(SchemaError) in try parser.sort() }
        try expect(.close)
        return ClausesSyntax(
            indexes: indexes, partition: partition, order: order, orderOffset: orderOffset,
            timeToLive: take(keyword: "TTL") ? try timeToLive() : nil)
    }

    private mutating func partition() throws(SchemaError) -> ClausesSyntax.Partition {
        let start = token
        guard let unit = PartitionUnit(rawValue: try name("the unit of a partition").text) else {
            throw file.error(
                at: start.offset,
                "expected toStartOfHour, toStartOfDay, toStartOfWeek or toStartOfMonth before \(start.shown)")
        }
        try expect(.open)
        let column = try name("a column")
        try expect(.close)
        return ClausesSyntax.Partition(column: column, unit: unit)
    }

    private mutating func sort() throws(SchemaError) -> ClausesSyntax.Sort {
        let name = try name("a column")
        guard take(.open) else { return ClausesSyntax.Sort(column: name, isStartOfMinute: false) }
        guard name.text == "toStartOfMinute" else {
            throw file.error(at: name.offset, "expected toStartOfMinute before '\(name.text)'")
        }
        let column = try self.name("a column")
        try expect(.close)
        return ClausesSyntax.Sort(column: column, isStartOfMinute: true)
    }

    private mutating func timeToLive() throws(SchemaError) -> ClausesSyntax.TimeToLive {
        let column = try name("a column")
        try expect(.plus)
        try expect(keyword: "INTERVAL")
        let start = token.offset
        let count = try integer(1...100_000, "a number of units")
        let unit = token
        let hours: Int64
        switch try name("a unit of time").text.uppercased() {
        case "HOUR": hours = 1
        case "DAY": hours = 24
        case "WEEK": hours = 7 * 24
        case "MONTH": hours = 30 * 24
        case "YEAR": hours = 365 * 24
        default: throw file.error(at: unit.offset, "expected HOUR, DAY, WEEK, MONTH or YEAR before \(unit.shown)")
        }
        let (product, overflow) = (count * hours).multipliedReportingOverflow(by: 3_600_000_000_000)
        guard !overflow else { throw file.error(at: start, "an interval may have 292 years at most") }
        return ClausesSyntax.TimeToLive(column: column, nanoseconds: product)
    }
}

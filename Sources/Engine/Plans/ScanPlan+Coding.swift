internal import Core
internal import TableSchema

/// docs/FORMAT.md, "Plans".
extension ScanPlan {
    package var bytes: [UInt8] {
        var writer = PlanWriter()
        writer.count(PlanFormat.version)
        writer.count(Int(table.number))
        writer.integer(range.start.nanoseconds)
        writer.integer(range.end.nanoseconds)
        writer.predicate(predicate)
        switch result {
        case .rows(let projection):
            writer.byte(0)
            writer.projection(projection)
        case .states(let aggregation):
            writer.byte(1)
            writer.aggregation(aggregation)
        }
        return writer.bytes
    }

    package init(bytes: [UInt8]) throws(PlanError) {
        var reader = try PlanReader(bytes)
        try reader.version()
        guard let number = UInt16(exactly: try reader.natural()) else { throw .corrupt }
        table = TableID(number: number)
        let start = Timestamp(nanoseconds: try reader.integer())
        range = TimeRange(start: start, end: Timestamp(nanoseconds: try reader.integer()))
        predicate = try reader.predicate()
        switch try reader.byte() {
        case 0: result = .rows(try reader.projection())
        case 1: result = .states(try reader.aggregation())
        default: throw .corrupt
        }
        try reader.end()
    }
}

extension PlanWriter {
    fileprivate mutating func projection(_ projection: Projection) {
        list(projection.columns) { $0.column($1) }
        byte(projection.order.rawValue)
        natural(projection.limit.map { UInt64($0) + 1 } ?? 0)
    }

    mutating func aggregation(_ aggregation: Aggregation) {
        list(aggregation.keys) { $0.operand($1) }
        switch aggregation.buckets {
        case nil: byte(0)
        case .every(let width, let origin):
            byte(1)
            integer(width)
            integer(origin)
        case .edges(let edges):
            byte(2)
            list(edges) { $0.integer($1) }
        }
        list(aggregation.aggregates) { $0.aggregate($1) }
        count(aggregation.groupLimit)
    }

    private mutating func aggregate(_ aggregate: Aggregate) {
        switch aggregate.function {
        case .count: byte(0)
        case .sum(let column): function(1, column)
        case .sumOfDoubles(let column): function(2, column)
        case .min(let column): function(3, column)
        case .max(let column): function(4, column)
        case .histogram(let column): function(5, column)
        case .distinct(let operand, let limit):
            byte(6)
            self.operand(operand)
            count(limit)
        }
        byte(aggregate.filter == nil ? 0 : 1)
        if let filter = aggregate.filter { predicate(filter) }
    }

    private mutating func function(_ number: UInt8, _ column: ColumnID) {
        byte(number)
        self.column(column)
    }
}

extension PlanReader {
    fileprivate mutating func projection() throws(PlanError) -> Projection {
        let columns = try list(atMost: PlanFormat.columnLimit, of: "columns") { (reader) throws(PlanError) in
            try reader.column()
        }
        guard let order = Projection.Order(rawValue: try byte()) else { throw .corrupt }
        let limit = try natural()
        guard limit <= UInt64(Int.max) else { throw .corrupt }
        return Projection(columns: columns, order: order, limit: limit == 0 ? nil : Int(limit - 1))
    }

    mutating func aggregation() throws(PlanError) -> Aggregation {
        let keys = try list(atMost: PlanFormat.keyLimit, of: "keys") { (reader) throws(PlanError) in
            try reader.operand()
        }
        let buckets = try buckets()
        let aggregates = try list(atMost: PlanFormat.aggregateLimit, of: "aggregates") {
            (reader) throws(PlanError) in try reader.aggregate()
        }
        return Aggregation(
            keys: keys, buckets: buckets, aggregates: aggregates, groupLimit: try limit(Aggregation.greatestGroupLimit))
    }

    private mutating func limit(_ most: Int) throws(PlanError) -> Int {
        let limit = try natural()
        guard limit <= UInt64(most) else { throw .tooLarge("groups") }
        return Int(limit)
    }

    private mutating func buckets() throws(PlanError) -> TimeBuckets? {
        switch try byte() {
        case 0: return nil
        case 1:
            let width = try integer()
            guard width > 0 else { throw .corrupt }
            return .every(width: width, origin: try integer())
        case 2:
            let edges = try list(atMost: PlanFormat.edgeLimit, of: "buckets") { (reader) throws(PlanError) in
                try reader.integer()
            }
            for index in edges.indices.dropFirst() where edges[index - 1] >= edges[index] { throw .corrupt }
            return .edges(edges)
        default: throw .corrupt
        }
    }

    private mutating func aggregate() throws(PlanError) -> Aggregate {
        let function: Aggregate.Function
        switch try byte() {
        case 0: function = .count
        case 1: function = .sum(try column())
        case 2: function = .sumOfDoubles(try column())
        case 3: function = .min(try column())
        case 4: function = .max(try column())
        case 5: function = .histogram(try column())
        case 6: function = .distinct(try operand(), limit: try limit(Aggregation.greatestGroupLimit))
        default: throw .corrupt
        }
        return Aggregate(function, where: try flag() ? try predicate() : nil)
    }
}

extension Aggregation {
    package static let greatestGroupLimit = 1 << 24

    /// Its bytes, without a version: states begin with them.
    package var bytes: [UInt8] {
        var writer = PlanWriter()
        writer.aggregation(self)
        return writer.bytes
    }

    package init(bytes: [UInt8]) throws(PlanError) {
        var reader = try PlanReader(bytes)
        self = try reader.aggregation()
        try reader.end()
    }
}

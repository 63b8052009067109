/// What the parser reads, before names are looked up and types are checked. Offsets are into the file, for errors.
struct Name: Equatable {
    var text: String
    var offset: Int
}

struct TableSyntax {
    var file: SourceFile
    var name: Name
    var columns: [ColumnSyntax]
    var clauses: ClausesSyntax
}

struct ColumnSyntax {
    enum Kind {
        case plain(ColumnType)
        case nested([ColumnSyntax])
    }

    var name: Name
    var kind: Kind
    var codecs: [String] = []
}

/// What a table and a materialized view have in common.
struct ClausesSyntax {
    struct Index {
        var name: Name
        var column: Name
        var kind: SkipIndexDefinition.Kind
    }

    struct Sort {
        var column: Name
        var isStartOfMinute: Bool
    }

    struct Partition {
        var column: Name
        var unit: PartitionUnit
    }

    struct TimeToLive {
        var column: Name
        var nanoseconds: Int64
    }

    var indexes: [Index]
    var partition: Partition
    var order: [Sort]
    var orderOffset: Int
    var timeToLive: TimeToLive?
}

struct ViewSyntax {
    struct Item {
        var expression: ExpressionSyntax
        var name: Name
    }

    struct Source {
        var table: Name
        var alias: Name
    }

    struct Join {
        var source: Source
        var condition: ExpressionSyntax
    }

    var file: SourceFile
    var name: Name
    var clauses: ClausesSyntax
    var items: [Item]
    var source: Source
    var join: Join?
    var condition: ExpressionSyntax?
    var groups: [Name]
    var groupOffset: Int
}

indirect enum ExpressionSyntax {
    enum Operator: Hashable {
        case or, and, plus
        case comparison(RollupComparison)
    }

    case column(qualifier: Name?, Name)
    case call(Name, [ExpressionSyntax])
    case integer(Int64, offset: Int)
    case text([UInt8], offset: Int)
    case not(ExpressionSyntax, offset: Int)
    case binary(Operator, ExpressionSyntax, ExpressionSyntax)
    case earlier(ExpressionSyntax, nanoseconds: Int64)

    var offset: Int {
        switch self {
        case .column(let qualifier, let name): qualifier?.offset ?? name.offset
        case .call(let name, _): name.offset
        case .integer(_, let offset), .text(_, let offset), .not(_, let offset): offset
        case .binary(_, let left, _), .earlier(let left, _): left.offset
        }
    }
}

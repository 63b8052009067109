internal import Core
internal import TableSchema

/// docs/FORMAT.md, "Plans".
extension PlanWriter {
    mutating func column(_ column: ColumnID) { count(Int(column.number)) }

    mutating func derivation(_ derivation: Derivation) {
        text(derivation.function.utf8)
        text(derivation.argument)
    }

    mutating func operand(_ operand: Operand) {
        switch operand {
        case .column(let column):
            byte(0)
            self.column(column)
        case .attribute(let column, let key):
            byte(1)
            self.column(column)
            text(key)
        case .attributes(let column, let derivation):
            byte(2)
            self.column(column)
            self.derivation(derivation)
        case .derived(let column, let derivation):
            byte(3)
            self.column(column)
            self.derivation(derivation)
        }
    }

    mutating func predicate(_ predicate: Predicate) {
        switch predicate {
        case .all(let parts):
            byte(0)
            list(parts) { $0.predicate($1) }
        case .any(let parts):
            byte(1)
            list(parts) { $0.predicate($1) }
        case .not(let part):
            byte(2)
            self.predicate(part)
        case .test(let operand, let condition):
            byte(3)
            self.operand(operand)
            self.condition(condition)
        case .anyElement(let column, let part):
            byte(4)
            self.column(column)
            self.predicate(part)
        case .hint(let part):
            byte(5)
            self.predicate(part)
        }
    }

    mutating func condition(_ condition: Condition) {
        switch condition {
        case .exists: byte(0)
        case .integer(let range):
            byte(1)
            integer(range.lowerBound)
            integer(range.upperBound)
        case .unsigned(let range):
            byte(2)
            natural(range.lowerBound)
            natural(range.upperBound)
        case .integers(let values):
            byte(3)
            list(values) { $0.integer($1) }
        case .double(let comparison, let value):
            byte(4)
            byte(comparison.rawValue)
            word(value.bitPattern)
        case .boolean(let value):
            byte(5)
            byte(value ? 1 : 0)
        case .text(let comparison, let value):
            byte(6)
            byte(comparison.rawValue)
            text(value)
        case .texts(let values):
            byte(7)
            list(values) { $0.text($1) }
        case .contains(let value):
            byte(8)
            text(value)
        case .matches(let source, let isAnchored):
            byte(9)
            byte(isAnchored ? 1 : 0)
            text(source.utf8)
        case .ids(let ids):
            byte(10)
            list(ids) { writer, id in
                writer.word(id.high)
                writer.word(id.low)
            }
        case .shortIDs(let ids):
            byte(11)
            list(ids) { $0.word($1) }
        case .shown(let value):
            byte(12)
            text(value.utf8)
        case .element(let inner):
            byte(13)
            self.condition(inner)
        case .repaired(let inner):
            byte(14)
            self.condition(inner)
        }
    }
}

extension PlanReader {
    mutating func column() throws(PlanError) -> ColumnID {
        let number = try natural()
        guard let number = UInt16(exactly: number) else { throw .corrupt }
        return ColumnID(number: number)
    }

    mutating func derivation() throws(PlanError) -> Derivation { Derivation(try string(), try text()) }

    mutating func operand() throws(PlanError) -> Operand {
        try nested { (reader) throws(PlanError) in
            switch try reader.byte() {
            case 0: return .column(try reader.column())
            case 1: return .attribute(try reader.column(), key: try reader.text())
            case 2: return .attributes(try reader.column(), try reader.derivation())
            case 3: return .derived(try reader.column(), try reader.derivation())
            default: throw .corrupt
            }
        }
    }

    mutating func predicate() throws(PlanError) -> Predicate {
        try nested { (reader) throws(PlanError) in
            switch try reader.byte() {
            case 0: return .all(try reader.parts())
            case 1: return .any(try reader.parts())
            case 2: return .not(try reader.predicate())
            case 3: return .test(try reader.operand(), try reader.condition())
            case 4: return .anyElement(try reader.column(), try reader.predicate())
            case 5: return .hint(try reader.predicate())
            default: throw .corrupt
            }
        }
    }

    private mutating func parts() throws(PlanError) -> [Predicate] {
        try list(atMost: PlanFormat.nodeLimit, of: "conditions") { (reader) throws(PlanError) in
            try reader.predicate()
        }
    }

    private mutating func comparison() throws(PlanError) -> Comparison {
        guard let comparison = Comparison(rawValue: try byte()) else { throw .corrupt }
        return comparison
    }

    mutating func condition() throws(PlanError) -> Condition {
        try nested { (reader) throws(PlanError) in
            switch try reader.byte() {
            case 0: return .exists
            case 1: return .integer(try reader.range { (reader) throws(PlanError) in try reader.integer() })
            case 2: return .unsigned(try reader.range { (reader) throws(PlanError) in try reader.natural() })
            case 3:
                return .integers(
                    try reader.ascending(of: "integers", <) { (reader) throws(PlanError) in try reader.integer() })
            case 4:
                let comparison = try reader.comparison()
                let value = Double(bitPattern: try reader.word())
                guard !value.isNaN else { throw .corrupt }
                return .double(comparison, value)
            case 5: return .boolean(try reader.flag())
            case 6: return .text(try reader.comparison(), try reader.text())
            case 7:
                return .texts(
                    try reader.ascending(of: "texts", { $0.lexicographicallyPrecedes($1) }) {
                        (reader) throws(PlanError) in try reader.text()
                    })
            case 8: return .contains(try reader.text())
            case 9:
                let isAnchored = try reader.flag()
                return .matches(try reader.pattern(), isAnchored: isAnchored)
            case 10:
                return .ids(
                    try reader.ascending(of: "ids", size: 16, <) { (reader) throws(PlanError) in
                        WideID(high: try reader.word(), low: try reader.word())
                    })
            case 11:
                return .shortIDs(
                    try reader.ascending(of: "ids", size: 8, <) { (reader) throws(PlanError) in try reader.word() })
            case 12: return .shown(try reader.string())
            case 13: return .element(try reader.condition())
            case 14: return .repaired(try reader.condition())
            default: throw .corrupt
            }
        }
    }

    private mutating func range<Bound>(
        _ bound: (inout PlanReader) throws(PlanError) -> Bound
    ) throws(PlanError) -> ClosedRange<Bound> {
        let (least, greatest) = (try bound(&self), try bound(&self))
        guard least <= greatest else { throw .corrupt }
        return least...greatest
    }
}

extension Predicate {
    /// Its bytes; docs/FORMAT.md, "Plans".
    package var bytes: [UInt8] {
        var writer = PlanWriter()
        writer.count(PlanFormat.version)
        writer.predicate(self)
        return writer.bytes
    }

    package init(bytes: [UInt8]) throws(PlanError) {
        var reader = try PlanReader(bytes)
        try reader.version()
        self = try reader.predicate()
        try reader.end()
    }
}

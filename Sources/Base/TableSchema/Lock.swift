/// Schema/LOCK: the number of every table and column that was ever written, with what must not change about it.
///
/// ```
/// table 1 otel_metrics
/// partition 1 toStartOfDay(time)
/// order 1 metric_name, series, time
/// column 1.1 time DateTime64(9)
/// column 1.13 distribution.count UInt64
/// retired column 1.9 colour String
/// retired table 7 otel_profiles
/// ```
///
/// A retired line keeps its number from being used again and lets its name be used for something else.
struct Lock {
    struct Column {
        var number: UInt16
        /// `distribution.count` for a field of a nested column.
        var path: String
        var type: String
        var isRetired: Bool
        var offset: Int
        var isUsed = false
    }

    struct Table {
        var number: UInt16
        var name: String
        var isRetired: Bool
        var offset: Int
        var partition: String?
        var order: String?
        var columns: [Column] = []
        var isUsed = false
    }

    /// What to do about a table or a column that has no number.
    enum Absence { case refuse, assign }

    private(set) var tables: [Table] = []
    private let file: SourceFile
    private let absence: Absence

    init(bytes: [UInt8], absence: Absence) throws(SchemaError) {
        file = SourceFile(name: "Schema/LOCK", bytes: bytes)
        self.absence = absence
        guard bytes.count <= SchemaLimit.fileBytes else {
            throw file.error(at: 0, "the file is longer than \(SchemaLimit.fileBytes) bytes")
        }
        var start = 0
        for line in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            let text = String(decoding: line, as: UTF8.self)
            if !text.isEmpty, !text.hasPrefix("#") { try read(text, at: start) }
            start += line.count + 1
        }
    }

    // MARK: Reading

    private mutating func read(_ line: String, at offset: Int) throws(SchemaError) {
        var words = line.split(separator: " ", maxSplits: 3).map(String.init)
        let isRetired = words.first == "retired"
        if isRetired { words = line.split(separator: " ", maxSplits: 4).dropFirst().map(String.init) }
        switch (words.first, words.count) {
        case ("table", 3): try readTable(words[1], words[2], isRetired: isRetired, at: offset)
        case ("column", 4): try readColumn(words[1], words[2], words[3], isRetired: isRetired, at: offset)
        case ("partition", 3...) where !isRetired:
            try readRule(\.partition, words, at: offset)
        case ("order", 3...) where !isRetired:
            try readRule(\.order, words, at: offset)
        default: throw file.error(at: offset, "expected table, partition, order or column with its number and name")
        }
    }

    private func number(_ text: some StringProtocol, at offset: Int) throws(SchemaError) -> UInt16 {
        guard let number = UInt16(text), number > 0, String(number) == text else {
            throw file.error(at: offset, "expected a number from 1 to 65535 instead of '\(text)'")
        }
        return number
    }

    private mutating func readTable(
        _ number: String, _ name: String, isRetired: Bool, at offset: Int
    ) throws(SchemaError) {
        let number = try self.number(number, at: offset)
        guard !tables.contains(where: { $0.number == number }) else {
            throw file.error(at: offset, "the number \(number) belongs to another table")
        }
        guard isRetired || !tables.contains(where: { $0.name == name && !$0.isRetired }) else {
            throw file.error(at: offset, "the table '\(name)' has a number already")
        }
        tables.append(Table(number: number, name: name, isRetired: isRetired, offset: offset))
    }

    private mutating func readColumn(
        _ numbers: String, _ path: String, _ type: String, isRetired: Bool, at offset: Int
    ) throws(SchemaError) {
        let parts = numbers.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2 else {
            throw file.error(at: offset, "expected a number like 1.2 instead of '\(numbers)'")
        }
        let table = try index(ofTable: try number(parts[0], at: offset), at: offset)
        let number = try number(parts[1], at: offset)
        guard !tables[table].columns.contains(where: { $0.number == number }) else {
            throw file.error(at: offset, "the number \(numbers) belongs to another column")
        }
        guard isRetired || !tables[table].columns.contains(where: { $0.path == path && !$0.isRetired }) else {
            throw file.error(at: offset, "the column '\(path)' has a number already")
        }
        tables[table].columns.append(
            Column(number: number, path: path, type: type, isRetired: isRetired, offset: offset))
    }

    private mutating func readRule(
        _ rule: WritableKeyPath<Table, String?>, _ words: [String], at offset: Int
    ) throws(SchemaError) {
        let table = try index(ofTable: try number(words[1], at: offset), at: offset)
        guard tables[table][keyPath: rule] == nil else {
            throw file.error(at: offset, "the table \(words[1]) has its \(words[0]) already")
        }
        tables[table][keyPath: rule] = words[2...].joined(separator: " ")
    }

    private func index(ofTable number: UInt16, at offset: Int) throws(SchemaError) -> Int {
        guard let index = tables.firstIndex(where: { $0.number == number }) else {
            throw file.error(at: offset, "no table has the number \(number)")
        }
        return index
    }

    // MARK: Numbers

    /// The number of the table called `name`; its mark as used.
    mutating func tableID(_ name: Name, in source: SourceFile) throws(SchemaError) -> TableID {
        if let index = tables.firstIndex(where: { $0.name == name.text && !$0.isRetired }) {
            tables[index].isUsed = true
            return TableID(number: tables[index].number)
        }
        let greatest = tables.lazy.map(\.number).max() ?? 0
        guard absence == .assign, greatest < UInt16.max else {
            throw source.error(at: name.offset, "the table '\(name.text)' has no number: run tools/schema --add")
        }
        tables.append(Table(number: greatest + 1, name: name.text, isRetired: false, offset: 0, isUsed: true))
        return TableID(number: greatest + 1)
    }

    /// The number of a column, whose type must be the one that it had when it got the number.
    mutating func columnID(
        _ path: String, at offset: Int, type: ColumnType, of table: TableID, in source: SourceFile
    ) throws(SchemaError) -> ColumnID {
        guard let index = tables.firstIndex(where: { $0.number == table.number }) else {
            throw source.error(at: offset, "the column '\(path)' has no table")
        }
        if let column = tables[index].columns.firstIndex(where: { $0.path == path && !$0.isRetired }) {
            let locked = tables[index].columns[column].type
            guard locked == type.sql else {
                throw source.error(
                    at: offset,
                    "the column '\(path)' is \(type.sql), but \(locked) in Schema/LOCK; a column keeps its type")
            }
            tables[index].columns[column].isUsed = true
            return ColumnID(number: tables[index].columns[column].number)
        }
        let greatest = tables[index].columns.lazy.map(\.number).max() ?? 0
        guard absence == .assign, greatest < UInt16.max else {
            throw source.error(at: offset, "the column '\(path)' has no number: run tools/schema --add")
        }
        tables[index].columns.append(
            Column(number: greatest + 1, path: path, type: type.sql, isRetired: false, offset: 0, isUsed: true))
        return ColumnID(number: greatest + 1)
    }

    /// Checks what a table's parts rely on: how its rows are cut into partitions and put in order.
    mutating func check(
        _ rule: WritableKeyPath<Table, String?>, _ text: String, at offset: Int, of table: TableID,
        in source: SourceFile
    ) throws(SchemaError) {
        guard let index = tables.firstIndex(where: { $0.number == table.number }) else { return }
        if let locked = tables[index][keyPath: rule] {
            guard locked == text else {
                throw source.error(
                    at: offset, "'\(text)' is '\(locked)' in Schema/LOCK, and the parts on disk are like that")
            }
        } else {
            guard absence == .assign else {
                throw source.error(at: offset, "'\(text)' is not in Schema/LOCK: run tools/schema --add")
            }
            tables[index][keyPath: rule] = text
        }
    }

    /// Checks that nothing has gone from Schema/ without being retired here.
    func checkAllUsed() throws(SchemaError) {
        for table in tables where !table.isRetired {
            guard table.isUsed else {
                throw file.error(
                    at: table.offset, "Schema/ has no table '\(table.name)'; if it is gone, write 'retired' here")
            }
            for column in table.columns where !column.isRetired && !column.isUsed {
                throw file.error(
                    at: column.offset,
                    "'\(table.name)' has no column '\(column.path)'; if it is gone, write 'retired' here")
            }
        }
    }

    // MARK: Writing

    /// The file's text.
    var text: String {
        var lines = [
            "# The number of every table and column that parts on disk may hold. tools/schema --add appends to it;",
            "# a number is never changed or used again. docs/SCHEMA.md describes the lines.",
        ]
        for table in tables {
            let retired = table.isRetired ? "retired " : ""
            lines += ["", "\(retired)table \(table.number) \(table.name)"]
            if let partition = table.partition { lines.append("partition \(table.number) \(partition)") }
            if let order = table.order { lines.append("order \(table.number) \(order)") }
            for column in table.columns {
                let retired = column.isRetired ? "retired " : ""
                lines.append("\(retired)column \(table.number).\(column.number) \(column.path) \(column.type)")
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }
}

internal import Columns
package import Core
package import TableSchema

/// Which rows of a table are exported, and how they are written.
package struct ExportRequest: Sendable {
    package enum Format: String, Sendable, CaseIterable {
        /// One JSON object a line.
        case jsonl
        /// RFC 4180, with a header.
        case csv
    }

    package var table: TableDefinition
    package var tenant: TenantID?
    /// Of the table's partition column.
    package var range = TimeRange.everything
    /// Places in the table's definition, in the order in which they are written.
    package var columns: [Int]
    package var conditions: [RowCondition] = []
    package var format = Format.jsonl
    /// Whether a row says whose it is.
    package var withTenant = false

    package init(table: TableDefinition) {
        self.table = table
        columns = Array(table.columns.indices)
    }
}

/// Something that the table does not have, or a value that its column cannot have.
package struct ConditionError: Error, Hashable, Sendable {
    package var message: String
}

/// `column=value`, or `attributes.key=value`.
package struct RowCondition: Sendable {
    enum Test: Sendable {
        case integer(Int64)
        case float(Double)
        case bytes([UInt8])
        case attribute(key: [UInt8], text: String)
    }

    let column: Int
    let test: Test

    package init(_ text: String, table: TableDefinition) throws(ConditionError) {
        guard let equals = text.firstIndex(of: "=") else {
            throw ConditionError(message: "\"\(text)\" is no condition; it looks like service_name=checkout")
        }
        let name = String(text[..<equals])
        let value = String(text[text.index(after: equals)...])
        guard let (column, key) = Self.column(name, table) else {
            let names = table.columns.map(\.name)
            throw ConditionError(
                message: "\(table.name) has no column \"\(name)\"\(Suggestion.question(name, among: names))")
        }
        self.column = column
        test = try Self.test(table.columns[column], key, value)
    }

    private static func column(_ name: String, _ table: TableDefinition) -> (Int, key: String?)? {
        if let column = table.columns.firstIndex(where: { $0.name == name }) { return (column, nil) }
        guard let dot = name.firstIndex(of: "."),
            let column = table.columns.firstIndex(where: { $0.name == name[..<dot] && $0.type == .attributes })
        else { return nil }
        return (column, String(name[name.index(after: dot)...]))
    }

    private static func test(
        _ column: ColumnDefinition, _ key: String?, _ value: String
    ) throws(ConditionError) -> Test {
        func refuse(_ kind: String) -> ConditionError {
            ConditionError(message: "\(column.name): \"\(value)\" is no \(kind)")
        }
        switch column.type {
        case .integer(.dateTime64):
            guard let time = CalendarTime.parse(value) else { throw refuse("time") }
            return .integer(time.nanoseconds)
        case .integer(.uint64):
            guard let number = UInt64(value) else { throw refuse("whole number") }
            return .integer(Int64(bitPattern: number))
        case .integer(.bool):
            guard let flag = ["false": 0, "true": 1, "0": 0, "1": 1][value] else { throw refuse("true or false") }
            return .integer(Int64(flag))
        case .integer:
            guard let number = Int64(value) else { throw refuse("whole number") }
            return .integer(number)
        case .float:
            guard let number = Double(value) else { throw refuse("number") }
            return .float(number)
        case .fixed(let width):
            let digits = value.utf8.compactMap { Hex.value($0) }
            guard digits.count == value.utf8.count, digits.isEmpty || digits.count == 2 * width else {
                throw refuse("id of \(2 * width) hexadecimal digits")
            }
            if digits.isEmpty { return .bytes(Array(repeating: 0, count: width)) }
            return .bytes((0..<width).map { digits[2 * $0] << 4 | digits[2 * $0 + 1] })
        case .string, .lowCardinality: return .bytes(Array(value.utf8))
        case .attributes:
            guard let key else {
                throw ConditionError(
                    message: "a condition on \(column.name) names a key: \(column.name).http.route=/cart")
            }
            return .attribute(key: Array(key.utf8), text: value)
        case .array, .nested, .aggregateState:
            throw ConditionError(
                message: "there are no conditions on \(column.name), which is of type \(column.type.sql)")
        }
    }
}

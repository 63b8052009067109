package import Core
package import TableSchema

/// Rows of one table: what ingest makes, parts store and scans yield.
package struct ColumnBatch: Sendable {
    package let rowCount: Int
    /// In the order of the table's definition; nil where a column was not read.
    package var columns: [Column?]

    package init(rowCount: Int, columns: [Column?]) {
        self.rowCount = rowCount
        self.columns = columns
    }

    package subscript(handle: ColumnHandle<Int64>) -> Buffer<Int64> {
        guard case .integers(let values)? = columns[handle.ordinal] else {
            preconditionFailure("column \(handle.name) was not read as integers")
        }
        return values
    }

    package subscript(handle: ColumnHandle<Double>) -> Buffer<Double> {
        guard case .floats(let values)? = columns[handle.ordinal] else {
            preconditionFailure("column \(handle.name) was not read as floats")
        }
        return values
    }

    package subscript(handle: ColumnHandle<FixedColumn>) -> FixedColumn {
        guard case .fixed(let column)? = columns[handle.ordinal] else {
            preconditionFailure("column \(handle.name) was not read as ids")
        }
        return column
    }

    package subscript(handle: ColumnHandle<StringColumn>) -> StringColumn {
        guard case .strings(let column)? = columns[handle.ordinal] else {
            preconditionFailure("column \(handle.name) was not read as strings")
        }
        return column
    }

    package subscript(handle: ColumnHandle<AttributesColumn>) -> AttributesColumn {
        guard case .attributes(let column)? = columns[handle.ordinal] else {
            preconditionFailure("column \(handle.name) was not read as attributes")
        }
        return column
    }

    package subscript(handle: ColumnHandle<NestedColumn>) -> NestedColumn {
        guard case .nested(let column)? = columns[handle.ordinal] else {
            preconditionFailure("column \(handle.name) was not read as nested rows")
        }
        return column
    }
}

/// A column of a table, bound once by name and checked against its type; `Values` is what a batch gives for it.
package struct ColumnHandle<Values>: Sendable {
    /// Its place in the table's definition.
    package let ordinal: Int
    package let name: String
    /// By which plans name it.
    package let id: ColumnID

    fileprivate init(ordinal: Int, name: String, id: ColumnID) {
        self.ordinal = ordinal
        self.name = name
        self.id = id
    }
}

/// A table that does not have what the code wants of it.
package struct BindingError: Error, CustomStringConvertible {
    package let table: String
    package let column: String

    package var description: String {
        "Schema/ does not declare \(table).\(column) with the type that Varve needs"
    }

    package init(table: String, column: String) {
        self.table = table
        self.column = column
    }
}

extension TableDefinition {
    package func integers(_ name: String) throws(BindingError) -> ColumnHandle<Int64> {
        try bind(name) { if case .integer = $0 { true } else { false } }
    }

    package func floats(_ name: String) throws(BindingError) -> ColumnHandle<Double> {
        try bind(name) { $0 == .float }
    }

    package func fixed(_ name: String, width: Int) throws(BindingError) -> ColumnHandle<FixedColumn> {
        try bind(name) { $0 == .fixed(width: width) }
    }

    package func strings(_ name: String) throws(BindingError) -> ColumnHandle<StringColumn> {
        try bind(name) { $0 == .string || $0 == .lowCardinality }
    }

    /// States of an aggregate, as their bytes.
    package func states(_ name: String) throws(BindingError) -> ColumnHandle<StringColumn> {
        try bind(name) { if case .aggregateState = $0 { true } else { false } }
    }

    package func attributes(_ name: String) throws(BindingError) -> ColumnHandle<AttributesColumn> {
        try bind(name) { $0 == .attributes }
    }

    package func nested(
        _ name: String, _ fields: [String]
    ) throws(BindingError) -> ColumnHandle<NestedColumn> {
        try bind(name) { type in
            guard case .nested(let definitions) = type else { return false }
            return definitions.map(\.name) == fields
        }
    }

    private func bind<Values>(
        _ column: String, _ accepts: (ColumnType) -> Bool
    ) throws(BindingError) -> ColumnHandle<Values> {
        guard let ordinal = columns.firstIndex(where: { $0.name == column }),
            accepts(columns[ordinal].type)
        else { throw BindingError(table: name, column: column) }
        return ColumnHandle(ordinal: ordinal, name: column, id: columns[ordinal].id)
    }

    /// The place of the column with that id.
    package func ordinal(of id: ColumnID) -> Int? { columns.firstIndex { $0.id == id } }
}

internal import Columns
internal import Storage
internal import TableSchema

/// Something that verification or repair has to say about one place of a data directory.
package struct Finding: Sendable {
    package enum Severity: String, Sendable {
        /// Bytes are not what was written, or contradict each other.
        case damage
        /// Nothing is wrong, but one may want to know.
        case note
    }

    package var severity: Severity
    /// The file.
    package var path: String
    package var part: StoredPart?
    /// The block of the part, if it is one block that is damaged.
    package var block: Int?
    /// Of the part: `column`, `nested.field`, `attributes[key]` and the like.
    package var column: String?
    /// The byte of the file, where it is known.
    package var offset: Int64?
    package var reason: String

    package init(
        _ severity: Severity, _ path: String, part: StoredPart? = nil, block: Int? = nil, column: String? = nil,
        offset: Int64? = nil, _ reason: String
    ) {
        self.severity = severity
        self.path = path
        self.part = part
        self.block = block
        self.column = column
        self.offset = offset
        self.reason = reason
    }

    /// One line.
    package var text: String {
        var place = path
        if let block { place += ", block \(block)" }
        if let column { place += ", \(column)" }
        if let offset { place += ", byte \(offset)" }
        return "\(place): \(reason)"
    }
}

/// How far work has come.
package struct WorkProgress: Sendable {
    package var doneBytes: Int64 = 0
    package var allBytes: Int64 = 0
    package var doneRows = 0
    package var allRows = 0

    package init() {}
}

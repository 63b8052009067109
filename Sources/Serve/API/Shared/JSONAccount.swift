import JSON
import QueryModel
import Scheduling

/// Counts the text of an answer against its query's memory while it is written.
struct JSONAccount {
    private let context: QueryContext
    private var counted = 0

    init(_ context: QueryContext) { self.context = context }

    /// To be called after each series, stream or trace.
    mutating func count(_ json: JSONWriter) throws(QueryError) {
        let written = json.bytes.count
        guard written > counted else { return }
        try context.proceed()
        try context.charge(bytes: written - counted)
        counted = written
    }
}

import JSON
import QueryModel
import Scheduling

/// Counts the text of an answer against its query's memory while it is written.
struct JSONAccount {
    private let context: QueryContext
    private var counted = 0

    init(_ context: QueryContext) { self.context = context }

    /// To be called after each series, stream or trace.
    ///
    /// - Parameter least: fewer bytes wait until they are more: for what is called after each of very many small things.
    mutating func count(_ json: JSONWriter, atLeast least: Int = 1) throws(QueryError) {
        let written = json.bytes.count
        guard written - counted >= least else { return }
        try context.proceed()
        try context.charge(bytes: written - counted)
        counted = written
    }
}

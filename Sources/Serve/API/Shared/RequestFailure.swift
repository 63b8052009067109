private import Core
import QueryModel

/// Why a request was not answered: a status and the words that go with it. Each dialect writes it in its own form.
struct RequestFailure: Error, Hashable {
    let status: Int
    let message: String

    init(status: Int, _ message: String) {
        self.status = status
        self.message = message
    }

    static func badRequest(_ message: String) -> RequestFailure { RequestFailure(status: 400, message) }

    init(_ error: QueryError) {
        switch error {
        case .interrupted(.cancelled): self.init(status: 499, "the query was cancelled")
        case .interrupted(.timedOut): self.init(status: 504, "the query timed out")
        case .interrupted(.overBudget(let bytes)):
            self.init(status: 422, "the query needs more than \(bytes) bytes; narrow its time range or its limit")
        case .execution(let reason): self.init(status: 422, reason)
        case .storage(let reason): self.init(status: 500, reason)
        }
    }
}

/// Runs a query, and says its failure as clients are told.
func asking<Answer>(_ query: () throws(QueryError) -> Answer) throws(RequestFailure) -> Answer {
    do { return try query() } catch { throw RequestFailure(error) }
}

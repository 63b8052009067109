import HTTP
internal import Observability
import QueryModel
internal import Scheduling

/// Why a request was not answered: a status and the words that go with it. Each dialect writes it in its own form.
struct RequestFailure: Error, Hashable {
    let status: Int
    let message: String
    /// After how many seconds the same request may do better; nil if that is not to be expected.
    var retryAfter: Int?

    init(status: Int, _ message: String) {
        self.status = status
        self.message = message
    }

    static func badRequest(_ message: String) -> RequestFailure { RequestFailure(status: 400, message) }

    /// That a trace was not found; or why that cannot be said, if something could not be read.
    static func traceNotFound(_ message: String, _ request: APIRequest) -> RequestFailure {
        guard let warning = request.context.statistics.warnings.first else {
            return RequestFailure(status: 404, message)
        }
        return RequestFailure(status: 500, warning)
    }

    /// All queries together want more memory than there is.
    static var memoryExhausted: RequestFailure {
        var failure = RequestFailure(status: 503, memoryMessage)
        failure.retryAfter = 1
        return failure
    }

    static let memoryMessage = "all queries together need more memory than they may have; try again, or ask for less"

    init(_ error: QueryError) {
        switch error {
        case .interrupted(.cancelled): self.init(status: 499, "the query was cancelled")
        case .interrupted(.timedOut): self.init(status: 504, "the query timed out")
        case .interrupted(.overBudget(let bytes)):
            self.init(status: 422, "the query needs more than \(bytes) bytes; narrow its time range or its limit")
        case .interrupted(.memoryExhausted): self = .memoryExhausted
        case .interrupted(.rangeTooLong(let reason)): self.init(status: 422, reason)
        case .execution(let reason): self.init(status: 422, reason)
        case .storage(let reason): self.init(status: 500, reason)
        }
    }
}

/// Runs a query, and says its failure as clients are told.
func asking<Answer>(_ query: () throws(QueryError) -> Answer) throws(RequestFailure) -> Answer {
    do { return try query() } catch { throw RequestFailure(error) }
}

extension HTTPResponse {
    /// The same answer, which tells the client to come back later.
    func retrying(after seconds: Int?) -> HTTPResponse {
        guard let seconds else { return self }
        var response = self
        response.headers.append(("Retry-After", "\(seconds)"))
        return response
    }
}

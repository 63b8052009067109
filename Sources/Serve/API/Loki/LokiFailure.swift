import HTTP
import LogQL
import QueryModel
internal import Scheduling

/// Failures in Loki's words (rule L-8): the message alone, as text.
extension RequestFailure {
    init(_ error: LogQLError) { self.init(status: 400, error.message) }

    /// Loki answers 400 to a query that asks for too much or fails on its data, where Prometheus answers 422.
    init(loki error: QueryError) {
        switch error {
        case .interrupted(.cancelled): self.init(status: 499, "the request was cancelled by the client")
        case .interrupted(.timedOut):
            self.init(
                status: 504,
                """
                request timed out, decrease the duration of the request or add more label matchers (prefer exact match \
                over regex match) to reduce the amount of data processed
                """)
        case .interrupted(.overBudget(let bytes)):
            self.init(
                status: 400,
                """
                the query needs more than \(bytes) bytes of memory; narrow its time range, add label matchers or \
                aggregate by fewer labels
                """)
        case .interrupted(.memoryExhausted): self = .memoryExhausted
        case .interrupted(.rangeTooLong(let reason)): self.init(status: 400, reason)
        case .execution(let reason): self.init(status: 400, reason)
        case .storage(let reason): self.init(status: 500, reason)
        }
    }

    var lokiResponse: HTTPResponse { .text(message, status: status).retrying(after: retryAfter) }
}

/// Runs a query, and says its failure in Loki's words.
func askingLoki<Answer>(_ query: () throws(QueryError) -> Answer) throws(RequestFailure) -> Answer {
    do { return try query() } catch { throw RequestFailure(loki: error) }
}

/// Reads a text of LogQL, and says why it cannot be read.
func reading<Value>(_ parse: () throws(LogQLError) -> Value) throws(RequestFailure) -> Value {
    do { return try parse() } catch { throw RequestFailure(error) }
}

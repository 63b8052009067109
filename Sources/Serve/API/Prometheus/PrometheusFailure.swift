import HTTP
import JSON
import QueryModel
internal import Scheduling

/// A failure in the envelope of Prometheus's API (rules P-2, P-3).
struct PrometheusFailure: Error {
    enum Kind: String {
        case badData = "bad_data"
        case execution
        case canceled
        case timeout
        case `internal`
        case unavailable
        case notFound = "not_found"

        var status: Int {
            switch self {
            case .badData: 400
            case .execution: 422
            case .canceled: 499
            case .timeout: 503
            case .internal, .unavailable: 500
            case .notFound: 404
            }
        }

        /// What fits a status that something else than a query has led to.
        init(status: Int) {
            switch status {
            case 404: self = .notFound
            case 422: self = .execution
            case 499: self = .canceled
            case 503, 504: self = .timeout
            case 500...: self = .internal
            default: self = .badData
            }
        }
    }

    let kind: Kind
    let message: String
    private var retryAfter: Int?

    static func badData(_ message: String) -> PrometheusFailure { PrometheusFailure(kind: .badData, message: message) }

    static func invalid(_ parameter: String, _ reason: String) -> PrometheusFailure {
        .badData("invalid parameter \"\(parameter)\": \(reason)")
    }

    init(kind: Kind, message: String) {
        self.kind = kind
        self.message = message
    }

    init(_ error: QueryError) {
        switch error {
        case .interrupted(.cancelled): self.init(kind: .canceled, message: "query was canceled")
        case .interrupted(.timedOut): self.init(kind: .timeout, message: "query timed out")
        case .interrupted(.overBudget(let bytes)):
            self.init(
                kind: .execution,
                message: "query processing would load too many samples into memory: more than \(bytes) bytes")
        case .interrupted(.memoryExhausted):
            self.init(kind: .unavailable, message: RequestFailure.memoryMessage)
            retryAfter = 1
        case .interrupted(.rangeTooLong(let reason)), .execution(let reason):
            self.init(kind: .execution, message: reason)
        case .storage(let reason): self.init(kind: .internal, message: reason)
        }
    }

    /// What can be had later is 503, unlike what P-2 says of `unavailable`: clients try that again.
    var response: HTTPResponse {
        Self.response(kind.rawValue, message, status: retryAfter == nil ? kind.status : 503)
            .retrying(after: retryAfter)
    }

    static func response(_ kind: String, _ message: String, status: Int) -> HTTPResponse {
        var json = JSONWriter()
        json.beginObject()
        json.key("status")
        json.string("error")
        json.key("errorType")
        json.string(kind)
        json.key("error")
        json.string(message)
        json.endObject()
        return .json(json.bytes, status: status)
    }
}

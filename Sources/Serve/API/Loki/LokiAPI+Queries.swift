internal import Core
import HTTP
import JSON
import LogQL
import QueryModel
internal import Scheduling

/// `/query`, `/query_range` and `/format_query` (rules L-10 to L-19, L-32).
extension LokiAPI {
    func instantQuery(_ request: APIRequest) throws(RequestFailure) -> HTTPResponse {
        let parameters = parameters(request)
        let timestamp = try parameters.time("time") ?? parameters.now
        _ = try parameters.limit()
        _ = try parameters.direction()
        let clock = ContinuousClock()
        let start = clock.now
        guard case .metric(let expression) = try query(parameters) else {
            throw .badRequest(
                """
                log queries are not supported as an instant query type, please change your query to a range query type
                """)
        }
        let result = try askingLoki { () throws(QueryError) in
            try engine.metric(expression, over: StepGrid(at: timestamp), context: request.context)
        }
        var reply = LokiReply(categorizesLabels: false)
        reply.instant(result, at: timestamp)
        return reply.finish(request.context.statistics, time: clock.now - start)
    }

    func rangeQuery(_ request: APIRequest) throws(RequestFailure) -> HTTPResponse {
        let parameters = parameters(request)
        let range = try parameters.forwardRange()
        try admit(range, request)
        let step = try parameters.step(over: range)
        let interval = try parameters.interval()
        let direction = try parameters.direction()
        let clock = ContinuousClock()
        let start = clock.now
        var reply = LokiReply(categorizesLabels: parameters.categorizesLabels)
        switch try query(parameters) {
        case .logs(let selector):
            let query = LogQuery(
                selector: selector, range: range, limit: try parameters.entryLimit(), direction: direction,
                interval: interval)
            try askingLoki { () throws(QueryError) in
                try reply.streams(try engine.logs(query, context: request.context), request.context)
            }
        case .metric(let expression):
            _ = try parameters.limit()
            guard let grid = StepGrid(from: range.start, through: range.end, step: step) else {
                throw .badRequest("the time range is too long")
            }
            try askingLoki { () throws(QueryError) in
                let result = try engine.metric(
                    expression, text: parameters.query, over: grid, context: request.context)
                try reply.range(result, over: grid, request.context)
            }
        }
        return reply.finish(request.context.statistics, time: clock.now - start)
    }

    private func query(_ parameters: LokiParameters) throws(RequestFailure) -> LogQLQuery {
        try reading { () throws(LogQLError) in try LogQLParser.query(parameters.query) }
    }

    /// The only call whose errors are JSON.
    func formatQuery(_ request: APIRequest) throws(RequestFailure) -> HTTPResponse {
        do throws(LogQLError) {
            let query = try LogQLParser.query(parameters(request).query)
            return Self.success { $0.string(LogQLPrinter.text(of: query)) }
        } catch {
            var json = JSONWriter()
            json.beginObject()
            json.key("status")
            json.string("invalid-query")
            json.key("error")
            json.string(error.message)
            json.endObject()
            return .json(json.bytes, status: 400)
        }
    }
}

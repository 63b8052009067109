import Core
import Observability
import Pattern
import QueryModel
import Readers
import Scheduling
import Testing

/// What `explain` tells of log queries: the plan of the scan, and what is tested behind it.
struct LogPlanTests {
    private func plan(_ request: LogScanRequest) throws -> String? {
        let context = QueryContext(tenant: .default)
        _ = try LogTestStore().entries(request, context: context)
        return context.statistics.plan
    }

    private func request(
        _ selector: [LabelMatcher] = [], lines: [LinePredicate] = [], labels: [LabelMatcher] = []
    ) -> LogScanRequest {
        LogScanRequest(selector: selector, lines: lines, labels: labels, range: .everything, order: .newestFirst)
    }

    @Test func `a plan says what is asked of columns`() throws {
        let columns = "select time, resource newest first"
        #expect(try plan(request()) == "from otel_logs \(columns)")
        let selector = [
            try LabelMatcher("service_name", .equal, "web"), try LabelMatcher("k8s_pod_name", .notRegex, "a.*"),
        ]
        #expect(
            try plan(request(selector)) == """
                from otel_logs where log.stream_label(resource, "service_name") shows "web" and \
                not log.stream_label(resource, "k8s_pod_name") matches "a.*" \(columns)
                """)
        #expect(try plan(request([LabelMatcher("nobody", .equal, "x")])) == "from otel_logs where false \(columns)")
    }

    @Test func `lines are hints, and tested`() throws {
        let lines: [LinePredicate] = [.contains(anyOf: ["a", "b"]), .lacks(allOf: ["c"])]
        #expect(
            try plan(request(lines: lines)) == """
                from otel_logs where perhaps (body contains "a" or body contains "b" or body_type >= 2) \
                select time, resource newest first, then test lines
                """)
    }

    @Test func `a severity is a range, unless something of the part tells otherwise`() throws {
        #expect(
            try plan(request(labels: [LabelMatcher("severity_number", .equal, "17")])) == """
                from otel_logs where severity_number <= -1 or severity_number = 17 or severity_number >= 25 or \
                (severity_number = 0 and (perhaps (log.attribute_label(attributes, "severity_number") exists) or \
                log.resource_label(resource, "severity_number") exists or \
                log.scope_label(scope, "severity_number") exists)) \
                select time, resource newest first, then test labels
                """)
    }

    @Test func `ids are asked of their columns`() throws {
        let id = TraceID(high: 1, low: 2)
        #expect(
            try plan(request(labels: [LabelMatcher("trace_id", .equal, id.hex)])) == """
                from otel_logs where trace_id in (\(id.hex)) select time, resource newest first, then test ids, labels
                """)
    }
}

internal import Core
import HTTP
import JSON
import Observability
import QueryModel
internal import Scheduling

/// What a query read and skipped, for those who ask with `explain=true`.
enum Explanation {
    static func isWanted(_ request: APIRequest) -> Bool {
        request.http.parameter("explain").map { $0 == "true" || $0 == "1" } ?? false
    }

    /// Writes the member `explain`, if it is wanted, into an object that is being written.
    static func write(_ request: APIRequest, to json: inout JSONWriter) {
        guard isWanted(request) else { return }
        json.key("explain")
        write(request.context.statistics, to: &json)
    }

    /// Writes the member `warnings`, what the answer lacks, if it lacks anything.
    static func writeWarnings(_ request: APIRequest, to json: inout JSONWriter) {
        let warnings = request.context.statistics.warnings
        guard !warnings.isEmpty else { return }
        json.key("warnings")
        json.beginArray()
        for warning in warnings { json.string(warning) }
        json.endArray()
    }

    /// As above, and which tables answered which part of the range.
    static func write(_ request: APIRequest, tables: [AnsweringTable], to json: inout JSONWriter) {
        guard isWanted(request) else { return }
        json.key("tables")
        write(tables, to: &json)
        write(request, to: &json)
    }

    /// `[{"table":"otel_traces","start":ns,"end":ns}]`; a bound that is not there is left out.
    static func write(_ tables: [AnsweringTable], to json: inout JSONWriter) {
        json.beginArray()
        for table in tables {
            json.beginObject()
            json.key("table")
            json.string(table.name)
            if table.range.start != .min {
                json.key("start")
                json.int(table.range.start.nanoseconds)
            }
            if table.range.end != .max {
                json.key("end")
                json.int(table.range.end.nanoseconds)
            }
            json.endObject()
        }
        json.endArray()
    }

    /// `{"plan":"from otel_traces where …","plans":["…",…],"blocksRead":3,…,"skippedBy":{"bloom":{"blocksSkipped":99,…}}}`
    static func write(_ statistics: QueryStatistics, to json: inout JSONWriter) {
        json.beginObject()
        if let plan = statistics.plan {
            json.key("plan")
            json.string(plan)
        }
        let plans = statistics.plans
        if plans.count > 1 {
            json.key("plans")
            json.beginArray()
            for plan in plans { json.string(plan) }
            json.endArray()
        }
        for (name, value) in statistics.totals {
            json.key(name)
            json.int(value)
        }
        json.key("skippedBy")
        json.beginObject()
        for (index, values) in statistics.skipped {
            json.key(index.name)
            json.beginObject()
            for (name, value) in values {
                json.key(name)
                json.int(value)
            }
            json.endObject()
        }
        json.endObject()
        json.endObject()
    }
}

import Core
import HTTP
import JSON

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

    /// `{"blocksRead":3,…,"skippedBy":{"bloom":{"blocksSkipped":99,…}}}`
    static func write(_ statistics: QueryStatistics, to json: inout JSONWriter) {
        json.beginObject()
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

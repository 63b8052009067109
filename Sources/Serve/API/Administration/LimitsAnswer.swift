internal import Core
internal import HTTP
internal import JSON
internal import Limits

/// `GET /api/v1/admin/limits`: which limits are in force, and what of them is used.
///
/// ```json
/// {"defaults":{"rows-per-second":"1000","rows-burst":"10000"},
///  "accounts":[{"tenant":"shop","limits":{…},"available":{"rows":9950},"activeSeries":12,"queries":{"running":1,"waiting":0}}],
///  "accountCount":1}
/// ```
///
/// `?tenant=NAME` asks for one alone. Of all there are so many at most; `accountCount` says how many there are.
struct LimitsAnswer {
    private static let most = 1000

    let limiter: Limiter

    func response(to request: APIRequest) -> HTTPResponse {
        var tenant: TenantID?
        if let name = request.http.parameter("tenant") {
            guard let named = TenantID(name) else { return .text("no tenant has such a name\n", status: 400) }
            tenant = named
        }
        let usages = limiter.usages(of: tenant)
        var json = JSONWriter()
        json.beginObject()
        json.key("defaults")
        Self.write(limiter.defaults, to: &json)
        json.key("accounts")
        json.beginArray()
        for usage in usages.prefix(Self.most) { Self.write(usage, to: &json) }
        json.endArray()
        json.key("accountCount")
        json.int(usages.count)
        json.endObject()
        return .json(json.bytes)
    }

    private static func write(_ limits: TenantLimits, to json: inout JSONWriter) {
        json.beginObject()
        for (key, value) in limits.texts {
            json.key(key)
            json.string(value)
        }
        json.endObject()
    }

    private static func write(_ usage: LimitUsage, to json: inout JSONWriter) {
        json.beginObject()
        switch usage.subject {
        case .tenant(let tenant): member("tenant", tenant.name, &json)
        case .key(let name): member("key", name, &json)
        case .others: member("tenant", RefusalCounts.others, &json)
        }
        json.key("limits")
        write(usage.limits, to: &json)
        json.key("available")
        json.beginObject()
        for (key, value) in [("rows", usage.rows), ("bytes", usage.bytes), ("newSeries", usage.newSeries)] {
            guard let value else { continue }
            json.key(key)
            json.int(value)
        }
        json.endObject()
        if let series = usage.activeSeries {
            json.key("activeSeries")
            json.int(series)
        }
        json.key("queries")
        json.beginObject()
        json.key("running")
        json.int(usage.runningQueries)
        json.key("waiting")
        json.int(usage.waitingQueries)
        json.endObject()
        json.endObject()
    }

    private static func member(_ key: String, _ value: String, _ json: inout JSONWriter) {
        json.key(key)
        json.string(value)
    }
}

import HTTP
import JSON

/// A failure in the words and forms of Jaeger's two APIs.
extension RequestFailure {
    /// The legacy API's words for a parameter that cannot be read (J-13).
    static func unparsable(_ name: String, _ reason: String) -> RequestFailure {
        .badRequest("unable to parse param '\(name)': \(reason)")
    }

    /// The v3 API's words for it (J-40).
    static func malformed(_ name: String, _ reason: String) -> RequestFailure {
        .badRequest("malformed parameter \(name): \(reason)")
    }

    /// In the legacy API's envelope (J-2).
    var legacyResponse: HTTPResponse {
        var json = JSONWriter()
        json.beginObject()
        json.key("data")
        json.null()
        JaegerEnvelope.finish(&json, total: 0) { json in
            json.beginObject()
            json.key("code")
            json.int(status)
            json.key("msg")
            json.string(message)
            json.endObject()
        }
        return .json(json.bytes, status: status).retrying(after: retryAfter)
    }

    /// As v3 says it (J-40).
    var v3Response: HTTPResponse {
        var json = JSONWriter()
        json.beginObject()
        json.key("error")
        json.beginObject()
        json.key("httpCode")
        json.int(status)
        json.key("message")
        json.string(message)
        json.endObject()
        json.endObject()
        return .json(json.bytes, status: status).retrying(after: retryAfter)
    }
}

/// The envelope of the legacy API (J-1): `{"data":…,"total":n,"limit":0,"offset":0,"errors":null}`.
enum JaegerEnvelope {
    static func response(total: Int, data: (inout JSONWriter) -> Void) -> HTTPResponse {
        .json(bytes(total: total, data: data))
    }

    static func bytes(
        total: Int, errors: ((inout JSONWriter) -> Void)? = nil, data: (inout JSONWriter) -> Void
    ) -> [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        json.key("data")
        data(&json)
        finish(&json, total: total, errors: errors)
        return json.bytes
    }

    /// Everything after `data`; `errors` writes the elements of the array, and nil means there are none.
    static func finish(_ json: inout JSONWriter, total: Int, errors: ((inout JSONWriter) -> Void)?) {
        json.key("total")
        json.int(total)
        json.key("limit")
        json.int(0)
        json.key("offset")
        json.int(0)
        json.key("errors")
        if let errors {
            json.beginArray()
            errors(&json)
            json.endArray()
        } else {
            json.null()
        }
        json.endObject()
    }
}

private import Glibc
private import Synchronization

/// A response as it is sent.
struct Reply: Sendable {
    var head: [UInt8]
    var body: [UInt8]
    /// Whether the connection ends behind it.
    var closes: Bool
    /// Takes the connection over.
    var upgrade: HTTPUpgrade?

    /// - Parameters:
    ///   - request: what it answers, without its body.
    ///   - closes: whether the connection cannot serve another request.
    init(_ response: HTTPResponse, to request: HTTPRequest, isVersion11: Bool, closes: Bool) {
        var response = response
        upgrade = response.upgrade
        self.closes = closes
        if let upgrade {
            response.status = 101
            response.body = []
            response.headers += [("Connection", "Upgrade"), ("Upgrade", upgrade.name)]
        } else {
            ResponseCompression.apply(to: &response, for: request)
            if closes {
                response.headers.append(("Connection", "close"))
            } else if !isVersion11 {
                response.headers.append(("Connection", "keep-alive"))
            }
        }
        if response.status >= 200, response.status != 204, response.status != 304 {
            response.headers.append(("Content-Length", String(response.body.count)))
        }
        head = Self.head(response)
        body = request.method == .head ? [] : response.body
        // What is small goes in one packet.
        if body.count <= 16 << 10 {
            head += body
            body = []
        }
    }

    static let goOn = Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)

    private static func head(_ response: HTTPResponse) -> [UInt8] {
        var text = "HTTP/1.1 \(response.status) \(reason(response.status))\r\nDate: \(HTTPDate.now())\r\n"
        for (name, value) in response.headers where isHeader(name, value) { text += "\(name): \(value)\r\n" }
        return Array((text + "\r\n").utf8)
    }

    /// A value with a line's end in it would be more than one header.
    private static func isHeader(_ name: String, _ value: String) -> Bool {
        name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ":") }
            && value.utf8.allSatisfy { ($0 >= 0x20 && $0 != 0x7F) || $0 == 9 }
    }

    private static func reason(_ status: Int) -> String {
        switch status {
        case 101: "Switching Protocols"
        case 200: "OK"
        case 201: "Created"
        case 202: "Accepted"
        case 204: "No Content"
        case 206: "Partial Content"
        case 301: "Moved Permanently"
        case 302: "Found"
        case 304: "Not Modified"
        case 307: "Temporary Redirect"
        case 308: "Permanent Redirect"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 406: "Not Acceptable"
        case 408: "Request Timeout"
        case 409: "Conflict"
        case 411: "Length Required"
        case 413: "Content Too Large"
        case 414: "URI Too Long"
        case 415: "Unsupported Media Type"
        case 422: "Unprocessable Content"
        case 426: "Upgrade Required"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 499: "Client Closed Request"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        default: "Status"
        }
    }
}

/// The time as a header says it, made once for each second.
enum HTTPDate {
    private static let last = Mutex<(second: Int, text: String)>((0, ""))

    static func now() -> String {
        let second = time(nil)
        return last.withLock { last in
            if last.second != second { last = (second, text(second)) }
            return last.text
        }
    }

    /// IMF-fixdate (RFC 9110, 5.6.7).
    static func text(_ second: Int) -> String {
        var second = time_t(second)
        var parts = tm()
        gmtime_r(&second, &parts)
        let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let date =
            "\(days[Int(parts.tm_wday)]), \(two(parts.tm_mday)) \(months[Int(parts.tm_mon)]) \(1900 + parts.tm_year)"
        return "\(date) \(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)) GMT"
    }
}

package import Authorization
package import Core
package import HTTP
package import Limits
package import Scheduling

/// A request on its way to a handler.
package struct APIRequest: Sendable {
    package var http: HTTPRequest
    package var tenant: TenantID
    /// The sender's, if keys are asked for.
    var key: LimitedKey?
    /// Of the tenant and the key; nil: none.
    let bounds: RequestLimiter?
    /// What stood in the pattern's placeholders, decoded.
    package var pathParameters: [String: String]
    /// Ends when the server's query timeout passes or the client goes away.
    package var context: QueryContext
    package var connection: HTTPConnectionState
    private var limits: QueryLimits

    package init(
        http: HTTPRequest, tenant: TenantID = .default, pathParameters: [String: String] = [:],
        limits: QueryLimits = QueryLimits(), bounds: RequestLimiter? = nil, connection: HTTPConnectionState = .none
    ) {
        var limits = limits
        limits.memory = min(limits.memory, bounds?.queryMemory ?? .max)
        self.bounds = bounds
        self.http = http
        self.tenant = tenant
        self.pathParameters = pathParameters
        self.limits = limits
        self.connection = connection
        context = QueryContext(
            tenant: tenant, byteLimit: limits.memory, timeout: limits.timeout, memory: limits.admission?.memory,
            bounds: Self.bounds(bounds), usesResultCache: Self.mayBeKept(http))
    }

    private static func bounds(_ bounds: RequestLimiter?) -> QueryBounds? {
        bounds.map { bounds in
            QueryBounds(longestRange: bounds.queryRange, refusal: { bounds.refuse(.queryRange).message })
        }
    }

    /// Not if the client says `Cache-Control: no-store`.
    private static func mayBeKept(_ http: HTTPRequest) -> Bool {
        let directives = http.header("Cache-Control")?.lowercased().split(separator: ",") ?? []
        return !directives.contains { $0.trimmingPrefix { $0 == " " }.hasPrefix("no-store") }
    }

    /// The same request with less time than the server would give it; more is not to be had.
    package func limited(to timeout: Duration) -> APIRequest {
        guard timeout < limits.timeout else { return self }
        var request = self
        let context = QueryContext(
            tenant: tenant, byteLimit: limits.memory, timeout: timeout, memory: limits.admission?.memory,
            bounds: Self.bounds(bounds), usesResultCache: self.context.usesResultCache,
            statistics: self.context.statistics)
        request.context = context
        request.limits.timeout = timeout
        connection.onClose { context.cancel() }
        return request
    }
}

/// What one query may use.
package struct QueryLimits: Sendable {
    package var timeout: Duration
    /// Bytes of decoded columns and results.
    package var memory: Int
    /// What all queries share; nil lets every one run.
    package var admission: QueryAdmission?
    /// What tenants and keys may do; nil: anything.
    package var limiter: Limiter?

    package init(
        timeout: Duration = .seconds(120), memory: Int = 1 << 30, admission: QueryAdmission? = nil,
        limiter: Limiter? = nil
    ) {
        self.limiter = limiter
        self.timeout = timeout
        self.memory = memory
        self.admission = admission
    }
}

package typealias APIHandler = @Sendable (APIRequest) -> HTTPResponse
/// One that replies once, before it returns or later from any thread.
package typealias DeferredAPIHandler =
    @Sendable (APIRequest, _ reply: @escaping @Sendable (HTTPResponse) -> Void) ->
    Void

/// How a family of routes says that something is wrong.
package struct Dialect: Sendable {
    package var name: String
    /// The request may be one of which only the head arrived.
    package var failure: @Sendable (_ status: Int, _ message: String, _ request: HTTPRequest) -> HTTPResponse
    /// The status of a query that is refused because too many others run.
    package var busyStatus: Int

    package init(
        _ name: String, busyStatus: Int = 503,
        failure: @escaping @Sendable (_ status: Int, _ message: String, _ request: HTTPRequest) -> HTTPResponse
    ) {
        self.name = name
        self.busyStatus = busyStatus
        self.failure = failure
    }

    /// The message alone, as text.
    package static let plain = Dialect("plain") { status, message, _ in .text(message + "\n", status: status) }
}

/// The routes of one dialect, with what they have in common.
///
/// A pattern's segments are literal, `{name}` for any one segment, or `{name*}` for one or more, joined by slashes.
package struct Routes: Sendable {
    /// Whether the client's leaving ends the work on a request: it ends a query, but not a write.
    package enum Cancellation: Sendable { case whenClientLeaves, never }

    /// What a key must allow, where keys are asked for.
    package enum Access: Sendable {
        case open
        case needs(Grant.Scopes, Grant.Signals = .all)
    }

    struct Route: Sendable {
        var pattern: RoutePattern
        var methods: [HTTPMethod]
        var bodyLimit: Int
        var cancellation: Cancellation
        var isQuery: Bool
        var access: Access
        var handler: Handler
    }

    enum Handler: Sendable {
        case direct(APIHandler)
        case deferred(DeferredAPIHandler)
    }

    /// Enough for a form with a very long query (rule G-4).
    package static let formLimit = 16 << 20

    package let dialect: Dialect
    /// Of each route that says nothing else.
    private let access: Access
    /// Paths below these are the dialect's, so that it answers for unknown ones.
    let roots: [RoutePattern]
    private(set) var routes: [Route] = []

    package init(_ dialect: Dialect, roots: [String] = [], access: Access = .needs(.query)) {
        self.dialect = dialect
        self.access = access
        self.roots = roots.map(RoutePattern.init)
    }

    /// - Parameters:
    ///   - isQuery: whether it waits for its turn among the queries.
    ///   - access: what a key must allow, if not what it must for the other routes.
    ///
    /// A later route of the same path adds its methods to those of an earlier one.
    package mutating func add(
        _ methods: [HTTPMethod], _ pattern: String, bodyLimit: Int = formLimit,
        cancellation: Cancellation = .whenClientLeaves, isQuery: Bool = true, access: Access? = nil,
        _ handler: @escaping APIHandler
    ) {
        routes.append(
            Route(
                pattern: RoutePattern(pattern), methods: methods, bodyLimit: bodyLimit, cancellation: cancellation,
                isQuery: isQuery, access: access ?? self.access, handler: .direct(handler)))
    }

    /// A route that is no query, and whose work goes on when the client leaves.
    package mutating func addDeferred(
        _ methods: [HTTPMethod], _ pattern: String, bodyLimit: Int, access: Access? = nil,
        _ handler: @escaping DeferredAPIHandler
    ) {
        routes.append(
            Route(
                pattern: RoutePattern(pattern), methods: methods, bodyLimit: bodyLimit, cancellation: .never,
                isQuery: false, access: access ?? self.access, handler: .deferred(handler)))
    }
}

/// A path with placeholders.
struct RoutePattern: Hashable, Sendable {
    enum Segment: Hashable, Sendable {
        case literal(String)
        case one(String)
        case many(String)
    }

    let segments: [Segment]

    init(_ pattern: String) {
        segments = pattern.split(separator: "/").map { piece in
            guard piece.first == "{", piece.last == "}" else { return .literal(String(piece)) }
            let name = piece.dropFirst().dropLast()
            return name.last == "*" ? .many(String(name.dropLast())) : .one(String(name))
        }
        precondition(
            segments.count { if case .many = $0 { true } else { false } } <= 1, "one greedy placeholder at most")
    }

    /// Whether every segment is literal.
    var isLiteral: Bool { segments.allSatisfy { if case .literal = $0 { true } else { false } } }

    /// The number of segments that are literal: of two patterns that match, the one with more is meant.
    var specificity: Int { segments.count { if case .literal = $0 { true } else { false } } }

    func match(_ path: ArraySlice<String>) -> [String: String]? {
        let isGreedy = segments.contains { if case .many = $0 { true } else { false } }
        guard isGreedy ? path.count >= segments.count : path.count == segments.count else { return nil }
        var values: [String: String] = [:]
        var position = path.startIndex
        for segment in segments {
            switch segment {
            case .literal(let text):
                guard path[position].utf8.elementsEqual(text.utf8) else { return nil }
                position += 1
            case .one(let name):
                values[name] = path[position]
                position += 1
            case .many(let name):
                let end = position + 1 + path.count - segments.count
                values[name] = path[position..<end].joined(separator: "/")
                position = end
            }
        }
        return values
    }

    func isPrefix(of path: ArraySlice<String>) -> Bool {
        guard path.count >= segments.count else { return false }
        return match(path.prefix(segments.count)) != nil
    }
}

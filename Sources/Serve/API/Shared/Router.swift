package import Authorization
internal import Core
package import HTTP
internal import Limits
package import Observability
internal import Scheduling

/// Finds a request's handler, and answers for what has none.
///
/// - Each prefix in `mounts` is an alias: what follows it is matched as if it stood at the root (rules U-1, U-2).
/// - Unknown paths are 404 in the dialect whose root they lie below, wrong methods 405 with `Allow` (rule G-8).
/// - HEAD is answered as GET, whose body the server leaves out; OPTIONS is 204 on every path (rule G-7).
package struct Router: HTTPHandler {
    /// Which origins a browser may call us from (rules G-7, O-9).
    package enum Origins: Hashable, Sendable {
        case none
        case any
        /// Exact origins, or patterns with one `*`, such as `https://*.example.com`.
        case only([String])
    }

    private static let mounts: Set<String> = ["prometheus", "loki-ds", "jaeger", "varve"]

    private let groups: [Routes]
    private let literal: [[String]: [Match]]
    private let patterns: [Match]
    private let limits: QueryLimits
    private let origins: Origins
    private let log: Log
    /// Nil: everybody may do everything.
    private let authorizer: Authorizer?
    private let statistics: HTTPStatistics
    private let pages: @Sendable (HTTPRequest) -> HTTPResponse?

    private struct Match: Sendable {
        var route: Routes.Route
        var dialect: Dialect
    }

    /// A request's route, or why it has none.
    private enum Resolution {
        case route(Routes.Route, Dialect, [String: String])
        case wrongMethod(Dialect, allowed: [HTTPMethod])
        case unknown(Dialect)
    }

    /// - Parameters:
    ///   - statistics: of the server that it answers for.
    ///   - pages: what is answered to a path of no dialect that has no route; nil is 404.
    package init(
        _ groups: [Routes], limits: QueryLimits = QueryLimits(), origins: Origins = .none,
        log: Log = .silent, authorizer: Authorizer? = nil, statistics: HTTPStatistics = HTTPStatistics(),
        pages: @escaping @Sendable (HTTPRequest) -> HTTPResponse? = { _ in nil }
    ) {
        self.pages = pages
        self.authorizer = authorizer
        self.groups = groups
        self.limits = limits
        self.origins = origins
        self.log = log
        self.statistics = statistics
        let all = groups.flatMap { group in group.routes.map { Match(route: $0, dialect: group.dialect) } }
        literal = Dictionary(grouping: all.filter(\.route.pattern.isLiteral)) { match in
            match.route.pattern.segments.compactMap { if case .literal(let text) = $0 { text } else { nil } }
        }
        // Sorting is stable: of equally specific patterns the first added counts.
        patterns = all.filter { !$0.route.pattern.isLiteral }
            .enumerated().sorted { left, right in
                let (a, b) = (left.element.route.pattern.specificity, right.element.route.pattern.specificity)
                return a == b ? left.offset < right.offset : a > b
            }.map(\.element)
    }

    package func bodyLimit(for head: HTTPRequest) -> Int {
        guard case .route(let route, _, _) = resolve(head) else { return 1 << 20 }
        return route.bodyLimit
    }

    package func respond(
        to request: HTTPRequest, connection: HTTPConnectionState, reply: @escaping @Sendable (HTTPResponse) -> Void
    ) {
        let head = request.head
        answer(request, connection) { [self] response in
            var response = response
            addOriginHeaders(for: head, to: &response)
            reply(response)
        }
    }

    package func refuse(_ request: HTTPRequest, status: Int, _ message: String) -> HTTPResponse {
        let dialect =
            switch resolve(request) {
            case .route(_, let dialect, _), .wrongMethod(let dialect, _), .unknown(let dialect): dialect
            }
        var response = dialect.failure(status, message, request)
        // Browsers, and Grafana, ask their users then.
        if status == 401 { response.headers.append(("WWW-Authenticate", "Basic realm=\"varve\"")) }
        addOriginHeaders(for: request, to: &response)
        return response
    }

    package func admit(_ head: HTTPRequest) throws(HTTPBodyError) -> (any RequestCaller)? {
        guard authorizer != nil, head.method != .options, case .route(let route, _, _) = resolve(head) else {
            return nil
        }
        do throws(Denial) {
            return try caller(of: head, route)
        } catch {
            throw .denied(status: error.httpStatus, error.message)
        }
    }

    private func caller(of request: HTTPRequest, _ route: Routes.Route) throws(Denial) -> Caller {
        if let caller = request.caller as? Caller { return caller }
        let sent = request.header(TenantID.header)
        guard let authorizer, case .needs(let scopes, let signals) = route.access else {
            return Caller(tenant: TenantID(sent: sent))
        }
        let isNamed = sent?.isEmpty == false
        let named = isNamed ? TenantID(sent: sent) : nil
        let admitted = try authorizer.authorize(
            Credential { name in
                request.headers.filter { $0.name.lowercased() == name }.map(\.value)
            }, Authorizer.Access(scopes, signals), tenant: named)
        return Caller(tenant: isNamed && named == nil ? nil : admitted.tenant, key: admitted.key)
    }

    private func answer(
        _ request: HTTPRequest, _ connection: HTTPConnectionState, reply: @escaping @Sendable (HTTPResponse) -> Void
    ) {
        let resolution = resolve(request)
        if request.method == .options { return reply(options(resolution)) }
        switch resolution {
        case .unknown(let dialect):
            if dialect.name == Dialect.plain.name, let page = pages(request) { return reply(page) }
            statistics.count(.unknownPath)
            reply(dialect.failure(404, "not found: \(Self.excerpt(request.path))", request))
        case .wrongMethod(let dialect, let allowed):
            statistics.count(.wrongMethod)
            var response = dialect.failure(405, "method not allowed", request)
            response.headers.append(("Allow", Self.list(allowed)))
            reply(response)
        case .route(let route, let dialect, let pathParameters):
            let caller: Caller
            do throws(Denial) {
                caller = try self.caller(of: request, route)
            } catch {
                return reply(refuse(request, status: error.httpStatus, error.message))
            }
            guard let tenant = caller.tenant else {
                statistics.count(.tenant)
                return reply(dialect.failure(400, TenantID.refusal, request))
            }
            let bounds = route.isQuery ? limits.limiter?.limits(of: tenant, key: caller.key) : nil
            var request = APIRequest(
                http: request, tenant: tenant, pathParameters: pathParameters, limits: limits, bounds: bounds,
                connection: connection)
            request.key = caller.key
            if route.cancellation == .whenClientLeaves {
                let context = request.context
                connection.onClose { context.cancel() }
            }
            switch route.handler {
            case .direct(let handler):
                reply(route.isQuery ? answer(request, handler, dialect) : handler(request))
            case .deferred(let handler): handler(request, reply)
            }
        }
    }

    private func answer(_ request: APIRequest, _ handler: APIHandler, _ dialect: Dialect) -> HTTPResponse {
        let start = ContinuousClock.now
        let response: HTTPResponse
        if let admission = limits.admission {
            do throws(QueryAdmission.Refusal) {
                response = try admission.run(request.context, of: request.bounds?.queries ?? []) { handler(request) }
            } catch {
                response = Self.refusal(error, dialect, request)
            }
        } else {
            response = handler(request)
        }
        if request.context.wentBeyondBudget, let bounds = request.bounds,
            bounds.queryMemory == request.context.byteLimit
        {
            _ = bounds.refuse(.queryMemory)
        }
        QueryReport.write(request, dialect, status: response.status, time: ContinuousClock.now - start, to: log)
        return response
    }

    private static func refusal(
        _ refusal: QueryAdmission.Refusal, _ dialect: Dialect, _ request: APIRequest
    ) -> HTTPResponse {
        switch refusal {
        case .interrupted(.timedOut):
            return dialect.failure(504, "the query timed out while it waited for its turn", request.http)
        case .interrupted: return dialect.failure(499, "the query was cancelled", request.http)
        case .accountFull(let account):
            let refused = request.bounds?.refuse(.queryConcurrency, account: account)
            return dialect.failure(429, refused?.message ?? "too many queries are running", request.http)
                .retrying(after: refused?.retryAfter ?? 1)
        case .queueFull, .waitedTooLong:
            return dialect.failure(dialect.busyStatus, "too many queries are running; try again later", request.http)
                .retrying(after: 1)
        }
    }

    // MARK: Finding the route

    private func resolve(_ request: HTTPRequest) -> Resolution {
        let method = request.method == .head ? .get : request.method
        let found = resolve(method, Self.withoutMount(request.segments))
        guard case .unknown = found, request.segments.contains("") else { return found }
        // Base URLs that end with a slash double it.
        return resolve(method, Self.withoutMount(request.segments.filter { !$0.isEmpty }))
    }

    private func resolve(_ method: HTTPMethod, _ path: ArraySlice<String>) -> Resolution {
        var allowed: [HTTPMethod] = []
        var dialect: Dialect?
        for match in literal[Array(path)] ?? [] {
            if match.route.methods.contains(method) { return .route(match.route, match.dialect, [:]) }
            allowed += match.route.methods
            dialect = dialect ?? match.dialect
        }
        for match in patterns {
            guard let values = match.route.pattern.match(path) else { continue }
            if match.route.methods.contains(method) { return .route(match.route, match.dialect, values) }
            allowed += match.route.methods
            dialect = dialect ?? match.dialect
        }
        if let dialect { return .wrongMethod(dialect, allowed: allowed) }
        return .unknown(owner(of: path))
    }

    static func isMount(_ segment: String) -> Bool { mounts.contains(segment) }

    static func withoutMount(_ segments: [String]) -> ArraySlice<String> {
        guard let first = segments.first else { return [] }
        // Loki's own paths begin with /loki: a base URL that ends so doubles it (§1, note 1).
        let isDoubled = first == "loki" && segments.count > 1 && segments[1] == "loki"
        return isDoubled || mounts.contains(first) ? segments.dropFirst() : segments[...]
    }

    /// The dialect with the longest root above `path`.
    private func owner(of path: ArraySlice<String>) -> Dialect {
        var best: (dialect: Dialect, length: Int)?
        for group in groups {
            for root in group.roots where root.isPrefix(of: path) && root.segments.count > best?.length ?? -1 {
                best = (group.dialect, root.segments.count)
            }
        }
        return best?.dialect ?? .plain
    }

    private static func excerpt(_ path: String) -> String {
        path.utf8.count <= 200 ? path : String(path.prefix(200)) + "…"
    }

    // MARK: OPTIONS and CORS

    private func options(_ resolution: Resolution) -> HTTPResponse {
        let allowed: [HTTPMethod] =
            switch resolution {
            case .route(let route, _, _): route.methods
            case .wrongMethod(_, let methods): methods
            case .unknown: [.get, .post]
            }
        return HTTPResponse(status: 204, headers: [("Allow", Self.list(allowed))])
    }

    private static func list(_ methods: [HTTPMethod]) -> String {
        var names: [String] = []
        for method in methods + (methods.contains(.get) ? [.head] : []) + [.options]
        where !names.contains(method.rawValue) {
            names.append(method.rawValue)
        }
        return names.joined(separator: ", ")
    }

    private func addOriginHeaders(for request: HTTPRequest, to response: inout HTTPResponse) {
        guard origins != .none else { return }
        response.headers.append(("Vary", "Origin"))
        guard let origin = request.header("Origin"), let allowed = allowedOrigin(origin) else { return }
        response.headers.append(("Access-Control-Allow-Origin", allowed))
        // Browsers send credentials with `sendBeacon` always: then the answer has to allow them, to an origin by its name.
        if allowed != "*" { response.headers.append(("Access-Control-Allow-Credentials", "true")) }
        response.headers.append(("Access-Control-Expose-Headers", "Date"))
        guard request.method == .options else { return }
        response.headers.append(("Access-Control-Allow-Methods", "GET, POST, OPTIONS"))
        let wanted = request.header("Access-Control-Request-Headers") ?? "Accept, Authorization, Content-Type, Origin"
        response.headers.append(("Access-Control-Allow-Headers", wanted))
        response.headers.append(("Access-Control-Max-Age", "600"))
    }

    private func allowedOrigin(_ origin: String) -> String? {
        switch origins {
        case .none: nil
        case .any: "*"
        case .only(let list): list.contains { Self.matches(origin, pattern: $0) } ? origin : nil
        }
    }

    private static func matches(_ origin: String, pattern: String) -> Bool {
        guard let star = pattern.firstIndex(of: "*") else { return origin == pattern }
        let (head, tail) = (pattern[..<star], pattern[pattern.index(after: star)...])
        return origin.utf8.count >= head.utf8.count + tail.utf8.count && origin.hasPrefix(head)
            && origin.hasSuffix(tail)
    }
}

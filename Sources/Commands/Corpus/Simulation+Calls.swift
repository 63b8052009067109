/// The shapes of call that the shop's services make: HTTP, RPC, SQL, cache, messages and work of their own.
extension Simulation {
    typealias Body = (inout Simulation, Site, Int64) -> Outcome

    /// A client span here and a server span there, over HTTP.
    mutating func http(
        from site: Site, to service: Shop.ServiceName, at start: Int64, _ method: String, _ route: String,
        path: String, failing probability: Double = 0.010, own median: Double = 1, _ body: Body
    ) -> Outcome {
        let target = shop.pod(of: service, dice: &dice)
        let port = shop.pods[target].service.port
        let client = open(
            method, .client, pod: site.pod, parent: site.span, at: start,
            [
                Field("http.request.method", method),
                Field("url.full", "http://\(service.rawValue):\(port)\(path)"),
                Field("server.address", service.rawValue), Field("server.port", port),
                Field("network.protocol.version", "1.1"),
            ])
        let server = open(
            "\(method) \(route)", .server, pod: target, parent: client.span, at: start + wire(),
            [
                Field("http.request.method", method), Field("http.route", route), Field("url.path", path),
                Field("url.scheme", "http"), Field("server.address", service.rawValue),
                Field("server.port", port), Field("client.address", shop.pods[site.pod].address),
                Field("user_agent.original", "\(shop.pods[site.pod].service.language.rawValue)-http/2"),
            ])
        let outcome = run(server, failing: probability, own: median, body)
        let status = outcome.failed ? dice.pick([500, 502, 503, 504]) : 200
        spans[server.span].attributes.append(Field("http.response.status_code", status))
        spans[client.span].attributes.append(Field("http.response.status_code", status))
        log(
            server, at: outcome.end, status < 500 ? .info : .warn,
            "\(method) \(path) \(status) in \((outcome.end - start) / 1_000) us",
            [Field("http.response.status_code", status), Field("thread.name", "http-\(dice.int(in: 1...32))")])
        return finish(client, after: outcome)
    }

    /// A client span here and a server span there, over gRPC.
    mutating func rpc(
        from site: Site, to service: Shop.ServiceName, at start: Int64, _ method: String,
        failing probability: Double = 0.012, own median: Double = 0.8, _ extra: [Field] = [],
        _ body: Body = Simulation.nothing
    ) -> Outcome {
        let target = shop.pod(of: service, dice: &dice)
        let port = shop.pods[target].service.port
        let package = "bookshop.\(service.rawValue).v1"
        let name = "\(package)/\(method)"
        let client = open(
            name, .client, pod: site.pod, parent: site.span, at: start,
            [
                Field("rpc.system", "grpc"), Field("rpc.service", package), Field("rpc.method", method),
                Field("server.address", service.rawValue), Field("server.port", port),
                Field("network.peer.address", shop.pods[target].address),
            ])
        let server = open(
            name, .server, pod: target, parent: client.span, at: start + wire(),
            [
                Field("rpc.system", "grpc"), Field("rpc.service", package), Field("rpc.method", method),
                Field("client.address", shop.pods[site.pod].address),
                Field("client.port", dice.int(in: 32_768...60_999)), Field("network.transport", "tcp"),
            ] + extra)
        let outcome = run(server, failing: probability, own: median, body)
        let code = outcome.failed ? dice.pick([4, 13, 14]) : 0
        spans[server.span].attributes.append(Field("rpc.grpc.status_code", code))
        spans[client.span].attributes.append(Field("rpc.grpc.status_code", code))
        log(
            server, at: outcome.end, code == 0 ? .info : .warn,
            "\(method) from \(shop.pods[site.pod].address) finished with code \(code) in \((outcome.end - start) / 1_000) us",
            [Field("rpc.method", method), Field("rpc.grpc.status_code", code)])
        return finish(client, after: outcome)
    }

    /// A statement to PostgreSQL.
    mutating func sql(from site: Site, at start: Int64, _ operation: String, _ table: String, where key: String)
        -> Outcome
    {
        let text =
            operation == "INSERT"
            ? "INSERT INTO \(table) (\(key), payload, created_at) VALUES ($1, $2, now())"
            : "\(operation) \(operation == "SELECT" ? "* FROM " : "")\(table) WHERE \(key) = $1"
        let span = open(
            "\(operation) \(table)", .client, pod: site.pod, parent: site.span, at: start,
            [
                Field("db.system.name", "postgresql"), Field("db.namespace", "shop"),
                Field("db.operation.name", operation), Field("db.collection.name", table),
                Field("db.query.text", text), Field("server.address", "pg-\(table).data.svc"),
                Field("server.port", 5432),
            ])
        let end = start + dice.latency(medianMilliseconds: operation == "SELECT" ? 1.4 : 2.6, spread: 0.6)
        close(span, at: end)
        if end - start > 25_000_000 {
            log(
                span, at: end, .warn, "slow query: \(operation) on \(table) took \((end - start) / 1_000_000) ms",
                [Field("db.rows", dice.int(in: 0...500))])
        }
        let failed = dice.chance(0.008)
        if failed { fail(span, at: end - 1_000) }
        return Outcome(end: end + 40_000, failed: failed)
    }

    /// A command to Redis.
    mutating func cache(from site: Site, at start: Int64, _ command: String, key: String) -> Outcome {
        let span = open(
            command, .client, pod: site.pod, parent: site.span, at: start,
            [
                Field("db.system.name", "redis"), Field("db.operation.name", command),
                Field("db.query.text", "\(command) \(key)"), Field("server.address", "redis.data.svc"),
                Field("server.port", 6379),
            ])
        let end = start + dice.latency(medianMilliseconds: 0.4)
        close(span, at: end)
        let failed = dice.chance(0.005)
        if failed { fail(span, at: end - 1_000) }
        return Outcome(end: end + 20_000, failed: failed)
    }

    /// A message to Kafka; returns the producer's span, for consumers to link to.
    mutating func publish(from site: Site, at start: Int64, topic: String, size: Int) -> (span: Site, end: Int64) {
        let span = open(
            "send \(topic)", .producer, pod: site.pod, parent: site.span, at: start,
            [
                Field("messaging.system", "kafka"), Field("messaging.destination.name", topic),
                Field("messaging.operation.type", "send"), Field("messaging.message.body.size", size),
                Field("messaging.destination.partition.id", String(dice.int(below: 12))),
                Field("messaging.kafka.offset", dice.int(in: 1_000_000...90_000_000)),
            ])
        let end = start + dice.latency(medianMilliseconds: 2)
        close(span, at: end)
        return (span, end + 30_000)
    }

    /// A consumer's work on a message, linked to its producer; in the producer's trace, or in one of its own.
    mutating func consume(
        _ service: Shop.ServiceName, topic: String, producer: Site, at start: Int64, ownTrace: Bool, _ body: Body
    ) {
        let sent = spans[producer.span]
        let before = trace
        if ownTrace { trace = TraceKey(high: dice.next(), low: dice.next()) }
        let pod = shop.pod(of: service, dice: &dice)
        let span = open(
            "process \(topic)", .consumer, pod: pod, parent: ownTrace ? nil : producer.span, at: start,
            [
                Field("messaging.system", "kafka"), Field("messaging.destination.name", topic),
                Field("messaging.operation.type", "process"), Field("messaging.consumer.group.name", service.rawValue),
                Field("messaging.client.id", "\(service.rawValue)-\(dice.int(below: 4))"),
            ])
        spans[span.span].links.append(
            Link(
                trace: sent.trace, span: sent.id,
                attributes: [Field("messaging.kafka.message.key", user), Field("link.kind", "produced_by")]))
        _ = run(span, failing: 0.02, own: 1.5, body)
        trace = before
    }

    /// Work inside one service that is worth a span.
    mutating func work(
        at site: Site, _ name: String, from start: Int64, median: Double, _ attributes: [Field] = [],
        _ body: Body = Simulation.nothing
    ) -> Outcome {
        let span = open(name, .internal, pod: site.pod, parent: site.span, at: start, attributes)
        return run(span, failing: 0, own: median, body)
    }

    /// For calls whose callee does nothing that is worth a span.
    static let nothing: @Sendable (inout Simulation, Site, Int64) -> Outcome = { _, _, start in Outcome(end: start) }

    /// The time on the wire, one way.
    mutating func wire() -> Int64 { 80_000 + Int64(dice.int(below: 600_000)) }

    /// Runs the body of an open span and closes it.
    mutating func run(_ site: Site, failing probability: Double, own median: Double, _ body: Body) -> Outcome {
        let begun = spans[site.span].start + dice.latency(medianMilliseconds: median)
        var outcome = body(&self, site, begun)
        if outcome.failed {
            spans[site.span].failure = "upstream failed"
        } else if dice.chance(probability) {
            fail(site, at: outcome.end)
            outcome.failed = true
        }
        outcome.end += 30_000 + Int64(dice.int(below: 90_000))
        close(site, at: outcome.end)
        return outcome
    }

    private mutating func finish(_ client: Site, after outcome: Outcome) -> Outcome {
        let end = outcome.end + wire()
        close(client, at: end)
        if outcome.failed { spans[client.span].failure = "" }
        return Outcome(end: end + 20_000, failed: outcome.failed)
    }
}

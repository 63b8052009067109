/// The scripts: what happens in the shop when somebody visits it, and what services say meanwhile.
extension Simulation {
    mutating func visit(at start: Int64) {
        switch dice.int(below: 100) {
        case 0..<30: browse(at: start)
        case 30..<55: product(at: start)
        case 55..<70: find(at: start)
        case 70..<82: fillBasket(at: start)
        case 82..<90: showBasket(at: start)
        case 90..<94: signIn(at: start)
        default: order(at: start)
        }
    }

    /// The two spans that every visit begins with: the gateway's and the storefront's.
    private mutating func enter(
        at start: Int64, _ method: String, _ route: String, path: String, _ body: Body
    ) {
        let gateway = shop.pod(of: .gateway, dice: &dice)
        let address =
            "\(dice.int(in: 11...217)).\(dice.int(below: 256)).\(dice.int(below: 256)).\(dice.int(in: 1...254))"
        let request = dice.hex(32)
        let agent = dice.pick(Self.agents)
        let root = open(
            "\(method) \(route)", .server, pod: gateway, parent: nil, at: start,
            [
                Field("http.request.method", method), Field("http.route", route), Field("url.path", path),
                Field("url.scheme", "https"), Field("server.address", "books.example.com"),
                Field("client.address", address), Field("user_agent.original", agent),
                Field("http.request.header.x-request-id", [request]), Field("tls.protocol.version", "1.3"),
            ])
        let outcome = http(
            from: root, to: .storefront, at: start + dice.latency(medianMilliseconds: 0.3), method, route, path: path,
            own: 2, body)
        let status = outcome.failed ? 500 : dice.chance(0.02) ? 404 : 200
        let size = dice.int(in: 180...64_000)
        spans[root.span].attributes += [
            Field("http.response.status_code", status), Field("http.response.body.size", size),
        ]
        if outcome.failed { spans[root.span].failure = "" }
        close(root, at: outcome.end)
        let took = (outcome.end - start) / 1_000_000
        log(
            root, at: outcome.end, status >= 500 ? .warn : .info,
            """
            {"time_ms":\(start / 1_000_000),"method":"\(method)","path":"\(path)","status":\(status),"bytes":\(size),\
            "duration_ms":\(took),"remote":"\(address)","request_id":"\(request)","agent":"\(agent)"}
            """,
            [Field("event.domain", "access"), Field("http.response.status_code", status)])
    }

    private mutating func browse(at start: Int64) {
        let page = dice.int(in: 1...40)
        enter(at: start, "GET", "/genres/{genre}", path: "/genres/\(dice.pick(Self.genres))?page=\(page)") {
            shop, site, start in
            var outcome = shop.rpc(from: site, to: .catalog, at: start, "ListBooks", [Field("app.page", page)]) {
                shop, site, start in
                shop.log(site, at: start, .debug, "listing page \(page), sort order newest first")
                return shop.sql(from: site, at: start, "SELECT", "books", where: "genre_id")
            }
            for _ in 0..<shop.dice.int(in: 1...4) where !outcome.failed {
                outcome = shop.price(from: site, at: outcome.end)
            }
            return shop.render("genre", site, outcome)
        }
    }

    private mutating func product(at start: Int64) {
        let book = bookNumber()
        enter(at: start, "GET", "/books/{id}", path: "/books/\(book)") { shop, site, start in
            var outcome = shop.bookDetails(book, from: site, at: start)
            if !outcome.failed { outcome = shop.price(from: site, at: outcome.end) }
            if !outcome.failed { outcome = shop.available(book, from: site, at: outcome.end) }
            let suggested = shop.rpc(from: site, to: .suggestions, at: outcome.end, "ForBook", own: 3) {
                shop, site, start in
                shop.log(site, at: start, .info, "scored \(shop.dice.int(in: 20...400)) candidates for book \(book)")
                return shop.work(
                    at: site, "score", from: start, median: 4,
                    [Field("app.model", "als-\(shop.dice.int(in: 3...5))"), Field("app.score", shop.dice.unit())])
            }
            return shop.render("book", site, Outcome(end: suggested.end, failed: outcome.failed))
        }
    }

    private mutating func find(at start: Int64) {
        let words = "\(dice.pick(Self.words)) \(dice.pick(Self.words))"
        enter(at: start, "GET", "/search", path: "/search?q=\(words.split(separator: " ").joined(separator: "+"))") {
            shop, site, start in
            let hits = shop.dice.int(in: 0...900)
            var outcome = shop.rpc(
                from: site, to: .search, at: start, "Query", own: 6,
                [Field("app.search.text", words), Field("app.search.hits", hits)]
            ) { shop, site, start in
                shop.log(site, at: start, .info, "query \"\(words)\" matched \(hits) of 184233 documents")
                let parsed = shop.work(at: site, "parse", from: start, median: 0.1)
                let read = shop.work(
                    at: site, "read postings", from: parsed.end, median: 3, [Field("app.terms", ["title", "author"])])
                return shop.work(at: site, "rank", from: read.end, median: 2)
            }
            if !outcome.failed { outcome = shop.price(from: site, at: outcome.end) }
            return shop.render("results", site, outcome)
        }
    }

    private mutating func fillBasket(at start: Int64) {
        let book = bookNumber()
        enter(at: start, "POST", "/basket/items", path: "/basket/items") { shop, site, start in
            var outcome = shop.bookDetails(book, from: site, at: start)
            if !outcome.failed { outcome = shop.available(book, from: site, at: outcome.end) }
            if !outcome.failed {
                outcome = shop.basket(from: site, at: outcome.end, "AddItem", commands: ["HGET", "HSET", "EXPIRE"])
            }
            return shop.render("basket", site, outcome)
        }
    }

    private mutating func showBasket(at start: Int64) {
        enter(at: start, "GET", "/basket", path: "/basket") { shop, site, start in
            var outcome = shop.basket(from: site, at: start, "GetBasket", commands: ["HGETALL"])
            for _ in 0..<shop.dice.int(in: 1...3) where !outcome.failed {
                outcome = shop.price(from: site, at: outcome.end)
            }
            return shop.render("basket", site, outcome)
        }
    }

    private mutating func signIn(at start: Int64) {
        enter(at: start, "POST", "/session", path: "/session") { shop, site, start in
            let user = shop.user
            return shop.rpc(from: site, to: .accounts, at: start, "SignIn", own: 2, [Field("enduser.id", user)]) {
                shop, site, start in
                let found = shop.sql(from: site, at: start, "SELECT", "accounts", where: "email")
                let hashed = shop.work(at: site, "verify password", from: found.end, median: 55)
                let wrong = shop.dice.chance(0.06)
                shop.log(
                    site, at: hashed.end, wrong ? .warn : .info,
                    wrong ? "sign-in refused for \(user): wrong password" : "user \(user) signed in",
                    [Field("enduser.id", user), Field("app.attempt", shop.dice.int(in: 1...3))])
                return shop.cache(from: site, at: hashed.end, "SETEX", key: "session:\(user)")
            }
        }
    }

    private mutating func order(at start: Int64) {
        enter(at: start, "POST", "/orders", path: "/orders") { shop, site, start in
            let number = "B-\(shop.dice.int(in: 10_000_000...99_999_999))"
            let total = Double(shop.dice.int(in: 499...24_999)) / 100
            return shop.rpc(
                from: site, to: .checkout, at: start, "PlaceOrder", own: 3,
                [Field("app.order.number", number), Field("app.order.total", total), Field("enduser.id", shop.user)]
            ) { shop, site, start in
                shop.log(site, at: start, .info, "placing order \(number) for \(shop.user), total \(total) EUR")
                var outcome = shop.basket(from: site, at: start, "GetBasket", commands: ["HGETALL"])
                for _ in 0..<shop.dice.int(in: 1...3) where !outcome.failed {
                    outcome = shop.available(shop.bookNumber(), from: site, at: outcome.end)
                }
                let taxed = shop.rpc(from: site, to: .tax, at: outcome.end, "Quote", own: 0.4)
                let shipped = shop.http(
                    from: site, to: .delivery, at: taxed.end, "POST", "/quotes", path: "/quotes", own: 4,
                    Simulation.nothing)
                var paid = shop.pay(total, order: number, from: site, at: shipped.end)
                paid.failed = paid.failed || outcome.failed || taxed.failed || shipped.failed
                if paid.failed { return paid }
                let stored = shop.sql(from: site, at: paid.end, "INSERT", "orders", where: "number")
                shop.deliver(number, from: site, at: stored.end)
                shop.log(site, at: stored.end, .info, "order \(number) placed, payment captured, 1 parcel")
                return Outcome(end: stored.end + 3_000_000, failed: stored.failed)
            }
        }
    }

    /// The order's event, and those who wait for it.
    private mutating func deliver(_ number: String, from site: Site, at start: Int64) {
        let sent = publish(from: site, at: start, topic: "orders", size: dice.int(in: 400...3_000))
        let later = sent.end + Int64(dice.int(in: 5...900)) * 1_000_000
        consume(.ledger, topic: "orders", producer: sent.span, at: later, ownTrace: false) { shop, site, start in
            shop.log(site, at: start, .info, "booked order \(number) on account 8400")
            return shop.sql(from: site, at: start, "INSERT", "postings", where: "order_number")
        }
        consume(.mailer, topic: "orders", producer: sent.span, at: later + 4_000_000, ownTrace: false) {
            shop, site, start in
            let rendered = shop.work(at: site, "render mail", from: start, median: 6)
            shop.log(
                site, at: rendered.end, .info,
                "mail order-confirmation sent to \(shop.user)@example.com, message id <\(shop.dice.hex(20))@books.example.com>"
            )
            return rendered
        }
        consume(.picking, topic: "orders", producer: sent.span, at: later + 30_000_000, ownTrace: true) {
            shop, site, start in
            let planned = shop.work(
                at: site, "plan route", from: start, median: 12, [Field("app.aisles", shop.dice.int(in: 1...9))])
            shop.log(
                site, at: planned.end, .info,
                "{\"event\":\"pick_list\",\"order\":\"\(number)\",\"aisle\":\(shop.dice.int(in: 1...64)),\"priority\":\"normal\",\"items\":\(shop.dice.int(in: 1...6))}"
            )
            return shop.sql(from: site, at: planned.end, "UPDATE", "shelves", where: "aisle")
        }
    }

    private mutating func pay(_ total: Double, order: String, from site: Site, at start: Int64) -> Outcome {
        let checked = rpc(from: site, to: .risk, at: start, "Assess", failing: 0.015, own: 8) { shop, site, start in
            let score = shop.dice.unit()
            shop.log(site, at: start, score > 0.97 ? .warn : .info, "risk score \(score) for order \(order)")
            return shop.cache(from: site, at: start, "GET", key: "risk:\(shop.user)")
        }
        if checked.failed { return checked }
        return rpc(
            from: site, to: .payments, at: checked.end, "Capture", failing: 0.03, own: 40,
            [
                Field("app.payment.amount", total),
                Field("app.payment.method", dice.pick(["card", "invoice", "wallet"])),
            ]
        ) { shop, site, start in
            shop.log(
                site, at: start, .info,
                "{\"event\":\"capture\",\"order\":\"\(order)\",\"amount\":\(total),\"currency\":\"EUR\",\"acquirer\":\"acq-\(shop.dice.int(in: 1...3))\"}"
            )
            return shop.sql(from: site, at: start, "INSERT", "captures", where: "order_number")
        }
    }

    private mutating func bookDetails(_ book: String, from site: Site, at start: Int64) -> Outcome {
        rpc(from: site, to: .catalog, at: start, "GetBook", [Field("app.book.isbn", book)]) { shop, site, start in
            let cached = shop.cache(from: site, at: start, "GET", key: "book:\(book)")
            guard shop.dice.chance(0.3) else {
                shop.log(site, at: cached.end, .debug, "book \(book) found in cache")
                return cached
            }
            shop.log(site, at: cached.end, .info, "book \(book) not cached, reading it from the database")
            return shop.sql(from: site, at: cached.end, "SELECT", "books", where: "isbn")
        }
    }

    private mutating func price(from site: Site, at start: Int64) -> Outcome {
        let currency = dice.pick(["EUR", "CHF", "GBP", "USD", "SEK"])
        return rpc(
            from: site, to: .pricing, at: start, "Price", failing: 0.008, own: 0.3, [Field("app.currency", currency)]
        ) { shop, site, start in
            if shop.dice.chance(0.5) {
                shop.log(
                    site, at: start, .debug,
                    "price list \(shop.dice.int(in: 1...30)) in \(currency), 7 rules applied in \(shop.dice.int(in: 20...900)) us"
                )
            }
            return Outcome(end: start)
        }
    }

    private mutating func available(_ book: String, from site: Site, at start: Int64) -> Outcome {
        rpc(from: site, to: .stock, at: start, "Available", own: 1, [Field("app.book.isbn", book)]) {
            shop, site, start in
            let outcome = shop.sql(from: site, at: start, "SELECT", "stock", where: "isbn")
            let count = shop.dice.int(below: 120)
            shop.log(
                site, at: outcome.end, count < 3 ? .warn : .info,
                "stock of \(book): \(count) in \(shop.dice.int(in: 1...4)) warehouses")
            return outcome
        }
    }

    private mutating func basket(from site: Site, at start: Int64, _ method: String, commands: [String]) -> Outcome {
        let user = user
        return rpc(from: site, to: .basket, at: start, method, [Field("enduser.id", user)]) { shop, site, start in
            shop.log(site, at: start, .info, "\(method) called with user \(user)")
            var outcome = Outcome(end: start)
            for command in commands where !outcome.failed {
                outcome = shop.cache(from: site, at: outcome.end, command, key: "basket:\(user)")
            }
            return outcome
        }
    }

    private mutating func render(_ page: String, _ site: Site, _ outcome: Outcome) -> Outcome {
        if outcome.failed {
            log(
                site, at: outcome.end, .error, "page \(page) not rendered, an upstream call failed",
                [Field("app.page", page)])
            return outcome
        }
        let rendered = work(
            at: site, "render \(page)", from: outcome.end, median: 5, [Field("app.template", "\(page).html")])
        if dice.chance(0.4) {
            log(
                site, at: rendered.end, .info,
                "rendered \(page) in \((rendered.end - outcome.end) / 1_000) us for session \(dice.hex(16))")
        }
        return Outcome(end: rendered.end)
    }

    /// What services say outside of requests: about half as many lines as the visit itself left.
    mutating func chatter(around start: Int64) {
        for _ in 0..<max(1, logs.count / 2) {
            let pod = dice.int(below: shop.pods.count)
            let time = start + Int64(dice.int(below: 4_000_000_000))
            let (severity, body): (Severity, String) =
                switch dice.int(below: 10) {
                case 0..<3: (.debug, "GET /healthz 200 \(dice.int(in: 40...900))us")
                case 3:
                    (
                        .info,
                        "gc: paused \(Double(dice.int(in: 10...4_000)) / 100) ms, heap \(dice.int(in: 60...900)) MB of 1024 MB"
                    )
                case 4:
                    (.info, "connection pool: \(dice.int(in: 1...20)) active, \(dice.int(in: 0...20)) idle, 0 waiting")
                case 5:
                    (
                        .info,
                        "configuration generation \(dice.int(in: 1_000...9_999)) is current, checked in \(dice.int(in: 1...90)) ms"
                    )
                case 6:
                    (
                        .warn,
                        "connection to 10.42.\(dice.int(below: 6)).\(dice.int(in: 2...250)):5432 lost, timeout after \(dice.int(in: 200...5_000)) ms, will retry"
                    )
                case 7:
                    (
                        .debug,
                        "kafka: committed offset \(dice.int(in: 1_000_000...9_000_000)) of partition orders-\(dice.int(below: 12))"
                    )
                case 8:
                    (
                        .info,
                        "{\"level\":\"info\",\"msg\":\"lease renewed\",\"holder\":\"\(shop.pods[pod].name)\",\"ttl\":15,\"attempt\":\(dice.int(in: 1...3))}"
                    )
                default:
                    (
                        .info,
                        "scheduled job expire-sessions removed \(dice.int(below: 4_000)) sessions in \(dice.int(in: 3...800)) ms"
                    )
                }
            logs.append(
                Log(
                    pod: pod, time: time, severity: severity, body: body,
                    attributes: [
                        Field("thread.name", "worker-\(dice.int(in: 1...16))"),
                        Field("code.lineno", dice.int(in: 10...2_000)),
                    ],
                    context: nil))
        }
    }

    private mutating func bookNumber() -> String { "978-\(1_000_000_000 + dice.int(below: 40_000) * 7_919)" }

    private static let genres = ["crime", "poetry", "history", "travel", "cooking", "science", "children", "fantasy"]
    private static let words = [
        "river", "winter", "garden", "silence", "machine", "letters", "island", "salt", "glass", "north", "bread",
        "ship", "atlas", "mirror", "forest", "clock", "stone", "painter", "journey", "night",
    ]
    private static let agents = [
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Safari/605.1.15",
        "BookshopApp/8.2 (Android 15; Pixel 9)", "BookshopApp/8.1 (iOS 19.1; iPhone16,2)",
    ]
}

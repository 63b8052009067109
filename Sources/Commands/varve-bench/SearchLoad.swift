import Foundation
import Synchronization

/// Searches of the last minutes, as people make who look for what is wrong right now.
struct SearchMix: Sendable {
    struct Search: Sendable {
        var name: String
        var service: String
        var parameters: [(String, String)]
    }

    let searches: [Search]

    init(_ address: HTTPConnection.Address) throws(BenchError) {
        var connection = HTTPConnection(address)
        let services = try QueryMix.strings("/api/services", &connection)
        guard let first = services.first(where: { $0 == "frontend" }) ?? services.first else {
            throw .server("the server knows no service")
        }
        let names = try QueryMix.strings("/api/services/\(QueryMix.escaped(first))/operations", &connection)
        var searches: [Search] = []
        if let operation = names.first(where: { $0 == "GET /api/products" }) ?? names.first {
            searches.append(
                Search(
                    name: "operation and duration", service: first,
                    parameters: [("operation", operation), ("minDuration", "30ms")]))
        }
        searches.append(
            Search(name: "http 500", service: first, parameters: [("tags", #"{"http.response.status_code":"500"}"#)]))
        for service in services {
            searches.append(
                Search(name: "errors of a service", service: service, parameters: [("tags", #"{"error":"true"}"#)]))
            searches.append(Search(name: "service", service: service, parameters: []))
            searches.append(
                Search(
                    name: "absent attribute", service: service,
                    parameters: [("tags", #"{"app.order.id":"no-such-order"}"#)]))
        }
        self.searches = searches
    }

    /// - Parameter number: chooses; the first two kinds are as frequent as the others together.
    func target(_ number: Int) -> String {
        let search =
            number % 2 == 0 ? searches[number / 2 % min(2, searches.count)] : searches[number / 2 % searches.count]
        let now = Int64(Date().timeIntervalSince1970 * 1e6)
        let range = [("start", String(now - 900_000_000)), ("end", String(now)), ("limit", "20")]
        return QueryMix.target("/api/traces", [("service", search.service)] + range + search.parameters)
    }

    func name(_ number: Int) -> String {
        (number % 2 == 0 ? searches[number / 2 % min(2, searches.count)] : searches[number / 2 % searches.count]).name
    }
}

/// Many connections that search, each as soon as its last answer has come.
final class SearchLoad: Sendable {
    struct Totals: Sendable {
        var latencies = Samples()
        var byName: [String: Samples] = [:]
        var bytes = 0
        var errorCount = 0
        var errors: [String] = []
    }

    private let mix: SearchMix
    private let address: HTTPConnection.Address
    private let state = Mutex(Totals())

    init(_ mix: SearchMix, at address: HTTPConnection.Address) {
        self.mix = mix
        self.address = address
    }

    var totals: Totals { state.withLock { $0 } }

    func run(connections: Int, seconds: Double) {
        let end = Clock.now() + seconds
        let groups = (0..<connections).map { number in
            Thread.started { [self] in
                let mine = search(number, until: end)
                state.withLock { all in
                    all.latencies.add(mine.latencies)
                    for (name, samples) in mine.byName { all.byName[name, default: Samples()].add(samples) }
                    all.bytes += mine.bytes
                    all.errorCount += mine.errorCount
                    all.errors += mine.errors.prefix(3)
                }
            }
        }
        for group in groups { group.wait() }
    }

    private func search(_ first: Int, until end: Double) -> Totals {
        var mine = Totals()
        var connection = HTTPConnection(address)
        // Neighbours begin with other searches, and none keeps to one kind.
        var number = first &* 7
        while Clock.now() < end {
            number += 1
            let begun = Clock.now()
            do throws(BenchError) {
                let response = try connection.get(mix.target(number))
                let took = Clock.now() - begun
                guard response.status == 200 else {
                    throw .server("search: HTTP \(response.status) \(response.text)")
                }
                mine.latencies.add(took)
                mine.byName[mix.name(number), default: Samples()].add(took)
                mine.bytes += response.body.count
            } catch {
                mine.errorCount += 1
                mine.errors.append(error.message)
                if mine.errorCount > 20 { return mine }
            }
        }
        return mine
    }
}

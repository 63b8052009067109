package import Observability

/// Why the server ended a connection between requests, or without one.
package enum HTTPConnectionEnd: String, CaseIterable, Sendable {
    /// Nothing came between two requests.
    case silence
    /// A reply was not taken in time.
    case stalled
    /// There were as many connections as there may be.
    case limit
    /// It speaks TLS, where there is none.
    case tls
}

/// Why a request was answered without asking its handler.
package enum HTTPRefusal: String, CaseIterable, Sendable {
    /// It is none, or says in two ways where it ends or for whom it is.
    case framing
    /// Its headers are too long.
    case headers
    /// Its body is longer than the path takes.
    case tooLarge = "too_large"
    /// All bodies together take too much memory.
    case overloaded
    /// It took too long to arrive.
    case slow
    /// A form in a coding that there is not, or that is not what its coding says.
    case coding
    /// There is nothing by that name.
    case unknownPath = "unknown_path"
    case wrongMethod = "wrong_method"
    /// No tenant has such a name.
    case tenant

    /// Nil: what is not allowed is counted by those who said so.
    init?(_ error: HTTPBodyError) {
        switch error {
        case .ambiguous: self = .framing
        case .headTooLarge: self = .headers
        case .tooLarge: self = .tooLarge
        case .overloaded: self = .overloaded
        case .tooSlow: self = .slow
        case .unsupportedEncoding, .malformed: self = .coding
        case .denied: return nil
        }
    }
}

/// What a server counts.
package final class HTTPStatistics: Sendable {
    package let connections = Gauge()
    private let ended = HTTPConnectionEnd.allCases.map { _ in Counter() }
    private let refused = HTTPRefusal.allCases.map { _ in Counter() }

    package init() {}

    package func ended(_ reason: HTTPConnectionEnd) -> Int {
        zip(HTTPConnectionEnd.allCases, ended).first { $0.0 == reason }?.1.value ?? 0
    }

    package func refused(_ reason: HTTPRefusal) -> Int {
        zip(HTTPRefusal.allCases, refused).first { $0.0 == reason }?.1.value ?? 0
    }

    func count(_ reason: HTTPConnectionEnd) {
        for (known, counter) in zip(HTTPConnectionEnd.allCases, ended) where known == reason { counter.add() }
    }

    package func count(_ reason: HTTPRefusal) {
        for (known, counter) in zip(HTTPRefusal.allCases, refused) where known == reason { counter.add() }
    }
}

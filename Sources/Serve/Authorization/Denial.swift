/// Why a request is refused before anything of it is read.
package enum Denial: String, Error, Hashable, CaseIterable, Sendable {
    /// It proves itself with nothing.
    case missing
    /// What it sends is no key.
    case malformed
    case unknown
    case expired
    /// A JSON Web Token of nobody who is known, not for this server, or not signed by whom it says.
    case token
    /// Its key does not allow this.
    case scope
    case signal
    case tenant

    /// Whether another key may help: who it is was not the question.
    package var isForbidden: Bool {
        switch self {
        case .missing, .malformed, .unknown, .expired, .token: false
        case .scope, .signal, .tenant: true
        }
    }

    package var httpStatus: Int { isForbidden ? 403 : 401 }

    /// Says nothing of which keys there are.
    package var message: String {
        switch self {
        case .missing:
            "a key is needed: send it as Authorization: Bearer KEY, as the password of Basic, or as X-API-Key"
        case .malformed: "Authorization and X-API-Key hold no key that could be read"
        case .unknown: "the key is not known"
        case .expired: "the key has expired"
        case .token: "the token is of no issuer that is known, not for this server, or not rightly signed"
        case .scope: "the key does not allow this"
        case .signal: "the key is not for this signal"
        case .tenant: "the key is not for this tenant"
        }
    }
}

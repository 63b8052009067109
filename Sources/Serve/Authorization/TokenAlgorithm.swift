/// How a JSON Web Token is signed (RFC 7518, 3.1), of what is taken; `none` is not.
package enum TokenAlgorithm: String, CaseIterable, Sendable {
    case rs256 = "RS256"
    case rs384 = "RS384"
    case rs512 = "RS512"
    case es256 = "ES256"
    case es384 = "ES384"
    case es512 = "ES512"
    case hs256 = "HS256"
    case hs384 = "HS384"
    case hs512 = "HS512"

    /// What kind of key an algorithm is for: one key is never used for two.
    enum Family: Hashable, Sendable { case rsa, ecdsa, secret }

    var family: Family {
        switch self {
        case .rs256, .rs384, .rs512: .rsa
        case .es256, .es384, .es512: .ecdsa
        case .hs256, .hs384, .hs512: .secret
        }
    }
}

internal import Core

/// Whose a request is, as it says itself, by HTTP and by gRPC.
extension TenantID {
    /// In lower case, as names of metadata are.
    static let header = "x-scope-orgid"
    static let refusal = "invalid X-Scope-OrgID: a tenant is 1 to 150 letters, digits and !-_.*'()"

    /// - Parameter name: what was sent, if anything was; nil if it cannot be a tenant's.
    init?(sent name: String?) {
        guard let name, !name.isEmpty else {
            self = .default
            return
        }
        self.init(name)
    }
}

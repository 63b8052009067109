internal import Core
internal import HTTP
internal import Limits

/// Whose a request is, as its head says: found once, and carried along.
struct Caller: RequestCaller {
    /// Nil if what the request names is no tenant.
    var tenant: TenantID?
    /// Nil where nobody is asked for one.
    var key: LimitedKey?
}

/// Why a plan cannot be read from bytes, or not be run.
package enum PlanError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Bytes that are no plan.
    case corrupt
    /// Of a newer Varve.
    case unsupportedVersion(Int)
    /// More of something than a plan may have.
    case tooLarge(String)
    /// What the plan asks of a table that it does not have, or not with that type.
    case mismatch(String)
    /// A function that nobody here knows.
    case unknownFunction(String)
    /// A regular expression that does not compile; the payload is the message for the user.
    case pattern(String)

    package var description: String {
        switch self {
        case .corrupt: "the bytes are no plan"
        case .unsupportedVersion(let version): "the plan has version \(version), of a newer Varve"
        case .tooLarge(let what): "the plan has too many or too large \(what)"
        case .mismatch(let what): "the plan does not fit its table: \(what)"
        case .unknownFunction(let name): "the plan needs the function \(name), which is not known here"
        case .pattern(let message): message
        }
    }
}
